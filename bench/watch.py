"""Measure watching alone: `python -m bench.watch [--means fanotify inotify] [--folders 2000 100000] [--place FOLDER]`.

For each tree (so many folders with ten files each) a watch is opened in a process of its own, left idle, and then told of 20,000 creates,
writes and renames in 2,000 of the folders: at full speed, in bursts of 1,000 and at 200 a second. Its process takes the facts all the
time and looks where they say; what it has seen so is compared with what is there. CPU is given as a share of one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles

from bench.watch_follower import Follower, Told
from bench.watched_edits import Edit, Pace, Tree, carry_out, make_tree, planned
from holdfast.core.errors import WatchUnavailable
from holdfast.host.watch import Means

FILES_IN_FOLDER = 10
FOLDERS_EDITED = 2_000
IDLE_S = 10.0
_PACES = (Pace("at full speed", 20_000), Pace("bursts of 1,000", 20_000, together=1_000, pause_s=0.5), Pace("200 a second", 4_000, 200.0))
_SPAWN = get_context("spawn")


def measure(place: Path, folders: int, means: Means, paces: Sequence[Pace]) -> dict[str, object]:
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="holdfast-watch-", dir=place) as top:
        tree = make_tree(Path(top), folders, FILES_IN_FOLDER)
        found: dict[str, object] = {
            "folders": folders,
            "files": folders * FILES_IN_FOLDER,
            "means": means.value,
            "tree made in, s": round(time.perf_counter() - began_s, 1),
        }
        follower = Follower(_SPAWN, Path(top), means)
        found["start, s"] = round(follower.started_s, 4)
        found["memory of the start, MB"] = round(follower.memory_bytes / 1e6, 1)
        found["idle, share of a core"] = idle(follower)
        edited = tree[:: max(1, folders // FOLDERS_EDITED)][:FOLDERS_EDITED]
        for pace in paces:
            found[pace.name], edited = round_of(follower, edited, pace)
        follower.close()
    return found


def idle(follower: Follower) -> dict[str, float]:
    time.sleep(1)
    before_s = follower.cpu_s()
    time.sleep(IDLE_S)
    after_s = follower.cpu_s()
    return {"watch": round((after_s[0] - before_s[0]) / IDLE_S, 4), "with the taker": round((after_s[1] - before_s[1]) / IDLE_S, 4)}


def round_of(follower: Follower, tree: Tree, pace: Pace) -> tuple[dict[str, object], Tree]:
    """What it has cost, and the folders as they are afterwards."""
    plan = planned(tree, pace.edits, seed=_PACES.index(pace))
    edits = plan.edits
    touched = sorted({path for edit in edits for path in edit.touched()})
    follower.begin()
    ended_ns, taken_s = _elsewhere(edits, pace)
    told = follower.told(touched, [(edit.path, at_ns) for edit, at_ns in zip(edits, ended_ns, strict=True)])
    told_s = (told.all_told_ns - ended_ns[0]) / 1e9
    return report(told, (len(edits), len(touched)), (taken_s, told_s)), plan.tree


def report(told: Told, numbers: tuple[int, int], times_s: tuple[float, float]) -> dict[str, object]:
    (edits, touched), (taken_s, told_s) = numbers, times_s
    hundredths = quantiles(told.after_ns, n=100) if len(told.after_ns) > 1 else [0.0] * 99
    return {
        "edits": edits,
        "done in, s": round(taken_s, 2),
        "all told after, s": round(told_s, 2),
        "lost": len(told.lost),
        "paths compared": touched,
        "gaps": told.gaps,
        "told by name": round(told.by_name / edits, 3),
        "moves": told.moves,
        "CPU of the watch, s": round(told.watch_cpu_s, 2),
        "share of a core": round(told.watch_cpu_s / told_s, 3),
        "with who takes and looks": round(told.follower_cpu_s / told_s, 3),
        "from edit to fact, ms": {f"p{part}": round(hundredths[part - 1] / 1e6, 1) for part in (50, 99)},
    }


def _elsewhere(edits: list[Edit], pace: Pace) -> tuple[list[int], float]:
    """By another process, as it is in life."""
    with _SPAWN.Pool(1) as pool:
        return pool.apply(carry_out, (edits, pace))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.watch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--means", nargs="*", choices=[means.value for means in Means], default=[means.value for means in Means])
    parser.add_argument("--folders", type=int, nargs="*", default=[2_000, 100_000])
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()), help="a folder on the file system to measure on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for folders in options.folders:
        for means in map(Means, options.means):
            try:
                results.append(measure(options.place.resolve(), folders, means, _PACES))
            except WatchUnavailable as error:
                results.append({"folders": folders, "means": means.value, "not measured": error.message})
            print(json.dumps(results[-1], indent=2), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
