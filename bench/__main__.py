"""`python -m bench [kernel image million lines] [--folder F] [--full] [--everything] [--rounds N] [--stages …] [--contenders …] [--json F]`

Each contender works on its own fresh copy of the corpus, one at a time. Figures are medians of the rounds and ratios to the peer: restic,
for plain copies rsync. Wall times of a machine that does other things, too, say little; CPU seconds are the more reliable figure.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.contender import STAGES
from bench.corpora import corpora, folder_corpus
from bench.fan_out import measure_everything, measure_fan_out
from bench.figures import Figure, median_of
from bench.rounds import BASE, Measured, run_suite
from bench.suites import CONTENDERS, Suite, full_suites, usual_suites

_PEER = "restic"
Table = dict[str, dict[str, list[Measured]]]


def main() -> None:
    options = _options()
    print(f"on {BASE or 'disk'}; {_machine()}", flush=True)
    results: dict[str, Any] = {"machine": _machine(), "suites": {}}
    for suite in _suites(options):
        print(f"\n{suite.corpus.name}, {suite.rounds} rounds", flush=True)
        table: Table = {stage: {} for stage in suite.stages}
        for measured in run_suite(suite):
            table[measured.stage].setdefault(measured.contender, []).append(measured)
            print(f"  {_line(measured.stage, measured.contender, measured.figure, measured.stored_bytes)}", flush=True)
        print("medians:", flush=True)
        _print(table)
        results["suites"][suite.corpus.name] = _as_json(table)
        _write(results, options.json)
    if options.fan_out or not (options.suites or options.everything):
        results["fan-out"] = measure_fan_out()
    if options.everything:
        results["everything"] = measure_everything(folder_corpus(options.folder) if options.folder else corpora()["kernel"])
    _write(results, options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", help="corpora to measure on; none = all, and the fan-out")
    parser.add_argument("--folder", type=Path, help="measure on a copy of this folder instead")
    parser.add_argument("--full", action="store_true", help="all stages, three rounds of everything; takes hours")
    parser.add_argument("--fan-out", action="store_true", help="measure one classification to four receivers against one, too")
    parser.add_argument("--everything", action="store_true", help="measure only all operations at once against backup alone")
    parser.add_argument("--rounds", type=int, default=0, help="each with everything set up anew; medians are shown")
    parser.add_argument("--stages", nargs="+", default=[], choices=STAGES)
    parser.add_argument("--contenders", nargs="+", default=[], choices=CONTENDERS)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _suites(options: argparse.Namespace) -> list[Suite]:
    if options.everything:
        return []
    suites = full_suites() if options.full else usual_suites()
    if options.folder:
        suites = (Suite(folder_corpus(options.folder), ("first", "unchanged", "changed", "restore", "check")),)
    known = {suite.corpus.name for suite in suites}
    unknown = set(options.suites) - known
    if unknown:
        raise SystemExit(f"no corpus {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}")
    return [
        replace(
            suite,
            rounds=options.rounds or suite.rounds,
            stages=tuple(stage for stage in STAGES if stage in (options.stages or suite.stages)),
            contenders=tuple(options.contenders) or suite.contenders,
        )
        for suite in suites
        if not options.suites or suite.corpus.name in options.suites
    ]


def _line(stage: str, name: str, figure: Figure, stored_bytes: int, ratios: str = "") -> str:
    figures = f"wall {figure.wall_s:8.2f} s   CPU {figure.cpu_s:8.2f} s   {figure.memory_bytes / 1e6:6.0f} MB PSS"
    return f"{stage:<17}{name:<12}{figures}   stored {stored_bytes / 1e6:8.1f} MB{ratios}"


def _print(table: Table) -> None:
    for stage, by_contender in table.items():
        peer = _median(by_contender[_PEER]) if _PEER in by_contender else None
        for name, measured in by_contender.items():
            figure, stored = _median(measured)
            ratios = ""
            if peer is not None and name != _PEER:
                wall, cpu = figure.wall_s / peer[0].wall_s, figure.cpu_s / max(peer[0].cpu_s, 0.01)
                ratios = f"   wall {wall:5.2f} x   CPU {cpu:5.2f} x   stored {stored / max(peer[1], 1):5.3f} x {_PEER}"
            print(_line(stage, name, figure, stored, ratios), flush=True)


def _median(measured: list[Measured]) -> tuple[Figure, int]:
    return median_of([each.figure for each in measured]), sorted(each.stored_bytes for each in measured)[len(measured) // 2]


def _as_json(table: Table) -> dict[str, Any]:
    return {
        stage: {
            name: {
                "median": asdict(_median(measured)[0]),
                "stored_bytes": _median(measured)[1],
                "all": [asdict(each.figure) for each in measured],
            }
            for name, measured in by_contender.items()
        }
        for stage, by_contender in table.items()
    }


def _write(results: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(results, indent=2) + "\n")


def _machine() -> str:
    versions = [
        subprocess.run([tool, flag], capture_output=True, text=True, check=False).stdout.split("\n")[0].split(" compiled")[0]
        for tool, flag in (("restic", "version"), ("borg", "--version"))
        if any((Path(folder) / tool).exists() for folder in os.get_exec_path())
    ]
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {', '.join(versions)}"


if __name__ == "__main__":
    main()
