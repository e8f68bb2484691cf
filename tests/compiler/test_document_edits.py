"""Edits by keys: the text means what the edits say, and what they do not concern stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.compiler import edits as edits_module
from holdfast.compiler.edit_text import block_lines, line_text
from holdfast.compiler.edit_values import apply_edit, same, values_of
from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.yaml_tree import Mapping, Tree, load_tree
from holdfast.core.errors import InvalidDocument, UsageError
from holdfast.model.edit import Edit

OFFICE = """\
# our office
environment: office   # the name

nodes:
  files1: {tags: [linux,   prod]}   # odd  spacing stays
  vault:
  # between the nodes
  "dr":  {}

policies:
    # four columns
    documents:
        classification: {paths: [/srv/documents], exclude: ["*.tmp"]}  # what
        operations:
            backup: {every: 1h, keep: {last: 50}}   # how
            replicate:
                removed: follow

flows:
  office:
    vertices:
      files: {node: files1, policies: [documents]}
      store: {repository: main}
    movers:
      # the first way
      - {from: files, to: store, carries: [documents/backup]}
      # the second way
      - from: files   # from here
        to: copy
        carries:
        - documents/replicate
# the end"""


def put(*path: str | int, value: Any) -> Edit:
    return Edit(op="set", path=path, value=value)


def remove(*path: str | int) -> Edit:
    return Edit(op="remove", path=path)


def rename(*path: str | int, to: str) -> Edit:
    return Edit(op="rename", path=path, value=to)


def only_changes(edit: Edit, *lines: tuple[str, str]) -> None:
    """The edit replaces exactly these pieces of the office's text."""
    expected = OFFICE
    for old, new in lines:
        assert expected.count(old) == 1, old
        expected = expected.replace(old, new)
    assert apply_edits(OFFICE, (edit,)) == expected


def test_a_scalar_changes_in_its_place() -> None:
    only_changes(put("policies", "documents", "operations", "backup", "every", value="15m"), ("every: 1h", "every: 15m"))
    only_changes(put("environment", value="new office"), ("office   # the name", '"new office"   # the name'))
    only_changes(put("flows", "office", "movers", 1, "to", value="mirror"), ("to: copy", "to: mirror"))
    only_changes(put("nodes", "vault", value={"tags": ["x"]}), ("vault:", "vault: {tags: [x]}"))


def test_keys_are_added_behind_their_neighbours() -> None:
    only_changes(put("nodes", "mail", value={}), ('"dr":  {}', '"dr":  {}\n  mail: {}'))
    only_changes(put("nodes", "files1", "address", value="h:1"), ("prod]}", 'prod], address: "h:1"}'))
    only_changes(
        put("policies", "documents", "operations", "cdp", "within", value="24h"),
        ("removed: follow", "removed: follow\n            cdp: {within: 24h}"),
    )
    only_changes(
        put("flows", "office", "movers", 1, "mode", value="batch"), ("- documents/replicate", "- documents/replicate\n        mode: batch")
    )
    only_changes(
        put("groups", "all", "tags", value=["linux"]),
        ("- documents/replicate\n", "- documents/replicate\ngroups:\n  all: {tags: [linux]}\n"),
    )


def test_list_items_come_and_go_one_by_one() -> None:
    way = {"from": "store", "to": "far", "carries": ["documents/backup"]}
    only_changes(
        put("flows", "office", "movers", 2, value=way),
        ("- documents/replicate", "- documents/replicate\n      - {from: store, to: far, carries: [documents/backup]}"),
    )
    only_changes(remove("flows", "office", "movers", 0), ("      - {from: files, to: store, carries: [documents/backup]}\n", ""))
    only_changes(put("nodes", "files1", "tags", value=["linux", "new", "prod"]), ("linux,   prod", "linux,   new, prod"))
    only_changes(remove("nodes", "files1", "tags", 1), ("linux,   prod", "linux"))


def test_the_last_item_leaves_the_comment_behind_the_key() -> None:
    movers = "movers:   # the ways\n  # first\n  - {from: a, to: b}   # its own\n  # last words\n"
    text = movers + "vertices:  # things\n  x: {node: a}  # its own\n"
    without = apply_edits(text, (remove("movers", 0), remove("vertices", "x")))
    assert without == "movers: []   # the ways\n  # first\n  # last words\nvertices: {}  # things\n"


def test_removed_keys_take_their_lines() -> None:
    only_changes(remove("environment"), ("environment: office   # the name\n", ""))
    only_changes(remove("nodes", "files1"), ("  files1: {tags: [linux,   prod]}   # odd  spacing stays\n", ""))
    only_changes(
        remove("policies", "documents", "operations", "replicate"), ("            replicate:\n                removed: follow\n", "")
    )
    only_changes(
        remove("policies", "documents", "operations", "replicate", "removed"),
        ("replicate:\n                removed: follow", "replicate: {}"),
    )


