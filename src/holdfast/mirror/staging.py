"""Taking the segments of a commit: contents are assembled complete in the side folder, the mirror itself is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from holdfast.core.errors import StoreError
from holdfast.delivery.left_out import left_out
from holdfast.delivery.ports import VerifiedChunk
from holdfast.host.tree_writer import Draft
from holdfast.mirror.moves import Hints
from holdfast.mirror.rows import Content, Fingerprint, hardlink_of
from holdfast.mirror.spares import Growing, Matching, continued, resumed
from holdfast.mirror.surveying import Survey
from holdfast.mirror.target import Contents, Target, temp_path
from holdfast.model.change import Part, Put, Remove, RemoveReason, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind, walk_key
from holdfast.model.jobs import Finding

_MOST_FINDINGS = 100
# Smaller files are copied as fast.
_CLONED_BYTES = 128 << 10


class Staging:
    """One commit on its way. `broken` names paths for which the mirror had promised chunks it could not give: the commit must fail
    and be repeated, and the wrong promises are forgotten. `stored_bytes` counts chunk bytes that came from the sender,
    `findings` tell of files that were left out.
    """

    def __init__(self, target: Target, contents: Contents, hints: Hints, *, adopting: bool) -> None:
        self._target = target
        self._records = target.records
        self._contents = contents
        self._hints = hints
        self._survey = Survey(target, adopting=adopting)
        self._asked: dict[int, set[bytes]] = {}
        self._withdrawn: set[bytes] = set()
        self._growing: dict[bytes, Growing] = {}
        self._matching: dict[bytes, Matching] = {}
        self.broken: list[bytes] = []
        self.findings: list[Finding] = []
        self.stored_bytes = 0

    # What is needed

    def wanted(self, segment: Segment) -> set[bytes]:
        mine = set[bytes]()
        files = list(self._files(segment))
        self._records.foresee([walk_key(entry.path) for entry in files], [ref.id for ref in segment.offered])
        for part in self._parts(segment):
            self._survey.part(part)
            mine.update(ref.id for ref in part.chunks)
        for entry in files:
            self._survey.file(entry)
            mine.update(ref.id for ref in entry.chunks)
        under_way = set[bytes]().union(*self._asked.values())
        asked = {ref.id for ref in segment.offered if ref.id in mine and ref.id not in under_way and not self._has(ref.id)}
        self._asked[segment.number] = asked
        return asked

    def _parts(self, segment: Segment) -> Iterator[Part]:
        return (part for part in segment.parts if self._target.covers(part.path))

    def _files(self, segment: Segment) -> Iterator[Entry]:
        for change in segment.changes:
            if isinstance(change, Put) and change.entry.kind is Kind.FILE and self._target.covers(change.entry.path):
                yield change.entry

    def _has(self, chunk_id: bytes) -> bool:
        return any(self._contents.looks_same(place.file) for place in self._records.places(chunk_id))

    # Taking what came

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        self._withdrawn |= withdrawn
        for part in self._parts(segment):
            self._grow(part, chunks)
        # Mostly it is remembered; of a long window it may not be.
        keys = [walk_key(entry.path) for entry in self._files(segment)]
        self._records.foresee(keys)
        if self._hints:
            self._records.foresee_entries(origin for key in keys if (origin := self._hints.origin(key)) is not None)
        for change in segment.changes:
            if isinstance(change, Remove):
                if self._target.covers(change.path):
                    # What went to an archive stays as it is in a mirror.
                    self._records.stage(walk_key(change.path), "keep" if change.reason is RemoveReason.ARCHIVED else "remove")
            elif self._target.covers(change.entry.path):
                self._put(change.entry, chunks)
        self._asked.pop(segment.number, None)
        self._records.save()

    @property
    def growing(self) -> frozenset[int]:
        """Contents whose put has not come yet."""
        return frozenset(growing.n for growing in self._growing.values())

    def cut_back(self) -> None:
        """Of contents whose put has not come yet, to what is recorded: what was written last and is not gives its room back."""
        for growing in self._growing.values():
            if growing.base is None:
                held = self._records.chunks_with_offsets(growing.n)
                growing.draft.set_size(max((offset + ref.size_bytes for offset, ref in held), default=0))

    def drop(self) -> None:
        """Close what is open. Nothing staged is lost: it is spare for the next commit."""
        for growing in self._growing.values():
            growing.draft.close()
        self._growing.clear()

    def _put(self, entry: Entry, chunks: Mapping[bytes, VerifiedChunk]) -> None:
        key = walk_key(entry.path)
        if entry.kind is not Kind.FILE:
            self._records.stage(key, "put", entry)
            return
        growing = self._growing.pop(entry.path, None)
        self._matching.pop(entry.path, None)
        if growing is not None:
            try:
                n = self._linked(key, entry) or self._finish(growing, entry, chunks)
            finally:
                growing.draft.close()
        else:
            # A group of names stays one file, even where one of them has equal content of its own.
            known = self._records.files_at(key)
            n = self._linked(key, entry) or self._in_place(key, entry, known)
            if n is not None and self._is_unchanged(key, entry, n):
                self._records.stage(key, "keep")
                return
            n = n or self._moved(key, entry) or self._spare(entry, known) or self._assembled(key, entry, chunks)
        if n is None:
            self._records.stage(key, "keep")
            if len(self.findings) < _MOST_FINDINGS:
                self.findings.append(left_out(entry.path))
        else:
            self._records.stage(key, "put", entry, n)

    def _is_unchanged(self, key: bytes, entry: Entry, n: int) -> bool:
        """Nothing at all to do: the same entry, and nobody touched the file since."""
        recorded, content = self._records.entry(key), self._records.file(n)
        found = self._target.writer.stat(self._target.relative(entry.path))
        return (
            recorded is not None
            and (recorded.entry, recorded.file) == (entry, n)
            and content is not None
            and found is not None
            and Fingerprint.of(found) == content.fingerprint
        )

    def _in_place(self, key: bytes, entry: Entry, at: Sequence[Content]) -> int | None:
        """The content that stands at this path, if it is the right one already."""
        recorded = self._records.entry(key)
        known = None if recorded is None or recorded.file is None else self._records.file(recorded.file)
        # Newest first: what was surveyed, where it is not as the records had it.
        for content in [*at, *([known] if known is not None and known.key != key else [])]:
            if not content.placed or not self._has_chunks(content, entry):
                continue
            if self._records.is_shared_with_others(content.n, key, hardlink_of(entry)):
                continue
            if self._contents.is_exact(content, self._target.relative(entry.path)):
                return content.n
        return None

    def _moved(self, key: bytes, entry: Entry) -> int | None:
        """The content that stands where this was before, by the hints. Whether its old name is really gone is seen at the end."""
        origin = self._hints.origin(key)
        recorded = None if origin is None else self._records.entry(origin)
        content = None if recorded is None or recorded.file is None else self._records.file(recorded.file)
        if origin is None or content is None or not content.placed or not self._has_chunks(content, entry):
            return None
        if self._records.is_staged_with_others(content.n, key, hardlink_of(entry)):
            return None
        return content.n if self._contents.is_exact(content, self._target.at(origin)) else None

    def part_shared(self) -> None:
        """Behind the last segment: what was taken for moved and still is where it was gets a content of its own, copied from there."""
        for key in self._records.still_shared() if self._hints else ():
            staged = self._records.staged_at(key)
            if staged is not None and staged.entry is not None:
                n = self._assembled(key, staged.entry, {})
                self._records.stage(key, "keep" if n is None else "put", None if n is None else staged.entry, n)

    def _has_chunks(self, content: Content, entry: Entry) -> bool:
        if content.placed and content.fingerprint.size != entry.size_bytes:
            return False
        return self._records.chunks_of(content.n) == entry.chunks

    def _linked(self, key: bytes, entry: Entry) -> int | None:
        """The content another name of the same file of the source has."""
        hardlink = hardlink_of(entry)
        for n in self._records.linked(hardlink) if hardlink is not None else ():
            content = self._records.file(n)
            if content is None or not self._has_chunks(content, entry) or self._records.is_shared_with_others(n, key, hardlink):
                continue
            if not content.placed or self._contents.is_exact(content, self._target.at(content.key)):
                return n
        return None

    def _spare(self, entry: Entry, at: Sequence[Content]) -> int | None:
        """What an earlier commit that never came had assembled for this path."""
        for content in at:
            if content.placed or self._records.is_staged_file(content.n) or not self._has_chunks(content, entry):
                continue
            if not self._contents.verify(content):
                continue
            try:
                draft = self._target.side.reopen(temp_path(content.n))
            except StoreError:
                continue
            self._dress(draft, entry)
            return content.n
        return None

    def _assembled(self, key: bytes, entry: Entry, chunks: Mapping[bytes, VerifiedChunk]) -> int | None:
        n = self._records.new_file(key)
        draft = self._target.side.create(temp_path(n))
        try:
            rows = self._written(key, draft, entry, chunks)
        finally:
            draft.close()
        self._records.add_chunks(n, rows)
        # What came of a file that is not whole stays as a spare: later puts were promised those chunks.
        return n if len(rows) == len(entry.chunks) else None

    def _written(self, key: bytes, draft: Draft, entry: Entry, chunks: Mapping[bytes, VerifiedChunk]) -> list[tuple[bytes, int, int]]:
        """The whole file, as far as its chunks can be had: those that are in it, (id, offset, size)."""
        base = self._cloned(key, draft) if entry.size_bytes >= _CLONED_BYTES else None
        rows, offset = list[tuple[bytes, int, int]](), 0
        for ref in entry.chunks:
            if base is not None and self._records.has_chunk_at(base, ref.id, offset):
                rows.append((ref.id, offset, ref.size_bytes))
            elif (data := self._data(entry.path, ref, chunks)) is not None:
                draft.write_around(offset, data, entry.holes if base is None else ())
                rows.append((ref.id, offset, ref.size_bytes))
            offset += ref.size_bytes
        if base is not None:
            draft.punch(entry.holes)
        self._dress(draft, entry)
        return rows

    def _cloned(self, key: bytes, draft: Draft) -> int | None:
        """Begins a new version of a large file as a clone of what stands at its place, where the file system can: then only what differs
        is read, hashed and written. The content cloned, which certainly had what the records say."""
        n = self._content_at(key)
        content = None if n is None else self._records.file(n)
        if content is None or not content.placed or content.fingerprint.size < _CLONED_BYTES:
            return None
        try:
            fd = self._target.writer.open_file(self._target.at(content.key))
        except OSError:
            return None
        try:
            if Fingerprint.of(os.fstat(fd)) != content.fingerprint or not draft.clone(fd):
                return None
            if Fingerprint.of(os.fstat(fd)) == content.fingerprint:
                return content.n
        finally:
            os.close(fd)
        # Somebody wrote it in this instant.
        draft.set_size(0)
        return None

    def _grow(self, part: Part, chunks: Mapping[bytes, VerifiedChunk]) -> None:
        growing = self._growing.get(part.path)
        if not part.offset:
            # The file could not be read to its end, and another version of it follows.
            self._matching.pop(part.path, None)
            if growing is not None:
                growing.draft.close()
                del self._growing[part.path]
                growing = None
        if growing is None:
            if self._matches(part):
                return
            before = self._matching.pop(part.path, None)
            spare = continued(self._target, part) if before is None else None
            known = spare or resumed(self._target, self._contents, part, before)
            growing = self._growing[part.path] = known or self._begun(walk_key(part.path))
            if before is not None and known is None:
                self._write_run(part.path, growing, self._held(before), chunks)
        run, offset = [], part.offset
        for ref in part.chunks:
            run.append((offset, ref))
            offset += ref.size_bytes
        self._write_run(part.path, growing, run, chunks)

    def _held(self, before: Matching) -> list[tuple[int, ChunkRef]]:
        return [(offset, ref) for offset, ref in self._records.chunks_with_offsets(before.n) if offset < before.end]

    def _begun(self, key: bytes) -> Growing:
        n = self._records.new_file(key)
        draft = self._target.side.create(temp_path(n))
        return Growing(n, draft, self._cloned(key, draft))

    def _matches(self, part: Part) -> bool:
        """True while a file in parts is what is here already, so that an unchanged or merely re-dressed large file is not copied."""
        before = self._matching.get(part.path)
        if (before.end if before is not None else 0) != part.offset:
            return False
        n = before.n if before is not None else self._content_at(walk_key(part.path))
        if n is None or not self._contents.looks_same(n):
            return False
        offset = part.offset
        for ref in part.chunks:
            if not self._records.has_chunk_at(n, ref.id, offset):
                return False
            offset += ref.size_bytes
        self._matching[part.path] = Matching(n, offset)
        return True

    def _content_at(self, key: bytes) -> int | None:
        surveyed = self._survey.found(key)
        if surveyed is not None:
            return surveyed
        for known_as in (key, self._hints.origin(key)):
            recorded = None if known_as is None else self._records.entry(known_as)
            if recorded is not None and recorded.file is not None:
                return recorded.file
        return next((content.n for content in self._records.files_at(key)), None)

    def _write_run(self, path: bytes, growing: Growing, run: list[tuple[int, ChunkRef]], chunks: Mapping[bytes, VerifiedChunk]) -> None:
        rows = []
        for offset, ref in run:
            if growing.base is not None and self._records.has_chunk_at(growing.base, ref.id, offset):
                rows.append((ref.id, offset, ref.size_bytes))
                continue
            data = self._data(path, ref, chunks)
            if data is not None:
                if growing.base is not None:
                    growing.draft.write(offset, data)
                else:
                    # Which zeros are holes is known only when the put comes, so none are written.
                    growing.draft.write_sparse(offset, data)
                rows.append((ref.id, offset, ref.size_bytes))
        self._records.add_chunks(growing.n, rows)

    def _finish(self, growing: Growing, entry: Entry, chunks: Mapping[bytes, VerifiedChunk]) -> int | None:
        """The put of a file that came in parts; a chunk no part brought is looked for as any other."""
        there = {(ref.id, offset) for offset, ref in self._records.chunks_with_offsets(growing.n)}
        rows, offset = [], 0
        for ref in entry.chunks:
            if (ref.id, offset) not in there:
                data = self._data(entry.path, ref, chunks)
                if data is None:
                    return None
                growing.draft.write(offset, data)
            rows.append((ref.id, offset, ref.size_bytes))
            offset += ref.size_bytes
        growing.draft.punch(entry.holes)
        self._dress(growing.draft, entry)
        self._records.drop_chunks(growing.n)
        self._records.add_chunks(growing.n, rows)
        return growing.n

    def _dress(self, draft: Draft, entry: Entry) -> None:
        try:
            self._target.side.dress(draft, entry)
        finally:
            draft.close()

    def _data(self, path: bytes, ref: ChunkRef, chunks: Mapping[bytes, VerifiedChunk]) -> bytes | None:
        """From the sender, or else from what is here; None when it cannot be had (withdrawn, or `broken`)."""
        sent = chunks.get(ref.id)
        if sent is not None:
            self.stored_bytes += ref.size_bytes
            return sent.plain
        for place in self._records.places(ref.id):
            data = self._contents.read(place, ref.id)
            if data is not None:
                return data
            self._contents.distrust(place.file)
        if ref.id not in self._withdrawn:
            self.broken.append(path)
        return None
