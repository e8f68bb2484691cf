"""Measure a mounted point: `python -m bench.mount [--files 100000] [--mib 1024] [--realtime] [--elsewhere]`.

A Master and a node as processes; a tree of small files, 50 in a folder, one large file that does not compress and one that does. Then,
with a freshly mounted point each time: `ls -lR` of all, small files read through `tar`, the large files through `dd`. What was read is
compared with the source. `--realtime` puts all that is measured above other work of the machine, as root, once the point is made.
`--elsewhere` mounts on a second node, which reads from the owner by the Master's order, over loopback with mutual TLS.
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
from contextlib import closing
from pathlib import Path

from bench.figures import with_descendants
from holdfast.cli.demo.machines import Machines
from holdfast.cli.home import load_session, save_session

_FILES_IN_FOLDER = 50
_MIB = 1 << 20
_DOCUMENT = """\
environment: bench
nodes: {{{nodes}}}
repositories: {{main: {{node: owner, location: {repository}}}}}
policies: {{data: {{classification: {{paths: [{source}]}}, operations: {{backup: {{every: 30d, keep: {{last: 10}}}}}}}}}}
flows:
  store:
    vertices: {{from: {{node: owner, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/backup]}}]
"""


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
    """`run` is the command line. A point is mounted on the repository's owner, or `elsewhere`: on a node that has no repository."""

    def __init__(self, scratch: Path, *, realtime: bool, elsewhere: bool) -> None:
        self._scratch, self._place, self._realtime = scratch, scratch / "mnt", realtime
        self._machines = Machines(scratch / "machines")
        self._reader = "reader" if elsewhere else "owner"
        self._nodes = ["owner", "reader"] if elsewhere else ["owner"]
        self.source = scratch / "source"

    def run(self, *words: str, on: str = "master") -> str:
        command = [sys.executable, "-m", "holdfast.cli.main", *words]
        environment = {**os.environ, "HOLDFAST_HOME": str(self._machines.home(on))}
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def point(self) -> str:
        client = self._machines.start_master("bench")
        for name in self._nodes:
            self._machines.start_node(name)
        self._machines.wait_for_nodes(set(self._nodes))
        nodes = ", ".join(f"{name}: {{}}" for name in self._nodes)
        text = _DOCUMENT.format(nodes=nodes, source=self.source, repository=self._scratch / "repository")
        client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})
        self.run("activate", "store")
        self.run("trigger", "store", "--wait")
        save_session(self._machines.home(self._reader), load_session(self._machines.home("master")))
        return str(json.loads(self.run("points", "--json"))[-1]["id"])

    def mounted(self, point: str, work: Callable[[Path], float]) -> float:
        """What `work` gives, of a mount that nobody has read from."""
        self.run("mount", point, str(self._place), "--detach", on=self._reader)
        self._hurry()
        try:
            return work(self._place / str(self.source)[1:])
        finally:
            self.run("unmount", str(self._place), on=self._reader)

    def close(self) -> None:
        self._machines.stop()

    def _hurry(self) -> None:
        if not self._realtime:
            return
        here = str(self._scratch).encode()
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
    parser.add_argument("--elsewhere", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        scratch = Path(folder).resolve()
        bench = Bench(scratch, realtime=chosen.realtime, elsewhere=chosen.elsewhere)
        bench.source.mkdir()
        build(bench.source, chosen.files, chosen.mib)
        with closing(bench):
            for what, figure in measure(bench, bench.point(), chosen.mib).items():
                print(f"{what:<45} {figure:10,.1f}", flush=True)


if __name__ == "__main__":
    main()
