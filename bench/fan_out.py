"""One classification to many receivers, or with all operations at once, against one backup: what more the source has to read and to
compute, and what more is stored."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench.corpora import Corpus, corpora
from bench.figures import living_cpu_s
from bench.holdfast_contender import Holdfast
from bench.live_reads import Reads
from bench.live_rounds import differences
from bench.rounds import BASE

# What is followed is sealed each minute.
_SEALED_S = 75.0


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


def measure_everything(corpus: Corpus) -> dict[str, Any]:
    """Backup, live, cdp, version and archive with a copy left to one repository, cascaded to another, and replication to two mirrors,
    against backup alone: a first run, and one after edits.

    Prints and returns of both what the source reads and computes until the second run has ended, what the first repository has stored a
    minute later, and how they compare. `stored_ratio` leaves out as many bytes as the files have that were changed.
    """
    alone, everything = _edited(corpus, "store"), _edited(corpus, "everything")
    result = {
        "alone": alone,
        "everything": everything,
        "read_ratio": everything["read_bytes"] / alone["read_bytes"],
        "cpu_ratio": everything["cpu_s"] / alone["cpu_s"],
        "stored_ratio": (everything["stored_bytes"] - everything["changed_bytes"]) / alone["stored_bytes"],
    }
    print(f"backup alone: {alone}\nall operations at once: {everything}", flush=True)
    print(
        f"all operations at once against backup alone: the source reads {result['read_ratio']:.3f} x and takes {result['cpu_ratio']:.2f} x"
        f" the CPU; beside the bytes of changed files {result['stored_ratio']:.3f} x is stored",
        flush=True,
    )
    return result


def _edited(corpus: Corpus, flow: str) -> dict[str, float]:
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=BASE))
    data = scratch / "disk" / "data"
    try:
        with _own_disk(data.parent), closing(_after_building(corpus, scratch, data)) as holdfast:
            pid = holdfast.worker("source")
            with Reads(data) as reads:
                cpu_s = living_cpu_s([pid])
                holdfast.first_of(flow)
                first_s = living_cpu_s([pid]) - cpu_s
                began_ns = time.time_ns()
                corpus.edit(data, 1)
                holdfast.run(flow)
                cpu_s = living_cpu_s([pid]) - cpu_s
            found = {"read_bytes": reads.bytes, "reads": reads.count, "cpu_s": cpu_s, "cpu_of_first_s": first_s}
            found["changed_bytes"] = _changed_bytes(data, began_ns)
            if flow == "everything":
                holdfast.wait_for_cascade(2)
                time.sleep(_SEALED_S)
                found["archived_files"], found["archived_bytes"] = holdfast.archived
                found["differences"] = sum(len(differences(data, mirror)) for mirror in holdfast.mirrors)
            return {**found, "stored_bytes": holdfast.stored_bytes()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _after_building(corpus: Corpus, scratch: Path, data: Path) -> Holdfast:
    corpus.build(data)
    return Holdfast(scratch, data, over_wire=True)


@contextmanager
def _own_disk(folder: Path) -> Iterator[None]:
    """A file system in memory of its own for the source, as a machine has: else its watch is told of all that receivers write."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "holdfast-bench", str(folder)], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        print(f"the source shares a file system with the receivers, which adds to its CPU: {mounted.stderr.strip()}", flush=True)
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _changed_bytes(top: Path, since_ns: int) -> float:
    """Of the files whose content was written."""
    found = [path.lstat() for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return float(sum(facts.st_size for facts in found if facts.st_mtime_ns >= since_ns))


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
