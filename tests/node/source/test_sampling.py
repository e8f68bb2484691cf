"""Samples and folders asked of a node: answered by its real source worker, with and without rules, and only where its limits allow."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable
from holdfast.model.document import Classification
from holdfast.model.listing_questions import AskPoints
from holdfast.model.questions import Failed
from holdfast.model.sampling import AskFolders, AskSample, Folders, Sample
from holdfast.node.processes.supervisor import Worker
from holdfast.node.workers.messages import Configure
from holdfast.testing.node_rules import source_rules


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """(home, data)."""
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir(mode=0o700)
    (data / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.tmp", "sub/c.txt"):
        (data / name).write_text("x")
    return home, data


def with_worker(home: Path, scenario: Callable[[Worker], Awaitable[None]]) -> None:
    async def main() -> None:
        worker = Worker("source", home, lambda role, news: None, lambda role, facts: None, clock=SystemClock())
        running = asyncio.create_task(worker.run())
        try:
            await asyncio.wait_for(worker.greeted.wait(), 90)
            await scenario(worker)
        finally:
            await worker.stop()
            await asyncio.wait_for(running, 90)

    asyncio.run(main())


def ask_for(*paths: Path) -> AskSample:
    return AskSample(classification=Classification(paths=tuple(map(str, paths)), exclude=("*.tmp",)))


def test_the_source_worker_looks_before_and_after_it_has_rules(place: tuple[Path, Path]) -> None:
    home, data = place

    async def scenario(worker: Worker) -> None:
        for _ in range(2):
            found = await worker.ask(ask_for(data), 15, needs_rules=False)
            assert isinstance(found, Sample)
            assert [row.path for row in found.chosen] == [f"{data}/a.txt", f"{data}/sub/c.txt"]
            assert [(row.path, row.rule, row.detail) for row in found.left_out] == [(f"{data}/b.tmp", "exclude", "*.tmp")]
            worker.configure(Configure(rules=source_rules(1), signing_key=b"k" * 32))
        other = await worker.ask(AskPoints(), 15)
        assert isinstance(other, Failed)
        assert other.error.code == "usage"

    with_worker(home, scenario)


def test_without_rules_nothing_else_is_asked(place: tuple[Path, Path]) -> None:
    async def scenario(worker: Worker) -> None:
        with pytest.raises(NotReachable):
            await worker.ask(AskPoints(), 15)

    with_worker(place[0], scenario)


def test_the_limits_of_the_machine_hold(place: tuple[Path, Path]) -> None:
    home, data = place
    limits = home / "limits.toml"
    limits.write_text(f'read = ["{data}/sub"]\n')
    limits.chmod(0o600)
    os.symlink(data, data / "sub" / "out")

    async def scenario(worker: Worker) -> None:
        inside = await worker.ask(ask_for(data / "sub"), 15, needs_rules=False)
        assert isinstance(inside, Sample)
        assert {(row.path, row.kind) for row in inside.chosen} == {(f"{data}/sub/c.txt", "file"), (f"{data}/sub/out", "symlink")}
        for outside in (data, data / "sub" / "..", data / "sub" / "out", Path(tempfile.gettempdir())):
            refused = await worker.ask(ask_for(data / "sub", outside), 15, needs_rules=False)
            assert isinstance(refused, Failed), outside
            assert refused.error.code == "outside-limits"

    with_worker(home, scenario)


def test_our_own_home_is_not_shown(place: tuple[Path, Path]) -> None:
    home, _ = place

    async def scenario(worker: Worker) -> None:
        found = await worker.ask(ask_for(home.parent), 15, needs_rules=False)
        assert isinstance(found, Sample)
        assert all(not row.path.startswith(f"{home}/") for row in (*found.chosen, *found.left_out))
        assert (str(home), "holdfast") in {(row.path, row.rule) for row in found.left_out}

    with_worker(home, scenario)


def test_folders_are_listed_within_the_limits_and_without_our_own(place: tuple[Path, Path]) -> None:
    home, data = place
    limits = home / "limits.toml"
    (data / "sub" / "deep").mkdir()
    os.symlink(data, data / "sub" / "out")

    async def names(worker: Worker, path: Path) -> list[str] | str:
        answer = await worker.ask(AskFolders(path=os.fsencode(path)), 15, needs_rules=False)
        if isinstance(answer, Failed):
            return answer.error.code
        assert isinstance(answer, Folders)
        return [folder.name for folder in answer.folders]

    async def scenario(worker: Worker) -> None:
        assert await names(worker, data.parent) == ["data"]
        assert await names(worker, home) == "outside-limits"
        limits.write_text(f'read = ["{data}/sub"]\n')
        limits.chmod(0o600)
        assert await names(worker, data / "sub") == ["deep"]
        for outside in (data, data / "sub" / "out", Path("/")):
            assert await names(worker, outside) == "outside-limits"
        assert await names(worker, data / "sub" / "..") == "usage"

    with_worker(home, scenario)
