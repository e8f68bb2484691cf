"""The repositories of a store worker: each is open once, however many ask for it at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import RepositoryMissing, UnknownName
from holdfast.core.ids import RepositoryId
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned.repositories import Repositories
from holdfast.repository.repository import Repository
from holdfast.testing.virtual_clock import VirtualClock

MAIN = RepositoryId("c" * 32)
ASKING = 6


@pytest.fixture
def repositories(tmp_path: Path) -> Iterator[Repositories]:
    with closing(Repositories(tmp_path / "home", clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), entropy=SystemEntropy())) as made:
        yield made


def rule_of(tmp_path: Path, name: str = "main") -> RepositoryRule:
    return RepositoryRule(id=MAIN, name=name, location=str(tmp_path / "store"))


def test_one_that_is_back_is_opened_once_for_all_who_ask(repositories: Repositories, tmp_path: Path) -> None:
    rule = rule_of(tmp_path)
    assert repositories.configure((rule,)) == ()
    repositories.configure(())
    (tmp_path / "store").rename(tmp_path / "away")
    assert [problem.code for problem in repositories.configure((rule,))] == ["repository-missing"]
    with pytest.raises(RepositoryMissing):
        repositories.get(MAIN)
    (tmp_path / "away").rename(tmp_path / "store")
    together = threading.Barrier(ASKING)

    def ask(_: int) -> Repository:
        together.wait()
        return repositories.get(MAIN)

    with ThreadPoolExecutor(ASKING) as pool:
        found = list(pool.map(ask, range(ASKING)))
    assert len({id(repository) for repository in found}) == 1
    assert found[0].points() == ()
    assert repositories.problems == ()


def test_one_whose_rule_changes_is_another_from_then_on(repositories: Repositories, tmp_path: Path) -> None:
    repositories.configure((rule_of(tmp_path),))
    before = repositories.get(MAIN)
    repositories.configure((msgspec.structs.replace(rule_of(tmp_path)),))
    assert repositories.get(MAIN) is before
    (tmp_path / "home/keys/other").write_bytes((tmp_path / "home/keys/main").read_bytes())
    repositories.configure((rule_of(tmp_path, "other"),))
    assert repositories.get(MAIN).name == "other"
    repositories.configure(())
    with pytest.raises(UnknownName):
        repositories.get(MAIN)
