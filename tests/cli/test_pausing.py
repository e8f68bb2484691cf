"""`repository pause` waits until those who are at work have ended, and begins no pause but the one it was asked for."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.cli import exit_codes, main
from holdfast.cli.commands import pausing
from holdfast.model.pausing import AskPause, Pause, PauseTold
from holdfast.model.questions import Answer, Question
from holdfast.node.local.agent_socket import LocalSocket

AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def agent(home: Path, answers: list[PauseTold], asked: list[AskPause]) -> Iterator[None]:
    """One that gives these answers, one after the other."""

    async def answer(question: Question) -> Answer:
        assert isinstance(question, AskPause)
        asked.append(question)
        return answers.pop(0)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = LocalSocket(home, answer)
    try:
        asyncio.run_coroutine_threadsafe(listening.start(), loop).result(10)
        yield
        asyncio.run_coroutine_threadsafe(listening.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def told(sessions: int | None, *, changed: bool = False) -> PauseTold:
    pause = None if sessions is None else Pause(since=AT, by="root", sessions=sessions)
    return PauseTold(repository="main", pause=pause, changed=changed)


def paused(home: Path, monkeypatch: pytest.MonkeyPatch, answers: list[PauseTold]) -> tuple[int, list[AskPause]]:
    """The exit code of the command, and what it asked."""
    asked: list[AskPause] = []
    (home / "run").mkdir(parents=True)
    monkeypatch.setattr(pausing, "_LOOK_S", 0.0)
    monkeypatch.setattr(sys, "argv", ["holdfast", "repository", "pause", "main", "--for", "1m", "--home", str(home)])
    with agent(home, answers, asked), pytest.raises(SystemExit) as ended:
        main.main()
    assert not answers
    return int(ended.value.code or 0), asked


def test_it_waits_by_looking_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, asked = paused(tmp_path / "home", monkeypatch, [told(2, changed=True), told(1), told(0)])
    assert code == exit_codes.OK
    assert [(each.for_s, each.look) for each in asked] == [(60.0, False), (None, True), (None, True)]


def test_a_pause_that_ended_while_it_was_waited_for_is_an_error_and_no_new_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It began one that lasted until somebody resumed it, and nothing was protected meanwhile."""
    code, asked = paused(tmp_path / "home", monkeypatch, [told(1, changed=True), told(None)])
    assert code == exit_codes.REFUSED
    assert [each.look for each in asked] == [False, True]
    assert "the pause of main has ended, and 1 session had not" in capsys.readouterr().err
