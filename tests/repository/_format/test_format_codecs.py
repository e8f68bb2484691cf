"""Codecs of the restic format: round trips, and hostile input that gives `RepositoryDamaged` and nothing else."""

from __future__ import annotations

import os
from hashlib import sha256
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError, RepositoryDamaged, WrongPassword
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr
from holdfast.repository._format import text
from holdfast.repository._format.config import decode_config, encode_config, new_config
from holdfast.repository._format.frames import compress, decompress
from holdfast.repository._format.index import IndexedPack, decode_index, encode_index
from holdfast.repository._format.keys import KeyOrigin, Scrypt, decode_key_file, encode_key_file
from holdfast.repository._format.lock import LockFile, decode_lock, encode_lock
from holdfast.repository._format.pack import Blob, BlobType, PackedBlob, build_pack, open_blob, pack_size, read_pack_header
from holdfast.repository._format.polynomial import is_irreducible, random_irreducible
from holdfast.repository._format.seal import MasterKey, new_master_key, seal, seal_into, unseal, unseal_each
from holdfast.repository._format.snapshot import Snapshot, Summary, decode_snapshot, encode_snapshot
from holdfast.repository._format.tree import (
    DecodedNode,
    RawNode,
    decode_node,
    decode_tree,
    encode_node,
    encode_tree,
    entry_of,
    split_tree,
    with_subtree,
)
from holdfast.repository._format.unpacked import decode_document, encode_document
from holdfast.testing.virtual_clock import SeededEntropy

ENTROPY = SeededEntropy("codecs")
KEY = new_master_key(ENTROPY)
CHEAP = Scrypt(n=16, r=8, p=1)

hashes = st.binary(min_size=32, max_size=32)
names = st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))
times = st.integers(text.FIRST_NS, text.LAST_NS)
plain_text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)


def _entry(draw: st.DrawFn, kind: Kind) -> Entry:
    is_file, is_link = kind is Kind.FILE, kind is Kind.SYMLINK
    chunks = tuple(ChunkRef(h, n) for h, n in draw(st.dictionaries(hashes, st.integers(1, 1 << 23), max_size=3)).items()) if is_file else ()
    xattrs = draw(st.dictionaries(st.binary(min_size=1, max_size=9), st.binary(max_size=9), max_size=3))
    return Entry(
        path=b"/top/" + draw(names),
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        user=draw(plain_text),
        group=draw(plain_text),
        size_bytes=sum(chunk.size_bytes for chunk in chunks),
        mtime_ns=draw(times),
        atime_ns=draw(times),
        ctime_ns=draw(times),
        inode=draw(st.integers(0, 2**64 - 1)),
        device=draw(st.integers(0, 2**64 - 1)),
        links=draw(st.integers(1, 99)),
        link_target=draw(st.binary(min_size=1, max_size=30)) if is_link else b"",
        device_number=draw(st.integers(0, 2**40)),
        xattrs=tuple(Xattr(name, xattrs[name]) for name in sorted(xattrs)),
        holes=tuple(draw(st.lists(st.builds(Hole, st.integers(0, 99), st.integers(1, 99)), max_size=2))) if is_file else (),
        chunks=chunks,
        unstable=draw(st.booleans()),
    )


entries = st.composite(lambda draw: _entry(draw, draw(st.sampled_from(list(Kind)))))()


@given(entries)
@settings(max_examples=300, deadline=None)
def test_nodes_round_trip(entry: Entry) -> None:
    subtree = sha256(entry.path).digest() if entry.kind is Kind.DIRECTORY else None
    (raw,) = split_tree(encode_tree([encode_node(entry, subtree)]))
    assert (raw.name, raw.subtree) == (entry.path[5:], subtree)
    decoded = decode_node(raw)
    assert isinstance(decoded, DecodedNode)
    assert entry_of(decoded, b"/top", {chunk.id: chunk.size_bytes for chunk in entry.chunks}) == entry
    assert [found[1:] for found in decode_tree(encode_tree([encode_node(entry, subtree)]))] == [decoded[1:]]
    if subtree is not None:
        assert with_subtree(raw, bytes(32)) == encode_node(entry, bytes(32))


@given(st.binary(max_size=60))
def test_names_round_trip(name: bytes) -> None:
    assert text.unquote(text.quote(name)) == name


def test_names_are_quoted_as_go_does() -> None:
    assert text.quote(b'a\xff\n\x01\x7f"\\\xe2\x80\xa8\xc3\xa9 <') == 'a\\xff\\n\\x01\\x7f\\"\\\\\\u2028é <'
    assert text.json_string('<&>\u2028\n\x01"\\é') == '"\\u003c\\u0026\\u003e\\u2028\\n\\u0001\\"\\\\é"'
    assert text.unquote("\\101\\u00e9\\U0001f600\\t") == "Aé😀\t".encode()
    for wrong in ("\\", "\\q", "\\x1", '"', "\\ud800", "\\U00110000", "\\400"):
        with pytest.raises(RepositoryDamaged):
            text.unquote(wrong)


@given(times)
def test_times_round_trip(ns: int) -> None:
    assert text.time_ns(text.time_text(ns)) == ns


