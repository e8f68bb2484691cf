"""A mirror is equal to its source, whatever happens on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.errors import Conflict, OutsideLimits, ProtocolError, RepositoryLocked, StoreError
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.host.compare import compare_trees
from holdfast.mirror.mirror import Mirror, MirrorStore
from holdfast.model.change import Begin, Cursor
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.feeding import Feeder, States, cursor_of
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource

DATASET = DatasetId("d" * 32)
DAY_NS = 86_400 * 10**9


class HandClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.ns = 1_800_000_000 * 10**9

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / 10**9


class Bench:
    """One source folder, one mirror of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.source = place / "source"
        self.target = place / "mirrors" / "copy"
        self.side = place / "mirrors" / ".holdfast-copy"
        self.clock = HandClock()
        self.keep_s: float | None = 604_800
        self.feeder = Feeder(DATASET, (os.fsencode(self.source),), {})
        self.last: States | None = None
        self.mirror: Mirror | None = None

    def open(self, *, adopt: bool = False, dataset: DatasetId = DATASET) -> Mirror:
        self.close()
        action = MirrorAction(id=ActionId("a" * 32), targets=((str(self.source), str(self.target)),), removed_keep_s=self.keep_s)
        receive = Receive(dataset=dataset, label="files1/documents", sender=NodeId("n" * 32), actions=(action,))
        self.mirror = MirrorStore(self.place / "home").open_mirror(action, receive, clock=self.clock, adopt=adopt)
        return self.mirror

    def close(self) -> None:
        if self.mirror is not None:
            self.mirror.close()
            self.mirror = None

    def read(self) -> States:
        read = TreeSource(self.source)
        self.feeder.chunks.update(read.chunks)
        return read.all

    def run(self, *, full: bool = False) -> list[str]:
        """Capture and send; the codes of the findings."""
        mirror = self.mirror or self.open()
        new = self.read()
        answer = mirror_commit(self.feeder, mirror, None if full else self.last, new)
        self.last = new
        return answer

    def differences(self) -> list[str]:
        return [str(difference) for difference in compare_trees(self.source, self.target)]

    def removed(self) -> list[str]:
        return sorted(str(path.relative_to(self.side / "removed")).split("/", 1)[1] for path in (self.side / "removed").glob("*/**/*"))


def mirror_commit(feeder: Feeder, mirror: Mirror, old: States | None, new: States) -> list[str]:
    answer = feeder.send(mirror, old, new)
    assert answer.error is None
    assert answer.cursor == cursor_of(feeder) == mirror.cursor()
    return [finding.code for finding in answer.findings]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def rsync_sees(source: Path, target: Path) -> str:
    done = subprocess.run(
        ["rsync", "-nacHAX", "--delete", "--itemize-changes", f"{source}/", f"{target}/"], check=True, capture_output=True, text=False
    )
    return done.stdout.decode("utf-8", "replace")


def test_an_odd_tree_is_mirrored_exactly_and_rsync_agrees(bench: Bench) -> None:
    build_odd_tree(bench.source)
    assert bench.run() == []
    assert bench.differences() == []
    assert rsync_sees(bench.source, bench.target) == ""
    assert (bench.target / "sparse").stat().st_blocks * 512 < 1 << 20
    assert os.listdir(bench.side / "tmp") == []
    assert bench.side.stat().st_mode & 0o777 == 0o700


def test_changes_renames_and_removals_follow_with_little_traffic(bench: Bench) -> None:
    build_odd_tree(bench.source)
    (bench.source / "big").write_bytes(os.urandom(300_000))
    bench.run()
    sent = bench.feeder.given
    (bench.source / "big").rename(bench.source / "0-renamed")
    (bench.source / "a-b").rename(bench.source / "zzz-moved")
    (bench.source / "plain").chmod(0o600)
    (bench.source / "level0").rename(bench.source / "a" / "moved-deep")
    (bench.source / "line\nbreak").unlink()
    (bench.source / "fifo").unlink()
    (bench.source / "fifo").write_bytes(b"")
    shutil.rmtree(bench.source / "inherits")
    (bench.source / "inherits").symlink_to("nowhere")
    assert bench.run() == []
    assert bench.differences() == []
    assert bench.feeder.given == sent
    assert rsync_sees(bench.source, bench.target) == ""
    assert "big" in bench.removed()


