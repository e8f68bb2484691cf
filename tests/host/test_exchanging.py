"""Names exchanged in one step, and renames that never replace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.host.exchanging import exchange, rename_new


def test_a_file_and_a_link_change_places(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("elsewhere")
    exchange(os.fsencode(tmp_path / "file"), os.fsencode(tmp_path / "link"))
    assert os.readlink(tmp_path / "file") == "elsewhere"
    assert (tmp_path / "link").read_bytes() == b"content"


def test_one_that_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(FileNotFoundError):
        exchange(os.fsencode(tmp_path / "file"), os.fsencode(tmp_path / "none"))
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_rename_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        rename_new(os.fsencode(tmp_path / "file"), os.fsencode(tmp_path / "other"))
    rename_new(os.fsencode(tmp_path / "file"), os.fsencode(tmp_path / "new"))
    assert (tmp_path / "new").read_bytes() == b"content"
    assert (tmp_path / "other").read_bytes() == b"other"
