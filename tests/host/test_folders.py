"""Listing folders for a picker: only folders, never through a symlink, names of any bytes, however many there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.core.errors import UsageError
from holdfast.host import folders
from holdfast.host.folders import clean_folder, list_folders, roots_as_folders
from holdfast.model.sampling import Folder


def listed(path: Path, *hidden: Path) -> list[str]:
    found = list_folders(os.fsencode(path), hidden=[os.fsencode(place) for place in hidden])
    assert found.error is None
    return [folder.name for folder in found.folders]


def test_it_lists_folders_by_name_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b", "a", "B", "own"):
        (tmp_path / name).mkdir(mode=0o750)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    assert listed(tmp_path, tmp_path / "own") == ["B", "a", "b"]
    found = list_folders(os.fsencode(tmp_path))
    assert found.folders[1] == Folder(name="a", path=f"{tmp_path}/a", mode=0o750)
    assert (found.path, found.path_raw, found.more) == (str(tmp_path), b"", False)
    assert "/usr" in [folder.path for folder in list_folders(b"/").folders]


def test_names_of_any_bytes_are_shown_and_can_be_asked_for(tmp_path: Path) -> None:
    base = os.fsencode(tmp_path)
    names = (b"\xff\xfe", "héllo".encode(), b"<b>&", b"two\nlines", b"back\\slash", b"a%20b")
    for name in names:
        os.makedirs(base + b"/" + name + b"/inside")
    found = {folder.name: folder for folder in list_folders(base).folders}
    assert set(found) == {"\\xff\\xfe", "héllo", "<b>&", "two\\nlines", "back\\slash", "a%20b"}
    assert {name for name, folder in found.items() if folder.path_raw} == {"\\xff\\xfe", "two\\nlines"}
    for folder in found.values():
        inside = list_folders(folder.path_raw or folder.path.encode())
        assert [each.name for each in inside.folders] == ["inside"]


def test_no_symlink_is_followed_not_even_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    for path in (tmp_path / "link", tmp_path / "link" / "sub"):
        found = list_folders(os.fsencode(path))
        assert found.folders == ()
        assert found.error is not None
        assert "symbolic link" in found.error.message


def test_what_cannot_be_looked_at_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, code in (("nope", "unknown-name"), ("file", "usage"), ("x" * 300, "source")):
        error = list_folders(os.fsencode(tmp_path / name)).error
        assert error is not None
        assert error.code == code
        assert error.hint


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    error = list_folders(os.fsencode(tmp_path / "shut")).error
    assert error is not None
    assert error.code == "source"


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        (tmp_path / f"{number}").mkdir()
    monkeypatch.setattr(folders, "MOST_FOLDERS", 7)
    assert not list_folders(os.fsencode(tmp_path)).more
    monkeypatch.setattr(folders, "MOST_FOLDERS", 5)
    found = list_folders(os.fsencode(tmp_path))
    assert ([folder.name for folder in found.folders], found.more) == (["0", "1", "2", "3", "4"], True)
    monkeypatch.setattr(folders, "MOST_LOOKED_AT", 3)
    found = list_folders(os.fsencode(tmp_path))
    assert (len(found.folders), found.more) == (3, True)


@pytest.mark.parametrize(
    ("path", "clean"), [(b"", b"/"), (b"/", b"/"), (b"//srv/./data/", b"/srv/data"), (b"/\xff", b"/\xff"), (b"/...", b"/...")]
)
def test_paths_are_made_plain(path: bytes, clean: bytes) -> None:
    assert clean_folder(path) == clean


@pytest.mark.parametrize("path", [b"srv", b"/srv/../etc", b"..", b"/a\0b", b"./x"])
def test_paths_that_are_none_are_refused(path: bytes) -> None:
    with pytest.raises(UsageError):
        clean_folder(path)


def test_roots_stand_in_the_place_of_everything() -> None:
    found = roots_as_folders((b"/srv/\xff", b"/etc"))
    assert [(folder.name, folder.path_raw) for folder in found.folders] == [("/etc", b""), ("/srv/\\xff", b"/srv/\xff")]
