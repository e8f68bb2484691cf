"""Trees: a folder as JSON nodes in raw name order, as restic's `Node` writes them, byte for byte.

What restic has no field for goes into `generic_attributes`, which round-trip through restic: `hf.holes` (offset and size pairs),
`hf.unstable`, and `hf.xattrs` for attribute names that are not UTF-8.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from operator import lt
from typing import NamedTuple

import msgspec

from holdfast.core.errors import ProtocolError, RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr
from holdfast.repository._format.index import hash_from
from holdfast.repository._format.text import json_bytes, name_text, time_ns, time_text, unquote

# Go's os.FileMode.
_TYPE_BITS = {
    Kind.FILE: 0,
    Kind.DIRECTORY: 1 << 31,
    Kind.SYMLINK: 1 << 27,
    Kind.FIFO: 1 << 25,
    Kind.CHARACTER_DEVICE: 1 << 26 | 1 << 21,
    Kind.BLOCK_DEVICE: 1 << 26,
}
_SPECIAL_BITS = ((0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20))
_KINDS = {kind.value: kind for kind in Kind}
# restic does not write the link count of these.
_WITHOUT_LINKS = (Kind.DIRECTORY, Kind.FIFO)


@lru_cache(maxsize=4096)
def _kind_text(kind: Kind, mode: int) -> str:
    bits = _go_mode(kind, mode)
    return f'"type":"{kind.value}"' + (f',"mode":{bits}' if bits else "")


def _go_mode(kind: Kind, mode: int) -> int:
    bits = _TYPE_BITS[kind] | mode & 0o777
    for unix, go in _SPECIAL_BITS:
        if mode & unix:
            bits |= go
    return bits


@lru_cache(maxsize=4096)
def unix_mode(bits: int) -> int:
    return bits & 0o777 | sum(unix for unix, go in _SPECIAL_BITS if bits & go)


@lru_cache(maxsize=4096)
def _owner_text(uid: int, gid: int, user: str, group: str) -> str:
    text = f'"uid":{uid},"gid":{gid}'
    if user:
        text += f',"user":{json_bytes(user.encode("utf-8", "surrogateescape"))}'
    if group:
        text += f',"group":{json_bytes(group.encode("utf-8", "surrogateescape"))}'
    return text


def _check_numbers(entry: Entry) -> None:
    """Stock restic cannot decode a tree with a number out of its type's range, so such an entry must not get into one."""
    # In range is a number of which nothing is left above its bits; of a negative one, all ones are.
    if (entry.uid | entry.gid) >> 32 or entry.size_bytes >> 63 or (entry.links | entry.inode | entry.device | entry.device_number) >> 64:
        raise ProtocolError(f"an entry has a number out of range: {entry.path!r}")


def encode_node(entry: Entry, subtree: bytes | None = None) -> bytes:
    """The JSON of one node. Raises `ProtocolError` when the entry holds what no tree can hold."""
    _check_numbers(entry)
    path, kind = entry.path, entry.kind
    text = (
        f'{{"name":{name_text(path[path.rfind(b"/") + 1 :])},{_kind_text(kind, entry.mode)}'
        f',"mtime":"{time_text(entry.mtime_ns)}","atime":"{time_text(entry.atime_ns)}","ctime":"{time_text(entry.ctime_ns)}",'
        + _owner_text(entry.uid, entry.gid, entry.user, entry.group)
    )
    # Unrolled: this runs once for each file of a first backup.
    if inode := entry.inode:
        text += f',"inode":{inode}'
    if device := entry.device:
        text += f',"device_id":{device}'
    if size := entry.size_bytes:
        text += f',"size":{size}'
    if (links := entry.links) > 1 or (links and kind not in _WITHOUT_LINKS):
        text += f',"links":{links}'
    if entry.link_target:
        text += "," + _link_text(entry.link_target)
    if entry.xattrs or entry.holes or entry.unstable:
        text += "".join("," + extra for extra in _extras(entry))
    if entry.device_number:
        text += f',"device":{entry.device_number}'
    text += _content_text(kind, entry.chunks)
    if subtree is not None:
        text += f',"subtree":"{subtree.hex()}"'
    return (text + "}").encode("utf-8")


def _content_text(kind: Kind, chunks: tuple[ChunkRef, ...]) -> str:
    if kind is not Kind.FILE:
        return ',"content":null'
    if not chunks:
        return ',"content":[]'
    ids = chunks[0].id.hex() if len(chunks) == 1 else '","'.join([chunk.id.hex() for chunk in chunks])
    return f',"content":["{ids}"]'


def _link_text(target: bytes) -> str:
    text = f'"linktarget":{json_bytes(target)}'
    try:
        target.decode("utf-8")
    except UnicodeDecodeError:
        text += f',"linktarget_raw":"{b64encode(target).decode("ascii")}"'
    return text


