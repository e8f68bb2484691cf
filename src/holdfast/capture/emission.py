"""The second pass: read what the walk found changed, settle the rows, and hand on segments, all in walk order.

Batches are read, hashed and cut on the pool while the main thread settles earlier ones; the look-ahead is a few batches, and the consumer's
pace limits the rest, because this is a generator. Batches of very small files are read in line, see `POOL_BYTES`. A large file streams by
windows with one window read ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec

from holdfast.capture.chunks import Chunk, FileOrigin, Origin, chunks_of
from holdfast.capture.databases import not_copied
from holdfast.capture.ledger import Act, Verdict
from holdfast.capture.passing import Batch, Item, Passed, Result, Tools, anew, batched, is_back, is_stream, windows
from holdfast.capture.reader import WHOLE_BYTES, Captured, Database, Job, Lost, Stream, TooLarge, lost, vanished
from holdfast.capture.rows import (
    ARCHIVED,
    CODES,
    DIRECTORY_CODE,
    FILE_CODE,
    RESTLESS,
    SUSPECT,
    WITHDRAWN,
    Row,
    is_copied,
    is_same_file,
    is_same_version,
    row_of,
)
from holdfast.capture.segments import MAX_BYTES
from holdfast.core.ids import DatasetId
from holdfast.host.database_copy import DatabaseNotCopied
from holdfast.host.database_files import has_log, main_of, read_header
from holdfast.model.entry import Entry, path_of, walk_key
from holdfast.model.stream import Outgoing, grouped

LOOK_AHEAD, LOOK_AHEAD_BYTES = 2, 4 * 1024 * 1024
ROWS_AT_ONCE = 1_000
MOST_SUSPECTS = 10_000
# From this mean size on a batch is worth a thread. Below, the interpreter lock makes threads slower than none: 100,000 files of
# 3 kB take 5.8 s of CPU in line, 8.9 s on two threads (2 cores, Python 3.11).
POOL_BYTES = 64 * 1024

Emitted = dict[DatasetId, Outgoing]


class Emission:
    """One second pass. Iterate `emit`, then read `passed`. `read_total`: bytes to read; None while that is not known yet."""

    def __init__(self, tools: Tools, read_total: Callable[[], int | None]) -> None:
        self.passed = Passed()
        self._tools = tools
        self._state, self._segments, self._reader = tools.state, tools.segments, tools.reader
        self._read_total = read_total
        self._rows: list[Row] = []
        self._linked: dict[tuple[int, int], Captured] = {}
        self._leaders: set[tuple[int, int]] = set()
        # What every key below a folder begins with that could not be captured and was none before.
        self._astray: bytes | None = None
        # Keys of databases that were read from consistent copies.
        self._copied: set[bytes] = set()

    def emit(self, verdicts: Iterable[Verdict], behind: Iterator[Row]) -> Iterator[Emitted]:
        """`behind`: rows that receivers lack, in walk order. What both name, the verdict decides."""
        ahead: deque[Batch] = deque()
        for batch in batched(self._items(verdicts, behind)):
            jobs = [item.job for item in batch.items if item.job is not None]
            if jobs and batch.size_bytes >= POOL_BYTES * len(jobs):
                batch.future = self._tools.pool.submit(self._reader.capture_all, jobs)
            ahead.append(batch)
            while len(ahead) > LOOK_AHEAD or (len(ahead) > 1 and sum(each.size_bytes for each in ahead) > LOOK_AHEAD_BYTES):
                yield from self._settle_batch(ahead.popleft())
        while ahead:
            yield from self._settle_batch(ahead.popleft())
        if taken := self._take():
            yield taken

    def _items(self, verdicts: Iterable[Verdict], behind: Iterator[Row]) -> Iterator[Item]:
        row = next(behind, None)
        for verdict in verdicts:
            while row is not None and row.key < verdict.key:
                yield self._known_item(row)
                row = next(behind, None)
            if row is not None and row.key == verdict.key:
                row = next(behind, None)
            yield self._item(verdict)
        while row is not None:
            yield self._known_item(row)
            row = next(behind, None)

    def _item(self, verdict: Verdict) -> Item:
        walked = self._tools.walked
        row = self._state.row(verdict.key) if verdict.known or walked is not None else None
        if row is not None and walked is not None and (row.run > walked or is_back(row, verdict)):
            # A small run has looked there since, and knows better.
            return self._known_item(row)
        return self._item_of(row, verdict)

    def _known_item(self, row: Row) -> Item:
        """What was captured before. Some receiver may lack it."""
        verdict = anew(row, self._tools)
        return Item(row) if verdict is None else self._item_of(row, verdict)

    def _item_of(self, row: Row | None, verdict: Verdict) -> Item:
        members = verdict.members & self._tools.bits
        if verdict.act not in (Act.CAPTURE, Act.PARENT) or not members:
            return Item(row, verdict)
        path, is_file = path_of(verdict.key), verdict.kind == FILE_CODE
        database = is_file and members & self._tools.databases != 0
        # With its log it holds another content than under its other names, which have none.
        linked = (verdict.device, verdict.inode) if verdict.inode and not (database and has_log(self._reader.sight.real(path))) else None
        follows = linked in self._leaders
        if linked is not None:
            self._leaders.add(linked)
        moved = self._tools.moves.recorded(path) if is_file else None
        known = moved or (row.entry() if row is not None else None)
        content = moved is None and not follows
        job = Job(
            path,
            self._tools.granularity(members),
            known,
            parent=verdict.act == Act.PARENT,
            content=content,
            file=is_file and content,
            database=database,
        )
        return Item(row, verdict, job, linked, moved)

    def _settle_batch(self, batch: Batch) -> Iterator[Emitted]:
        jobs = [item.job for item in batch.items if item.job is not None and not is_stream(item)]
        results = iter(self._reader.capture_all(jobs) if batch.future is None else batch.future.result())
        batch.future = None
        for item in batch.items:
            verdict = item.verdict
            if verdict is not None and verdict.act == Act.BESIDE:
                yield from self._settle_beside(item, verdict)
                continue
            if item.job is None or verdict is None:
                if item.row is not None:
                    yield from self._hand_on(item.row if verdict is None else self._regroup(item.row, verdict), None, None)
                continue
            yield from self._settle_item(item, item.job, verdict, None if is_stream(item) else next(results))
        self._beat(self.passed.size_bytes)

    def _settle_item(self, item: Item, job: Job, verdict: Verdict, result: Result | None) -> Iterator[Emitted]:
        if self._astray is not None and verdict.key.startswith(self._astray):
            yield from self._stay(item, verdict, Lost(None))
        elif result is None:
            yield from self._stream(item, job, verdict)
        else:
            yield from self._settle(item, job, verdict, result)

    def _settle_beside(self, item: Item, verdict: Verdict) -> Iterator[Emitted]:
        """The log of a database that has changed: no part of what a consistent copy was made of, kept where none could be made."""
        main = main_of(path_of(verdict.key))
        if main is None or walk_key(main) not in self._copied:
            kept = msgspec.structs.replace(verdict, act=Act.CAPTURE, gone=verdict.gone & ~verdict.members)
            taken = self._item(kept)
            if taken.job is not None:
                yield from self._settle_item(taken, taken.job, kept, None if is_stream(taken) else self._reader.capture(taken.job))
        elif item.row is not None:
            left = msgspec.structs.replace(verdict, act=Act.MEMBERS, members=0, strayed=verdict.gone)
            yield from self._hand_on(self._regroup(item.row, left), None, None)

    def _beat(self, done_bytes: int) -> None:
        """As long as the walk goes on, nobody knows how much there is to read."""
        total = self._read_total()
        self._tools.pulse.beat("scan" if total is None else "read", self.passed.files, done_bytes, total or 0)

    def _settle(self, item: Item, job: Job, verdict: Verdict, result: Result) -> Iterator[Emitted]:
        if isinstance(result, Captured) and not job.content:
            known = self._known(item, result.entry)
            if known is None:
                job = msgspec.structs.replace(job, content=True)
                result = self._reader.capture(job)
            else:
                entry = msgspec.structs.replace(result.entry, chunks=known.entry.chunks, unstable=known.entry.unstable)
                result = Captured(entry, (), known.flags | result.flags, result.findings, known.stamp)
        if isinstance(result, Database):
            yield from self._database(item, job, verdict)
            return
        if isinstance(result, TooLarge):
            yield from self._stream(item, job, verdict)
            return
        if isinstance(result, Captured) and CODES[result.entry.kind] != verdict.kind:
            result = vanished(job.path)
        if isinstance(result, Lost):
            yield from self._stay(item, verdict, result)
            return
        self._remember(item, result)
        yield from self._hand_on(self._accept(item.row, verdict, result, False), result.entry, result.chunks if job.content else None)

    def _known(self, item: Item, found: Entry) -> Captured | None:
        """The content of what was found, where it need not be read: of another link, read ahead, or of before it was moved here."""
        linked = self._linked.get(item.linked) if item.linked is not None else None
        if linked is not None and is_same_file(linked.entry, found):
            return linked
        ahead = self._tools.prepared.get(found.path)
        if ahead is not None and is_same_file(ahead.entry, found):
            return ahead
        return Captured(item.moved) if item.moved is not None and self._tools.moves.is_same(item.moved, found) else None

    def _stay(self, item: Item, verdict: Verdict, result: Lost) -> Iterator[Emitted]:
        """Nothing could be captured: the state keeps what it had, and receivers that lack that get it. Of a folder that is new and away for
        the moment, nothing is taken of what is below either: it would lie in a folder that no receiver knows.
        """
        new_folder = verdict.kind == DIRECTORY_CODE and (item.row is None or item.row.kind != DIRECTORY_CODE)
        if new_folder and (self._astray is None or not verdict.key.startswith(self._astray)):
            self._astray = verdict.key + b"\x00"
        if result.finding is not None:
            self._tools.notes.add(result.finding, verdict.members & self._tools.bits)
        if item.row is not None:
            yield from self._hand_on(item.row, None, None)

    def _database(self, item: Item, job: Job, verdict: Verdict) -> Iterator[Emitted]:
        """A database of SQLite, from a consistent copy; where none can be made its files are kept as they are, and that is said."""
        try:
            copied = self._tools.copies.open(job)
        except OSError as error:
            yield from self._stay(item, verdict, lost(job.path, error))
            return
        except DatabaseNotCopied as problem:
            self._tools.notes.add(not_copied(job.path, problem), verdict.members & self._tools.bits)
            plain = msgspec.structs.replace(job, database=False, stamp=self._tools.copies.stamp_as_it_is(job.path, problem))
            yield from self._settle(item, plain, verdict, self._reader.capture(plain))
            return
        self._copied.add(verdict.key)
        if copied.entry.size_bytes <= WHOLE_BYTES:
            with closing(copied):
                result = copied.whole()
            yield from self._settle(item, job, verdict, result)
        else:
            yield from self._send(item, job, verdict, copied)

    def _stream(self, item: Item, job: Job, verdict: Verdict) -> Iterator[Emitted]:
        """A large file."""
        linked = None if item.linked is None else self._linked.get(item.linked)
        if linked is not None or job.path in self._tools.prepared:
            looked = self._reader.capture(msgspec.structs.replace(job, content=False, file=False))
            if isinstance(looked, Captured) and self._known(item, looked.entry) is not None:
                yield from self._settle(item, msgspec.structs.replace(job, content=False), verdict, looked)
                return
        if job.database and read_header(self._reader.sight.real(job.path)) is not None:
            yield from self._database(item, job, verdict)
            return
        try:
            stream = self._reader.open(job)
        except OSError as error:
            yield from self._stay(item, verdict, lost(job.path, error))
            return
        yield from self._send(item, job, verdict, stream)

    def _send(self, item: Item, job: Job, verdict: Verdict, stream: Stream) -> Iterator[Emitted]:
        """Its parts go ahead. As long as they equal what was recorded nothing is sent, so that a file that only had to be looked at
        again (suspect, touched) travels not at all.
        """
        recorded = job.recorded.chunks if job.recorded is not None and item.row is not None and not item.row.flags & WITHDRAWN else ()
        bits = verdict.members & self._segments.wanting(self._tools.run) & self._tools.bits
        self._segments.build_on(job.path, recorded)
        # Where some receiver lacks what was recorded, all goes ahead: what is read a second time for it might be another by then.
        lacks = item.row is not None and self._segments.wanting(item.row.run) & bits != 0
        same, ahead, offset = 0, lacks or not recorded, 0
        try:
            for chunks in windows(stream, self._tools.pool):
                self._beat(self.passed.size_bytes + offset)
                for group in grouped(chunks, MAX_BYTES):
                    if not ahead and [c.id for c in group] == [ref.id for ref in recorded[same : same + len(group)]]:
                        same += len(group)
                    else:
                        if not ahead and same:
                            known_part = msgspec.structs.replace(stream.entry, chunks=recorded[:same])
                            yield from self._parts(known_part, self._tools.run, bits, stream.origin(self._state.mark_withdrawn))
                        ahead = True
                        yield from self._part(job.path, offset, self._tools.run, bits, group)
                    offset += sum(chunk.size_bytes for chunk in group)
            result = stream.finish()
        except OSError as error:
            yield from self._stay(item, verdict, lost(job.path, error))
            return
        finally:
            stream.close()
        self._remember(item, result)
        yield from self._hand_on(self._accept(item.row, verdict, result, ahead), result.entry, () if ahead else None)

    def _accept(self, old: Row | None, verdict: Verdict, result: Captured, sent: bool) -> Row:
        """The new row of what was captured. It bears this run's number unless nothing at all differs."""
        entry, run, bits = result.entry, self._tools.run, self._tools.bits
        for finding in result.findings:
            self._tools.notes.add(finding, verdict.members & bits)
        self.passed.files += 1
        self.passed.size_bytes += entry.size_bytes
        if result.flags & SUSPECT and result.stamp is None and len(self.passed.suspects) < MOST_SUSPECTS:
            self.passed.suspects.append(entry.path)
        before = old.entry() if old is not None else None
        self.passed.note_links(before, entry)
        if old is None or before is None:
            self.passed.changed += 1
            row = row_of(entry, members=verdict.members & bits, run=run, flags=result.flags, stamp=result.stamp)
            self._write(row)
            return row
        flags = result.flags | (old.flags & RESTLESS)
        members = (old.members & ~bits) | (verdict.members & bits)
        if not sent and not old.flags & WITHDRAWN and members == old.members and is_same_version(entry, before):
            row = msgspec.structs.replace(old, flags=flags, ctime_ns=entry.ctime_ns if result.stamp is None else result.stamp)
            self._write(row)
            return row
        self.passed.changed += 1
        row = row_of(entry, members=old.members, run=run, flags=flags, stamp=result.stamp)
        return self._regroup(msgspec.structs.replace(row, departed=old.departed, strayed=old.strayed), verdict)

    def _regroup(self, row: Row, verdict: Verdict) -> Row:
        """The row with its memberships as the walk found them, for the datasets that are captured."""
        bits = self._tools.bits
        gone = verdict.gone & bits & row.members
        members = (row.members & ~bits) | (verdict.members & bits)
        if verdict.act == Act.GONE and gone & ~verdict.strayed:
            self.passed.removed += 1
            self.passed.note_links(row.entry(), None)
        if members == row.members and row.run != self._tools.run:
            # Only datasets that were refused would change.
            return row
        departed = (row.departed | gone) & ~members
        strayed = ((row.strayed & ~gone) | (verdict.strayed & gone)) & departed
        row = msgspec.structs.replace(row, members=members, departed=departed, strayed=strayed, run=self._tools.run)
        self._write(row)
        return row

    def _hand_on(self, row: Row, entry: Entry | None, chunks: tuple[Chunk, ...] | None) -> Iterator[Emitted]:
        """Put the row into the segments of the datasets whose receivers lack it. No `chunks` = read again on demand."""
        wanting = self._segments.wanting(row.run) & self._tools.bits
        puts, removes = wanting & row.members, wanting & row.departed
        if puts:
            entry = row.entry() if entry is None else entry
            if chunks is None:
                origin = self._origin(row, entry)
                if entry.size_bytes > MAX_BYTES:
                    yield from self._parts(entry, row.run, puts, origin)
                    chunks = ()
                else:
                    chunks = tuple(chunks_of(entry, origin))
            size = chunks[0].size_bytes if len(chunks) == 1 else sum([chunk.size_bytes for chunk in chunks])
            if not self._segments.has_room(size, len(row.record)) and (taken := self._take()):
                yield taken
            self._segments.put(entry, row.run, puts, chunks, len(row.record))
        if removes:
            if not self._segments.has_room(0, len(row.key)) and (taken := self._take()):
                yield taken
            self._segments.remove(path_of(row.key), row.run, removes, row.strayed, archived=bool(row.flags & ARCHIVED))

    def _parts(self, entry: Entry, run: int, bits: int, origin: Origin) -> Iterator[Emitted]:
        """A large file that was captured before, in parts that are read on demand."""
        offset = 0
        for group in grouped(chunks_of(entry, origin), MAX_BYTES):
            yield from self._part(entry.path, offset, run, bits, group)
            offset += sum(chunk.size_bytes for chunk in group)

    def _part(self, path: bytes, offset: int, run: int, bits: int, group: list[Chunk]) -> Iterator[Emitted]:
        if not bits:
            return
        if not self._segments.has_room(sum(chunk.size_bytes for chunk in group), 48 * len(group)) and (taken := self._take()):
            yield taken
        self._segments.part(path, offset, run, bits, group)

    def _take(self) -> Emitted:
        """Rows before segments: a withdrawn chunk must find its row."""
        self._save()
        return self._segments.take()

    def _write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._save()

    def _save(self) -> None:
        if self._rows:
            self._tools.before_write()
            self._state.write_rows(self._rows, self._tools.run)
            self._rows.clear()

    def _origin(self, row: Row, entry: Entry) -> Origin:
        origin = FileOrigin(entry, self._tools.notes.add_read, self._state.mark_withdrawn, self._reader.sight)
        return self._tools.copies.again(origin, row.ctime_ns) if is_copied(row, entry) else origin

    def _remember(self, item: Item, result: Captured) -> None:
        """The content of a file with several links, for the links to come; forgotten with the last one that can come."""
        if item.linked is None or result.entry.links < 2:
            return
        known = self._linked.get(item.linked)
        left = result.entry.links - 1 if known is None else known.entry.links - 1
        if left < 1:
            self._linked.pop(item.linked, None)
            self._leaders.discard(item.linked)
            return
        # `links` of the remembered entry counts the links still to come.
        self._linked[item.linked] = Captured(msgspec.structs.replace(result.entry, links=left), (), result.flags)
