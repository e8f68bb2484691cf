"""What is held goes into packs ahead of its sealing, beside further commits, so that sealing keeps those waiting for little.

A commit that is under way goes first: it takes a hundredth of a second alone, and many times that beside a thread that computes, for each
time it has read something it waits for its turn in the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple, TypeVar

from holdfast.repository._format.references import subtrees_of
from holdfast.repository.continuous.held import Ahead, Held
from holdfast.repository.continuous.journal import ChunkFrame
from holdfast.repository.interior import Interior
from holdfast.repository.log_files import LogContent, joined, write_content
from holdfast.repository.moment_record import Followed, Record
from holdfast.repository.packs.blob_writer import NewBlobs

# Storing so many changes takes a tenth of a second; of what came meanwhile, so many are stored ahead once more.
_MANY, _STILL_MANY = 2_000, 200
_MOST_PASSES = 3
# A page takes some milliseconds.
_PAGE_CHUNKS, _PAGE_TREES, _PAGE_IDS = 64, 64, 500
# Commits that are under way are waited for 5 s in all.
_WAIT_S, _MOST_WAITS = 0.05, 100

_T = TypeVar("_T")


def store_ahead(interior: Interior, held: Held) -> None:
    """Chunks and trees of what is held now, and what it says in a log, go into packs; `held.ahead` says so. Raises what the store raises.

    What is little is not worth packs of its own. Where nothing between points is kept, some of it would be of no use.
    """
    way = _Way(held)
    for number in range(_MOST_PASSES):
        if not _pass(interior, held, way, _STILL_MANY if number else _MANY):
            return


class _Begun(NamedTuple):
    """What there is when a pass begins. `records`: of all that are held, the first of which are in the log already. `was`: what is made
    anew as soon as anything of this is no more so. `ahead`: what of it counts."""

    followed: Followed
    sender: int
    records: Sequence[Record]
    was: Ahead
    ahead: Ahead
    chunks: Sequence[bytes]
    changes: int


class _Way:
    """Given to commits, before each page."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._left = _MOST_WAITS

    def give(self) -> None:
        while self._left and not self._held.give_way(_WAIT_S):
            self._left -= 1

    def pages(self, of: Sequence[_T], length: int) -> Iterator[Sequence[_T]]:
        for start in range(0, len(of), length):
            self.give()
            yield of[start : start + length]


def _pass(interior: Interior, held: Held, way: _Way, least: int) -> bool:
    """Whether there was something to store."""
    losses = interior.blobs.losses
    begun = _begun(interior, held)
    if begun is None or begun.changes < least:
        return False
    interior.lock.assert_held()
    writer = NewBlobs(interior.storage, interior.blobs)
    is_whole = _store_chunks(held, begun.chunks, writer, way)
    with held.guard:
        # Each commit replaces the root, so that of what was there before nothing would be found.
        unsealed, trees = held.unsealed(), held.trees.as_now()
    known = begun.ahead.stored | begun.ahead.passed
    stored, passed = newest_trees(trees, unsealed[-1].tree, known) if unsealed else ({}, [])
    for some in way.pages(list(stored.items()), _PAGE_TREES):
        writer.add_trees(dict(some))
    way.give()
    log = log_of(begun.ahead, begun.followed, begun.records, writer)
    way.give()
    writer.flush()
    for ids in way.pages(sorted(begun.chunks), _PAGE_IDS):
        interior.blobs.claim(interior.blobs.trusted(ids), begun.sender)
    is_whole &= all(len(interior.blobs.has_trees(some)) == len(some) for some in way.pages(passed, _PAGE_IDS))
    with held.guard:
        if not is_whole or held.ahead is not begun.was:
            return False
        held.ahead = Ahead(
            stored=begun.ahead.stored.union(stored),
            passed=begun.ahead.passed.union(passed),
            chunks=begun.ahead.chunks.union(begun.chunks),
            until=begun.records[-1].ordinal,
            log=log,
            logged=len(begun.records),
            followed=begun.followed,
            losses=losses,
        )
    return True


def _begun(interior: Interior, held: Held) -> _Begun | None:
    with held.guard:
        followed, ahead = held.followed, what_is_ahead(interior, held)
        if followed is None or not followed.is_logged:
            return None
        unsealed = [record for record in held.unsealed() if record.ordinal > ahead.until]
        chunks = dict.fromkeys(chunk for record in unsealed for chunk in record.chunks)
        changes = sum(len(record.ops) for record in unsealed)
        return _Begun(followed, held.sender, tuple(held.records), held.ahead, ahead, list(chunks), changes)


def _store_chunks(held: Held, chunks: Sequence[bytes], writer: NewBlobs, way: _Way) -> bool:
    """False where one is neither in the journal nor in a pack: somebody else may have sealed all of it."""
    is_whole = True
    for some in way.pages(chunks, _PAGE_CHUNKS):
        lacking = writer.lacking(some)
        loaded = _loaded(held, lacking)
        is_whole &= len(loaded) == len(lacking)
        for chunk, payload in loaded:
            writer.add_lacking(chunk.id, payload, chunk.size_bytes, is_frame=chunk.is_frame)
    return is_whole


def _loaded(held: Held, some: Sequence[bytes]) -> list[tuple[ChunkFrame, bytes]]:
    """Those of these chunks that the journal still has."""
    with held.guard:
        return [(stored.chunk, stored.load()) for chunk in some if (stored := held.chunks.get(chunk)) is not None]


def what_is_ahead(interior: Interior, held: Held) -> Ahead:
    """Nothing, where some of it may be there no more. With the guard."""
    return held.ahead if held.ahead.losses == interior.blobs.losses else Ahead()


def log_of(ahead: Ahead, followed: Followed, records: Sequence[Record], writer: NewBlobs) -> LogContent:
    """What all these records say in a log, of which some may be stored. At least one."""
    if ahead.log is None or ahead.followed != followed or not ahead.logged <= len(records):
        return write_content(followed, records, writer.add_plain)
    rest = records[ahead.logged :]
    return joined([ahead.log, write_content(followed, rest, writer.add_plain)]) if rest else ahead.log


def newest_trees(trees: Mapping[bytes, bytes], root: bytes, known: Set[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Trees of the newest state, from the root down, but those that are `known` and what is below these: those that are held, and below
    them the first that are not, in order."""
    waiting, seen, held, passed = [root], set[bytes](), dict[bytes, bytes](), list[bytes]()
    while waiting:
        tree = waiting.pop()
        if tree in seen or tree in known:
            continue
        seen.add(tree)
        plain = trees.get(tree)
        if plain is None:
            passed.append(tree)
        else:
            held[tree] = plain
            waiting += subtrees_of(plain)
    return held, sorted(passed)
