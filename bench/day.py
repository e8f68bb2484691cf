"""`python -m bench.day [--datasets 20] [--hours 25] [--tested 500] [--json FILE]`: a day of continuous protection on a simulated clock.

Each dataset has a change each second, each of them a commit of its own that is acknowledged as held; sealing, joining of logs and heads
happen when they are due. Then seconds of the last 24 hours, drawn at random, are restored, every byte held against what was there; stock
restic restores `latest` after each dataset in turn had the last word, and checks all that is stored. Half an hour on two cores; lies in
memory (/dev/shm), so that it is the work that is measured and no disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.contender import bytes_below
from holdfast.core.clock import now
from holdfast.repository.repository import Repository
from tests.repository.continuous.followed_days import HOUR_S, Day, place, snapshots
from tests.repository.followed import FollowedSource

_WINDOW = timedelta(hours=24)
_MOST_SNAPSHOTS = 5_000


def main() -> None:
    options = _options()
    results: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", "hours": []}
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    with place() as scene:
        day = Day(scene, scene.open(), [1] * options.datasets)
        for hour in range(1, options.hours + 1):
            hour_began_s = time.monotonic()
            day.live(HOUR_S, options.tested / (options.datasets * HOUR_S * options.hours))
            _forget_old(day)
            figures = {
                "hour": hour,
                "wall_s": round(time.monotonic() - hour_began_s, 1),
                "snapshots": snapshots(scene),
                "stored_MB": round(bytes_below(scene.place) / 1e6, 1),
                "catalog_MB": round(bytes_below(scene.home) / 1e6, 1),
                "memory_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
            }
            results["hours"].append(figures)
            print(figures, flush=True)
        results["commits"] = options.datasets * HOUR_S * options.hours
        results["most_snapshots"] = max(each["snapshots"] for each in results["hours"])
        results["lived, s"] = round(time.monotonic() - began_s, 1)
        results["tested"] = day.verify(now(scene.clock) - _WINDOW)
        results["stock_latest"] = sum(_is_latest(day, source) for source in day.sources)
        day.end()
        day.repository.close()
        scene.restic.check()
    results["wall, s"] = round(time.monotonic() - began_s, 1)
    results["cpu, s"] = round(time.process_time() - began_cpu_s, 1)
    print({key: value for key, value in results.items() if key != "hours"}, flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    if results["most_snapshots"] >= _MOST_SNAPSHOTS or results["stock_latest"] != options.datasets:
        raise SystemExit("not what was promised")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.day", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=20)
    parser.add_argument("--hours", type=int, default=25)
    parser.add_argument("--tested", type=int, default=500, help="about so many states are remembered, and restored in the end")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _forget_old(day: Day) -> None:
    """The sources need only what they have now."""
    for source in day.sources:
        wanted = {ref.id for entry in source.tree.values() for ref in entry.chunks}
        for chunk in source.chunks.keys() - wanted:
            del source.chunks[chunk]


def _is_latest(day: Day, source: FollowedSource) -> bool:
    """Whether stock restic's `latest` is this dataset's state, once it was the last to change."""
    scene, repository = day.scene, day.repository
    scene.clock.advance(1)
    source.write(b"/data/last", b"the last word of %s" % source.dataset.encode())
    _send_sealed(source, repository)
    target = scene.folder / f"latest-{source.dataset}"
    scene.restic.restore("latest", target)
    found = {os.fsencode(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    files = {path.lstrip(b"/"): entry for path, entry in source.tree.items() if entry.chunks}
    return found == {path: b"".join(source.chunks[ref.id] for ref in entry.chunks) for path, entry in files.items()}


def _send_sealed(source: FollowedSource, repository: Repository) -> None:
    source.send(repository)
    repository.seal()


if __name__ == "__main__":
    main()
