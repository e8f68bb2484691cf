"""What a tree refers to, read without its names and metadata: a prune walks every tree there is."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.index import hash_from


class _Node(msgspec.Struct, gc=False):
    content: list[str] | None = None
    subtree: str | None = None


class _Tree(msgspec.Struct):
    nodes: list[_Node] | None = None


class _Branch(msgspec.Struct, gc=False):
    subtree: str | None = None


class _Branches(msgspec.Struct):
    nodes: list[_Branch] | None = None


class References(NamedTuple):
    chunks: list[bytes]
    trees: list[bytes]


_decoder = msgspec.json.Decoder(_Tree)
_branch_decoder = msgspec.json.Decoder(_Branches)


def references_of(plain: bytes) -> References:
    """Raises `RepositoryDamaged`."""
    try:
        nodes = _decoder.decode(plain).nodes or ()
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a tree cannot be read: {error}") from error
    return References(
        [hash_from(chunk) for node in nodes if node.content for chunk in node.content],
        [hash_from(node.subtree) for node in nodes if node.subtree],
    )


def subtrees_of(plain: bytes) -> list[bytes]:
    """The trees alone. Raises `RepositoryDamaged`."""
    try:
        nodes = _branch_decoder.decode(plain).nodes or ()
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a tree cannot be read: {error}") from error
    return [hash_from(node.subtree) for node in nodes if node.subtree]
