"""Carrying out the steps of a restore: chunks are fetched and verified a batch ahead of being written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from holdfast.core.errors import Conflict, HoldfastError, NoSpace, ProtocolError, RepositoryDamaged, StoreError
from holdfast.delivery.limit import Limit
from holdfast.delivery.verify import Chunk, Verifier, verify_payload
from holdfast.host.tree_writer import Draft, TreeWriter
from holdfast.model.change import Payload
from holdfast.model.entry import ChunkRef, Entry, display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.model.reading import PointReader
from holdfast.operations.restore_steps import Step, StepBook

BATCH_BYTES = 16 << 20
_BATCH_STEPS = 2_000
_VERIFY_GROUP = 32


@dataclass(frozen=True)
class Watch:
    """`check` raises `Cancelled`; it and `limit` are used from two threads. `on_progress` gets done files, done bytes, total bytes."""

    check: Callable[[], None]
    limit: Limit | None
    on_progress: Callable[[int, int, int], None] | None
    report: Callable[[Finding], None]


@dataclass(frozen=True)
class Piece:
    """A step, or a run of the chunks of one that is large: those from `first` to before `stop`, beginning at `offset`."""

    step: Step
    first: int = 0
    stop: int = 0
    offset: int = 0

    @property
    def refs(self) -> tuple[ChunkRef, ...]:
        return self.step.entry.chunks[self.first : self.stop] if self.step.do == "file" else ()

    @property
    def is_last(self) -> bool:
        return self.stop >= len(self.step.entry.chunks)


@dataclass
class Done:
    files: int = 0
    bytes: int = 0
    failed: int = 0


@dataclass
class _Fetched:
    """Verified chunks of a batch, on their way. `damaged`: ids that cannot be had, with the reason."""

    pieces: list[Piece]
    groups: list[tuple[list[Payload], Future[list[Chunk]]]] = field(default_factory=list)
    damaged: dict[bytes, str] = field(default_factory=dict)


def batches(steps: Iterable[Step], batch_bytes: int = BATCH_BYTES) -> Iterator[list[Piece]]:
    """Cuts the steps into batches of about `batch_bytes` of different chunks; a large file spans several."""
    batch, ids, size = list[Piece](), set[bytes](), 0
    for step in steps:
        chunks = step.entry.chunks if step.do == "file" else ()
        first, offset, at = 0, 0, 0
        for index, ref in enumerate(chunks):
            if ref.id not in ids:
                ids.add(ref.id)
                size += ref.size_bytes
            at += ref.size_bytes
            if size >= batch_bytes and index + 1 < len(chunks):
                batch.append(Piece(step, first, index + 1, offset))
                yield batch
                batch, ids, size = [], set(), 0
                first, offset = index + 1, at
        batch.append(Piece(step, first, len(chunks), offset))
        if size >= batch_bytes or len(batch) >= _BATCH_STEPS:
            yield batch
            batch, ids, size = [], set(), 0
    if batch:
        yield batch


class Execution:
    """One restore being written. Writing happens in the caller's thread, fetching in one of its own, verifying in two more."""

    def __init__(self, reader: PointReader, target: bytes, watch: Watch, total_bytes: int) -> None:
        self._reader = reader
        self._watch = watch
        self._writer = TreeWriter(target, report=watch.report)
        self._total_bytes = total_bytes
        self._done = Done()
        self._draft: tuple[bytes, Draft | None] | None = None
        self._not_written: set[bytes] = set()
        self._way = b""

    def run(self, book: StepBook) -> Done:
        """Raises `NoSpace`, `Cancelled`, `NotReachable`; anything that concerns one path only is a finding."""
        verifier = Verifier()
        try:
            # One batch is fetched while the one before is written, so that the owner and this side work at the same time.
            with ThreadPoolExecutor(1, thread_name_prefix="restore-fetch") as fetching:
                ahead: Future[_Fetched] | None = None
                for batch in batches(book):
                    fetched = fetching.submit(self._fetch, batch, verifier)
                    if ahead is not None:
                        self._write_all(ahead.result())
                    ahead = fetched
                if ahead is not None:
                    self._write_all(ahead.result())
            self._dress_folders(book)
            return self._done
        finally:
            if self._draft is not None and self._draft[1] is not None:
                self._writer.discard(self._draft[1])
            self._writer.close()
            verifier.close()

    # Fetching

    def _fetch(self, pieces: list[Piece], verifier: Verifier) -> _Fetched:
        sizes = {ref.id: ref.size_bytes for piece in pieces for ref in piece.refs}
        fetched, group = _Fetched(pieces), list[Payload]()
        for payload in self._payloads(sizes, fetched):
            self._watch.check()
            if self._watch.limit is not None:
                self._watch.limit.take(len(payload.data))
            group.append(payload)
            if len(group) >= _VERIFY_GROUP:
                fetched.groups.append((group, verifier.submit(group, sizes)))
                group = []
        if group:
            fetched.groups.append((group, verifier.submit(group, sizes)))
        return fetched

    def _payloads(self, sizes: dict[bytes, int], fetched: _Fetched) -> Iterator[Payload]:
        """All at once; when one cannot be had, what is missing one by one."""
        if not sizes:
            return
        got = set[bytes]()
        try:
            for payload in self._reader.payloads(list(sizes)):
                got.add(payload.id)
                yield payload
        except RepositoryDamaged:
            for chunk_id in sizes.keys() - got:
                try:
                    yield from self._reader.payloads([chunk_id])
                except RepositoryDamaged as error:
                    fetched.damaged[chunk_id] = error.message

    @staticmethod
    def _verified(fetched: _Fetched) -> dict[bytes, Chunk]:
        chunks = dict[bytes, Chunk]()
        for payloads, future in fetched.groups:
            try:
                chunks.update((chunk.id, chunk) for chunk in future.result())
            except ProtocolError:
                for payload in payloads:
                    try:
                        chunks[payload.id] = verify_payload(payload)
                    except ProtocolError as error:
                        fetched.damaged[payload.id] = error.message
        return chunks

    # Writing

    def _write_all(self, fetched: _Fetched) -> None:
        chunks = self._verified(fetched)
        for piece in fetched.pieces:
            self._watch.check()
            try:
                self._write(piece, chunks, fetched.damaged)
            except NoSpace:
                raise
            except (Conflict, StoreError) as error:
                self._fail(piece.step.entry, error)
        if self._watch.on_progress is not None:
            self._watch.on_progress(self._done.files, self._done.bytes, self._total_bytes)

    def _write(self, piece: Piece, chunks: dict[bytes, Chunk], damaged: dict[bytes, str]) -> None:
        step = piece.step
        if step.do == "file":
            self._write_file(piece, chunks, damaged)
            return
        if step.do == "pass" or step.do == "merge":
            self._enter(step.at, replace=False)
            return
        self._make_way(step)
        if step.do == "folder":
            self._enter(step.at, replace=step.replaces)
        elif step.do == "dress":
            self._writer.set_attributes(step.at, step.entry)
        else:
            if step.do == "link":
                if step.link_to in self._not_written:
                    raise StoreError(
                        f"{display_path(step.entry.path)}: the file it is a further name of could not be restored",
                        hint="mend what the other finding says, then restore it again",
                    )
                self._writer.link(step.link_to, step.at)
            elif not self._writer.put_special(step.at, step.entry):
                self._done.failed += 1
                return
            self._done.files += 1

    def _enter(self, at: bytes, *, replace: bool) -> None:
        """Make a folder, or clear away what an earlier restore that was killed left in it."""
        if not self._writer.ensure_folder(at, replace=replace):
            self._writer.sweep(at)

    def _write_file(self, piece: Piece, chunks: dict[bytes, Chunk], damaged: dict[bytes, str]) -> None:
        step = piece.step
        draft = self._draft_of(piece)
        if draft is None:
            return
        try:
            self._fill(draft, piece, chunks, damaged)
            if not piece.is_last:
                return
            self._writer.finish(draft, step.entry)
        except HoldfastError:
            self._writer.discard(draft)
            self._give_up(piece)
            raise
        self._draft = None
        self._done.files += 1
        self._done.bytes += step.entry.size_bytes

    @staticmethod
    def _fill(draft: Draft, piece: Piece, chunks: dict[bytes, Chunk], damaged: dict[bytes, str]) -> None:
        entry, offset = piece.step.entry, piece.offset
        for ref in piece.refs:
            chunk = chunks.get(ref.id)
            if chunk is None or chunk.size_bytes != ref.size_bytes:
                raise RepositoryDamaged(
                    f"{display_path(entry.path)} is damaged: {damaged.get(ref.id, 'a chunk is missing')}",
                    hint="check the repository; another copy of this point may be whole",
                )
            draft.write_around(offset, chunk.plain, entry.holes)
            offset += ref.size_bytes
        if piece.is_last and offset != entry.size_bytes:
            raise RepositoryDamaged(f"{display_path(entry.path)} is damaged: its chunks hold {offset} of {entry.size_bytes} bytes")

    def _draft_of(self, piece: Piece) -> Draft | None:
        """The open one of a file that began in an earlier batch, or a new one; None when this file failed already."""
        step = piece.step
        if self._draft is not None and self._draft[0] == step.at:
            return self._draft[1]
        try:
            self._make_way(step)
            draft = self._writer.begin_file(step.at)
        except HoldfastError:
            self._give_up(piece)
            raise
        self._draft = (step.at, draft)
        return draft

    def _give_up(self, piece: Piece) -> None:
        """Further pieces of this file find no draft and are passed over; further names of it must not get what stands there."""
        self._draft = None if piece.is_last else (piece.step.at, None)
        self._not_written.add(piece.step.at)

    def _make_way(self, step: Step) -> None:
        """Parents of a path that was asked for by name are not among the steps."""
        parent = step.at.rpartition(b"/")[0]
        if parent == self._way:
            return
        if parent and self._writer.stat(parent) is None:
            parts = parent.split(b"/")
            for count in range(1, len(parts) + 1):
                self._writer.ensure_folder(b"/".join(parts[:count]), replace=False, mode=0o755)
        self._way = parent

    def _dress_folders(self, book: StepBook) -> None:
        """Deepest first, because what is written below a folder changes its times."""
        for step in book.folders_to_dress():
            self._watch.check()
            try:
                self._writer.set_attributes(step.at, step.entry)
            except (Conflict, StoreError) as error:
                self._fail(step.entry, error)

    def _fail(self, entry: Entry, error: HoldfastError) -> None:
        self._done.failed += 1
        self._watch.report(
            Finding(code=error.code, severity=Severity.ERROR, message=error.message, path=display_path(entry.path), hint=error.hint)
        )
