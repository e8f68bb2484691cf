"""A file of a spool that cannot be read for a moment: it is tried again, and nothing is given up before."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import StoreError
from holdfast.delivery.spool.cipher import SpoolLost, SpoolUnread, load_key
from holdfast.delivery.spool.run_file import RunFile, RunWriter
from holdfast.testing.deliveries import begin_of, commit_of
from holdfast.testing.virtual_clock import SeededEntropy
from tests.delivery.spool.spooled_source import KEY, Spooling

TIRED = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Refusing:
    """Files whose names end so cannot be opened, by this error; None = they can."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ending: str, number: int) -> None:
        self.number: int | None = number
        self.fired = 0
        original = Path.open

        def refuse(path: Path, *args: Any, **more: Any) -> Any:
            if self.number is not None and path.name.endswith(ending):
                self.fired += 1
                raise OSError(self.number, os.strerror(self.number))
            return original(path, *args, **more)

        monkeypatch.setattr(Path, "open", refuse)


@pytest.fixture
def scene(tmp_path: Path) -> Spooling:
    found = Spooling(tmp_path)
    found.first([("put", b"/data/a", (b"first",))])
    found.align()
    for number in range(3):
        found.edit([("put", b"/data/a", (b"state %d" % number,))])
        assert found.keep()
    return found


@pytest.mark.parametrize("number", TIRED)
def test_what_cannot_be_read_at_a_start_is_there_when_it_can_be(scene: Spooling, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    disk = Refusing(monkeypatch, "2.run", number)
    with pytest.raises(SpoolUnread) as caught:
        scene.crash()
    assert caught.value.is_of_disk is (number == errno.EIO)
    assert disk.fired
    disk.number = None
    scene.crash()
    assert scene.spool.unsent().runs == 3
    scene.send()
    assert [commit.gaps for commit in scene.receiver.commits] == [()] * 4


def test_its_list_of_what_was_missed_is_not_taken_for_empty(scene: Spooling, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Refusing(monkeypatch, "stand", errno.EIO)
    with pytest.raises(SpoolUnread):
        scene.crash()
    assert disk.fired


def test_its_key_is_not_made_anew_where_it_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = load_key(tmp_path, SeededEntropy(1))
    disk = Refusing(monkeypatch, ".spool", errno.EMFILE)
    with pytest.raises(SpoolUnread):
        load_key(tmp_path, SeededEntropy(2))
    disk.number = None
    assert load_key(tmp_path, SeededEntropy(2)) == key


def test_who_has_waited_long_enough_goes_on_without_what_the_disk_refuses(scene: Spooling, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Refusing(monkeypatch, "3.run", errno.EIO)
    scene.spool = scene.open(is_patient=False)
    assert disk.fired
    assert scene.spool.unsent().runs == 1
    assert scene.spool.gaps((b"/data",), scene.commit().captured_at)


def test_what_this_process_has_no_room_for_is_never_given_up(scene: Spooling, monkeypatch: pytest.MonkeyPatch) -> None:
    Refusing(monkeypatch, "3.run", errno.EMFILE)
    with pytest.raises(SpoolUnread):
        scene.open(is_patient=False)


def test_a_file_that_is_gone_is_lost(tmp_path: Path) -> None:
    with pytest.raises(SpoolLost):
        RunFile(tmp_path / "0000000000000001.run", KEY, "delivery")


def test_a_descriptor_is_closed_once_where_closing_fails(scene: Spooling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another file's by then."""
    closed, original = list[int](), os.close

    def close(descriptor: int) -> None:
        closed.append(descriptor)
        original(descriptor)
        if len(closed) == 1:
            raise OSError(errno.EIO, "late news of a write")

    writer = RunWriter(scene.folder, 9, (KEY, "delivery"), SeededEntropy(9))
    monkeypatch.setattr("holdfast.delivery.spool.run_file.os.close", close)
    with pytest.raises(StoreError):
        writer.finish(begin_of(9), commit_of(9), (), ())
    monkeypatch.undo()
    assert len(closed) == 1
    assert list(scene.folder.glob("*9.*")) == []