def test_unchanged_files_are_not_written_again_and_metadata_is_set_in_place(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "large").write_bytes(os.urandom(50_000))
    bench.run()
    inode = (bench.target / "large").stat().st_ino
    (bench.source / "large").chmod(0o640)
    bench.run()
    assert (bench.target / "large").stat().st_ino == inode
    assert bench.run(full=True) == []
    assert (bench.target / "large").stat().st_ino == inode
    assert bench.differences() == []


def test_a_changed_middle_of_a_large_file_sends_only_that(bench: Bench) -> None:
    bench.source.mkdir()
    data = bytearray(os.urandom(80_000))
    (bench.source / "large").write_bytes(data)
    bench.run()
    sent = bench.feeder.given
    data[50_000] ^= 1
    (bench.source / "large").write_bytes(data)
    bench.run()
    assert bench.feeder.given - sent == 4096
    assert bench.differences() == []


def test_hard_links_are_made_broken_and_extended(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "b").write_bytes(b"shared")
    os.link(bench.source / "b", bench.source / "c")
    bench.run()
    os.link(bench.source / "b", bench.source / "a")
    os.link(bench.source / "b", bench.source / "d")
    bench.run()
    assert bench.differences() == []
    (bench.source / "c").write_bytes(b"all four change")
    bench.run()
    assert bench.differences() == []
    shutil.copy2(bench.source / "b", bench.source / "copy")
    (bench.source / "copy").rename(bench.source / "b")
    bench.run()
    assert bench.differences() == []
    (bench.source / "a").unlink()
    (bench.source / "c").rename(bench.source / "moved")
    bench.run()
    assert bench.differences() == []


