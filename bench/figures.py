"""Measuring one piece of work: wall time, CPU of all processes, peak memory of those that move data."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_SAMPLE_S = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """`memory_bytes`: highest sum of PSS (shared pages counted once) seen, sampled five times a second."""

    wall_s: float
    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Probe:
    """How to look at a contender: its CPU seconds so far, and the processes that count as memory."""

    cpu_s: Callable[[], float]
    workers: Callable[[], Iterable[int]]


def measure(work: Callable[[], None], probe: Probe) -> Figure:
    peak = _PeakMemory(probe.workers)
    cpu_s, began_s = probe.cpu_s(), time.perf_counter()
    try:
        work()
    finally:
        wall_s = time.perf_counter() - began_s
        peak.stop()
    return Figure(wall_s, probe.cpu_s() - cpu_s, peak.bytes)


def median_of(figures: Sequence[Figure]) -> Figure:
    return Figure(
        median(figure.wall_s for figure in figures),
        median(figure.cpu_s for figure in figures),
        int(median(figure.memory_bytes for figure in figures)),
    )


def sum_of(figures: Sequence[Figure]) -> Figure:
    """Of pieces of work that came one after the other."""
    return Figure(sum(f.wall_s for f in figures), sum(f.cpu_s for f in figures), max(f.memory_bytes for f in figures))


class _PeakMemory:
    """A thread that looks now and again until it is stopped."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self.bytes = 0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self.bytes = max(self.bytes, sum(map(pss_bytes, self._pids())))


def pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def finished_children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def living_cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds so far of living processes and everything below them."""
    return sum(_process_cpu_s(pid) for pid in with_descendants(pids))


def with_descendants(pids: Iterable[int]) -> set[int]:
    found = set(pids)
    for pid in list(found):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found |= with_descendants([int(child) for child in children.read_text().split()])
            except OSError:
                continue
    return found


def _process_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    # User and system time of its own, and of children that have ended.
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS
