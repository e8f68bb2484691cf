"""Private files: replaced whole, readable by nobody else, whatever lay there before."""

from __future__ import annotations

import stat
from pathlib import Path

from holdfast.core.private_files import make_private_folder, write_private


def test_a_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"much older and longer")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_what_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    left = tmp_path / ".secret.new"
    left.write_bytes(b"half of something longer")
    left.chmod(0o666)
    write_private(tmp_path / "secret", b"new")
    assert (tmp_path / "secret").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_folders_are_made_private(tmp_path: Path) -> None:
    folder = make_private_folder(tmp_path / "run")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert make_private_folder(folder) == folder
