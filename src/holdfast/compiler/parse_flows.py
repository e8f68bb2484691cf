"""Parses flows: vertices and movers."""

from __future__ import annotations

import re
from typing import Literal

from holdfast.compiler.fields import NAME, Fields, listed
from holdfast.compiler.notes import At, Notes
from holdfast.compiler.parse_operations import parse_keep
from holdfast.compiler.parse_places import Problem
from holdfast.compiler.parse_window import parse_mover_window
from holdfast.compiler.yaml_tree import Mapping, Scalar, Sequence, Tree
from holdfast.model.document import Flow, Mover, Vertex

_KINDS = ("node", "group", "repository", "mirror", "relay")
MAX_PLACE = 100_000
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_MOVER = ("from", "to", "carries", "mode", "limit", "window", "compression", "dial", "after", "keep", "only")


def parse_flows(root: Fields) -> tuple[Flow, ...]:
    return tuple(_flow(root.notes, name, at, tree) for name, at, tree in root.named("flows", "flow"))


def _flow(notes: Notes, name: str, at: At, tree: Tree) -> Flow:
    fields = Fields(notes, at, tree, ("vertices", "movers", "tags"))
    vertices = [_vertex(notes, vertex, place, value) for vertex, place, value in fields.named("vertices", "vertex")]
    movers = []
    for index, item in enumerate(fields.items("movers")):
        place = at.key("movers").index(index)
        notes.see(place, item.span)
        movers.append(_mover(notes, place, item))
    return Flow(name=name, vertices=tuple(vertices), movers=tuple(movers), tags=fields.names("tags"))


def _vertex(notes: Notes, name: str, at: At, tree: Tree) -> Vertex:
    fields = Fields(notes, at, tree, (*_KINDS, "policies", "path", "place"))
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        found = f"has {listed(kinds)}" if kinds else "says not what it is"
        fields.notes.add("one-of", at, tree.span, f"the vertex {found}", f"give it exactly one of {listed(_KINDS)}")
    kind = kinds[0] if kinds else ""
    for key, owners in (("policies", ("node", "group")), ("path", ("mirror",))):
        if key in fields and kind and kind not in owners:
            fields.bad("unknown-key", key, f"a {kind} has no `{key}`", f"`{key}` belongs to {listed(owners)}")
    if kind == "mirror":
        fields.require("path")
    path_is_map = isinstance(fields.get("path"), Mapping)
    return Vertex(
        name=name,
        node=fields.name("node") if kind == "node" else "",
        group=fields.name("group") if kind == "group" else "",
        policies=tuple(dict.fromkeys(fields.names("policies"))),
        repository=fields.name("repository") if kind == "repository" else "",
        mirror=fields.name("mirror") if kind == "mirror" else "",
        path="" if path_is_map else _mirror_path(fields, "path"),
        path_map=_path_map(fields) if path_is_map else {},
        relay=fields.name("relay") if kind == "relay" else "",
        place=_place(fields),
    )


def _place(fields: Fields) -> tuple[int, int] | None:
    tree = fields.get("place")
    if tree is None or (isinstance(tree, Scalar) and tree.is_null):
        return None
    numbers = [item.text for item in tree.items if isinstance(item, Scalar) and item.plain] if isinstance(tree, Sequence) else []
    if not isinstance(tree, Sequence) or not len(tree.items) == len(numbers) == 2 or not all(map(_WHOLE.fullmatch, numbers)):
        fields.bad("wrong-type", "place", "`place` must be two whole numbers", "write it like [120, 40], or leave it out")
        return None
    x, y = map(int, numbers)
    if max(abs(x), abs(y)) > MAX_PLACE:
        fields.bad("bad-value", "place", f"`place` lies more than {MAX_PLACE} from the middle", "leave it out to have it arranged")
        return None
    return x, y


def _mirror_path(fields: Fields, key: str) -> str:
    path = fields.text(key)
    if path and (problem := _target_problem(path)) is not None:
        fields.bad(problem[0], key, problem[1], problem[2])
        return ""
    return path


