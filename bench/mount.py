"""Measure a mounted point: `python -m bench.mount [--files 100000] [--mib 1024] [--realtime]`.

A Master and a node as processes; a tree of small files, 50 in a folder, one large file that does not compress and one that does. Then,
with a freshly mounted point each time: `ls -lR` of all, small files read through `tar`, the large files through `dd`. What was read is
compared with the source. `--realtime` puts all that is measured above other work of the machine, as root, once the point is made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import with_descendants
from holdfast.cli.processes import free_ports

_FILES_IN_FOLDER = 50
_MIB = 1 << 20


def build(folder: Path, files: int, mib: int) -> None:
    chance = random.Random(1)
    words = [chance.randbytes(5).hex().encode() for _ in range(3_000)]
    for number in range(files):
        place = folder / "small" / f"{number // _FILES_IN_FOLDER // 100:03d}" / f"{number // _FILES_IN_FOLDER:05d}"
        if number % _FILES_IN_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number:06d}").write_bytes(b" ".join(chance.choices(words, k=chance.randint(50, 800))))
    with (folder / "random").open("wb") as noise, (folder / "text").open("wb") as text:
        for _ in range(mib):
            noise.write(chance.randbytes(_MIB))
            text.write(b" ".join(chance.choices(words, k=100_000))[:_MIB].ljust(_MIB))


class Bench:
    """One home; `run` is the command line in it."""

    def __init__(self, scratch: Path, *, realtime: bool) -> None:
        self._home, self._place, self._realtime = scratch / "home", scratch / "mnt", realtime
        self._environment = {**os.environ, "HOLDFAST_HOME": str(self._home)}
        self.source = scratch / "source"

    def run(self, *words: str) -> str:
        command = [sys.executable, "-m", "holdfast.cli.main", *words]
        return subprocess.run(command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def point(self, repository: Path) -> str:
        self.run("up", "--home", str(self._home), "--port", str(free_ports(3)[0]), "--detach")
        self.run("protect", str(self.source), "--to", str(repository))
        self.run("trigger", "protect-source", "--wait")
        return str(json.loads(self.run("points", "--json"))[-1]["id"])

    def mounted(self, point: str, work: Callable[[Path], float]) -> float:
        """What `work` gives, of a mount that nobody has read from."""
        self.run("mount", point, str(self._place), "--detach")
        self._hurry()
        try:
            return work(self._place / str(self.source)[1:])
        finally:
            self.run("unmount", str(self._place))

    def down(self) -> None:
        self.run("down", "--home", str(self._home))

    def _hurry(self) -> None:
        if not self._realtime:
            return
        here = str(self._home).encode()
        ours = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and here in _command_line(each)]
        for pid in with_descendants(ours):
            for thread in (Path("/proc") / str(pid) / "task").iterdir():
                os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))

    def timed_s(self, command: Sequence[str]) -> float:
        prefix = ["chrt", "-r", "1"] if self._realtime else []
        began_s = time.perf_counter()
        subprocess.run([*prefix, *command], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began_s


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def measure(bench: Bench, point: str, mib: int) -> dict[str, float]:
    part = sorted(path for path in (bench.source / "small").iterdir())[0]
    count = sum(len(names) for _, _, names in os.walk(part))

    def listing(shown: Path) -> float:
        return bench.timed_s(["ls", "-lR", str(shown / "small")])

    def small(shown: Path) -> float:
        seconds = bench.timed_s(["sh", "-c", 'tar cf - "$0" 2>/dev/null | cat', str(shown / "small" / part.name)])
        subprocess.run(["diff", "-r", str(part), str(shown / "small" / part.name)], check=True)
        return count / seconds

    def large(name: str) -> Callable[[Path], float]:
        def read(shown: Path) -> float:
            seconds = bench.timed_s(["dd", f"if={shown / name}", "of=/dev/null", "bs=1M", "status=none"])
            subprocess.run(["cmp", str(bench.source / name), str(shown / name)], check=True)
            return mib / seconds

        return read

    return {
        "ls -lR, s": bench.mounted(point, listing),
        "small files, 1/s": bench.mounted(point, small),
        "large file that does not compress, MiB/s": bench.mounted(point, large("random")),
        "large file of text, MiB/s": bench.mounted(point, large("text")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--mib", type=int, default=1_024)
    parser.add_argument("--realtime", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        scratch = Path(folder).resolve()
        bench = Bench(scratch, realtime=chosen.realtime)
        bench.source.mkdir()
        build(bench.source, chosen.files, chosen.mib)
        try:
            point = bench.point(scratch / "repository")
            for what, figure in measure(bench, point, chosen.mib).items():
                print(f"{what:<45} {figure:10,.1f}", flush=True)
        finally:
            bench.down()


if __name__ == "__main__":
    main()
