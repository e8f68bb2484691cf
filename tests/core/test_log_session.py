"""A session knows how the one before ended: in order, by a kill, with the machine; and each line of the log file is of it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from holdfast.core.log import JsonFormatter, configure_logging
from holdfast.core.log_session import SESSION_FILE, Ending, LogSession, log_session, session_in
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

AT = datetime(2026, 1, 1, tzinfo=UTC)


class _KilledError(BaseException):
    pass


def _killed(folder: Path, clock: VirtualClock, entropy: SeededEntropy) -> LogSession:
    """A session that does not come to its end."""
    session: LogSession | None = None
    try:
        with log_session(folder, "1.1", clock=clock, entropy=entropy) as session:
            raise _KilledError
    except _KilledError:
        assert session is not None
        return session


def test_each_start_knows_how_the_life_before_ended(tmp_path: Path) -> None:
    clock, entropy = VirtualClock(AT), SeededEntropy("sessions")
    assert session_in(tmp_path) == ""
    with log_session(tmp_path, "1.0", clock=clock, entropy=entropy) as first:
        assert (first.before, first.before_id) == (Ending.FIRST, "")
        assert session_in(tmp_path) == first.id
    second = _killed(tmp_path, clock, entropy)
    assert (second.before, second.before_id, second.before_version) == (Ending.IN_ORDER, first.id, "1.0")
    third = _killed(tmp_path, clock, entropy)
    assert (third.before, third.before_id) == (Ending.KILLED, second.id)
    clock.reboot(60)
    with log_session(tmp_path, "1.1", clock=clock, entropy=entropy) as fourth:
        assert (fourth.before, fourth.before_id) == (Ending.RESTARTED, third.id)
    (tmp_path / SESSION_FILE).write_bytes(b"[1]")
    with log_session(tmp_path, "1.1", clock=clock, entropy=entropy) as fifth:
        assert fifth.before is Ending.FIRST
    with log_session(tmp_path / "gone", "1.1", clock=clock, entropy=entropy) as nowhere:
        assert nowhere.before is Ending.FIRST, "a disk that takes no file keeps nothing from running"


def test_lines_of_the_log_file_are_of_the_session_and_its_first_is_marked(tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ours: list[logging.Handler] = []
    try:
        configure_logging(tmp_path / "agent.log")
        logging.getLogger("a").warning("before")
        with log_session(tmp_path, "1.0", clock=VirtualClock(AT), entropy=SeededEntropy("sessions")) as session:
            logging.getLogger("a").warning("within")
        ours += root.handlers
        configure_logging(tmp_path / "agent.log", session=session_in(tmp_path))
        logging.getLogger("a").warning("of a worker")
    finally:
        for opened in {*ours, *root.handlers} - {*handlers}:
            assert isinstance(opened, logging.StreamHandler)
            opened.stream.close()
        root.handlers[:], root.level = handlers, level
    lines = [json.loads(line) for line in (tmp_path / "agent.log").read_text().splitlines()]
    assert [line.get("session", "") for line in lines] == ["", *[session.id] * 4]
    assert (lines[1]["mark"], lines[1]["before"], lines[1]["version"]) == ("session", "first", "1.0")
    assert JsonFormatter.session == ""
