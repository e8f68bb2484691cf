"""Putting archived files back into the places of their stubs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled, Conflict, HoldfastError, NoSpace, RepositoryDamaged, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.core.private_files import sync_folder
from holdfast.core.units import format_size
from holdfast.delivery.unpack import content_of
from holdfast.host.disk import free_bytes
from holdfast.host.exchanging import exchange
from holdfast.host.tree_writer import TreeWriter, store_error
from holdfast.host.tree_writer.draft import Draft
from holdfast.model.archiving import lineage_path
from holdfast.model.entry import Entry, Kind, display_path, parent_of
from holdfast.model.jobs import Finding, Severity
from holdfast.model.reading import PointReader
from holdfast.operations.recalling.plan import FoundStub, stub_at
from holdfast.operations.recalling.recalled import Recalled

T = TypeVar("T")
_RUN_IDS = 64
_MOST_FINDINGS = 1_000


class Archived(Protocol):
    """Opens the archived files of a dataset; raises a `HoldfastError` in time, as its readers do."""

    def open(self, dataset: DatasetId) -> PointReader: ...


@dataclass(kw_only=True)
class RecallResult:
    """`files` and `size_bytes` are back, or would be; `failed` stay stubs, each with a finding."""

    files: int = 0
    size_bytes: int = 0
    failed: int = 0
    findings: list[Finding] = field(default_factory=list)

    def report(self, finding: Finding) -> None:
        self.failed += 1
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)


@dataclass(frozen=True, kw_only=True)
class RecallTools:
    """`recall`: the recall mount, whose stubs are meant. `check` raises `Cancelled`, `on_progress` gets files, bytes, and all bytes."""

    archived: Archived
    recall: bytes
    record: Recalled
    clock: Clock
    check: Callable[[], None]
    on_progress: Callable[[int, int, int], None]


class Recall:
    """One go. `run` may be broken off by any error; what is back stays."""

    def __init__(self, tools: RecallTools, result: RecallResult) -> None:
        self._tools = tools
        self._result = result
        self._readers: dict[DatasetId, PointReader] = {}
        self._writer = TreeWriter(b"/", report=result.findings.append)

    def run(self, stubs: Sequence[FoundStub], *, dry_run: bool) -> None:
        """Raises `NoSpace` before anything is written where it would not do, `Cancelled`."""
        try:
            known = [(stub, entry) for stub in stubs if (entry := self._tried(stub, self._entry)) is not None]
            total_bytes = sum(entry.size_bytes for _, entry in known)
            if dry_run:
                self._result.files, self._result.size_bytes = len(known), total_bytes
                return
            _require_space(known)
            for stub, entry in known:
                self._tools.check()
                if self._tried(stub, partial(self._put_back, entry=entry)):
                    self._result.files += 1
                    self._result.size_bytes += entry.size_bytes
                self._tools.on_progress(self._result.files, self._result.size_bytes, total_bytes)
        finally:
            for reader in self._readers.values():
                reader.close()
            self._writer.close()

    def _tried(self, stub: FoundStub, work: Callable[[FoundStub], T]) -> T | None:
        """None where it is a finding of this file alone. What would be the same for all others is raised."""
        try:
            return work(stub)
        except (Cancelled, NoSpace):
            raise
        except (HoldfastError, OSError) as error:
            failure = error if isinstance(error, HoldfastError) else store_error(error, stub.at)
            # An owner closes a session with the first error in it.
            reader = self._readers.pop(stub.stub.dataset, None)
            if reader is not None:
                reader.close()
            self._result.report(_finding(stub.at, failure))
            return None

    def _entry(self, stub: FoundStub) -> Entry:
        path = lineage_path(stub.stub.archived_ns, stub.stub.path)
        entry = next(self._reader(stub).entries((path,)), None)
        if entry is None or entry.kind is not Kind.FILE:
            raise UnknownName("its archived version is not there any more", hint="`keep` of the archive says how long one is")
        if sum(ref.size_bytes for ref in entry.chunks) != entry.size_bytes:
            raise RepositoryDamaged("its chunks are not of its size", hint="run `holdfast repository check` on the owner")
        return entry

    def _reader(self, stub: FoundStub) -> PointReader:
        dataset = stub.stub.dataset
        if dataset not in self._readers:
            self._readers[dataset] = self._tools.archived.open(dataset)
        return self._readers[dataset]

    def _named(self, stub: FoundStub, entry: Entry) -> PointReader:
        """A session gives only what it named; where it is another than the one that was planned by, the file is named once more."""
        if stub.stub.dataset not in self._readers and self._entry(stub) != entry:
            raise RepositoryDamaged("its owner names another content than before", hint="run `holdfast repository check` on the owner")
        return self._reader(stub)

    def _put_back(self, stub: FoundStub, entry: Entry) -> bool:
        reader = self._named(stub, entry)
        draft = self._writer.begin_file(stub.at[1:])
        try:
            self._fill(draft, reader, entry)
            self._writer.dress(draft, entry)
            os.fsync(draft.fd)
            self._take_the_place(draft, stub)
        except BaseException:
            self._writer.discard(draft)
            raise
        draft.close()
        self._tools.record.note(stub.at, self._tools.clock.now_ns())
        sync_folder(os.fsdecode(parent_of(stub.at)))
        return True

    def _fill(self, draft: Draft, reader: PointReader, entry: Entry) -> None:
        """Each chunk is verified before it is written."""
        offset = 0
        for start in range(0, len(entry.chunks), _RUN_IDS):
            self._tools.check()
            run = entry.chunks[start : start + _RUN_IDS]
            plain = {payload.id: content_of(payload) for payload in reader.payloads(list(dict.fromkeys(ref.id for ref in run)))}
            for ref in run:
                draft.write_around(offset, plain[ref.id], entry.holes)
                offset += ref.size_bytes

    def _take_the_place(self, draft: Draft, stub: FoundStub) -> None:
        """In one step. What stood there is looked at afterwards, and goes back where it is not the stub that was meant."""
        aside = os.path.join(parent_of(stub.at), draft.name)
        exchange(aside, stub.at)
        was = stub_at(aside, self._tools.recall)
        if was is None or was.target != stub.target:
            exchange(aside, stub.at)
            raise Conflict("was replaced meanwhile, and stays as it is", hint="look at it, then recall again what is still a stub")
        os.unlink(aside)


def _require_space(known: Sequence[tuple[FoundStub, Entry]]) -> None:
    needs: dict[int, tuple[bytes, int]] = {}
    for stub, entry in known:
        folder = parent_of(stub.at)
        device = os.stat(folder).st_dev
        where, need = needs.get(device, (folder, 0))
        needs[device] = (where, need + entry.size_bytes)
    for where, need in needs.values():
        free = free_bytes(where)
        if free < need:
            raise NoSpace(
                f"{display_path(where)} has {format_size(free)} free, the files need {format_size(need)}",
                hint="free some space, or recall fewer of them",
                path=display_path(where),
            )


def _finding(path: bytes, error: HoldfastError) -> Finding:
    shown = display_path(path)
    return Finding(code=error.code, severity=Severity.WARNING, message=f"{shown}: {error.message}", path=shown, hint=error.hint)
