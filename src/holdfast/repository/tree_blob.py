"""A tree made of nodes, handed on as a blob."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import encode_tree

AddBlob = Callable[[BlobType, bytes, bytes], None]
"""Takes a blob's type, id and plain bytes; may be given one twice."""


def add_tree(nodes: Sequence[bytes], add: AddBlob) -> bytes:
    """`nodes` in strict raw name order; gives the tree's id."""
    plain = encode_tree(nodes)
    tree = sha256(plain).digest()
    add(BlobType.TREE, tree, plain)
    return tree
