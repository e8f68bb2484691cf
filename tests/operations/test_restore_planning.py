"""A large restore is written while the rest of it is listed: what comes of it is the same, and what must be known before is known."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Cancelled, NotReachable
from holdfast.host.disk import free_bytes
from holdfast.model.orders import Conflict, RestoreRequest
from holdfast.model.reading import Answer, Listed
from holdfast.node.restoring.copies import CopiesReader, Copy
from holdfast.operations import restore_planning
from holdfast.operations.restore import restore
from holdfast.operations.restore_planning import Planning
from holdfast.testing.tree_source import TreeSource
from tests.operations.test_restore_undo import allow, attempt_at, back, differences, go

KILLED = """
import os, signal, sys
from tests.operations.test_restore_planning import *

source, target, record, count = sys.argv[1:]
restore_planning._FIRST_FILES = 4
calls = 0

def dying():
    global calls
    calls += 1
    if calls >= int(count):
        os.kill(os.getpid(), signal.SIGKILL)
    return False

go(Repository(Path(source)), Path(target), Path(record), cancelled=dying)
"""
RULES: tuple[Conflict, ...] = ("overwrite", "skip", "rename")


class Repository(TreeSource):
    """Lists three entries at a time and says where chunks lie. `asked`: what was asked of it, in order. It is gone after so many `lists`
    or `answers_left`."""

    def __init__(self, root: Path, total_bytes: int | None = None) -> None:
        super().__init__(root)
        self.total_bytes = sum(entry.size_bytes for entry in self.all.values()) if total_bytes is None else total_bytes
        self.asked: list[str] = []
        self.lists = self.answers_left = 1_000_000

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        entries = self.entries(paths)
        while some := list(islice(entries, 3)):
            self.lists -= 1
            if self.lists < 0:
                raise NotReachable("gone")
            self.asked.append("entries")
            places = [ref.id[0] for entry in some for ref in entry.chunks]
            yield Listed(some, places, total_bytes=self.total_bytes)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        for answer in super().answers(questions):
            self.answers_left -= 1
            if self.answers_left < 0:
                raise NotReachable("gone")
            self.asked.append("content")
            yield answer

    @property
    def listed_first(self) -> bool:
        """Whether all was listed before any content was asked for."""
        return "content" not in self.asked or "entries" not in self.asked[self.asked.index("content") :]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_planning, "_FIRST_FILES", 4)


def build(root: Path, chance: random.Random) -> None:
    """Files, links and folders of few names, so that two such trees have much in common."""
    folders = [root, *(root / name for name in "abc"), root / "a" / "d", root / "b" / "d"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        for name in chance.sample("efghijk", 5):
            place = folder / name
            kind = chance.choice(("file", "file", "file", "file", "link", "further", "folder"))
            names = [path for path in folders[0].rglob("*") if path.is_file() and not path.is_symlink()]
            if kind == "link":
                place.symlink_to(chance.choice("xyz"))
            elif kind == "folder":
                place.mkdir()
                (place / "e").write_bytes(b"in it")
            elif kind == "further" and names:
                os.link(chance.choice(names), place)
            else:
                place.write_bytes(chance.choice((b"one", b"two", b"three" * 2_000)))
                os.utime(place, ns=(0, chance.choice((10**18, 10**18 + 1))))


@given(st.integers(0, 1_000_000), st.sampled_from(RULES))
@settings(max_examples=8)
def test_it_does_the_same_as_where_all_is_planned_first(tmp_path_factory: pytest.TempPathFactory, seed: int, conflict: Conflict) -> None:
    folder, chance = tmp_path_factory.mktemp("planning"), random.Random(seed)
    build(folder / "source", chance)
    below = str(folder / "source")[1:]
    build(folder / "before" / below, chance)
    for name in ("first", "beside"):
        shutil.copytree(folder / "before", folder / name, symlinks=True)
    results = []
    for name, total in (("first", 0), ("beside", None)):
        source = Repository(folder / "source", total)
        attempt = replace(attempt_at(folder / f"record of {name}", folder / name), suffix=b".restored")
        request = RestoreRequest(target=str(folder / name), conflict=conflict)
        result = restore(source, request, (), clock=SystemClock(), check_write=allow, attempt=attempt, writers=0)
        assert source.listed_first or total is None
        results.append(replace(result, plan=replace(result.plan, target=b"", space=())))
    assert results[0] == results[1]
    # Folders that are not the point's to dress have the time of what was written in them.
    found = [difference.split(": ") for difference in differences(folder / "first", folder / "beside")]
    assert [one for one in found if one[1] != "mtime" or not (folder / "first" / one[0]).is_dir()] == []
    assert back(folder / "record of beside").left == 0
    back(folder / "record of first")
    assert differences(folder / "first", folder / "beside") == []


@pytest.fixture
def many(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for number in range(60):
        place = root / f"folder{number // 8}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number:02}").write_bytes(b"%d" % number * 100)
    return root


def test_where_there_may_be_no_room_all_is_planned_first(tmp_path: Path, many: Path) -> None:
    for name, total, listed_first in (("roomy", None, False), ("full", free_bytes(tmp_path) * 2, True)):
        source = Repository(many, total)
        assert go(source, tmp_path / name, tmp_path / f"record of {name}").files == 60
        assert source.listed_first == listed_first


def test_what_is_planned_while_it_is_broken_off_was_on_disk_before(tmp_path: Path, many: Path) -> None:
    """Each moment: what stands in the target is in the record, and taken back."""
    total = len(Repository(many).all)
    for most in range(1, total, 16):
        source, asked = Repository(many), 0

        def cancelled(most: int = most) -> bool:
            nonlocal asked
            asked += 1
            return asked > most

        record, target = tmp_path / f"record {most}", tmp_path / f"out {most}"
        with pytest.raises(Cancelled):
            go(source, target, record, cancelled=cancelled)
        if target.exists():
            assert back(record).left == 0
        assert not target.exists()


@pytest.mark.parametrize("count", [12, 30])
def test_killed_while_it_plans_and_writes_it_goes_on_or_is_taken_back(tmp_path: Path, many: Path, count: int) -> None:
    for end in ("taken back", "goes on"):
        record, target = tmp_path / f"record {end}", tmp_path / end
        command = [sys.executable, "-c", KILLED, str(many), str(target), str(record), str(count)]
        assert subprocess.run(command, check=False, timeout=120, cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
        if end == "goes on":
            assert target.exists()
            assert go(Repository(many), target, record).failed == 0
            assert differences(many, target / str(many)[1:]) == []
        assert back(record).left == 0
        assert not target.exists()


@pytest.mark.parametrize(("lists", "answers"), [(4, 1_000_000), (9, 1_000_000), (1_000_000, 0), (1_000_000, 2), (9, 2)])
def test_copies_take_over_from_each_other_beside(tmp_path: Path, many: Path, lists: int, answers: int) -> None:
    first, second, told = Repository(many), Repository(many), []
    first.lists, first.answers_left = lists, answers
    reader = CopiesReader([Copy("one", lambda: first), Copy("two", lambda: second)], check=lambda: None, tell=told.append)
    result = go(reader, tmp_path / "out", tmp_path / "record")
    assert (result.files, result.failed, [finding.code for finding in told]) == (60, 0, ["copy-changed"])
    assert differences(many, tmp_path / "out" / str(many)[1:]) == []


def test_a_failure_of_planning_is_not_taken_for_one_of_the_copy(tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more, calls = Planning.more, 0

    def failing(self: Planning) -> None:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise NotReachable("the place of the steps")
        more(self)

    monkeypatch.setattr(Planning, "more", failing)
    told: list[object] = []
    reader = CopiesReader(
        [Copy("one", lambda: Repository(many)), Copy("two", lambda: Repository(many))], check=lambda: None, tell=told.append
    )
    with pytest.raises(NotReachable, match="the place of the steps"):
        go(reader, tmp_path / "out", tmp_path / "record")
    assert told == []
