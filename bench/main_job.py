"""Measure the main job beside its peers: `python -m bench.main_job [--corpus kernel] [--rounds 3] [--json FILE]`.

All contenders work on one copy of the corpus, stage by stage and one at a time, so that a machine that is busy with other things weighs on
all of them alike. Figures are medians of the rounds and ratios to the peer: restic, for mirrors rsync. CPU is the more reliable figure.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contender import Contender
from bench.corpus import Corpus, copy_corpus
from bench.figures import Figure, measure, median_of
from bench.holdfast_contender import Holdfast
from bench.peers import peers
from holdfast.cli.demo.data import edit_data

STAGES = ("first", "unchanged", "mirror", "mirror-unchanged", "changed", "mirror-changed", "restore", "cascade")
USUAL_STAGES = ("first", "unchanged", "changed", "restore")
# The stages that come after the corpus was edited begin here.
_EDITED_FROM = STAGES.index("changed")
Figures = dict[str, dict[str, list[Figure]]]


def main() -> None:
    options = _options()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    figures: Figures = {stage: {} for stage in STAGES if stage in options.stages}
    stored: dict[str, int] = {}
    for number in range(options.rounds):
        scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=base))
        try:
            corpus = copy_corpus(options.corpus, scratch / "data")
            if number == 0:
                print(f"{corpus.files} files, {corpus.bytes / 1e6:.0f} MB ({corpus.name}), on {base or 'disk'}; {_machine()}", flush=True)
            stored.update(_round(scratch, figures, options))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    _print(figures, stored)
    if options.json:
        options.json.write_text(json.dumps(_as_json(corpus, figures, stored), indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="auto", help="kernel, generated:COUNT, a folder, or auto (default)")
    parser.add_argument("--rounds", type=int, default=1, help="each with everything set up anew; medians are shown")
    parser.add_argument("--stages", nargs="+", default=list(USUAL_STAGES), choices=[*STAGES, "all"])
    parser.add_argument("--modes", nargs="+", default=["wire", "machine"], choices=["wire", "machine"])
    parser.add_argument("--peers", nargs="*", default=["restic", "rsync"], choices=["restic", "borg", "rsync"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if "all" in options.stages:
        options.stages = list(STAGES)
    return options


def _round(scratch: Path, figures: Figures, options: argparse.Namespace) -> dict[str, int]:
    """Every stage of every contender once; returns what each has stored."""
    data, edited = scratch / "data", False
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for mode in options.modes:
            contenders.append(Holdfast(scratch, data, over_wire=mode == "wire"))
            stack.callback(contenders[-1].close)
        for tool in peers(options.peers, scratch, data):
            contenders.append(tool)
            stack.callback(tool.close)
        for stage in figures:
            if not edited and STAGES.index(stage) >= _EDITED_FROM:
                edit_data(data)
                edited = True
            for contender in contenders:
                if stage in contender.stages:
                    figure = measure(contender.stages[stage], contender.probe)
                    figures[stage].setdefault(contender.name, []).append(figure)
        return {contender.name: contender.stored_bytes() for contender in contenders if "first" in contender.stages}


def _peer_of(stage: str) -> str:
    return "rsync" if stage.startswith("mirror") else "restic"


def _print(figures: Figures, stored: dict[str, int]) -> None:
    for stage, by_contender in figures.items():
        peer = median_of(by_contender[_peer_of(stage)]) if _peer_of(stage) in by_contender else None
        for name, measured in by_contender.items():
            figure = median_of(measured)
            wall = f" = {figure.wall_s / peer.wall_s:5.2f} x" if peer else ""
            cpu = f" = {figure.cpu_s / max(peer.cpu_s, 0.01):5.2f} x" if peer else ""
            memory = figure.memory_bytes / 1e6
            print(f"{stage:<17}{name:<13}wall {figure.wall_s:7.2f} s{wall}   CPU {figure.cpu_s:7.2f} s{cpu}   {memory:6.0f} MB PSS")
    for name, size in stored.items():
        share = f" = {size / stored['restic']:5.3f} x restic" if "restic" in stored else ""
        print(f"{'stored':<17}{name:<13}{size / 1e6:.1f} MB{share}")


def _as_json(corpus: Corpus, figures: Figures, stored: dict[str, int]) -> dict[str, Any]:
    stages = {
        stage: {name: {"median": asdict(median_of(measured)), "all": [asdict(f) for f in measured]} for name, measured in by_name.items()}
        for stage, by_name in figures.items()
    }
    return {"corpus": asdict(corpus), "machine": _machine(), "stages": stages, "stored_bytes": stored}


def _machine() -> str:
    restic = subprocess.run(["restic", "version"], capture_output=True, text=True, check=False).stdout.split("compiled")[0].strip()
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {restic}"


if __name__ == "__main__":
    main()
