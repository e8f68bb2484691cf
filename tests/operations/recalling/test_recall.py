"""The file itself in the place of its stub: equal in every byte and attribute, and nothing that came meanwhile is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Cancelled, NotReachable
from holdfast.core.ids import DatasetId
from holdfast.model.archiving import Stub, lineage_path, stub_target
from holdfast.model.change import Payload
from holdfast.model.entry import Entry
from holdfast.model.reading import PointReader
from holdfast.operations.recalling.plan import find_stubs
from holdfast.operations.recalling.recall import Recall, RecallResult, RecallTools
from holdfast.operations.recalling.recalled import Recalled
from holdfast.testing.tree_source import TreeSource

DATASET = DatasetId("d" * 32)
ARCHIVED_NS = 1_770_000_000_123_456_789
RECALL = b"/var/lib/holdfast/recall"


class Lineage(TreeSource):
    """What stood in a folder, as its archive; `meanwhile` is called before content is given."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        prefix = lineage_path(ARCHIVED_NS, b"")
        yield from super().entries([path.removeprefix(prefix) for path in paths])

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        self.meanwhile()
        return super().payloads(ids)


class Scene:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        (self.data / "sub").mkdir(parents=True)
        (self.data / "one").write_bytes(os.urandom(30_000))
        (self.data / "sub" / "two").write_bytes(b"two" * 5_000)
        (self.data / "sub" / "empty").touch()
        self.odd = os.fsencode(self.data) + b"/sub/odd@\xff"
        Path(os.fsdecode(self.odd)).write_bytes(b"odd")
        with (self.data / "sparse").open("wb") as file:
            file.truncate(1 << 20)
            file.seek(1 << 19)
            file.write(b"middle")
        (self.data / "one").chmod(0o640)
        for number, path in enumerate(sorted(self.data.rglob("*"))):
            os.utime(path, ns=(1, 1_600_000_000_987_654_321 + number))
        self.lineage = Lineage(self.data)
        self.before = {path: (Path(os.fsdecode(path)).read_bytes(), os.stat(path)) for path in self.files()}
        for path in self.before:
            os.unlink(path)
            os.symlink(stub_target(RECALL, Stub(dataset=DATASET, archived_ns=ARCHIVED_NS, path=path)), path)
        self.record = Recalled(folder)
        self.opened = 0
        self.away = False

    def files(self) -> list[bytes]:
        names = (os.fsencode(path) for path in sorted(self.data.rglob("*")))
        return [path for path in names if os.path.isfile(path) and not os.path.islink(path)]

    def open(self, dataset: DatasetId) -> PointReader:
        assert dataset == DATASET
        self.opened += 1
        if self.away:
            raise NotReachable("the owner is away")
        return self.lineage

    def recall(self, *paths: bytes, check: Callable[[], None] = lambda: None, dry_run: bool = False) -> RecallResult:
        result = RecallResult()
        tools = RecallTools(
            archived=self, recall=RECALL, record=self.record, clock=SystemClock(), check=check, on_progress=lambda *numbers: None
        )
        stubs = list(find_stubs(paths or (os.fsencode(self.data),), RECALL, recursive=True, report=result.report))
        Recall(tools, result).run(stubs, dry_run=dry_run)
        assert [name for name in os.listdir(self.data) if name.startswith(".holdfast")] == []
        return result

    def assert_back(self, path: bytes) -> None:
        content, facts = self.before[path]
        found = os.lstat(path)
        assert not os.path.islink(path)
        assert Path(os.fsdecode(path)).read_bytes() == content
        assert (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns) == (
            facts.st_mode,
            facts.st_uid,
            facts.st_gid,
            facts.st_mtime_ns,
        )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.record.close()


def test_all_stubs_below_a_folder_come_back_as_they_were(scene: Scene) -> None:
    counted = scene.recall(dry_run=True)
    assert (counted.files, counted.failed) == (len(scene.before), 0)
    assert scene.files() == [], "nothing is written by a dry run"
    done = scene.recall()
    assert (done.files, done.size_bytes, done.failed) == (len(scene.before), counted.size_bytes, 0)
    for path in scene.before:
        scene.assert_back(path)
        assert path in scene.record.at_ns([path])
    assert os.stat(scene.data / "sparse").st_blocks < 256
    assert scene.recall().files == 0


def test_a_stub_may_have_been_moved(scene: Scene) -> None:
    old, new = os.fsencode(scene.data / "one"), os.fsencode(scene.data / "sub" / "elsewhere")
    os.rename(old, new)
    assert scene.recall(new).files == 1
    scene.before[new] = scene.before[old]
    scene.assert_back(new)


def test_what_took_the_place_of_a_stub_meanwhile_stays(scene: Scene) -> None:
    one = scene.data / "one"

    def replaced() -> None:
        one.unlink()
        one.write_bytes(b"somebody wrote this meanwhile")
        scene.lineage.meanwhile = lambda: None

    scene.lineage.meanwhile = replaced
    done = scene.recall(os.fsencode(one), os.fsencode(scene.data / "sub" / "two"))
    assert one.read_bytes() == b"somebody wrote this meanwhile"
    assert (done.files, done.failed) == (1, 1)
    assert "stays as it is" in done.findings[0].message
    scene.assert_back(os.fsencode(scene.data / "sub" / "two"))


def test_what_is_no_stub_is_said_and_the_others_come_back(scene: Scene) -> None:
    (scene.data / "plain").write_bytes(b"plain")
    os.symlink("/nowhere", scene.data / "link")
    done = scene.recall(*(os.fsencode(scene.data / name) for name in ("plain", "link", "missing", "one")))
    assert [finding.code for finding in done.findings] == ["not-archived"] * 3
    assert done.files == 1
    assert os.readlink(scene.data / "link") == "/nowhere"


def test_a_version_that_is_over_and_an_owner_that_is_away_leave_the_stub(scene: Scene) -> None:
    gone = scene.data / "gone"
    os.symlink(stub_target(RECALL, Stub(dataset=DATASET, archived_ns=ARCHIVED_NS, path=b"/never")), gone)
    done = scene.recall(os.fsencode(gone), os.fsencode(scene.data / "one"))
    assert (done.files, done.failed) == (1, 1)
    assert gone.is_symlink()
    scene.away = True
    done = scene.recall()
    assert (done.files, {finding.code for finding in done.findings}) == (0, {"not-reachable"})


def test_a_recall_that_is_broken_off_is_done_again(scene: Scene) -> None:
    left = 2

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        scene.recall(check=check)
    assert len(scene.files()) < len(scene.before)
    scene.recall()
    for path in scene.before:
        scene.assert_back(path)


def test_damage_of_one_file_leaves_its_stub(scene: Scene) -> None:
    one = os.fsencode(scene.data / "one")
    scene.lineage.refused.add(scene.lineage.all[one].chunks[1].id)
    done = scene.recall()
    assert (done.files, done.failed) == (len(scene.before) - 1, 1)
    assert os.path.islink(one)
