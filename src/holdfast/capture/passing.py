"""What passes through the second pass: one path on its way, batches of them, what is counted, and what it works with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from holdfast.capture.chunking import Granularity
from holdfast.capture.chunks import Chunk
from holdfast.capture.databases import Databases, is_unchanged
from holdfast.capture.findings import Notes, Pulse
from holdfast.capture.ledger import Act, Verdict
from holdfast.capture.moves import Moves
from holdfast.capture.reader import WHOLE_BYTES, Captured, Database, Job, Lost, Reader, Stream, TooLarge
from holdfast.capture.rows import ARCHIVED, FILE_CODE, RESTLESS, STUBBED, Row, is_copied, signed
from holdfast.capture.segments import Segments
from holdfast.capture.state import CaptureState
from holdfast.host.database_files import look
from holdfast.model.entry import Entry, parent_of, path_of

BATCH_ITEMS = 256
BATCH_BYTES = 2 * 1024 * 1024

Result = Captured | TooLarge | Database | Lost


@dataclass(slots=True)
class Item:
    """One path on its way. No verdict: unchanged, and some receiver lacks it. `linked`: another link of it was read before.
    `moved`: it may be this version, that lay elsewhere."""

    row: Row | None
    verdict: Verdict | None = None
    job: Job | None = None
    linked: tuple[int, int] | None = None
    moved: Entry | None = None


@dataclass(slots=True)
class Batch:
    items: list[Item] = field(default_factory=list)
    size_bytes: int = 0
    future: Future[list[Result]] | None = None


@dataclass
class Passed:
    """What the second pass counted. `suspects`: paths that have to be looked at again. `linked`: files that got or lost a name."""

    changed: int = 0
    removed: int = 0
    files: int = 0
    size_bytes: int = 0
    suspects: list[bytes] = field(default_factory=list)
    linked: set[int] = field(default_factory=set)

    def note_links(self, before: Entry | None, after: Entry | None) -> None:
        """Other names of these files have another count of links now, and other times."""
        for entry, other in ((before, after), (after, before)):
            if entry is not None and entry.links > 1 and (other is None or (other.inode, other.links) != (entry.inode, entry.links)):
                self.linked.add(entry.inode)


@dataclass(frozen=True)
class Tools:
    """What the second pass works with. `bits`: the datasets captured; those of `databases` want SQLite's consistent, by `copies`.
    `walked`: the newest run whose rows the walk has seen, where it was made before this run. `before_write` looks at the disk.
    `prepared`: large files whose content was read before. `reads_anew`: see `anew`."""

    state: CaptureState
    run: int
    walked: int | None
    bits: int
    databases: int
    segments: Segments
    reader: Reader
    copies: Databases
    notes: Notes
    pulse: Pulse
    pool: ThreadPoolExecutor
    granularity: Callable[[int], Granularity]
    moves: Moves
    before_write: Callable[[], None]
    prepared: Mapping[bytes, Captured] = field(default_factory=dict)
    reads_anew: bool = False


def windows(stream: Stream, pool: ThreadPoolExecutor) -> Iterator[list[Chunk]]:
    """The windows of a large file, one read ahead. The one ahead is waited for when the consumer leaves, so that closing is safe."""
    future = pool.submit(stream.window)
    try:
        while chunks := future.result():
            future = pool.submit(stream.window)
            yield chunks
    finally:
        future.exception()


def anew(row: Row, tools: Tools) -> Verdict | None:
    """To read a file that was captured before, and that a receiver lacks which has what was before: it is another by now, or restless, so
    that it would be left out for being another when it is sent. A database is copied for it in any case, so this is done now, while it is
    looked at, and is not tried when others may hold it. Of what a receiver may have already the version that was captured is given, of a
    database only if that is what is there; of what is archived always.
    """
    members = row.members & tools.bits
    is_behind = members & tools.segments.behind(row.run) != 0
    if not tools.reads_anew or row.kind != FILE_CODE or row.flags & (STUBBED | ARCHIVED):
        return None
    is_database = members & tools.databases & tools.segments.wanting(row.run) != 0 and is_copied(row, row.entry())
    if not (is_behind or is_database):
        return None
    path = path_of(row.key)
    try:
        status = os.lstat(path)
        if is_database:
            is_due = is_behind or not is_unchanged(row.ctime_ns, look(path, status))
        else:
            now = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, signed(status.st_ino))
            is_due = is_behind and (now != (row.size, row.mtime_ns, row.ctime_ns, row.inode) or row.flags & RESTLESS != 0)
    except OSError:
        return None
    if status.st_mode >> 12 != FILE_CODE or not is_due:
        return None
    device, inode = (signed(status.st_dev), signed(status.st_ino)) if status.st_nlink > 1 else (0, 0)
    return Verdict(row.key, Act.CAPTURE, members, 0, 0, FILE_CODE, status.st_size, device, inode, 1)


def is_back(row: Row, verdict: Verdict) -> bool:
    """Whether what a walk did not find in its place is there again. What lies below a folder that was moved away and back while the walk
    went on is as it was: the small run that looked at it has changed nothing, and no other will. Not by way of a symbolic link."""
    if verdict.act != Act.GONE or verdict.strayed:
        return False
    path = path_of(row.key)
    try:
        status = os.lstat(path)
    except OSError:
        return False
    folder = parent_of(path)
    return (status.st_mode >> 12, signed(status.st_ino)) == (row.kind, row.inode) and os.path.realpath(folder) == folder


def is_stream(item: Item) -> bool:
    return item.job is not None and item.verdict is not None and item.job.content and item.verdict.size > WHOLE_BYTES


def batched(items: Iterator[Item]) -> Iterator[Batch]:
    """Items read together; one that streams is alone."""
    batch = Batch()
    for item in items:
        if is_stream(item):
            if batch.items:
                yield batch
            yield Batch([item])
            batch = Batch()
            continue
        batch.items.append(item)
        if item.job is not None and item.verdict is not None and item.job.content:
            batch.size_bytes += item.verdict.size
        if len(batch.items) >= BATCH_ITEMS or batch.size_bytes >= BATCH_BYTES:
            yield batch
            batch = Batch()
    if batch.items:
        yield batch
