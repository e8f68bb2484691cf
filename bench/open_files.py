"""Measure the look for open and mapped files: `python -m bench.open_files [--processes 1000] [--busy 50] [--descriptors 100]`.

So many processes are started, each with so many descriptors, some of which work a little all the time; one writes into a mapping of a file
in the watched folder. Then it is looked for as a follower does, every five seconds, and the CPU of that is given.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.core.clock import SystemClock
from holdfast.host.watch import OpenFiles
from holdfast.host.watch.territory import Territory

PERIOD_S = 5.0
_WORK_EVERY_S = 0.1


@contextmanager
def crowd(processes: int, busy: int, descriptors: int) -> Iterator[None]:
    made: list[int] = []
    try:
        for number in range(processes):
            pid = os.fork()
            if pid == 0:
                _live(descriptors, number < busy)
            made.append(pid)
        yield
    finally:
        for pid in made:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _live(descriptors: int, is_busy: bool) -> None:
    for _ in range(descriptors):
        os.open("/dev/null", os.O_RDWR)
    while True:
        if not is_busy:
            signal.pause()
        time.sleep(_WORK_EVERY_S)
        sum(range(10_000))


def measure(processes: int, busy: int, descriptors: int, rounds: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place, crowd(processes, busy, descriptors), (Path(place) / "mapped").open("w+b") as file:
        file.truncate(4096)
        path = os.fsencode(os.path.realpath(place)) + b"/mapped"
        open_files = OpenFiles(Territory([os.path.dirname(path)]), SystemClock())
        before_s, calls = time.process_time(), 1
        while not open_files.suspects().complete:
            calls += 1
        first_s = time.process_time() - before_s
        with mmap.mmap(file.fileno(), 4096) as mapping:
            mapping[0:1] = b"x"
            taken_s, found = [], []
            for _ in range(rounds):
                time.sleep(PERIOD_S)
                before_s = time.process_time()
                found.append(open_files.suspects())
                taken_s.append(time.process_time() - before_s)
        assert path in found[-1].mapped_files
    return {
        "processes": processes,
        "of them busy": busy,
        "descriptors each": descriptors,
        "first look at all, CPU s": round(first_s, 3),
        "calls for it": calls,
        "later calls, CPU ms": [round(taken * 1000, 1) for taken in taken_s],
        "of them complete": sum(answer.complete for answer in found),
        "share of a core": round(sum(taken_s) / rounds / PERIOD_S, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.open_files", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1_000)
    parser.add_argument("--busy", type=int, default=50)
    parser.add_argument("--descriptors", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    print(json.dumps(measure(options.processes, options.busy, options.descriptors, options.rounds), indent=2))


if __name__ == "__main__":
    main()