def _by_name(attribute: Xattr) -> bytes:
    return attribute.name


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _extras(entry: Entry) -> Iterable[str]:
    attributes = sorted(entry.xattrs, key=_by_name)
    plain = [(json_bytes(a.name), b64encode(a.value).decode("ascii")) for a in attributes if _is_text(a.name)]
    if plain:
        yield '"extended_attributes":[' + ",".join(f'{{"name":{name},"value":"{value}"}}' for name, value in plain) + "]"
    generic = []
    if entry.holes:
        generic.append('"hf.holes":' + msgspec.json.encode([[h.offset, h.size_bytes] for h in entry.holes]).decode("ascii"))
    if entry.unstable:
        generic.append('"hf.unstable":true')
    odd = [[a.name, a.value] for a in attributes if not _is_text(a.name)]
    if odd:
        generic.append('"hf.xattrs":' + msgspec.json.encode(odd).decode("ascii"))
    if generic:
        yield '"generic_attributes":{' + ",".join(generic) + "}"


def encode_tree(nodes: Iterable[bytes]) -> bytes:
    """The plain bytes of a tree blob; `nodes` in strict raw name order."""
    return b'{"nodes":[' + b",".join(nodes) + b"]}\n"


class RawNode(NamedTuple):
    """A node as it stands in its tree. `name` is the raw name; `subtree` is set for folders."""

    name: bytes
    kind: str
    subtree: bytes | None
    raw: bytes


class _Outline(msgspec.Struct, gc=False):
    name: str
    type: str = ""
    subtree: str | None = None


class _RawTree(msgspec.Struct):
    nodes: list[msgspec.Raw] | None


class _OutlinedTree(msgspec.Struct):
    nodes: list[_Outline] | None


_raw_tree = msgspec.json.Decoder(_RawTree)
_outlined_tree = msgspec.json.Decoder(_OutlinedTree)
_IMPOSSIBLE = frozenset((b"", b".", b".."))


def check_name(name: bytes) -> bytes:
    if not name or b"/" in name or b"\x00" in name or name in _IMPOSSIBLE:
        raise RepositoryDamaged(f"a tree holds an impossible name: {name!r}")
    return name


def split_tree(data: bytes) -> list[RawNode]:
    """The nodes, undecoded but for name, kind and subtree. Raises `RepositoryDamaged`, also when they are out of order.

    Each change of a followed dataset splits all folders above it, so what can be done for all nodes of a folder at once is.
    """
    try:
        raw, outlines = _raw_tree.decode(data).nodes or (), _outlined_tree.decode(data).nodes or ()
        names = [unquote(node.name) for node in outlines]
        _check_names(names)
        subtrees = [None if node.type != "dir" else _subtree_of(node, name) for node, name in zip(outlines, names, strict=True)]
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a tree cannot be read: {error}") from error
    kinds = [node.type for node in outlines]
    return list(map(RawNode, names, kinds, subtrees, map(bytes, raw)))


def _check_names(names: list[bytes]) -> None:
    together = b"/".join(names)
    if together.count(b"/") >= max(1, len(names)) or b"\x00" in together or not _IMPOSSIBLE.isdisjoint(names):
        for name in names:
            check_name(name)
    if not all(map(lt, names, names[1:])):
        wrong = next(later for name, later in pairwise(names) if later <= name)
        raise RepositoryDamaged(f"a tree is not in order at {wrong!r}")


def _subtree_of(node: _Outline | _Node, name: bytes) -> bytes | None:
    if node.type != "dir":
        return None
    if node.subtree is None:
        raise RepositoryDamaged(f"a folder has no subtree: {name!r}")
    return hash_from(node.subtree)


def with_subtree(node: RawNode, subtree: bytes) -> bytes:
    """The node's JSON with another subtree; all else, also what we do not know, stays as it is."""
    assert node.subtree is not None
    old = b'"subtree":"' + node.subtree.hex().encode("ascii") + b'"'
    head, found, tail = node.raw.rpartition(old)
    if not found:
        # Not compact JSON, so not restic's: take it apart and put it together.
        fields = msgspec.json.decode(node.raw, type=dict[str, msgspec.Raw])
        fields["subtree"] = msgspec.Raw(msgspec.json.encode(subtree.hex()))
        return msgspec.json.encode(fields)
    return head + b'"subtree":"' + subtree.hex().encode("ascii") + b'"' + tail


def without_subtree(node: RawNode) -> bytes:
    """A folder's own facts, for comparing; other kinds as they are."""
    return with_subtree(node, bytes(32)) if node.subtree is not None else node.raw


class _Attribute(msgspec.Struct, gc=False):
    name: str
    value: bytes | None = None


class _Generic(msgspec.Struct, gc=False, rename={"holes": "hf.holes", "unstable": "hf.unstable", "xattrs": "hf.xattrs"}):
    holes: tuple[Hole, ...] = ()
    unstable: bool = False
    xattrs: tuple[Xattr, ...] = ()


class _Node(msgspec.Struct, gc=False):
    name: str
    type: str = ""
    mode: int = 0
    mtime: str = "1970-01-01T00:00:00Z"
    atime: str = "1970-01-01T00:00:00Z"
    ctime: str = "1970-01-01T00:00:00Z"
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size: int = 0
    links: int = 0
    linktarget: str = ""
    linktarget_raw: bytes | None = None
    extended_attributes: list[_Attribute] | None = None
    generic_attributes: _Generic | None = None
    device: int = 0
    content: list[str] | None = None
    subtree: str | None = None