def test_names_change_in_their_place() -> None:
    only_changes(rename("nodes", "files1", to="files2"), ("files1: {tags", "files2: {tags"))
    only_changes(rename("nodes", "dr", to="the dr"), ('"dr":', '"the dr":'))
    text = apply_edits(
        OFFICE, (rename("flows", "office", "vertices", "store", to="vault"), put("flows", "office", "movers", 0, "to", value="vault"))
    )
    assert text == OFFICE.replace("store: {repo", "vault: {repo").replace("to: store", "to: vault")


@pytest.mark.parametrize(
    "edit",
    [
        remove("nodes", "nobody"),
        remove("flows", "office", "movers", 9),
        put("flows", "office", "movers", 3, value={}),
        put("environment", "x", value=1),
        put("nodes", 0, value=1),
        put("nodes", "", value=1),
        put("nodes", "a\0", value=1),
        put("nodes", "x", value="\ud800"),
        put("nodes", "x", value=1e300),
        rename("nodes", "files1", to="vault"),
        rename("flows", "office", "movers", 0, to="x"),
        Edit(op="set", path=(), value={}),
        put(*"abcdefghijklmnopqrst", value={"u": {"v": 1}}),
    ],
)
def test_what_cannot_be_done_is_said(edit: Edit) -> None:
    with pytest.raises(UsageError):
        apply_edits(OFFICE, (edit,))


def test_a_text_that_is_no_document_is_refused() -> None:
    for text in ("a: [", "- a", "a: 1\n---\nb: 2"):
        with pytest.raises(InvalidDocument):
            apply_edits(text, (put("a", value=1),))
    assert document_values("a: [") == {}


def test_an_empty_text_takes_a_first_key() -> None:
    assert apply_edits("", (put("nodes", "mail", value={}),)) == "nodes: {mail: {}}\n"
    assert apply_edits("# hello", (put("nodes", "mail", value={}),)) == "# hello\nnodes: {mail: {}}\n"


def test_a_flow_that_is_drawn_step_by_step_has_a_line_for_each_vertex_and_mover() -> None:
    steps: tuple[tuple[tuple[str | int, ...], Any], ...] = (
        (("flows", "home"), {"vertices": {}, "movers": []}),
        (("flows", "home", "vertices", "files"), {"node": "a"}),
        (("flows", "home", "vertices", "store"), {"repository": "main"}),
        (("flows", "home", "movers"), [{"from": "files", "to": "store"}]),
        (("flows", "home", "movers", 0, "carries"), ["docs/backup"]),
    )
    text = "environment: office\n"
    for path, value in steps:
        text = apply_edits(text, (Edit(op="set", path=path, value=value),))
    drawn = """\
environment: office
flows:
  home:
    vertices:
      files: {node: a}
      store: {repository: main}
    movers:
      - {from: files, to: store, carries: [docs/backup]}
"""
    assert text == drawn


def test_values_are_the_words_as_written() -> None:
    text = "a: 007\nb: 1.10\nc: 1.5\nd: NO\ne: true\nf: 'true'\ng:\nh: ~\ni: 12\nj: '12'\nk: 1h\nl: |\n  x\n  y\n"
    values = {"a": "007", "b": "1.10", "c": 1.5, "d": "NO", "e": True, "f": "true", "g": None, "h": None}
    assert document_values(text) == {**values, "i": 12, "j": "12", "k": "1h", "l": "x\ny\n"}


KEYS = st.sampled_from(["a", "b", "c", "two words", "ü", "yes", "1", "- x", "#k", "k: v", "'q\""])
WORDS = st.sampled_from(
    [
        "",
        "x",
        "1h",
        "*.tmp",
        "no",
        "12",
        "# no comment",
        "a: b",
        "{x}",
        "[y]",
        "line\nbreak",
        "tab\t",
        "é\u2028",
        " pad ",
        "-",
        "? q",
        "&a",
        "!t",
        "%",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-99, 10**6),
    st.sampled_from([0.5, 1.25, -2.75]),
    WORDS,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
VALUES = st.recursive(SCALARS, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(KEYS, v, max_size=3)), max_leaves=6)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)