def _target_problem(path: str) -> Problem | None:
    """A mirror's path may hold templates; what they become is checked when it is compiled."""
    if not path.startswith("/") or path.strip("/") == "" or any(part in (".", "..") for part in path.split("/")):
        return "bad-path", f"{path[:200]!r} is not an absolute path below `/`", "write it like /srv/mirror/{node}"
    rest = path.replace("{node}", "").replace("{policy}", "").replace("{path}", "")
    if "{" in rest or "}" in rest:
        return "bad-path", f"{path[:200]!r} has a template that does not exist", "there are {node}, {policy} and {path}"
    return None


def _path_map(fields: Fields) -> dict[str, str]:
    entries = fields.child("path", None)
    found = {}
    for root in entries.keys():  # noqa: SIM118 - Fields is no mapping
        if not root.startswith("/"):
            entries.bad("bad-path", root, f"{root[:200]!r} is not an absolute path", "write a path of the classification")
        else:
            found["/" + root.strip("/")] = _mirror_path(entries, root)
    return {root: target for root, target in found.items() if target}


def _mover(notes: Notes, at: At, tree: Tree) -> Mover:
    ends = [_word(tree, key) for key in ("from", "to")]
    fields = Fields(notes, at.thing("mover", f"{ends[0]}->{ends[1]}"), tree, _MOVER)
    fields.require("from", "to", "carries")
    if fields.is_empty_list("carries"):
        fields.bad("missing-key", "carries", "the mover carries nothing", "write `carries: [POLICY/OPERATION]`")
    return Mover(
        source=fields.name("from"),
        target=fields.name("to"),
        carries=tuple(dict.fromkeys(fields.texts("carries", _carried_problem))),
        mode=_mode(fields) if "mode" in fields else None,
        limit_bytes_s=fields.rate_bytes_s("limit"),
        window=parse_mover_window(fields),
        compression=fields.choice("compression", ("auto", "off", "max"), "auto"),
        dial=fields.choice("dial", ("from", "to"), "from"),
        after=_after(fields),
        keep=parse_keep(fields),
        only=_only(fields),
    )


def _mode(fields: Fields) -> Literal["batch", "continuous"]:
    return fields.choice("mode", ("batch", "continuous"), "batch")


def _word(tree: Tree, key: str) -> str:
    value = tree.get(key) if isinstance(tree, Mapping) else None
    return value.text[:63] if isinstance(value, Scalar) else "?"


def _carried_problem(text: str) -> Problem | None:
    policy, slash, operation = text.partition("/")
    if slash and NAME.fullmatch(policy) and NAME.fullmatch(operation):
        return None
    return "bad-value", f"{text[:130]!r} is not POLICY/OPERATION", "write it like documents/backup"


def _only(fields: Fields) -> tuple[str, ...]:
    if fields.is_empty_list("only"):
        fields.bad("bad-value", "only", "`only` names nothing, so nothing would be carried", "leave it out to carry everything")
    return tuple(dict.fromkeys("/" + text.strip("/") if text.startswith("/") else text for text in fields.texts("only", _only_problem)))


def _only_problem(text: str) -> Problem | None:
    if text.startswith("/"):
        if any(part in (".", "..") for part in text.split("/")) or "//" in text:
            return "bad-path", f"{text[:200]!r} has `.`, `..` or an empty part in it", "write the path as it is on the source"
        return None
    node, slash, policy = text.partition("/")
    if NAME.fullmatch(node) and (not slash or NAME.fullmatch(policy)):
        return None
    return (
        "bad-value",
        f"{text[:130]!r} is no path, NODE or NODE/POLICY",
        "write it like /srv/documents/contracts, or files1/documents",
    )


def _after(fields: Fields) -> str:
    after = fields.text("after")
    if after and (problem := _carried_problem(after)) is not None:
        fields.bad(problem[0], "after", problem[1], problem[2])
        return ""
    return after