class _Tree(msgspec.Struct):
    nodes: list[_Node] | None


_node = msgspec.json.Decoder(_Node)
_tree = msgspec.json.Decoder(_Tree)


class DecodedNode(NamedTuple):
    """A node decoded but for the sizes of its chunks, which stand in the index."""

    node: _Node
    name: bytes
    kind: Kind
    content: tuple[bytes, ...]
    subtree: bytes | None


def decode_node(raw: RawNode) -> DecodedNode | None:
    """None for kinds that are never captured (sockets, irregular files of foreign snapshots). Raises `RepositoryDamaged`."""
    kind = _KINDS.get(raw.kind)
    if kind is None:
        return None
    try:
        node = _node.decode(raw.raw)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a node cannot be read: {raw.name!r}: {error}") from error
    return DecodedNode(node, raw.name, kind, _content_of(node, kind), raw.subtree)


def decode_tree(data: bytes) -> list[DecodedNode]:
    """`split_tree` and `decode_node` in one: all nodes of kinds that are captured, for who needs all facts of all of them."""
    found: list[DecodedNode] = []
    try:
        nodes = _tree.decode(data).nodes or ()
        names = [unquote(node.name) for node in nodes]
        _check_names(names)
        for node, name in zip(nodes, names, strict=True):
            kind = _KINDS.get(node.type)
            if kind is not None:
                found.append(DecodedNode(node, name, kind, _content_of(node, kind), _subtree_of(node, name)))
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a tree cannot be read: {error}") from error
    return found


def change_of_content_ns(decoded: DecodedNode) -> int:
    """The node's mtime. Raises `RepositoryDamaged`."""
    try:
        return time_ns(decoded.node.mtime)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a node cannot be read: {decoded.name!r}: {error}") from error


def is_unstable(decoded: DecodedNode) -> bool:
    """Whether the file changed while it was read."""
    extra = decoded.node.generic_attributes
    return extra is not None and extra.unstable


def access_time_ns(node: bytes) -> int:
    """Of a node's JSON. Raises `RepositoryDamaged`."""
    try:
        return time_ns(_node.decode(node).atime)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a node cannot be read: {error}") from error


def _content_of(node: _Node, kind: Kind) -> tuple[bytes, ...]:
    content = node.content
    if kind is not Kind.FILE or not content:
        return ()
    return (hash_from(content[0]),) if len(content) == 1 else tuple([hash_from(text) for text in content])


def entry_of(decoded: DecodedNode, folder: bytes, sizes: Mapping[bytes, int]) -> Entry:
    """The entry of a node that lies in `folder` (b"" for the root of all). `sizes` gives each chunk's plain length.

    Raises `RepositoryDamaged` when a chunk is not in `sizes`.
    """
    node, content = decoded.node, decoded.content
    try:
        if len(content) == 1:
            # Nearly all files have one chunk.
            chunks: tuple[ChunkRef, ...] = (ChunkRef(content[0], sizes[content[0]]),)
        else:
            chunks = tuple([ChunkRef(blob, sizes[blob]) for blob in content])
    except KeyError as missing:
        raise RepositoryDamaged(
            f"{(folder + b'/' + decoded.name)!r} needs chunk {missing.args[0].hex()}, which no index names",
            hint="run `holdfast repository check NAME`; the next full run sends it again",
        ) from None
    extra, named, raw_target = node.generic_attributes, node.extended_attributes, node.linktarget_raw
    mode, mtime, atime = node.mode, node.mtime, node.atime
    mtime_ns = time_ns(mtime)
    return Entry(
        path=folder + b"/" + decoded.name,
        kind=decoded.kind,
        mode=mode if 0 <= mode <= 0o777 else unix_mode(mode),
        uid=node.uid,
        gid=node.gid,
        user=node.user,
        group=node.group,
        size_bytes=node.size,
        mtime_ns=mtime_ns,
        atime_ns=mtime_ns if atime == mtime else time_ns(atime),
        ctime_ns=time_ns(node.ctime),
        inode=node.inode,
        device=node.device_id,
        links=node.links or 1,
        link_target=node.linktarget.encode("utf-8", "surrogatepass") if raw_target is None else raw_target,
        device_number=node.device,
        xattrs=() if extra is None and not named else _xattrs_of(node),
        holes=() if extra is None else extra.holes,
        chunks=chunks,
        unstable=extra is not None and extra.unstable,
    )


def _xattrs_of(node: _Node) -> tuple[Xattr, ...]:
    extra = node.generic_attributes
    xattrs = tuple([Xattr(a.name.encode("utf-8", "surrogatepass"), a.value or b"") for a in node.extended_attributes or ()])
    return tuple(sorted(xattrs + extra.xattrs, key=_by_name)) if extra is not None and extra.xattrs else xattrs
