"""A Master or node that starts on a full disk takes the room that is kept for it, else it waits; it never ends for that."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from holdfast.cli.room_to_start import run_with_room
from holdfast.core.errors import Conflict, NoSpace
from holdfast.core.log import LineByLine
from holdfast.core.reserve import RESERVE_BYTES, Reserve
from holdfast.testing.small_disk import small_disk


def test_it_takes_the_reserve_then_waits_and_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reserve, pauses = Reserve(tmp_path), list[float]()
    reserve.keep()
    kept = tmp_path / "reserve"
    assert (kept.stat().st_blocks * 512 >= RESERVE_BYTES, kept.stat().st_mode & 0o777) == (True, 0o600)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")
    before = [full, NoSpace("the disk is full"), full]

    def run() -> None:
        if before:
            raise before.pop(0)

    run_with_room(reserve, run, pauses.append)
    assert (kept.exists(), len(pauses)) == (False, 2)
    assert capsys.readouterr().err.count("[no-space]") == 1


def test_what_is_no_want_of_room_is_raised(tmp_path: Path) -> None:
    def run() -> None:
        raise Conflict("an agent runs already")

    with pytest.raises(Conflict):
        run_with_room(Reserve(tmp_path), run, lambda _: pytest.fail("it waits"))


def test_on_a_full_disk_none_is_made_and_the_one_there_is_given_up(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 300 << 20) as disk:
        reserve, kept = Reserve(disk.place), disk.place / "reserve"
        disk.leave(100 << 20)
        reserve.keep()
        assert not kept.exists()
        disk.relieve()
        reserve.keep()
        disk.leave(1 << 20)
        run_with_room(reserve, lambda: (disk.place / "needed").write_bytes(bytes(4 << 20)) and None, lambda _: pytest.fail("it waits"))
        assert not kept.exists()


def test_a_line_of_the_log_without_room_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", buffering=1) as stream:
        LineByLine(stream).handle(logging.makeLogRecord({"msg": "a line"}))
        with pytest.raises(OSError, match="No space"):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    assert capsys.readouterr().err == ""
