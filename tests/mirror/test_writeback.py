"""Writing back ahead of a commit is a help and no promise: whatever becomes of it, nobody is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from holdfast.mirror.writeback import Writeback


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "writeback"]


def test_few_changes_start_nothing_and_many_one_at_a_time(tmp_path: Path) -> None:
    writeback = Writeback(os.fsencode(tmp_path))
    writeback.written(1)
    assert running() == []
    for _ in range(5):
        writeback.written(1_000)
        assert len(running()) <= 1
    writeback.join()
    assert running() == []


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    writeback = Writeback(os.fsencode(tmp_path / "gone"))
    writeback.written(1_000)
    writeback.join()
    assert running() == []