def test_removals_are_kept_then_purged(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.run()
    shutil.rmtree(bench.source / "level0")
    bench.run()
    assert "/".join(f"level{n}" for n in range(40)) + "/bottom" in bench.removed()
    bench.clock.ns += 6 * DAY_NS
    bench.run()
    assert bench.removed()
    bench.clock.ns += 2 * DAY_NS
    bench.run()
    assert bench.removed() == []


@pytest.mark.parametrize(("keep_s", "kept"), [(None, False), (-1, True)])
def test_removals_are_followed_at_once_or_kept_for_ever(bench: Bench, keep_s: float | None, kept: bool) -> None:
    bench.keep_s = keep_s
    build_odd_tree(bench.source)
    bench.run()
    shutil.rmtree(bench.source / "a")
    (bench.source / "empty").unlink()
    assert bench.run() == []
    bench.clock.ns += 5_000 * DAY_NS
    bench.run()
    assert bench.differences() == []
    assert bool(bench.removed()) is kept


def test_a_folder_with_somebody_elses_file_is_not_deleted(bench: Bench) -> None:
    bench.keep_s = None
    build_odd_tree(bench.source)
    bench.run()
    (bench.target / "a" / "precious").write_bytes(b"theirs")
    shutil.rmtree(bench.source / "a")
    assert bench.run() == ["mirror-edited"]
    assert bench.differences() == []
    assert bench.removed() == ["a", "a/precious"]


def test_an_edited_file_is_moved_aside_when_it_is_replaced(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "file").write_bytes(b"first" * 3000)
    (bench.source / "other").write_bytes(b"other")
    bench.run()
    (bench.target / "file").write_bytes(b"edited by hand")
    (bench.target / "other").chmod(0o600)
    (bench.source / "file").write_bytes(b"second" * 3000)
    (bench.source / "other").write_bytes(b"only its mode was touched")
    assert bench.run() == ["mirror-edited"]
    assert bench.differences() == []
    assert bench.removed() == ["file"]
    kept = next((bench.side / "removed").glob("*/file"))
    assert kept.read_bytes() == b"edited by hand"


def test_a_full_commit_mends_whatever_was_done_to_the_mirror(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.run()
    (bench.target / "stranger").mkdir()
    (bench.target / "stranger" / "file").write_bytes(b"x")
    (bench.target / "plain").write_bytes(b"edited")
    (bench.target / "a-b").chmod(0o777)
    (bench.target / "link").unlink()
    shutil.rmtree(bench.target / "empty-folder")
    (bench.target / "empty-folder").symlink_to("/etc")
    os.utime(bench.target / "inherits", ns=(1, 1))
    shutil.rmtree(bench.target / "level0" / "level1")
    codes = bench.run(full=True)
    assert set(codes) == {"mirror-edited"}
    assert bench.differences() == []
    assert {"stranger/file", "plain", "empty-folder"} <= set(bench.removed())


def test_a_promise_that_does_not_hold_fails_the_commit_and_the_repeat_is_right(bench: Bench) -> None:
    bench.source.mkdir()
    data = os.urandom(8192)
    (bench.source / "file").write_bytes(data)
    bench.run()
    mirrored = bench.target / "file"
    found = mirrored.stat()
    mirrored.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(mirrored, ns=(found.st_atime_ns, found.st_mtime_ns))
    (bench.source / "copy").write_bytes(data)
    mirror = bench.mirror
    assert mirror is not None
    before, cursor = bench.last, mirror.cursor()
    new = bench.read()
    with pytest.raises(StoreError):
        bench.feeder.send(mirror, before, new)
    mirror.abort()
    assert mirror.cursor() == cursor
    answer = bench.feeder.send(mirror, before, new)
    assert ([finding.code for finding in answer.findings], answer.cursor) == (["mirror-edited"], None)
    assert (bench.target / "copy").read_bytes() == data
    assert bench.run(full=True) == []
    assert bench.differences() == []


def test_withdrawn_chunks_leave_what_was_there(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "file").write_bytes(b"old")
    (bench.source / "same").write_bytes(b"1")
    bench.run()
    (bench.source / "file").write_bytes(b"new content, gone before it could be read")
    (bench.source / "large").write_bytes(os.urandom(30_000))
    (bench.source / "same").write_bytes(b"2")
    state = bench.read()
    entry = state[os.fsencode(bench.source / "file")]
    large = state[os.fsencode(bench.source / "large")]
    bench.feeder.withdrawn = {entry.chunks[0].id, large.chunks[3].id}
    assert bench.run() == ["changed-while-sent", "changed-while-sent"]
    assert (bench.target / "file").read_bytes() == b"old"
    assert (bench.target / "same").read_bytes() == b"2"
    assert not (bench.target / "large").exists()
    bench.feeder.withdrawn = set()
    bench.last = {path: entry for path, entry in state.items() if b"file" not in path and b"large" not in path}
    bench.run()
    assert bench.differences() == []


def test_an_aborted_commit_touches_nothing_and_its_content_is_not_sent_again(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "large").write_bytes(os.urandom(200_000))
    (bench.source / "small").write_bytes(b"small")
    mirror = bench.open()

    def stop(number: int) -> None:
        if number == 20:
            raise StoreError("cut off")

    bench.feeder.on_segment = stop
    with pytest.raises(StoreError):
        bench.feeder.send(mirror, None, bench.read())
    mirror.abort()
    assert not bench.target.exists()
    bench.feeder.on_segment = None
    sent = bench.feeder.given
    bench.open()
    bench.run(full=True)
    assert bench.differences() == []
    assert bench.feeder.given <= 200_005 + 4096 * 4
    assert bench.feeder.given - sent < 80_000
    assert os.listdir(bench.side / "tmp") == []


def test_a_repeated_commit_is_acknowledged_again_and_a_wrong_base_refused(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.run()
    assert bench.mirror is not None
    bench.run()
    bench.feeder.seq -= 1
    bench.run()
    bench.feeder.epoch = type(bench.feeder.epoch)("f" * 32)
    with pytest.raises(ProtocolError):
        bench.mirror.begin(_foreign_base(bench))
    bench.run(full=True)
    assert bench.differences() == []


def _foreign_base(bench: Bench) -> Begin:
    return Begin(
        dataset=DATASET,
        label="x",
        epoch=bench.feeder.epoch,
        seq=9,
        base=Cursor(bench.feeder.epoch, 8),
        roots=bench.feeder.roots,
        hostname="",
    )


def test_a_single_file_and_the_root_of_all_as_roots(bench: Bench, tmp_path: Path) -> None:
    bench.source.write_bytes(b"just a file")
    bench.run()
    assert bench.target.read_bytes() == b"just a file"
    bench.source.unlink()
    bench.source.mkdir()
    (bench.source / "now").write_bytes(b"a folder")
    bench.run()
    assert bench.differences() == []
    assert "copy" in bench.removed()


def test_several_roots_have_their_targets(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_odd_tree(tmp_path / name)
    sources = [TreeSource(tmp_path / name) for name in ("one", "two")]
    action = MirrorAction(
        id=ActionId("a" * 32), targets=tuple((str(tmp_path / name), str(tmp_path / "out" / name)) for name in ("one", "two"))
    )
    receive = Receive(dataset=DATASET, label="x", sender=NodeId("n"), actions=(action,))
    mirror = MirrorStore(tmp_path / "home").open_mirror(action, receive, clock=HandClock())
    feeder = Feeder(DATASET, tuple(source.root for source in sources), {**sources[0].chunks, **sources[1].chunks})
    mirror_commit(feeder, mirror, None, {**sources[0].all, **sources[1].all})
    for name in ("one", "two"):
        assert list(compare_trees(tmp_path / name, tmp_path / "out" / name)) == []
    mirror.close()


def test_a_foreign_folder_is_refused_without_adopt_and_taken_over_with_it(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.target.parent.mkdir()
    subprocess.run(["cp", "-a", str(bench.source), str(bench.target)], check=True)
    (bench.target / "plain").unlink()
    (bench.target / "theirs").write_bytes(b"not ours")
    with pytest.raises(Conflict) as refused:
        bench.open()
    assert "--adopt" in refused.value.hint
    inode = (bench.target / "a-b").stat().st_ino
    bench.open(adopt=True)
    assert set(bench.run(full=True)) <= {"mirror-edited"}
    assert bench.differences() == []
    assert bench.feeder.given == 0
    assert (bench.target / "a-b").stat().st_ino == inode
    assert "theirs" in bench.removed()
    bench.open()
    assert bench.run() == []


def test_another_datasets_mirror_is_refused(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.run()
    with pytest.raises(Conflict):
        bench.open(dataset=DatasetId("x" * 32))
    assert bench.open(adopt=True, dataset=DatasetId("x" * 32)).cursor() is None


def test_one_session_at_a_time_and_limits(bench: Bench) -> None:
    bench.source.mkdir()
    first = bench.open()
    bench.mirror = None
    with pytest.raises(RepositoryLocked):
        bench.open()
    first.close()
    bench.open()

    def refuse(path: bytes) -> None:
        raise OutsideLimits(f"{path!r}")

    action = MirrorAction(id=ActionId("b"), targets=((str(bench.source), str(bench.place / "elsewhere")),))
    receive = Receive(dataset=DATASET, label="x", sender=NodeId("n"), actions=(action,))
    with pytest.raises(OutsideLimits):
        MirrorStore(bench.place / "home").open_mirror(action, receive, clock=bench.clock, check_write=refuse)
    assert not (bench.place / ".holdfast-elsewhere").exists()
    for place in (bench.place / "home" / "inside", bench.place, Path("/proc"), Path("/")):
        action = MirrorAction(id=ActionId("b"), targets=((str(bench.source), str(place)),))
        with pytest.raises(Conflict):
            MirrorStore(bench.place / "home").open_mirror(action, receive, clock=bench.clock)


def test_a_mirror_that_vanished_asks_for_everything(bench: Bench) -> None:
    build_odd_tree(bench.source)
    bench.run()
    shutil.rmtree(bench.target)
    assert bench.open().cursor() is None
    bench.run(full=True)
    assert bench.differences() == []


def test_a_planted_link_in_the_mirror_leads_nowhere(bench: Bench) -> None:
    bench.source.mkdir()
    (bench.source / "folder").mkdir()
    (bench.source / "folder" / "file").write_bytes(b"1")
    (bench.source / "folder" / "still").write_bytes(b"unchanged")
    bench.run()
    outside = bench.place / "outside"
    outside.mkdir()
    shutil.rmtree(bench.target / "folder")
    (bench.target / "folder").symlink_to(outside)
    (bench.source / "folder" / "file").write_bytes(b"2")
    assert bench.mirror is not None
    answer = bench.feeder.send(bench.mirror, bench.last, new := bench.read())
    assert {finding.code for finding in answer.findings} == {"mirror-edited", "mirror-incomplete"}
    assert answer.cursor is None
    assert os.listdir(outside) == []
    assert mirror_commit(bench.feeder, bench.mirror, None, new) == []
    assert bench.differences() == []
