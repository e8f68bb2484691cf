"""`python -m bench.live [--only PART ...] [--contenders ...] [--seconds 60] [--burst 20000] [--place FOLDER] [--apart] [--json FILE]`.

Live replication beside lsyncd (with rsync) and Syncthing: one tool at a time, the same tree and the same edits, first paced (200 a second),
then in bursts of 1,000 with half a second between them, then all as fast as they go. Source and mirror are two machines: a network
namespace each, so that bytes on the wire can be counted. Then the gates of continuous protection (`live_gates`). Needs root, and a folder
on a disk: a journal that lies in memory proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.live_contenders import LiveContender, Lsyncd, Syncthing
from bench.live_gates import GATES
from bench.live_holdfast import LiveHoldfast
from bench.live_network import Wire
from bench.live_rounds import PATIENCE_S, LiveFigure, differences, one_round, scratch_in
from bench.watched_edits import Pace, make_tree, planned

FILES_IN_FOLDER = 10
RATE_PER_S = 200.0
_MIRRORS = "mirrors"
_MAKERS: dict[str, Callable[[Path, Path, Wire | None], LiveContender]] = {
    "over-grpc": lambda scratch, source, wire: LiveHoldfast(scratch, source, wire),
    "one-machine": lambda scratch, source, _: LiveHoldfast(scratch, source, None),
    "lsyncd": lambda scratch, source, wire: Lsyncd(scratch, source, _needed(wire)),
    "syncthing": lambda scratch, source, wire: Syncthing(scratch, source, _needed(wire)),
}


def main() -> None:
    options = _options()
    results: dict[str, Any] = {"machine": machine()}
    print(results["machine"], flush=True)
    if _MIRRORS in options.only:
        results[_MIRRORS] = {}
        for name in options.contenders:
            results[_MIRRORS][name] = measure_contender(name, options)
            _write(results, options.json)
        _print_ratios(results[_MIRRORS])
    for name in [each for each in GATES if each in options.only]:
        print(name, flush=True)
        results[name] = GATES[name](options.place)
        _write(results, options.json)


def measure_contender(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Of each load; `{}` when the tool is not there."""
    tool = {"lsyncd": "lsyncd", "syncthing": "syncthing"}.get(name)
    if tool and shutil.which(tool) is None:
        print(f"{name} is not installed", flush=True)
        return {}
    found: dict[str, Any] = {}
    with scratch_in(options.place) as scratch, _apart(scratch / "data", options.apart), _wire_for(name) as wire:
        tree = make_tree(scratch / "data", options.folders, FILES_IN_FOLDER)
        with closing(_MAKERS[name](scratch, scratch / "data", wire)) as contender:
            began_s = time.monotonic()
            contender.begin()
            _wait_until_equal(contender)
            found["first copy, s"] = round(time.monotonic() - began_s, 1)
            for seed, pace in enumerate(_paces(options)):
                plan = planned(tree, pace.edits, seed)
                tree = plan.tree
                load_before = os.getloadavg()[0]
                figure = one_round(contender, wire, plan.edits, pace)
                found[pace.name] = {**asdict(figure), "load_average": round(load_before, 1)}
                print(f"{name:<12} {pace.name:<14} {_line(figure)}   load {load_before:.1f}", flush=True)
    return found


def machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = (_MIRRORS, *GATES)
    parser.add_argument("--only", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--contenders", nargs="+", default=list(_MAKERS), choices=_MAKERS)
    parser.add_argument("--folders", type=int, default=2_000, help=f"with {FILES_IN_FOLDER} files each")
    parser.add_argument("--seconds", type=int, default=60, help=f"of edits at {RATE_PER_S:.0f} a second")
    parser.add_argument("--burst", type=int, default=20_000, help="edits in bursts, then as many as fast as they go")
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()), help="a folder on the file system to measure on")
    parser.add_argument("--apart", action="store_true", help="the source on a file system of its own")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _paces(options: argparse.Namespace) -> tuple[Pace, ...]:
    return (
        Pace("200 a second", int(options.seconds * RATE_PER_S), RATE_PER_S),
        Pace("bursts of 1,000", options.burst, together=1_000, pause_s=0.5),
        Pace("at full speed", options.burst),
    )


@contextmanager
def _apart(folder: Path, is_wanted: bool) -> Iterator[None]:
    """The source on a file system of its own, in memory: as on another machine its watch is not told of what receivers write."""
    if not is_wanted:
        yield
        return
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "holdfast-bench", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def _wire_for(name: str) -> Iterator[Wire | None]:
    with nullcontext() if name == "one-machine" else Wire() as wire:
        yield wire


def _needed(wire: Wire | None) -> Wire:
    assert wire is not None
    return wire


def _wait_until_equal(contender: LiveContender) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while any(not line.startswith(".d") for line in differences(contender.source, contender.mirror)):
        if time.monotonic() > until_s:
            raise SystemExit(f"{contender.name} has not made the first copy after {PATIENCE_S:.0f} s")
        time.sleep(0.5)


def _line(figure: LiveFigure) -> str:
    wire = "" if figure.wire_bytes is None else f"   {figure.wire_bytes / 1e6:7.1f} MB on the wire"
    equal = "never equal" if figure.equal_after_s is None else f"equal after {figure.equal_after_s:5.1f} s"
    latency = f"p50 {figure.p50_ms:8.0f} ms  p99 {figure.p99_ms:8.0f} ms  ({figure.seen} of {figure.expected})"
    return f"{latency}   CPU {figure.cpu_s:6.1f} s{wire}   {equal}   lost {figure.lost}, others {figure.others}"


def _print_ratios(found: dict[str, Any]) -> None:
    """Each tool against Holdfast over gRPC."""
    ours = found.get("over-grpc", {})
    for name in [name for name in found if name != "over-grpc" and found[name]]:
        for pace in [key for key, value in ours.items() if isinstance(value, dict)]:
            theirs, mine = found[name][pace], ours[pace]
            keys = [key for key in ("p50_ms", "p99_ms", "cpu_s", "wire_bytes") if theirs[key] and mine[key]]
            ratios = "  ".join(f"{key} {mine[key] / theirs[key]:.3f} x" for key in keys)
            print(f"over gRPC against {name}, {pace}: {ratios}", flush=True)


def _write(results: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
