"""A small machine for tests of capture: a source folder, a state, datasets, and receivers that follow them."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.capture.ports import CaptureRequest, CaptureResult, Moved, Place
from holdfast.capture.rows import SUSPECT, WITHDRAWN
from holdfast.capture.scan import Capture, ScanRun
from holdfast.capture.state import CaptureState
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import DatasetId
from holdfast.model.document import Classification
from holdfast.model.entry import path_of
from holdfast.model.rules import DatasetRule
from holdfast.testing.capture_model import ModelReceiver

SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None


class AheadClock:
    """Real time plus `ahead_ns`: a second ahead, nothing written just now is suspect; 0, everything is."""

    def __init__(self) -> None:
        self.ahead_ns = 1_000_000_000

    def now_ns(self) -> int:
        return time.time_ns() + self.ahead_ns

    def monotonic_s(self) -> float:
        return time.monotonic()


class Machine:
    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        self.clock = AheadClock()
        self.open()
        self.rules: dict[str, DatasetRule] = {}
        self.last: ScanRun
        self.result: CaptureResult

    def open(self) -> None:
        self.state = CaptureState.open(self.home / "state.db", entropy=SystemEntropy())
        self.capture = Capture(self.state, clock=self.clock, home_reserve_bytes=0)

    def flagged(self) -> tuple[bytes, ...]:
        """Paths that have to be looked at again: suspect ones, and those whose content a receiver did not get."""
        with closing(self.state.reader()) as reader:
            found = reader.execute("SELECT key FROM rows WHERE flags & ?", (SUSPECT | WITHDRAWN,)).fetchall()
        return tuple(path_of(key) for (key,) in found)

    @property
    def root(self) -> bytes:
        return os.fsencode(self.source)

    def dataset(self, name: str = "docs", *paths: Path, exclude_paths: tuple[str, ...] = (), **classification: Any) -> ModelReceiver:
        """Define (or change) a dataset; gives a fresh receiver of it."""
        id = DatasetId(name.encode().hex().ljust(32, "0")[:32])
        roots = tuple(str(path) for path in paths or (self.source,))
        self.rules[id] = DatasetRule(
            id=id,
            label=f"here/{name}",
            policy=name,
            classification=Classification(paths=roots, **classification),
            operations=(),
            exclude_paths=exclude_paths,
        )
        return ModelReceiver(id)

    def run(
        self,
        *receivers: ModelReceiver,
        accept: bool = False,
        scan: bool = True,
        places: tuple[Place, ...] | None = None,
        moves: tuple[Moved, ...] = (),
    ) -> CaptureResult:
        """One run that serves these receivers and commits them."""
        bases: dict[DatasetId, int | None] = {}
        for receiver in receivers:
            base = receiver.seq
            known = bases.get(receiver.dataset, base)
            bases[receiver.dataset] = None if base is None or known is None else min(base, known)
        datasets = tuple(self.rules[id] for id in bases)
        self.last = self.capture.run(CaptureRequest(datasets, bases, accept, scan, places=places, moves=moves))
        for receiver in receivers:
            receiver.begin(receiver.seq)
        for round_ in self.last:
            for receiver in receivers:
                receiver.take(round_)
        for receiver in receivers:
            if receiver.dataset not in self.last.refused:
                receiver.commit(self.last.run)
        self.result = self.last.result()
        return self.result

    def puts(self, receiver: ModelReceiver) -> int:
        """Puts of the last run at and below the source folder; what is above belongs to the whole machine and may change any time."""
        return sum(path == self.root or path.startswith(self.root + b"/") for path in receiver.puts)

    def below(self, receiver: ModelReceiver) -> dict[bytes, Any]:
        """What the receiver holds at and below the source folder, as `facts` writes it."""
        prefix = self.root + b"/"
        found = {}
        for path, entry in receiver.tree.items():
            if path == self.root or path.startswith(prefix):
                content = receiver.content(path) if entry.chunks else b""
                found[path] = (entry.kind.value, entry.mode, entry.mtime_ns, entry.link_target, content)
        return found

    def facts(self, folder: Path | None = None) -> dict[bytes, Any]:
        """The same of the real file system, sockets left out."""
        found = {}
        kinds = {
            stat.S_IFREG: "file",
            stat.S_IFDIR: "dir",
            stat.S_IFLNK: "symlink",
            stat.S_IFIFO: "fifo",
            stat.S_IFCHR: "chardev",
            stat.S_IFBLK: "dev",
        }
        pending = [os.fsencode(folder or self.source)]
        while pending:
            path = pending.pop()
            status = os.lstat(path)
            kind = kinds.get(stat.S_IFMT(status.st_mode))
            if kind is None:
                continue
            content = Path(os.fsdecode(path)).read_bytes() if kind == "file" else b""
            target = os.readlink(path) if kind == "symlink" else b""
            found[path] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, target, content)
            if kind == "dir":
                pending.extend(path + b"/" + name for name in os.listdir(path))
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.state.close()


@pytest.fixture(scope="session")
def machine_class() -> type[Machine]:
    """For property tests, which need a fresh machine per example."""
    return Machine
