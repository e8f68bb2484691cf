"""What is measured: which stages on which corpus, beside whom."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contender import STAGES
from bench.corpora import Corpus, corpora

CONTENDERS = ("restic", "borg", "rsync", "bare", "wire", "machine")


@dataclass(frozen=True)
class Suite:
    """`increments`: how many runs, with an edit before each, the stage of that name makes."""

    corpus: Corpus
    stages: tuple[str, ...]
    contenders: tuple[str, ...] = CONTENDERS
    rounds: int = 1
    increments: int = 50


def usual_suites() -> tuple[Suite, ...]:
    """Within half an hour on two cores."""
    known = corpora()
    main = ("first", "unchanged", "changed", "restore", "check")
    return (
        Suite(known["kernel"], (*main, "forget-and-prune"), rounds=3),
        Suite(known["image"], main),
        Suite(known["million"], ("first", "unchanged", "restore"), contenders=("restic", "wire")),
        Suite(known["lines"], ("first", "increments", "forget-and-prune"), contenders=("restic", "borg", "wire", "machine")),
    )


def full_suites() -> tuple[Suite, ...]:
    """Everything, three rounds of each."""
    return tuple(Suite(corpus, STAGES, rounds=3) for corpus in corpora().values())
