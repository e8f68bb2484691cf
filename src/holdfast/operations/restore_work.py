"""What one writer of a restore is given, does and tells. A writer is this process or one of several beside it (`restore_crew`).

Content is verified here (SHA-256), before anything of it is put in place.
"""

from __future__ import annotations

import msgspec

from holdfast.core.errors import Conflict, ErrorFacts, NoSpace, ProtocolError, RepositoryDamaged, StoreError
from holdfast.delivery.unpack import content_of
from holdfast.host.tree_writer import Draft, TreeWriter
from holdfast.model.change import Payload
from holdfast.model.entry import ChunkRef, Hole, display_path
from holdfast.model.jobs import Finding
from holdfast.model.reading import Lost
from holdfast.operations.restore_steps import Step


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A run of chunks, from `offset` on, for a file that was begun under the temporary name `name`: that very file, by `identity`."""

    at: bytes
    name: bytes
    identity: tuple[int, int]
    offset: int
    refs: tuple[ChunkRef, ...]
    holes: tuple[Hole, ...]


class Work(msgspec.Struct, frozen=True, array_like=True):
    """Files to be written whole, or a part of one, and all the chunks of it that could be had."""

    number: int
    steps: tuple[Step, ...]
    part: Part | None
    payloads: tuple[Payload, ...]
    lost: tuple[Lost, ...]


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """What could not be written, by its place in the target."""

    at: bytes
    error: ErrorFacts


class Done(msgspec.Struct, frozen=True, array_like=True):
    """The end of a work. `bytes` were written, for a part too. `ended`: nothing more can be written at all (the disk is full)."""

    number: int
    files: int = 0
    bytes: int = 0
    failures: tuple[Failure, ...] = ()
    findings: tuple[Finding, ...] = ()
    ended: ErrorFacts | None = None


class Hand:
    """Writes below one target. Not thread-safe."""

    def __init__(self, target: bytes) -> None:
        self._findings: list[Finding] = []
        self._writer = TreeWriter(target, report=self._findings.append)
        self._joined: tuple[bytes, Draft] | None = None
        self._way = b""

    def do(self, work: Work) -> Done:
        """Never raises what concerns single files; those are in the result."""
        plain, lost = _verified(work)
        failures: list[Failure] = []
        files = size = 0
        ended: ErrorFacts | None = None
        try:
            if work.part is not None:
                size = self._write_part(work.part, plain, lost, failures)
            for step in work.steps:
                if self._write_file(step, plain, lost, failures):
                    files += 1
                    size += step.entry.size_bytes
        except NoSpace as error:
            ended = error.facts()
        findings = tuple(self._findings)
        self._findings.clear()
        return Done(work.number, files, size, tuple(failures), findings, ended)

    def close(self) -> None:
        self._leave()
        self._writer.close()

    def _write_file(self, step: Step, plain: dict[bytes, bytes], lost: dict[bytes, str], failures: list[Failure]) -> bool:
        entry = step.entry
        try:
            pieces = [_piece(ref, plain, lost, entry.path) for ref in entry.chunks]
            if (size := sum(map(len, pieces))) != entry.size_bytes:
                raise RepositoryDamaged(f"{display_path(entry.path)} is damaged: its chunks hold {size} of {entry.size_bytes} bytes")
            self._make_way(step.at)
            self._writer.put_file(step.at, entry, pieces)
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            failures.append(Failure(step.at, error.facts()))
            return False
        return True

    def _write_part(self, part: Part, plain: dict[bytes, bytes], lost: dict[bytes, str], failures: list[Failure]) -> int:
        offset = part.offset
        try:
            draft = self._join(part)
            for ref in part.refs:
                draft.write_around(offset, _piece(ref, plain, lost, b"/" + part.at), part.holes)
                offset += ref.size_bytes
        except NoSpace:
            raise
        except (Conflict, StoreError) as error:
            failures.append(Failure(part.at, error.facts()))
        return offset - part.offset

    def _join(self, part: Part) -> Draft:
        """The draft, kept open for the next part of it."""
        if self._joined is not None and self._joined[0] == part.name:
            return self._joined[1]
        self._leave()
        draft = self._writer.join_file(part.at, part.name, part.identity)
        self._joined = (part.name, draft)
        return draft

    def _leave(self) -> None:
        if self._joined is not None:
            self._joined[1].close()
            self._joined = None

    def _make_way(self, at: bytes) -> None:
        parent = at.rpartition(b"/")[0]
        if parent != self._way:
            make_way(self._writer, parent)
            self._way = parent


def make_way(writer: TreeWriter, parent: bytes) -> None:
    """Parents of a path that was asked for by name are not among the steps."""
    if parent and writer.stat(parent) is None:
        parts = parent.split(b"/")
        for count in range(1, len(parts) + 1):
            writer.ensure_folder(b"/".join(parts[:count]), replace=False, mode=0o755)


def _verified(work: Work) -> tuple[dict[bytes, bytes], dict[bytes, str]]:
    plain: dict[bytes, bytes] = {}
    lost = {one.id: one.reason for one in work.lost}
    for payload in work.payloads:
        try:
            plain[payload.id] = content_of(payload)
        except ProtocolError as error:
            lost[payload.id] = error.message
    return plain, lost


def _piece(ref: ChunkRef, plain: dict[bytes, bytes], lost: dict[bytes, str], path: bytes) -> bytes:
    found = plain.get(ref.id)
    if found is None or len(found) != ref.size_bytes:
        raise RepositoryDamaged(
            f"{display_path(path)} is damaged: {lost.get(ref.id, 'a chunk is missing')}",
            hint="check the repository; another copy of this point may be whole",
        )
    return found
