"""The sample of a classification says exactly what a capture would do, within its bounds."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from holdfast.capture.sample import SampleBounds, take_sample
from holdfast.core.clock import SystemClock
from holdfast.model.document import Classification
from holdfast.model.sampling import Sample

ALL = SampleBounds(rows=10_000)


def sample(*paths: Path, bounds: SampleBounds = ALL, own: tuple[bytes, ...] = (), **classification: Any) -> Sample:
    asked = Classification(paths=tuple(map(str, paths)), **classification)
    return take_sample(asked, bounds, own=own, clock=SystemClock())


def reasons(found: Sample, root: Path) -> dict[str, tuple[str, str]]:
    return {row.path.removeprefix(f"{root}/"): (row.rule, row.detail) for row in found.left_out}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "srv"
    for name, size in {
        "a.txt": 1,
        "b.tmp": 2,
        "sub/c.txt": 3000,
        "sub/.cache/x": 4,
        "sub/deep/d.TXT": 5,
        "kept/e.tmp": 6,
        "c/f": 7,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)
    (root / "c/CACHEDIR.TAG").write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55")
    os.symlink("a.txt", root / "link")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "sock"))
    return root


def test_every_path_left_out_has_its_rule(tree: Path) -> None:
    found = sample(tree, exclude=("*.tmp", ".cache/", "!kept/*.tmp"))
    assert reasons(found, tree) == {
        "b.tmp": ("exclude", "*.tmp"),
        "sub/.cache": ("exclude", ".cache/"),
        "c/f": ("exclude_caches", "the folder bears a CACHEDIR.TAG"),
        "sock": ("kind", "a socket has no content"),
    }
    assert {row.path.removeprefix(f"{tree}/"): row.kind for row in found.chosen} == {
        "a.txt": "file",
        "c/CACHEDIR.TAG": "file",
        "kept/e.tmp": "file",
        "link": "symlink",
        "pipe": "fifo",
        "sub/c.txt": "file",
        "sub/deep/d.TXT": "file",
    }
    assert found.complete
    assert (found.chosen_total, found.left_out_total) == (7, 4)
    assert found.chosen_bytes == 1 + 43 + 6 + 3000 + 5


@pytest.mark.parametrize(
    ("classification", "rule", "left_out"),
    [
        ({"include": ("*.txt",)}, ("include", "no pattern matches"), "b.tmp"),
        ({"larger_than_bytes": 2048}, ("larger_than", "2.0 KiB"), "a.txt"),
        ({"smaller_than_bytes": 2048}, ("smaller_than", "2.0 KiB"), "sub/c.txt"),
        ({"older_than_s": 86_400.0}, ("older_than", "1d"), "a.txt"),
        ({"types": ("txt", "pdf")}, ("types", "txt, pdf"), "b.tmp"),
        ({"owners": ("4242",)}, ("owners", "4242"), "a.txt"),
        ({"groups": ("4242",)}, ("groups", "4242"), "a.txt"),
    ],
)
def test_limits_are_named_with_their_values(tree: Path, classification: dict[str, Any], rule: tuple[str, str], left_out: str) -> None:
    assert reasons(sample(tree, **classification), tree)[left_out] == rule


@pytest.mark.parametrize(
    "classification",
    [
        {},
        {"exclude": ("*.tmp", "sub/")},
        {"exclude": ("*", "!a.txt", "!sub/")},
        {"include": ("sub/",)},
        {"include": ("*.txt",), "exclude": ("deep/",)},
        {"types": ("txt",), "larger_than_bytes": 2},
        {"exclude_caches": False},
    ],
)
def test_it_chooses_what_a_capture_takes(machine: Any, tree: Path, classification: dict[str, Any]) -> None:
    receiver = machine.dataset("docs", tree, **classification)
    machine.run(receiver)
    taken = {os.fsdecode(path) for path, entry in receiver.tree.items() if entry.kind.value != "dir"}
    assert {row.path for row in sample(tree, **classification).chosen} == taken


def test_a_root_inside_an_excluded_folder_is_chosen(tree: Path) -> None:
    found = sample(tree, tree / "sub/.cache", exclude=("sub/",))
    assert f"{tree}/sub/.cache/x" in {row.path for row in found.chosen}
    assert reasons(found, tree)["sub"] == ("exclude", "sub/")


def test_places_of_our_own_are_left_out(tree: Path) -> None:
    found = sample(tree, own=(os.fsencode(tree / "sub"),))
    assert reasons(found, tree)["sub"] == ("holdfast", "a place of Holdfast itself")


def test_a_root_that_is_not_there_is_a_finding(tree: Path) -> None:
    found = sample(tree / "none", tree / "a.txt")
    assert [finding.code for finding in found.findings] == ["unreadable"]
    assert [row.path for row in found.chosen] == [f"{tree}/a.txt"]


def test_names_that_are_no_text_are_shown(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9\n<b>")).touch()
    assert [row.path for row in sample(tmp_path).chosen] == [f"{tmp_path}/caf\\xe9\\n<b>"]


def test_it_ends_at_its_bounds_and_shows_many_folders(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(40):
            (tmp_path / f"{folder:02}" / f"{number:02}").touch()
    found = sample(tmp_path, bounds=SampleBounds(rows=50))
    assert found.complete
    assert (len(found.chosen), found.chosen_total) == (50, 800)
    assert len({row.path.rpartition("/")[0] for row in found.chosen}) == 10
    assert len(sample(tmp_path / "00", bounds=SampleBounds(rows=30)).chosen) == 30
    short = sample(tmp_path, bounds=SampleBounds(entries=100))
    assert not short.complete
    assert 0 < short.chosen_total <= 100


def test_it_ends_when_its_time_is_over(tmp_path: Path) -> None:
    class Hurried(SystemClock):
        looks = 0

        def monotonic_s(self) -> float:
            self.looks += 1
            return float(self.looks)

    for number in range(3000):
        (tmp_path / str(number)).touch()
    found = take_sample(Classification(paths=(str(tmp_path),)), SampleBounds(seconds=3), clock=Hurried())
    assert not found.complete
