"""Measure searching: `python -m bench.search [--versions 10000000] [--points 5000] [--users 20] [--seconds 20] [--catalog FOLDER]`.

A repository is made as `bench.catalog` makes it (or taken from FOLDER, where it stays for the next time), and so many users search in it at
once, each one question after the other: with a pause of a second, as people type, and without any. The mix has common, rare and absent
names by glob, part and regular expression, and filters of every kind. A user waits until the first page of 100 files is there, answered as
a store worker answers: in turns. Times are in milliseconds, by kind of question: median, 95th percentile, worst.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.catalog import VERSIONS_OF_A_FILE, fill, path_of, peak_memory_mb, scratch
from holdfast.core.ids import RepositoryId
from holdfast.model.rules import RepositoryRule
from holdfast.model.search import search_of
from holdfast.model.searching import AskSearch, FoundHere
from holdfast.node.store.search import SearchHere
from holdfast.node.workers.turns import Turns
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import RepositoryScene

_PAGE = 100
_WITHIN_S = 1.0
_GATE_MS = 300
Kinds = dict[str, Callable[[random.Random], dict[str, str]]]


def kinds(files: int) -> Kinds:
    """Of each kind of question, one that is drawn."""

    def name(dice: random.Random) -> str:
        return path_of(dice.randrange(files)).rpartition(b"/")[2].decode()

    def long_name(dice: random.Random) -> str:
        return path_of(dice.randrange(files // 2) * 2).rpartition(b"/")[2].decode()

    def folder(dice: random.Random) -> str:
        return path_of(dice.randrange(files)).rpartition(b"/")[0].decode()

    return {
        "whole name": lambda dice: {"name": name(dice)},
        "NAME*": lambda dice: {"name": name(dice)[:7] + "*"},
        "part, rare": lambda dice: {"name": long_name(dice)[3:12], "match": "part", "case": "ignore"},
        "part, three letters": lambda dice: {"name": name(dice)[1:4], "match": "part", "case": "ignore"},
        "part, two letters": lambda dice: {"name": name(dice)[:2], "match": "part", "case": "ignore"},
        "part, absent": lambda dice: {"name": f"q{dice.randrange(100)}xjw", "match": "part", "case": "ignore"},
        "*.c": lambda dice: {"name": "*." + dice.choice(["c", "h", "py"])},
        "regex": lambda dice: {"name": f"^{long_name(dice)[:6]}.*\\d+\\.(pdf|c|h)$", "match": "regex"},
        "part, deleted": lambda dice: {"name": name(dice)[1:4], "match": "part", "state": "deleted"},
        "part, size and owner": lambda dice: {"name": name(dice)[1:4], "match": "part", "size": ">4200", "owner": "files"},
        "ending, was there": lambda dice: {"ending": "pdf", "existed": "2026-02-01..2026-02-02"},
        "below a folder": lambda dice: {"under": folder(dice), "type": "file"},
        "deleted": lambda dice: {"state": "deleted"},
    }


@dataclass(frozen=True)
class Alone:
    """A store worker's repositories: this one."""

    repository: Repository

    def rules(self) -> tuple[RepositoryRule, ...]:
        return (RepositoryRule(id=self.repository.id, name=self.repository.name, location=""),)

    def get(self, _: RepositoryId) -> Repository:
        return self.repository


def ask(repository: Repository, parameters: dict[str, str], turns: Turns) -> int:
    """How many files the first page has."""
    began_s, answered = time.perf_counter(), threading.Event()
    ask = AskSearch(search=search_of(parameters, datetime(2026, 11, 1, tzinfo=UTC)), limit=_PAGE, within_s=_WITHIN_S)
    search = SearchHere(ask, Alone(repository), lambda: time.perf_counter() - began_s)
    found: list[int] = []

    def turn() -> bool:
        answer = search.turn()
        if answer is not None:
            assert isinstance(answer, FoundHere)
            found.append(len(answer.parts[0].hits))
            answered.set()
        return answer is not None

    turns.add(turn)
    answered.wait()
    return found[0]


def measure(repository: Repository, files: int, users: int, seconds: float, pause_s: float) -> dict[str, str]:
    """`users` at once, each with a pause between an answer and the next question."""
    turns = Turns("searches")
    cpu_s = time.process_time()
    found = used_by(users, kinds(files), lambda parameters: ask(repository, parameters, turns), seconds, pause_s)
    turns.close()
    return {"CPU, ms each": f"{(time.process_time() - cpu_s) * 1000 / int(found['searches']):.1f}", **found}


def used_by(users: int, mix: Kinds, put: Callable[[dict[str, str]], object], seconds: float, pause_s: float) -> dict[str, str]:
    """Each of them puts one question after the other."""
    taken_ms: dict[str, list[float]] = defaultdict(list)
    guard, ended = threading.Lock(), threading.Event()

    def use(number: int) -> None:
        dice = random.Random(number)
        ended.wait(dice.random() * pause_s)
        while not ended.is_set():
            kind = dice.choice(list(mix))
            parameters = mix[kind](dice)
            began_s = time.perf_counter()
            put(parameters)
            with guard:
                taken_ms[kind].append((time.perf_counter() - began_s) * 1000)
            ended.wait(pause_s)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    ended.wait(seconds)
    ended.set()
    for thread in threads:
        thread.join()
    every = [ms for each in taken_ms.values() for ms in each]
    return {
        "searches": str(len(every)),
        "all": told(every),
        f"within {_GATE_MS} ms": f"{sum(ms <= _GATE_MS for ms in every) / len(every):.1%}",
        **{kind: told(taken_ms[kind]) for kind in mix if taken_ms[kind]},
    }


def told(taken_ms: list[float]) -> str:
    ordered = sorted(taken_ms)
    return f"{statistics.median(ordered):.0f}, {ordered[int(len(ordered) * 0.95)]:.0f}, {ordered[-1]:.0f}"


def alone(repository: Repository, files: int) -> dict[str, str]:
    """Each kind of question with nobody else there."""
    found, turns = {}, Turns("searches")
    for kind, draw in kinds(files).items():
        taken_ms, rows = [], 0
        for number in range(9):
            parameters = draw(random.Random(number))
            began_s = time.perf_counter()
            rows += ask(repository, parameters, turns)
            taken_ms.append((time.perf_counter() - began_s) * 1000)
        found[kind] = f"{told(taken_ms)}; {rows / 9:.0f} found"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=10_000_000)
    parser.add_argument("--points", type=int, default=5_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--catalog", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = options.versions // VERSIONS_OF_A_FILE
    with ExitStack() as stack:
        folder = options.catalog or stack.enter_context(scratch())
        scene = RepositoryScene(folder)
        is_new = not scene.home.exists()
        if is_new:
            folder.mkdir(parents=True, exist_ok=True)
            scene.create()
        repository = scene.open()
        stack.callback(repository.close)
        interior = repository._interior
        if is_new:
            fill(interior, options.versions, options.points)
        interior.names.catch_up()
        results: dict[str, object] = {"versions": interior.catalog.rows("SELECT count(*) FROM versions")[0][0]}
        results["alone"] = alone(repository, files)
        print(json.dumps(results, indent=2), flush=True)
        for title, pause_s in (("a second between two", 1.0), ("one after the other", 0.0)):
            results[title] = measure(repository, files, options.users, options.seconds, pause_s)
            print(json.dumps({title: results[title]}, indent=2), flush=True)
        results["peak memory, MB"] = peak_memory_mb()
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