def test_times_of_others() -> None:
    assert text.time_text(0) == "1970-01-01T00:00:00Z"
    assert text.time_text(1_500_000_000) == "1970-01-01T00:00:01.5Z"
    assert text.time_ns("1970-01-01T01:00:00.000000001+01:00") == 1
    assert text.time_text(-(10**30)) == "0001-01-01T00:00:00Z"
    for wrong in ("", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "1970-01-01T25:00:00Z", "1970-01-01T00:00:00.Z"):
        with pytest.raises(RepositoryDamaged):
            text.time_ns(wrong)


def test_entries_no_tree_can_hold_are_refused() -> None:
    for wrong in ({"uid": -1}, {"gid": 1 << 32}, {"size_bytes": -1}, {"inode": 1 << 64}, {"links": -1}, {"device_number": -1}):
        with pytest.raises(ProtocolError):
            encode_node(Entry(path=b"/a", kind=Kind.FILE, mode=0, **wrong))  # type: ignore[arg-type]


@given(st.binary(max_size=3000), st.binary(min_size=16, max_size=16))
def test_seal_round_trips_and_notices_every_change(plain: bytes, iv: bytes) -> None:
    sealed = seal(KEY, iv, plain)
    assert len(sealed) == len(plain) + 32
    assert unseal(KEY, sealed) == plain
    for place in {0, len(sealed) // 2, len(sealed) - 1}:
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(RepositoryDamaged):
            unseal(KEY, bytes(changed))
    with pytest.raises(RepositoryDamaged):
        unseal(new_master_key(ENTROPY), sealed)


def test_the_key_is_never_printed() -> None:
    assert KEY.encrypt.hex() not in repr(KEY)
    assert isinstance(KEY, MasterKey)
    assert "encrypt" not in repr(KEY)


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=8), st.data())
def test_pieces_sealed_in_a_row_open_alone_and_in_a_row(plains: list[bytes], data: st.DataObject) -> None:
    ivs = ENTROPY.token_bytes(16 * len(plains))
    target = bytearray(sum(map(len, plains)) + 32 * len(plains))
    seal_into(KEY, ivs, plains, target)
    ends = list(accumulate(len(plain) + 32 for plain in plains))
    sealed = [bytes(target[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert sealed == [seal(KEY, ivs[16 * n : 16 * n + 16], plain) for n, plain in enumerate(plains)]
    assert list(unseal_each(KEY, list(map(memoryview, sealed)))) == plains
    assert [unseal(KEY, piece) for piece in sealed] == plains
    bad = data.draw(st.integers(0, len(sealed) - 1))
    at = data.draw(st.integers(0, len(sealed[bad]) - 1))
    sealed[bad] = sealed[bad][:at] + bytes([sealed[bad][at] ^ 1]) + sealed[bad][at + 1 :]
    opened = unseal_each(KEY, sealed)
    assert [next(opened) for _ in range(bad)] == plains[:bad]
    with pytest.raises(RepositoryDamaged):
        next(opened)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=500), st.booleans(), st.booleans()), max_size=12))
@settings(deadline=None)
def test_packs_round_trip(contents: list[tuple[bytes, bool, bool]]) -> None:
    blobs = [
        Blob(sha256(plain).digest(), BlobType(tree), compress(plain) if packed else plain, len(plain) if packed else 0)
        for plain, packed, tree in contents
    ]
    pack = build_pack(KEY, blobs, ENTROPY.token_bytes(16 * (len(blobs) + 1)))
    assert read_pack_header(KEY, pack.data) == pack.blobs
    assert pack_size(pack.blobs) == len(pack.data)
    assert sha256(pack.data).digest() == pack.id
    for (plain, _, _), blob in zip(contents, pack.blobs, strict=True):
        assert open_blob(KEY, pack.data[blob.offset : blob.offset + blob.length], blob.raw_bytes) == plain
        assert blob.plain_bytes == len(plain)


packed_blobs = st.builds(
    PackedBlob, hashes, st.sampled_from(BlobType), st.integers(0, 1 << 31), st.integers(32, 1 << 30), st.integers(0, 2**32 - 1)
)


@given(st.lists(st.builds(IndexedPack, hashes, st.lists(packed_blobs, max_size=4).map(tuple)), max_size=4))
def test_indexes_round_trip(packs: list[IndexedPack]) -> None:
    assert decode_index(encode_index(packs)) == tuple(packs)


def test_snapshots_round_trip_and_keep_what_go_escapes() -> None:
    snapshot = Snapshot(
        time="2026-01-01T00:00:00.123456789Z",
        tree="a" * 64,
        paths=("/srv/<documents>",),
        tags=("hf:v=1", "a&b"),
        hostname="h",
        username="u",
        program_version="p",
    )
    encoded = encode_snapshot(snapshot)
    assert b"<" not in encoded
    assert b"&" not in encoded
    assert decode_snapshot(encoded) == snapshot
    summed = Snapshot(
        time=snapshot.time, tree=snapshot.tree, paths=(), summary=Summary(backup_start=snapshot.time, backup_end=snapshot.time)
    )
    assert decode_snapshot(encode_snapshot(summed)).summary is None