def written(draw: st.DrawFn, value: Any, indent: int) -> str:
    """The value as somebody might write it behind a key: beginning on the key's line, or below it; with comments here and there."""
    comment = draw(st.sampled_from(["", "", "  # c", "   # {x: [y"]))
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        if value is None and draw(st.booleans()):
            return f"{comment}\n"
        if isinstance(value, str) and value.isalnum() and draw(st.booleans()):
            return f" {json.dumps(value, ensure_ascii=True) if value.isascii() else line_text(value)}{comment}\n"
        return f" {line_text(value)}{comment}\n"
    between = [draw(st.sampled_from(["", "", "# between\n", "\n", "      # far right\n"])) for _ in value]
    deeper = indent + draw(st.sampled_from([2, 2, 4]))
    pad = " " * deeper
    if isinstance(value, dict):
        entries = [
            f"{gap}{pad}{line_text(key)}:{written(draw, item, deeper)}" for gap, (key, item) in zip(between, value.items(), strict=True)
        ]
        return f"{comment}\n{''.join(entries)}"
    items = []
    for gap, item in zip(between, value, strict=True):
        if isinstance(item, dict) and item and draw(st.booleans()):
            first, *rest = block_lines(item, deeper + 2)
            items.append("\n".join([f"{gap}{pad}- {first.lstrip(' ')}", *rest]) + "\n")
        else:
            items.append(f"{gap}{pad}-{' ' + line_text(item)}{draw(st.sampled_from(['', '  # i']))}\n")
    return f"{comment}\n{''.join(items)}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    values = draw(DOCUMENTS)
    parts = [f"{line_text(key)}:{written(draw, value, 0)}" for key, value in values.items()]
    head, tail = draw(st.sampled_from(["", "# head\n", "\n"])), draw(st.sampled_from(["", "# tail", "# tail\n"]))
    text = f"{head}{''.join(parts)}{tail}"
    assert same(document_values(text), values), text
    return text


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        found += places(item, (*path, step))
    return found


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@st.composite
def an_edit(draw: st.DrawFn, values: Any) -> Edit:
    known = places(values)
    if not known:
        return Edit(op="set", path=(draw(KEYS),), value=draw(VALUES))
    path = draw(st.sampled_from(known))
    op = draw(st.sampled_from(["set", "set", "remove", "rename", "add"]))
    here = at(values, path)
    if op == "add" and isinstance(here, dict | list | None):
        step = len(here) if isinstance(here, list) else draw(KEYS)
        return Edit(op="set", path=(*path, step), value=draw(VALUES))
    if op == "rename" and isinstance(path[-1], str):
        name = draw(KEYS)
        if name not in at(values, path[:-1]):
            return Edit(op="rename", path=path, value=name)
    if op == "remove":
        return Edit(op="remove", path=path)
    return Edit(op="set", path=path, value=draw(VALUES))


def inverse(values: Any, edit: Edit) -> Edit:
    """What takes the edit back, given the values before it."""
    if edit.op == "rename":
        return Edit(op="rename", path=(*edit.path[:-1], str(edit.value)), value=edit.path[-1])
    for length in range(1, len(edit.path) + 1):
        path, parent = edit.path[:length], at(values, edit.path[: length - 1])
        if isinstance(parent, list) and (edit.op == "remove" or edit.path[length - 1] == len(parent)) and length == len(edit.path):
            if length == 1:
                raise AssertionError("the root is no list")
            return Edit(op="set", path=path[:-1], value=parent)
        if parent is None:
            return Edit(op="set", path=path[:-1], value=None)
        if isinstance(parent, dict) and path[-1] not in parent:
            return Edit(op="remove", path=path)
    return Edit(op="set", path=edit.path, value=at(values, edit.path))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_text_after_random_edits_means_what_the_edits_say(data: st.DataObject) -> None:
    text = data.draw(texts())
    for _ in range(data.draw(st.integers(1, 3))):
        before = document_values(text)
        edit = data.draw(an_edit(before))
        after = apply_edits(text, (edit,))
        expected = apply_edit(before, edit)
        assert same(document_values(after), expected)
        assert same(document_values(apply_edits(after, (inverse(before, edit),))), before)
        text = after


def slices(text: str, tree: Tree, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """The text of each value below mappings only, by its keys, without what follows it."""
    found = {path: text[tree.span.start : tree.span.end].rstrip()}
    for entry in tree.entries if isinstance(tree, Mapping) else ():
        found.update(slices(text, entry.value, (*path, entry.key.text)))
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_an_edit_does_not_concern_stays_byte_for_byte(data: st.DataObject) -> None:
    text = data.draw(texts())
    root = load_tree(text).root
    assert root is not None
    before = values_of(root)
    edit = data.draw(an_edit(before))
    after = apply_edits(text, (edit,))
    if text == after:
        return
    head = text[: root.span.start]
    new_root = load_tree(after).root
    if new_root is None or not set(before) & set(values_of(new_root)):
        return
    assert after.startswith(head)
    old, new = slices(text, root), slices(after, new_root)
    for path, source in old.items():
        untouched = path and path[0] != edit.path[0] and path in new
        assert not untouched or new[path] == source, (path, text, after)


def test_nothing_usual_needs_to_be_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every single removal, change and addition in the office is a splice."""

    def refuse(*_: object) -> str:
        raise AssertionError("a part was written anew")

    monkeypatch.setattr(edits_module, "_replaced", refuse)
    values = document_values(OFFICE)
    for path in places(values):
        here = at(values, path)
        for edit in (
            Edit(op="remove", path=path),
            Edit(op="set", path=path, value="changed"),
            *([Edit(op="set", path=(*path, "added"), value={"x": [1]})] if isinstance(here, dict) else []),
            *([Edit(op="set", path=(*path, len(here)), value={"x": {"y": {"z": 1}}})] if isinstance(here, list) else []),
        ):
            assert same(document_values(apply_edits(OFFICE, (edit,))), apply_edit(values, edit)), edit
