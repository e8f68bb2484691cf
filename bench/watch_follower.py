"""Somebody who follows a tree in a process of its own, by looking only where a watch tells, and what that has cost."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from pathlib import Path

from holdfast.host.watch import Batch, Dirty, Gap, Means, Scope, Watch, WatchRequest, open_watch
from holdfast.host.watch.territory import folders_of, joined

_TAKE_S = 0.5
_PATIENCE_S = 600.0
State = tuple[int, int, int]
"""Inode, size in bytes, time of the last change of the content (ns)."""


@dataclass(slots=True)
class Looks:
    """What was seen at which look. A look at a tree ends what was known below it, found or not."""

    seen: dict[bytes, tuple[int, State | None]] = field(default_factory=dict)
    trees: dict[bytes, int] = field(default_factory=dict)
    told_ns: defaultdict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    gaps: int = 0
    moves: int = 0
    _count: int = 0

    def apply(self, batch: Batch) -> None:
        now_ns = time.monotonic_ns()
        self.gaps += len(batch.gaps)
        self.moves += len(batch.moves)
        for fact in batch:
            self._count += 1
            if isinstance(fact, Dirty):
                self.told_ns[fact.path].append(now_ns)
            if isinstance(fact, Gap) or fact.scope is Scope.TREE:
                self.trees[fact.path] = self._count
                self._walk(fact.path)
            else:
                self.seen[fact.path] = self._count, state_of(fact.path)

    def lost(self, paths: Iterable[bytes]) -> list[bytes]:
        """Those that nobody was sent to, or not after they had changed for the last time."""
        return [path for path in paths if self._known(path) != (state_of(path),)]

    def _known(self, path: bytes) -> tuple[State | None, ...]:
        at, state = self.seen.get(path, (0, None))
        tree = max((self.trees.get(folder, 0) for folder in (path, *folders_of(path))), default=0)
        if at == tree == 0:
            return ()
        return (state,) if at >= tree else (None,)

    def _walk(self, top: bytes) -> None:
        todo = [top]
        while todo:
            path = todo.pop()
            self.seen[path] = self._count, state_of(path)
            try:
                with os.scandir(path) as listing:
                    for entry in listing:
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(joined(path, entry.name))
                        else:
                            self.seen[entry.path] = self._count, state_of(entry.path)
            except OSError:
                # No folder, or no longer.
                continue


@dataclass(frozen=True, slots=True)
class Told:
    """Of one round. CPU of the watch's own thread, and of it with who takes and looks. `all_told_ns`: when nothing more was
    to come (monotonic); `after_ns`: from the end of an edit to its fact."""

    lost: list[bytes]
    gaps: int
    moves: int
    by_name: int
    watch_cpu_s: float
    follower_cpu_s: float
    all_told_ns: int
    after_ns: list[int]


class Follower:
    """The other end of the process. `started_s`: what opening the watch took; `memory_bytes`: what it took of memory."""

    def __init__(self, spawn: SpawnContext, root: Path, means: Means) -> None:
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(there, root, means), daemon=True)
        self._process.start()
        self.started_s, self.memory_bytes = self._answer()

    def cpu_s(self) -> tuple[float, float]:
        """Of the watch's thread and of the process, up to now."""
        self._here.send("cpu")
        return self._answer()

    def begin(self) -> None:
        self._here.send("begin")
        self._answer()

    def told(self, touched: list[bytes], ended: list[tuple[bytes, int]]) -> Told:
        """After all edits: waits for their facts."""
        self._here.send((touched, ended))
        return self._answer()

    def close(self) -> None:
        self._here.send(None)
        self._process.join()

    def _answer(self):  # type: ignore[no-untyped-def]
        return self._here.recv()


def state_of(path: bytes) -> State | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    # Size and times of folders change with every name in them; that is not told.
    return (status.st_ino, 0, 0) if stat.S_ISDIR(status.st_mode) else (status.st_ino, status.st_size, status.st_mtime_ns)


def _run(orders: Connection, root: Path, means: Means) -> None:
    before_bytes, began_s = _resident_bytes(), time.perf_counter()
    with open_watch(WatchRequest(roots=(os.fsencode(root),), only=means)) as watch:
        orders.send((time.perf_counter() - began_s, _resident_bytes() - before_bytes))
        looks, cpu_s = Looks(), (0.0, 0.0)
        while True:
            order = None
            if orders.poll():
                order = orders.recv()
                if order is None:
                    return
            if order == "cpu":
                orders.send(_cpu_s())
            elif order == "begin":
                looks, cpu_s = Looks(), _cpu_s()
                orders.send(None)
            elif order is not None:
                orders.send(_ended(watch, looks, cpu_s, order))
            looks.apply(watch.take(_TAKE_S))


def _ended(watch: Watch, looks: Looks, before_s: tuple[float, float], order: tuple[list[bytes], list[tuple[bytes, int]]]) -> Told:
    touched, ended = order
    if not watch.sync(_PATIENCE_S):
        raise TimeoutError("the watch did not come to an end")
    looks.apply(watch.take(0))
    watch_s, all_s = _cpu_s()
    told_ns, after_ns = time.monotonic_ns(), []
    for path, ended_ns in ended:
        later = [at_ns for at_ns in looks.told_ns.get(path, ()) if at_ns >= ended_ns]
        after_ns += [min(later) - ended_ns] if later else []
    return Told(
        looks.lost(touched),
        looks.gaps,
        looks.moves,
        sum(path in looks.told_ns for path, _ in ended),
        watch_s - before_s[0],
        all_s - before_s[1],
        told_ns,
        after_ns,
    )


def _cpu_s() -> tuple[float, float]:
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "watch")
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident)), time.process_time()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
