"""One classification to two repositories and two mirrors, against one repository: what more the source has to read and to compute."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.corpora import corpora
from bench.figures import living_cpu_s
from bench.holdfast_contender import Holdfast
from bench.rounds import BASE


def measure_fan_out() -> dict[str, Any]:
    """Prints and returns bytes read by the source and its CPU seconds, of both, and their ratios."""
    one, four = _measured("store"), _measured("fan-out")
    result = {
        "one": one,
        "four": four,
        "read_ratio": four["read_bytes"] / one["read_bytes"],
        "cpu_ratio": four["cpu_s"] / one["cpu_s"],
    }
    print(
        f"two repositories and two mirrors against one repository: the source reads {result['read_ratio']:.3f} x"
        f" and takes {result['cpu_ratio']:.2f} x the CPU ({four['cpu_s']:.1f} s, {one['cpu_s']:.1f} s)",
        flush=True,
    )
    return result


def _measured(flow: str) -> dict[str, float]:
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=BASE))
    try:
        corpora()["kernel"].build(scratch / "data")
        with closing(Holdfast(scratch, scratch / "data", over_wire=True)) as holdfast:
            pid = holdfast.worker("source")
            before, cpu_s = read_bytes(pid), living_cpu_s([pid])
            holdfast.first_of(flow)
            return {"read_bytes": read_bytes(pid) - before, "cpu_s": living_cpu_s([pid]) - cpu_s}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_bytes(pid: int) -> float:
    """What the process has read from files."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("rchar")))