def test_small_documents_round_trip() -> None:
    lock = LockFile(time="2026-01-01T00:00:00Z", exclusive=True, hostname="h", username="u", pid=1)
    assert decode_lock(encode_lock(lock)) == lock
    config = new_config(ENTROPY)
    assert decode_config(encode_config(config, KEY, ENTROPY), KEY) == config
    name, content = encode_document(b'{"a":1}', KEY, ENTROPY)
    assert name == sha256(content).hexdigest()
    assert decode_document(content, KEY) == b'{"a":1}'
    assert decode_document(seal(KEY, bytes(16), b"[]"), KEY) == b"[]"


def test_several_passwords_open_one_key() -> None:
    for password in ("one", "zwei ü", ""):
        content = encode_key_file(KEY, password, KeyOrigin("u", "h", 0), entropy=ENTROPY, cost=CHEAP)
        assert decode_key_file(content).open(password) == KEY
        with pytest.raises(WrongPassword):
            decode_key_file(content).open(password + "x")


def test_polynomials() -> None:
    # x^2+x+1, x^3+x+1 and restic's own test value are irreducible; products are not.
    assert all(map(is_irreducible, (0b111, 0b1011, 0x3DA3358B4DC173)))
    assert not any(map(is_irreducible, (0, 1, 0b101, 0b1111, 0b111 * 2, 0x3DA3358B4DC172)))
    found = random_irreducible(ENTROPY)
    assert found.bit_length() == 54
    assert is_irreducible(found)


@given(
    st.one_of(st.binary(max_size=200), st.sampled_from([b"{}", b"[]", b"null", b'{"nodes":[{}]}', b'{"packs":[{"id":"x","blobs":[]}]}']))
)
@settings(max_examples=200)
def test_hostile_documents_are_damage(data: bytes) -> None:
    for decode in (decode_index, decode_snapshot, decode_lock, split_tree, decode_tree):
        try:
            decode(data)
        except RepositoryDamaged:
            continue
    for opened in (
        lambda: decode_key_file(data).open("x"),
        lambda: decode_config(data, KEY),
        lambda: read_pack_header(KEY, data),
        lambda: decompress(data, 99),
    ):
        with pytest.raises(RepositoryDamaged):
            opened()
    with pytest.raises(RepositoryDamaged):
        read_pack_header(KEY, data + seal(KEY, bytes(16), data + b"\x07") + (len(data) + 33).to_bytes(4, "little"))
    with pytest.raises(RepositoryDamaged):
        decode_document(seal(KEY, bytes(16), b"\x05" + data), KEY)


_NODE = b'{"name":"a","type":"file","mode":420,"content":["' + b"a" * 64 + b'"]}'


@pytest.mark.parametrize(
    "tree",
    [
        b'{"nodes":[{"name":"../x","type":"file"}]}',
        b'{"nodes":[{"name":"","type":"file"}]}',
        b'{"nodes":[{"name":"a","type":"dir"}]}',
        b'{"nodes":[{"name":"a","type":"dir","subtree":"zz"}]}',
        b'{"nodes":[' + _NODE + b"," + _NODE + b"]}",
        b'{"nodes":[{"name":"b","type":"file"},{"name":"a","type":"file"}]}',
        b'{"nodes":7}',
        b"[" * 5000,
    ],
)
def test_hostile_trees_are_damage(tree: bytes) -> None:
    for decode in (split_tree, decode_tree):
        with pytest.raises(RepositoryDamaged):
            decode(tree)


@pytest.mark.parametrize(
    "field", [b'"uid":-1.5', b'"mtime":"x"', b'"content":["x"]', b'"generic_attributes":{"hf.holes":"x"}', b'"linktarget_raw":"?"']
)
def test_hostile_nodes_are_damage(field: bytes) -> None:
    raw = RawNode(b"a", "file", None, b'{"name":"a","type":"file",' + field + b"}")
    with pytest.raises(RepositoryDamaged):
        _entry_in(raw)
    with pytest.raises(RepositoryDamaged):
        [entry_of(node, b"", {}) for node in decode_tree(encode_tree([raw.raw]))]


def _entry_in(raw: RawNode) -> Entry:
    decoded = decode_node(raw)
    assert decoded is not None
    return entry_of(decoded, b"", {})


def test_bombs_are_damage() -> None:
    with pytest.raises(RepositoryDamaged):
        decompress(compress(bytes(10_000_000)), 1_000_000)
    content = encode_key_file(KEY, "x", KeyOrigin("u", "h", 0), entropy=ENTROPY, cost=CHEAP)
    for cost in (b'"N":1073741824', b'"N":-1', b'"N":3'):
        with pytest.raises(RepositoryDamaged):
            decode_key_file(content.replace(b'"N":16', cost)).open("x")


def test_a_tree_that_is_not_compact_can_be_changed() -> None:
    (raw,) = split_tree(b'{"nodes": [ {"name": "a", "type": "dir", "subtree": "' + b"b" * 64 + b'", "new": 1} ]}')
    changed = with_subtree(raw, os.urandom(32))
    assert b'"new":' in changed
    assert b"bbbb" not in changed
