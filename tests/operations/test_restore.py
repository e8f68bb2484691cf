"""A restore writes exactly what was, only where it may, and says what it could not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import zstandard

from holdfast.core import errors
from holdfast.core.errors import Cancelled, NoSpace, NotReachable, OutsideLimits, StoreError, UnknownName
from holdfast.host.compare import compare_trees
from holdfast.model.change import Payload
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import Conflict, RestoreRequest
from holdfast.operations.restore import Findings, RestoreResult, require_space, restore
from holdfast.operations.restore_plan import RestorePlan, SpaceNeed
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.small_disk import small_disk
from holdfast.testing.tree_source import TreeSource


class HandClock:
    def __init__(self) -> None:
        self.ns = 1_800_000_000 * 10**9

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / 10**9


def allow(path: bytes) -> None:
    del path


def run(
    source: TreeSource, target: Path, *, conflict: Conflict = "overwrite", paths: Sequence[bytes] = (), dry_run: bool = False
) -> RestoreResult:
    request = RestoreRequest(target=str(target), conflict=conflict, dry_run=dry_run)
    return restore(source, request, paths, clock=HandClock(), check_write=allow)


@pytest.fixture
def source(tmp_path: Path) -> TreeSource:
    build_odd_tree(tmp_path / "source")
    return TreeSource(tmp_path / "source")


def below(target: Path, source: TreeSource) -> Path:
    return target / os.fsdecode(source.root[1:])


def differences(source: TreeSource, target: Path) -> list[str]:
    return [str(difference) for difference in compare_trees(source.root, os.fsencode(below(target, source)))]


def test_an_odd_tree_comes_back_exactly_with_its_full_path(tmp_path: Path, source: TreeSource) -> None:
    result = run(source, tmp_path / "out")
    assert differences(source, tmp_path / "out") == []
    assert (result.findings, result.failed, result.skipped) == ((), 0, 0)
    assert (result.files, result.bytes) == (result.plan.files, result.plan.bytes)
    parent = below(tmp_path / "out", source).parent
    assert parent.stat().st_mtime_ns == source.all[os.path.dirname(source.root)].mtime_ns
    assert below(tmp_path / "out", source).joinpath("sparse").stat().st_blocks * 512 < 1 << 20


def test_compressed_and_large_files_over_many_batches(tmp_path: Path) -> None:
    class Compressed(TreeSource):
        asked = 0

        def payloads(self, ids: Sequence[bytes]):  # type: ignore[no-untyped-def]
            self.asked += 1
            for payload in super().payloads(ids):
                yield Payload(payload.id, payload.size_bytes, True, zstandard.compress(payload.data))

    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "large").write_bytes(os.urandom(40 << 20))
    (tmp_path / "source" / "small").write_bytes(b"small")
    source = Compressed(tmp_path / "source", chunk_bytes=1 << 20)
    run(source, tmp_path / "out")
    assert differences(source, tmp_path / "out") == []
    assert source.asked == 11


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, source: TreeSource) -> None:
    result = run(source, tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists()
    done = run(source, tmp_path / "out")
    assert (result.files, result.bytes, result.plan) == (done.files, done.bytes, done.plan)


def test_named_paths_only(tmp_path: Path, source: TreeSource) -> None:
    result = run(source, tmp_path / "out", paths=[source.root + b"/a/b", source.root + b"/level0"])
    assert sorted(os.listdir(below(tmp_path / "out", source))) == ["a", "level0"]
    assert result.files == 2
    assert list(compare_trees(source.root + b"/level0", os.fsencode(below(tmp_path / "out", source) / "level0"))) == []
    assert below(tmp_path / "out", source).stat().st_mode & 0o777 == 0o755
    with pytest.raises(UnknownName):
        run(source, tmp_path / "out", paths=[b"/not/there"])


def test_overwrite_replaces_what_differs_and_leaves_what_is_equal(tmp_path: Path, source: TreeSource) -> None:
    run(source, tmp_path / "out")
    place = below(tmp_path / "out", source)
    inode = (place / "a-b").stat().st_ino
    (place / "a-b").chmod(0o777)
    (place / "plain").write_bytes(b"changed")
    (place / "link").unlink()
    (place / "link").mkdir()
    (place / "link" / "deep").write_bytes(b"x")
    shutil.rmtree(place / "empty-folder")
    (place / "empty-folder").write_bytes(b"a file now")
    result = run(source, tmp_path / "out")
    assert differences(source, tmp_path / "out") == []
    assert (place / "a-b").stat().st_ino == inode
    assert result.kept >= 5


def test_skip_leaves_everything_that_is_there(tmp_path: Path, source: TreeSource) -> None:
    place = below(tmp_path / "out", source)
    place.mkdir(parents=True)
    (place / "plain").write_bytes(b"mine")
    (place / "a").write_bytes(b"not a folder")
    place.chmod(0o711)
    result = run(source, tmp_path / "out", conflict="skip")
    assert (place / "plain").read_bytes() == b"mine"
    assert (place / "a").read_bytes() == b"not a folder"
    assert (place / "a-b").read_bytes() == b"sorts around a folder named a"
    assert place.stat().st_mode & 0o777 == 0o711
    assert result.skipped == 3
    assert [finding.code for finding in result.findings] == ["not-a-folder"]


def test_rename_restores_beside(tmp_path: Path, source: TreeSource) -> None:
    place = below(tmp_path / "out", source)
    place.mkdir(parents=True)
    (place / "a-b").write_bytes(b"mine")
    (place / "a").write_bytes(b"not a folder")
    (place / ("n" * 255)).write_bytes(b"mine")
    shutil.copy2(os.fsdecode(source.root) + "/empty", place / "empty")
    result = run(source, tmp_path / "out", conflict="rename")
    suffix = ".restored-20270115T080000Z"
    assert (place / "a-b").read_bytes() == b"mine"
    assert (place / ("a-b" + suffix)).read_bytes() == b"sorts around a folder named a"
    assert (place / ("a" + suffix) / "b").read_bytes() == b"inside"
    assert (place / ("n" * (255 - len(suffix)) + suffix)).read_bytes() == b"long name"
    assert result.kept == 1
    assert run(source, tmp_path / "out", conflict="rename").failed == 0
    assert (place / ("a-b" + suffix + "-2")).exists()


def test_a_damaged_chunk_fails_its_files_only(tmp_path: Path, source: TreeSource) -> None:
    plain = source.all[source.root + b"/plain"]
    place = below(tmp_path / "out", source)
    place.mkdir(parents=True)
    (place / "a-b").write_bytes(b"old content stays")
    source.refused.add(plain.chunks[1].id)
    changed = source.all[source.root + b"/a-b"].chunks[0].id
    source.chunks[changed] = b"flipped bits, equally long..."
    assert len(source.chunks[changed]) == source.all[source.root + b"/a-b"].size_bytes
    result = run(source, tmp_path / "out")
    assert {finding.code for finding in result.findings if "a-b" in finding.path} == {"repository-damaged"}
    assert result.failed == 4
    assert not (place / "plain").exists()
    assert not (place / "zz-hard").exists()
    assert (place / "a-b").read_bytes() == b"old content stays"
    assert (place / "setuid").read_bytes() == b"#!"
    assert not [name for name in os.listdir(place) if name.startswith(".holdfast")]


def test_a_folder_replaced_by_a_link_between_plan_and_write_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "source" / "folder").mkdir(parents=True)
    (tmp_path / "source" / "folder" / "file").write_bytes(b"secret")
    (tmp_path / "source" / "other").write_bytes(b"other")
    place = tmp_path / "out" / str(tmp_path / "source")[1:]
    (place / "folder").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()

    class Attacked(TreeSource):
        def payloads(self, ids: Sequence[bytes]):  # type: ignore[no-untyped-def]
            (place / "folder").rmdir()
            (place / "folder").symlink_to(outside)
            yield from super().payloads(ids)

    result = run(Attacked(tmp_path / "source"), tmp_path / "out")
    assert os.listdir(outside) == []
    assert {finding.code for finding in result.findings} == {"conflict"}
    assert (place / "other").read_bytes() == b"other"


def test_a_target_replaced_by_a_link_after_the_check_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"x")
    parent, elsewhere = tmp_path / "parent", tmp_path / "elsewhere"
    for folder in (parent / "target", elsewhere / "target"):
        folder.mkdir(parents=True)

    def check(path: bytes) -> None:
        if not parent.is_symlink():
            parent.rename(tmp_path / "old")
            parent.symlink_to(elsewhere)

    request = RestoreRequest(target=str(parent / "target"))
    with pytest.raises((errors.Conflict, StoreError)):
        restore(TreeSource(tmp_path / "source"), request, (), clock=HandClock(), check_write=check)
    assert list((elsewhere / "target").iterdir()) == []


def test_a_file_does_not_take_the_place_of_a_folder_with_something_protected_in_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "srv").write_bytes(b"a file where there was a folder")
    source = TreeSource(tmp_path / "source")
    protected = below(tmp_path / "out", source) / "srv" / "home"
    protected.mkdir(parents=True)

    def check_remove(path: bytes) -> None:
        if bytes(protected).startswith(path):
            raise OutsideLimits("would remove")

    request = RestoreRequest(target=str(tmp_path / "out"))
    with pytest.raises(OutsideLimits):
        restore(source, request, (), clock=HandClock(), check_write=allow, check_remove=check_remove)
    assert protected.is_dir()


def test_limits_refuse_all_or_what_is_outside(tmp_path: Path, source: TreeSource) -> None:
    request = RestoreRequest(target=str(tmp_path / "out"))

    def refuse(path: bytes) -> None:
        raise OutsideLimits(repr(path))

    with pytest.raises(OutsideLimits):
        restore(source, request, (), clock=HandClock(), check_write=refuse)
    assert not (tmp_path / "out").exists()

    place = os.fsencode(below(tmp_path / "out", source))

    def only_a(path: bytes) -> None:
        if not (path + b"/").startswith(place + b"/a/"):
            raise OutsideLimits(repr(path))

    os.makedirs(place + b"/a")
    before = os.stat(place).st_mtime_ns
    result = restore(source, request, (), clock=HandClock(), check_write=only_a)
    assert sorted(os.listdir(place)) == [b"a"]
    assert sorted(os.listdir(place + b"/a")) == [b"b", b"hard"]
    assert os.stat(place).st_mtime_ns == before
    assert {finding.code for finding in result.findings} == {"outside-limits"}
    assert result.failed == result.findings_total


def test_parents_above_the_roots_are_only_passed_through(tmp_path: Path, source: TreeSource) -> None:
    parent = below(tmp_path / "out", source).parent
    parent.mkdir(parents=True)
    os.utime(parent, ns=(5, 5))
    request = RestoreRequest(target=str(tmp_path / "out"))
    restore(source, request, (), clock=HandClock(), check_write=allow, roots=(source.root,))
    assert parent.stat().st_mtime_ns != source.all[os.path.dirname(source.root)].mtime_ns
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "real").mkdir()
    parent.parent.mkdir(parents=True)
    parent.symlink_to(tmp_path / "real")
    result = restore(source, request, (), clock=HandClock(), check_write=allow, roots=(source.root,))
    assert os.listdir(tmp_path / "real") == []
    assert [finding.code for finding in result.findings] == ["not-a-folder"]


def test_a_limit_waits_and_progress_is_told(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(os.urandom(1_000_000))
    clock, waited, told = HandClock(), list[float](), list[tuple[int, int, int]]()

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.ns += int(seconds * 10**9)

    request = RestoreRequest(target=str(tmp_path / "out"), limit_bytes_s=100_000)
    source = TreeSource(tmp_path / "source")
    restore(source, request, (), clock=clock, check_write=allow, wait=wait, on_progress=lambda *figures: told.append(figures))
    assert 9 < sum(waited) < 10
    assert told[-1] == (1, 1_000_000, 1_000_000)


def test_cancelling_leaves_only_whole_files(tmp_path: Path, source: TreeSource) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 12

    with pytest.raises(Cancelled):
        restore(source, RestoreRequest(target=str(tmp_path / "out")), (), clock=HandClock(), check_write=allow, cancelled=cancelled)
    assert not list((tmp_path / "out").rglob(".holdfast*"))


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    plan = RestorePlan(
        target=b"/x", folders=0, files=1, bytes=1, replaced=0, renamed=0, kept=0, skipped=0, refused=0,
        space=(SpaceNeed(os.fsencode(tmp_path), 1 << 60),),
    )  # fmt: skip
    with pytest.raises(NoSpace) as refused:
        require_space(plan)
    assert "needs 1024.0 PiB" in refused.value.message


def test_a_reader_that_breaks_off_ends_the_restore(source: TreeSource, tmp_path: Path) -> None:
    class Away(TreeSource):
        def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
            yield from list(super().payloads(ids))[:1]
            raise NotReachable("the owner is away")

    with pytest.raises(NotReachable):
        run(Away(tmp_path / "source"), tmp_path / "target")


def test_what_a_read_only_disk_kept_from_being_written_is_one_finding(tmp_path: Path, source: TreeSource) -> None:
    with small_disk(tmp_path / "disk", 64 << 20) as disk:
        disk.be_read_only()
        result = run(source, disk.place)
    (finding,) = result.findings
    assert (finding.code, result.findings_total, result.files) == ("read-only", 1, 0)
    assert result.failed > 10
    assert f"{result.failed:,} paths were not written" in finding.message
    assert len(finding.affected) == 10
    assert set(finding.affected) <= {display_path(path) for path in source.all}


def test_one_path_on_a_read_only_disk_is_told_by_itself() -> None:
    told = Findings()
    for number, code in enumerate(("store", "read-only", "store")):
        told.add(Finding(code=code, severity=Severity.ERROR, message=f"cannot write {number}", path=f"/{number}"))
    assert ([finding.path for finding in told.kept], told.total) == (["/0", "/1", "/2"], 3)
    told.add(Finding(code="read-only", severity=Severity.ERROR, message="cannot write 3", path="/3"))
    assert [finding.affected for finding in told.kept] == [(), ("/1", "/3"), ()]
    assert told.total == 3
