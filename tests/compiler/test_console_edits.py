"""What the console does to a document: however it is written, the values become what was meant, and comments elsewhere stay."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.compiler.edit_text import line_text
from holdfast.compiler.edit_values import same
from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.parse import parse_document
from holdfast.compiler.sketch import value_at
from holdfast.compiler.yaml_tree import Mapping, Sequence, load_tree
from holdfast.model.edit import Edit, Path

Values = dict[str, Any]
Draw = Callable[..., Any]
NODES, POLICIES = ("files1", "files2", "vault"), ("documents", "mail", "db")
OPTIONS = {"limit": ["5MB/s", "1GB/s"], "compression": ["max", "off"], "keep": [{"last": 3}, {"daily": 7, "monthly": 12}]}


def operations() -> Values:
    return {"backup": {"every": "1h", "keep": {"last": 5}}, "replicate": {"removed": "follow"}}


@st.composite
def documents(draw: st.DrawFn) -> Values:
    """Valid documents of one flow."""
    policies = draw(st.lists(st.sampled_from(POLICIES), min_size=1, max_size=3, unique=True))
    sources = {f"s{n}": {"node": NODES[n], "policies": policies[: n + 1]} for n in range(draw(st.integers(1, 2)))}
    vertices: Values = {**sources, "store": {"repository": "main"}, "copy": {"mirror": "vault", "path": "/srv/{node}/{policy}"}}
    for name in draw(st.lists(st.sampled_from(sorted(vertices)), max_size=2, unique=True)):
        vertices[name] = {**vertices[name], "place": [draw(st.integers(-50, 50)), 7]}
    movers = [
        {"from": source, "to": target, "carries": [f"{policy}/{operation}" for policy in sources[source]["policies"]]}
        for source in sources
        for target, operation in (("store", "backup"), ("copy", "replicate"))
        if draw(st.booleans())
    ]
    return {
        "environment": "office",
        "nodes": {name: {"tags": ["linux"]} if draw(st.booleans()) else {} for name in NODES},
        "repositories": {"main": {"node": "vault", "location": "/srv/main"}},
        "policies": {name: {"classification": {"paths": [f"/srv/{name}"]}, "operations": operations()} for name in policies},
        "flows": {"office": {"vertices": vertices, "movers": movers}},
    }


@dataclass
class Writer:
    """Writes values in one of the many ways somebody might; each line has a comment of its own."""

    random: Random
    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.lines.append(f"{text}   # c{len(self.lines)}.")

    def mapping(self, values: Values, indent: int) -> None:
        pad = " " * indent
        for key, value in values.items():
            if self.random.random() < 0.2:
                self.line(self.random.choice([pad, ""]))
            self.value(f"{pad}{line_text(key)}:", value, indent)

    def value(self, head: str, value: Any, indent: int) -> None:
        is_deep = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
        if isinstance(value, dict) and value and (is_deep or self.random.random() < 0.5):
            self.line(head)
            self.mapping(value, indent + self.random.choice([2, 4]))
        elif isinstance(value, list) and value and (isinstance(value[0], dict) or self.random.random() < 0.25):
            self.line(head)
            for item in value:
                self.item(item, indent + self.random.choice([0, 2]) if item is value[0] else self.dash)
        else:
            self.line(f"{head} {line_text(value)}")

    dash: int = 0

    def item(self, item: Any, indent: int) -> None:
        self.dash = indent
        if not isinstance(item, dict) or self.random.random() < 0.5:
            self.line(f"{' ' * indent}- {line_text(item)}")
            return
        for at, (key, value) in enumerate(item.items()):
            self.line(f"{' ' * indent}{'- ' if at == 0 else '  '}{key}: {line_text(value)}")


@dataclass
class Deed:
    """What a person did: the values it means, the edits the console sends, the things it concerns and those that go."""

    values: Values
    edits: tuple[Edit, ...]
    touched: set[Path] = field(default_factory=set)
    gone: set[Path] = field(default_factory=set)


FLOW = ("flows", "office")
VERTICES, MOVERS = (*FLOW, "vertices"), (*FLOW, "movers")


def put(path: Path, value: Any) -> Edit:
    return Edit(op="set", path=path, value=value)


def parts(values: Values) -> tuple[Values, list[Values]]:
    flow = values["flows"]["office"]
    return flow["vertices"], flow["movers"]


def free_name(values: Values) -> str:
    return next(f"v {n}" for n in range(9) if f"v {n}" not in parts(values)[0])


def add_vertex(draw: Draw, after: Values) -> Deed:
    vertex = {"repository": "main", "place": [draw(st.integers(-9, 9)), 0]}
    name = free_name(after)
    parts(after)[0][name] = vertex
    return Deed(after, (put((*VERTICES, name), vertex),))


def move_vertex(draw: Draw, after: Values) -> Deed:
    vertices, _ = parts(after)
    name, place = draw(st.sampled_from(sorted(vertices))), [draw(st.integers(-9, 9)), draw(st.integers(-9, 9))]
    vertices[name]["place"] = place
    return Deed(after, (put((*VERTICES, name, "place"), place),), {(*VERTICES, name)})


def rename_vertex(draw: Draw, after: Values) -> Deed:
    vertices, movers = parts(after)
    old = draw(st.sampled_from(sorted(vertices)))
    new = free_name(after)
    edits = [Edit(op="rename", path=(*VERTICES, old), value=new)]
    touched: set[Path] = {(*VERTICES, old)}
    for at, mover in enumerate(movers):
        for end in ("from", "to"):
            if mover[end] == old:
                mover[end] = new
                edits.append(put((*MOVERS, at, end), new))
                touched.add((*MOVERS, at))
    after["flows"]["office"]["vertices"] = {new if name == old else name: vertex for name, vertex in vertices.items()}
    return Deed(after, tuple(edits), touched)


def remove_vertex(draw: Draw, after: Values) -> Deed:
    vertices, movers = parts(after)
    name = draw(st.sampled_from(sorted(vertices)))
    going = [at for at, mover in enumerate(movers) if name in (mover["from"], mover["to"])]
    edits = [Edit(op="remove", path=(*MOVERS, at)) for at in reversed(going)]
    after["flows"]["office"]["movers"] = [mover for at, mover in enumerate(movers) if at not in going]
    del vertices[name]
    gone: set[Path] = {(*VERTICES, name), *((*MOVERS, at) for at in going)}
    return Deed(after, (*edits, Edit(op="remove", path=(*VERTICES, name))), gone=gone)


def connect(draw: Draw, after: Values) -> Deed:
    vertices, movers = parts(after)
    ends = [draw(st.sampled_from(sorted(vertices))) for _ in range(2)]
    mover = {"from": ends[0], "to": ends[1], "carries": [f"{draw(st.sampled_from(sorted(after['policies'])))}/backup"]}
    # Of two that are equal, either may keep the comments of the other when one is changed.
    assume(mover not in movers)
    movers.append(mover)
    return Deed(after, (put((*MOVERS, len(movers) - 1), mover),))


def carry(draw: Draw, after: Values) -> Deed:
    _, movers = parts(after)
    if not movers:
        return connect(draw, after)
    at = draw(st.integers(0, len(movers) - 1))
    labels = [f"{policy}/{operation}" for policy in after["policies"] for operation in ("backup", "replicate")]
    movers[at]["carries"] = draw(st.lists(st.sampled_from(labels), min_size=1, max_size=4, unique=True))
    return Deed(after, (put((*MOVERS, at, "carries"), movers[at]["carries"]),), {(*MOVERS, at)})


def set_option(draw: Draw, after: Values) -> Deed:
    _, movers = parts(after)
    if not movers:
        return move_vertex(draw, after)
    at, key = draw(st.integers(0, len(movers) - 1)), draw(st.sampled_from(sorted(OPTIONS)))
    if key in movers[at] and draw(st.booleans()):
        del movers[at][key]
        return Deed(after, (Edit(op="remove", path=(*MOVERS, at, key)),), {(*MOVERS, at)})
    movers[at][key] = draw(st.sampled_from(OPTIONS[key]))
    return Deed(after, (put((*MOVERS, at, key), movers[at][key]),), {(*MOVERS, at)})


def set_schedule(draw: Draw, after: Values) -> Deed:
    name = draw(st.sampled_from(sorted(after["policies"])))
    path: Path = ("policies", name, "operations", "backup", "every")
    every = draw(st.sampled_from(["15m", "2h", "1d"]))
    after["policies"][name]["operations"]["backup"]["every"] = every
    return Deed(after, (put(path, every),), {("policies", name)})


def rename_policy(draw: Draw, after: Values) -> Deed:
    old = draw(st.sampled_from(sorted(after["policies"])))
    new = "letters" if old != "letters" else "documents"
    if new in after["policies"]:
        return set_schedule(draw, after)
    after["policies"] = {new if name == old else name: policy for name, policy in after["policies"].items()}
    edits = [Edit(op="rename", path=("policies", old), value=new)]
    touched: set[Path] = {("policies", old)}
    vertices, movers = parts(after)
    for name, vertex in vertices.items():
        for at, policy in enumerate(vertex.get("policies", [])):
            if policy == old:
                vertex["policies"][at] = new
                edits.append(put((*VERTICES, name, "policies", at), new))
                touched.add((*VERTICES, name))
    for index, mover in enumerate(movers):
        for at, label in enumerate(mover["carries"]):
            if label.startswith(f"{old}/"):
                mover["carries"][at] = label.replace(old, new)
                edits.append(put((*MOVERS, index, "carries", at), mover["carries"][at]))
                touched.add((*MOVERS, index))
    return Deed(after, tuple(edits), touched)


DEEDS: list[Callable[[Draw, Values], Deed]] = [
    add_vertex, move_vertex, rename_vertex, remove_vertex, connect, carry, set_option, set_schedule, rename_policy,
]  # fmt: skip


def lines_of(text: str, path: Path) -> range:
    """The lines of a thing, from its key or dash to the end of its value."""
    tree = load_tree(text).root
    first = 0
    for step in path:
        if isinstance(tree, Mapping):
            entry = next(entry for entry in tree.entries if entry.key.text == step)
            first, tree = entry.key.span.line, entry.value
        else:
            assert isinstance(tree, Sequence)
            tree = tree.items[int(step)]
            first = tree.span.line
    assert tree is not None
    return range(first - 1, max(first, text.count("\n", 0, tree.span.end) + 1))


def check_comments(text: str, after: str, deed: Deed) -> None:
    lines, concerned, going = text.splitlines(), set[int](), set[int]()
    for path in deed.touched:
        concerned.update(lines_of(text, path))
    for path in deed.gone:
        going.update(lines_of(text, path))
    values, new = document_values(text), deed.values
    for edit in deed.edits:
        # Of a list or mapping that is set anew, and of an option that is taken out, the inside may go.
        if not deed.gone and value_at(values, edit.path) is not None and (edit.op == "remove" or isinstance(edit.value, list | dict)):
            going.update(lines_of(text, edit.path)[0 if edit.op == "remove" else 1 :])
    for collection in (VERTICES, MOVERS):
        was, now = (each["flows"]["office"][collection[-1]] for each in (values, new))
        if was and not now:
            going.update(lines_of(text, collection))  # what stands between things that are all gone goes with them
        if not was:
            concerned.update(lines_of(text, collection))
    rest = iter(after.splitlines())
    for at, line in enumerate(lines):
        if at not in concerned | going:
            assert line in rest, (line, text, after)
    kept = set(re.findall(r"# c\d+\.", after))
    expected = {tag for at, line in enumerate(lines) if at not in going for tag in re.findall(r"# c\d+\.", line)}
    assert expected <= kept, (expected - kept, text, after)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_a_person_draws_is_what_the_document_says(data: st.DataObject) -> None:
    values = data.draw(documents())
    writer = Writer(Random(data.draw(st.integers(0, 1 << 32))))
    writer.mapping(values, 0)
    text = "\n".join(writer.lines) + "\n"
    assert same(document_values(text), values), text
    for _ in range(data.draw(st.integers(1, 4))):
        deed = data.draw(st.sampled_from(DEEDS))(data.draw, copy.deepcopy(values))
        after = apply_edits(text, deed.edits)
        assert same(document_values(after), deed.values), (text, after)
        assert list(document_values(after)["flows"]["office"]["vertices"]) == list(deed.values["flows"]["office"]["vertices"])
        check_comments(text, after, deed)
        text, values = after, deed.values
    assert {each.code for each in parse_document(text).diagnostics} <= {"bad-name"}
