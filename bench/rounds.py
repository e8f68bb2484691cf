"""One suite: rounds of contenders, one contender at a time on a fresh copy of the corpus, on tmpfs where there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from bench.contender import Contender
from bench.figures import Figure, measure, sum_of
from bench.holdfast_contender import Holdfast
from bench.peers import open_peer
from bench.suites import Suite

BASE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Measured(NamedTuple):
    """`stored_bytes`: what the contender's repository takes after this stage."""

    stage: str
    contender: str
    figure: Figure
    stored_bytes: int


def run_suite(suite: Suite) -> Iterator[Measured]:
    """Figures as they are measured. A contender that is not installed gives none."""
    for _ in range(suite.rounds):
        for name in suite.contenders:
            yield from _one_contender(suite, name)


def _one_contender(suite: Suite, name: str) -> Iterator[Measured]:
    scratch = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=BASE))
    try:
        data = scratch / "data"
        suite.corpus.build(data)
        contender = _open(name, scratch, data)
        if contender is None:
            return
        with closing(contender):
            for stage in suite.stages:
                if stage in contender.stages or stage == "increments":
                    yield Measured(stage, contender.name, _measure(suite, stage, contender, data), contender.stored_bytes())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _open(name: str, scratch: Path, data: Path) -> Contender | None:
    if name in ("wire", "machine"):
        return Holdfast(scratch, data, over_wire=name == "wire")
    return open_peer(name, scratch, data)


def _measure(suite: Suite, stage: str, contender: Contender, data: Path) -> Figure:
    """The edits before a run are not measured."""
    if stage != "increments":
        if stage == "changed":
            suite.corpus.edit(data, 0)
        return measure(contender.stages[stage], contender.probe)
    figures = []
    for number in range(1, suite.increments + 1):
        suite.corpus.edit(data, number)
        figures.append(measure(contender.stages["changed"], contender.probe))
    return sum_of(figures)
