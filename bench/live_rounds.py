"""One contender, one load: how soon edits are in the mirror, what that costs, and whether any of them is lost."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from bench.live_arrivals import MirrorArrivals, wait_for
from bench.live_contenders import LiveContender
from bench.live_load import Load, start_load
from bench.live_network import Wire
from bench.watched_edits import Edit, Pace

PATIENCE_S = 60.0
_REST_S, _TIMES_S = 0.3, 5.0
# How rsync ends where files were gone before it came to them.
_VANISHED = 24


@dataclass(frozen=True)
class LiveFigure:
    """`p50_ms`, `p99_ms`: from the end of an edit to the mirror, of those edits (`seen` of `expected`) that no later one undoes.
    `equal_after_s`: from the last edit until rsync finds no name missing or too many, and no content that differs; None = never.
    `lost`: how many do in the end; `others`: names that differ otherwise, in time or mode, some seconds later."""

    edits: int
    taken_s: float
    seen: int
    expected: int
    p50_ms: float
    p99_ms: float
    cpu_s: float
    wire_bytes: int | None
    equal_after_s: float | None
    lost: int
    others: int


def one_round(contender: LiveContender, wire: Wire | None, edits: Sequence[Edit], pace: Pace) -> LiveFigure:
    cpu_s, sent = contender.cpu_s(), 0 if wire is None else wire.sent_bytes()
    began_ns = time.monotonic_ns()
    load = start_load(edits, pace)
    arrivals = MirrorArrivals(load, contender.source, contender.mirror)
    wait_for(arrivals.look, load, PATIENCE_S)
    load.join()
    equal_s, left = until_equal(contender, load)
    p50_ms, p99_ms = percentiles_ms(list(arrivals.after_ns.values()))
    return LiveFigure(
        edits=len(edits),
        taken_s=round((load.last_ns - began_ns) / 1e9, 2),
        seen=len(arrivals.after_ns),
        expected=arrivals.expected,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        cpu_s=round(contender.cpu_s() - cpu_s, 2),
        wire_bytes=None if wire is None else wire.sent_bytes() - sent,
        equal_after_s=equal_s,
        lost=sum(map(_is_lost, left)),
        others=sum(not _is_lost(line) for line in left),
    )


def until_equal(contender: LiveContender, load: Load) -> tuple[float | None, list[str]]:
    """When nothing was lost any more, after the last edit, and what differs in the end; None: after all patience something still is."""
    until_s, equal_s = time.monotonic() + PATIENCE_S, None
    while True:
        looked_ns = time.monotonic_ns()
        left = differences(contender.source, contender.mirror)
        if equal_s is None and not any(map(_is_lost, left)):
            equal_s = round((looked_ns - load.last_ns) / 1e9, 2)
            until_s = time.monotonic() + _TIMES_S
        if not left or time.monotonic() > until_s:
            return equal_s, left
        time.sleep(_REST_S)


def differences(source: Path, mirror: Path) -> list[str]:
    """By content, as rsync itemizes them; what Syncthing keeps for itself left out."""
    command = [
        "rsync",
        "-nac",
        "--delete",
        "--itemize-changes",
        "--exclude=.stfolder",
        "--exclude=.syncthing.*",
        f"{source}/",
        f"{mirror}/",
    ]
    # What is renamed while rsync lists it is looked for again: who mirrors is still at work.
    while (looked := subprocess.run(command, capture_output=True, text=True, check=False)).returncode == _VANISHED:
        pass
    looked.check_returncode()
    return looked.stdout.splitlines()


def _is_lost(line: str) -> bool:
    """A name that is missing or too many, or content that differs; not times and modes."""
    return line.startswith("*deleting") or line[2:3] == "+" or line[2:3] == "c"


def percentiles_ms(after_ns: Sequence[int]) -> tuple[float, float]:
    if len(after_ns) < 2:
        return 0.0, 0.0
    hundredths = quantiles(after_ns, n=100)
    return round(hundredths[49] / 1e6, 1), round(hundredths[98] / 1e6, 1)


@contextmanager
def scratch_in(place: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-live-", dir=place)).resolve()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
