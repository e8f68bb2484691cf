"""A Master or node that starts on a full disk takes the room that is kept for it, else it waits; it never ends for that."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from holdfast.cli.processes import Child, wait_until
from holdfast.cli.room_to_start import naming_the_disk, no_room, run_with_room
from holdfast.core.errors import Conflict, NoSpace, NotReachable
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


def test_who_waits_in_vain_for_a_start_is_told_of_the_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / "disk", 64 << 20) as disk:
        for full, error in ((False, NotReachable), (True, NoSpace)):
            disk.leave((1 if full else 32) << 20)
            with pytest.raises(error, match=f"disk of {disk.place} is full" if full else "in vain: it answers"):
                wait_until(lambda: False, "it answers", timeout_s=0, obstacle=lambda: no_room(disk.place))
        ended = Child("a Master", ["--no-such-option"], tmp_path / "log" / "its.log")
        ended.start()
        with pytest.raises(NoSpace):
            wait_until(lambda: False, "it answers", [ended], obstacle=lambda: no_room(disk.place))
        said = capsys.readouterr().err
        assert ("in vain" in said, "before it answers" in said, "[no-space]" in said) == (True, True, False), (
            "that is said by who catches it"
        )
        looks = iter([False] * 3 + [True])
        wait_until(lambda: next(looks), "it answers", usual_s=0, obstacle=lambda: no_room(disk.place))
    assert capsys.readouterr().err.count("[no-space]") == 1
    assert no_room(tmp_path / "nowhere") is None


def test_a_write_without_room_names_the_disk_of_the_home(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16 << 20) as disk:
        with pytest.raises(IsADirectoryError), naming_the_disk(disk.place):
            disk.place.read_bytes()
        disk.leave(0)
        with pytest.raises(NoSpace, match=f"disk of {disk.place} is full"), naming_the_disk(disk.place):
            (disk.place / "more").write_bytes(bytes(1 << 20))
    with pytest.raises(NoSpace, match="of another"), naming_the_disk(tmp_path):
        raise NoSpace("the disk of another is full")


def test_a_line_of_the_log_without_room_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", buffering=1) as stream:
        LineByLine(stream).handle(logging.makeLogRecord({"msg": "a line"}))
        with pytest.raises(OSError, match="No space"):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    assert capsys.readouterr().err == ""
