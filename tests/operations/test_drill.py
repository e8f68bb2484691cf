"""A drill proves what is equal, names what is not, fits its scratch, and leaves nothing behind."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HookFailed, NoSpace, UsageError
from holdfast.model.drills import SampleSize, parse_sample
from holdfast.operations.drill import (
    Around,
    CheckScript,
    Chosen,
    DrillOrder,
    DrillResult,
    choose_files,
    run_drill,
    scratch_folder,
    sweep_scratch,
)
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import VirtualClock

PLENTY = 1 << 40
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = SampleSize(ratio=1.0)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> TreeSource:
    root = tmp_path_factory.mktemp("drilled") / "source"
    build_odd_tree(root)
    return TreeSource(root)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> TreeSource:
    root = tmp_path_factory.mktemp("drilled") / "many"
    for number in range(40):
        (root / f"folder{number % 4}").mkdir(parents=True, exist_ok=True)
        (root / f"folder{number % 4}" / f"file{number}").write_bytes(b"x" * (number * 100))
    return TreeSource(root)


def order(source: TreeSource, folder: Path, sample: SampleSize, free: int = PLENTY, seed: bytes = b"seed") -> DrillOrder:
    sizes = [entry.size_bytes for entry in source.all.values() if entry.chunks]
    return DrillOrder(sample=sample, seed=seed, folder=folder, free=free, files=len(sizes), size_bytes=sum(sizes))


def drill(source: TreeSource, folder: Path, sample: SampleSize, check: CheckScript | None = None) -> DrillResult:
    around = Around(
        clock=VirtualClock(START), tell=lambda *_figures: None, cancelled=lambda: False, wait=lambda _seconds: None, check=check
    )
    return run_drill(source, order(source, folder, sample), around)


@pytest.mark.parametrize("sample", [EVERYTHING, SampleSize(files=5), SampleSize(ratio=0.2)])
def test_what_is_equal_is_proven_and_the_scratch_is_gone(source: TreeSource, tmp_path: Path, sample: SampleSize) -> None:
    with scratch_folder(tmp_path / "scratch", "drill") as folder:
        result = drill(source, folder, sample)
        assert folder.exists()
    assert result.proven
    assert result.files > 0
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_byte_that_changes_between_restore_and_comparison_is_found(source: TreeSource, tmp_path: Path) -> None:
    """The comparison believes the disk and not the restore: whatever is done to a file after it was written shows."""
    victims = [path for path, entry in source.all.items() if len(entry.chunks) == 1 and entry.links == 1]
    folder = tmp_path / "scratch"
    told: list[str] = []

    def tamper(phase: str, *_figures: int) -> None:
        place = os.fsencode(folder) + victims[0]
        if phase == "restoring" and os.path.exists(place) and not told:
            found = os.stat(place)
            os.chmod(place, 0o600)
            with open(place, "r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))
            os.chmod(place, found.st_mode)
            os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
            told.append(phase)

    around = Around(clock=VirtualClock(START), tell=tamper, cancelled=lambda: False, wait=lambda _seconds: None)
    result = run_drill(source, order(source, folder, EVERYTHING), around)
    assert told
    assert not result.proven
    assert [(finding.code, "content" in finding.message) for finding in result.findings] == [("drill-differs", True)]


def test_a_lost_chunk_is_named_by_its_file_and_the_others_are_proven(source: TreeSource, tmp_path: Path) -> None:
    whole = drill(source, tmp_path / "whole", EVERYTHING).files
    victim = next(path for path, entry in source.all.items() if len(entry.chunks) == 1 and entry.links == 1)
    chunk = source.all[victim].chunks[0].id
    needing = [path for path, entry in source.all.items() if any(ref.id == chunk for ref in entry.chunks)]
    source.refused.add(chunk)
    try:
        result = drill(source, tmp_path / "damaged", EVERYTHING)
    finally:
        source.refused.discard(chunk)
    assert {finding.path for finding in result.findings} == {os.fsdecode(path) for path in needing}
    assert result.files == whole - len(needing)


def test_the_check_sees_the_folder_and_its_failure_is_raised(source: TreeSource, tmp_path: Path) -> None:
    seen: list[bool] = []
    drill(source, tmp_path / "a", EVERYTHING, lambda folder: seen.append((folder / os.fsdecode(source.root[1:])).is_dir()))
    assert seen == [True]

    def refuse(_folder: Path) -> None:
        raise HookFailed("hook books ended with 1")

    with pytest.raises(HookFailed):
        drill(source, tmp_path / "b", EVERYTHING, refuse)


def test_a_sample_is_shrunk_to_the_room_there_is_and_says_so(many: TreeSource, tmp_path: Path) -> None:
    chosen = choose_files(many, order(many, tmp_path, EVERYTHING, free=5_000))
    assert not chosen.is_everything
    assert chosen.paths
    assert sum(many.all[path].size_bytes for path in chosen.paths) <= 5_000
    assert "room for" in chosen.note
    with pytest.raises(NoSpace):
        choose_files(many, order(many, tmp_path, SampleSize(files=1), free=-1))


@settings(deadline=None, max_examples=40)
@given(files=st.integers(1, 60), free=st.integers(0, 80_000), seed=st.binary(min_size=1, max_size=8))
def test_any_sample_fits_and_has_no_file_twice(many: TreeSource, files: int, free: int, seed: bytes) -> None:
    wanted = order(many, Path("/nowhere"), SampleSize(files=files), free=free, seed=seed)
    try:
        chosen: Chosen = choose_files(many, wanted)
    except NoSpace:
        return
    assert len(set(chosen.paths)) == len(chosen.paths) <= files
    assert sum(many.all[path].size_bytes for path in chosen.paths) <= free
    assert chosen == choose_files(many, wanted)
    assert bool(chosen.note) == (len(chosen.paths) < min(files, 40))


def test_what_a_killed_drill_left_is_swept(tmp_path: Path) -> None:
    place = tmp_path / "scratch"
    left = place / "drill-1" / "deep"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"left")
    left.chmod(0)
    assert sweep_scratch(place) == 1
    assert list(place.iterdir()) == []
    assert sweep_scratch(tmp_path / "never") == 0


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "ten", "1 %", "-1", "all files"])
def test_what_is_no_sample_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_sample(text)


def test_samples_as_people_write_them() -> None:
    assert parse_sample("100 files") == parse_sample("100") == SampleSize(files=100)
    assert parse_sample("1 file") == SampleSize(files=1)
    assert parse_sample("1%") == SampleSize(ratio=0.01)
    assert parse_sample("all").is_everything
    assert parse_sample("100%").is_everything
