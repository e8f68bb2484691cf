"""A restore that was killed leaves temporary files; the next one to the same place removes them, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.host.compare import compare_trees
from holdfast.host.tree_writer import TreeWriter
from holdfast.model.orders import RestoreRequest
from holdfast.operations.restore import restore
from holdfast.testing.tree_source import TreeSource

KILLED = """
import os, signal, sys
from pathlib import Path
from holdfast.core.clock import SystemClock
from holdfast.model.orders import RestoreRequest
from holdfast.operations.restore import restore
from holdfast.testing.tree_source import TreeSource

class Dying(TreeSource):
    asked = 0
    def payloads(self, ids):
        self.asked += 1
        if self.asked == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().payloads(ids)

restore(Dying(Path(sys.argv[1])), RestoreRequest(target=sys.argv[2]), (), clock=SystemClock(), check_write=lambda path: None)
"""


def temporary(folder: Path) -> list[Path]:
    return sorted(folder.rglob(".holdfast-tmp-*"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "small").write_bytes(b"small")
    (folder / "inner" / "large").write_bytes(os.urandom(40 << 20))
    return folder


def test_what_a_killed_restore_left_is_removed_by_the_next(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, str(source), str(target)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(temporary(target)) == 1
    result = restore(TreeSource(source), RestoreRequest(target=str(target)), (), clock=SystemClock(), check_write=lambda path: None)
    assert result.failed == 0
    assert temporary(target) == []
    assert [str(found) for found in compare_trees(os.fsencode(source), os.fsencode(target) + os.fsencode(source))] == []


def test_names_that_look_alike_and_files_still_being_written_stay(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True, text=True, timeout=60)
    folder = tmp_path / "folder"
    folder.mkdir()
    mine = [".holdfast-tmp-", ".holdfast-tmp-mine", ".holdfast-tmp-1-1.txt", "holdfast-tmp-1-1", f".holdfast-tmp-{os.getppid()}-0"]
    left = [f".holdfast-tmp-{gone.stdout.strip()}-{number}" for number in range(3)]
    for name in (*mine, *left[:2]):
        (folder / name).write_bytes(b"x")
    (folder / left[2]).symlink_to("nowhere")
    writing = TreeWriter(tmp_path)
    draft = writing.begin_file(b"folder/busy")
    sweeping = TreeWriter(tmp_path)
    assert sweeping.sweep(b"folder") == 3
    assert sorted(os.listdir(folder)) == sorted([*mine, os.fsdecode(draft.name)])
    writing.discard(draft)
    writing.close()
    sweeping.close()
