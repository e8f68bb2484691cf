"""Trees decoded for the catalog: of each node what can be listed and searched, at a third of the cost of all it holds."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import Kind
from holdfast.repository._format.index import hash_from
from holdfast.repository._format.text import time_ns, unquote
from holdfast.repository._format.tree import RawNode, check_name, unix_mode


class _Node(msgspec.Struct, gc=False):
    name: str
    type: str = ""
    mode: int = 0
    mtime: str = "1970-01-01T00:00:00Z"
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    size: int = 0
    linktarget: str = ""
    linktarget_raw: bytes | None = None
    content: list[str] | None = None
    subtree: str | None = None


class _Tree(msgspec.Struct, gc=False):
    nodes: list[_Node] | None


class NodeFacts(NamedTuple):
    """`kind` is None for what is never captured. `owner`: uid, gid, and their names. `content`: chunk ids of a file, in hexadecimal."""

    name: bytes
    kind: Kind | None
    mode: int
    owner: tuple[int, int, str, str]
    size_bytes: int
    mtime_ns: int
    link_target: bytes
    content: list[str]
    subtree: bytes | None


_KINDS = {kind.value: kind for kind in Kind}
_tree = msgspec.json.Decoder(_Tree)
_node = msgspec.json.Decoder(_Node)


def facts_of_tree(data: bytes) -> list[NodeFacts]:
    """All nodes of a tree, in raw name order. Raises `RepositoryDamaged`."""
    found: list[NodeFacts] = []
    last = b""
    try:
        for node in _tree.decode(data).nodes or ():
            name = check_name(unquote(node.name))
            if name <= last:
                raise RepositoryDamaged(f"a tree is not in order at {name!r}")
            last = name
            found.append(_facts(node, name))
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a tree cannot be read: {error}") from error
    return found


def facts_of_node(raw: RawNode) -> NodeFacts:
    """Raises `RepositoryDamaged`."""
    try:
        return _facts(_node.decode(raw.raw), raw.name)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a node cannot be read: {raw.name!r}: {error}") from error


def _facts(node: _Node, name: bytes) -> NodeFacts:
    target = node.linktarget_raw if node.linktarget_raw is not None else node.linktarget.encode("utf-8", "surrogatepass")
    subtree = None
    if node.type == "dir":
        if node.subtree is None:
            raise RepositoryDamaged(f"a folder has no subtree: {name!r}")
        subtree = hash_from(node.subtree)
    return NodeFacts(
        name,
        _KINDS.get(node.type),
        unix_mode(node.mode),
        (node.uid, node.gid, node.user, node.group),
        node.size,
        time_ns(node.mtime),
        target,
        node.content or [] if node.type == "file" else [],
        subtree,
    )
