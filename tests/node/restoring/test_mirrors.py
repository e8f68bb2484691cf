"""A repository says what a point is, a mirror that is near gives the content: as much of it as it has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError, NotGranted, NotReachable
from holdfast.core.ids import ActionId, DatasetId, Epoch, NodeId, PointId, RepositoryId
from holdfast.model.change import Cursor
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import RestoreOrder
from holdfast.model.reading import Answer, PointReader
from holdfast.node.restoring.copies import CopiesReader, Copy
from holdfast.node.restoring.mirrors import MirrorFirst, open_nearest
from holdfast.node.restoring.speeds import Speeds
from holdfast.testing.tree_source import TreeSource
from tests.node.restoring.test_copies import Dying

CURSOR = Cursor(Epoch("e"), 7)


class NamesOnly(TreeSource):
    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        raise NotGranted("names only")


def order(place: str, *, mirror: bool = False, exact: bool = True, names_only: bool = False, owner: str = "far") -> RestoreOrder:
    return RestoreOrder(
        id=place,
        reader=NodeId("here"),
        owner=NodeId(owner),
        owner_address="",
        repository=RepositoryId("" if mirror else place),
        dataset=DatasetId("d"),
        point=PointId("p"),
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        label=place,
        mirror=ActionId(place if mirror else ""),
        stands_at=CURSOR if mirror and exact else None,
        names_only=names_only,
    )


class Scene:
    """A source of twenty files, and a mirror of it that lacks some."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "source"
        self.root.mkdir()
        for number in range(20):
            (self.root / f"file{number:02}").write_bytes(b"%d" % number * 50)
        self.told: list[Finding] = []
        self.readers: dict[str, Callable[[], PointReader]] = {}
        self.ids = [ref.id for entry in TreeSource(self.root).entries() for ref in entry.chunks]

    def open(self, *orders: RestoreOrder) -> CopiesReader | MirrorFirst:
        return open_nearest(
            orders, lambda each: Copy(each.label, lambda: self.readers[each.place]()), check=lambda: None, tell=self.told.append
        )

    def read(self, reader: PointReader) -> tuple[list[bytes], set[bytes]]:
        """Chunks that came, and those that are lost."""
        assert sum(len(entry.chunks) for listed in reader.listing() for entry in listed.entries) == len(self.ids)
        questions = [self.ids[start : start + 3] for start in range(0, len(self.ids), 3)]
        found: list[bytes] = []
        lost: set[bytes] = set()
        ends = 0
        for answer in reader.answers(iter(questions)):
            found += [payload.id for payload in answer.payloads]
            lost |= {one.id for one in answer.lost}
            ends += answer.last
        assert ends == len(questions)
        return sorted(found), lost

    def codes(self) -> list[tuple[str, Severity]]:
        return [(finding.code, finding.severity) for finding in self.told]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.readers = {"mirror": lambda: TreeSource(made.root), "main": lambda: TreeSource(made.root)}
    return made


def gone() -> PointReader:
    raise NotReachable("gone")


def test_a_mirror_that_is_near_gives_all_the_content(scene: Scene) -> None:
    scene.readers["main"] = lambda: NamesOnly(scene.root)
    reader = scene.open(order("mirror", mirror=True), order("main"))
    assert scene.read(reader) == (sorted(scene.ids), set())
    assert (reader.label, scene.codes()) == ("mirror", [])


def test_what_it_lacks_comes_from_the_repository(scene: Scene) -> None:
    mirror = TreeSource(scene.root)
    mirror.refused |= set(scene.ids[4:9])
    scene.readers["mirror"] = lambda: mirror
    assert scene.read(scene.open(order("mirror", mirror=True, exact=False), order("main"))) == (sorted(scene.ids), set())
    assert scene.codes() == [("copy-filled-up", Severity.INFO)]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_when_it_is_gone_the_repository_goes_on(scene: Scene, after: int) -> None:
    scene.readers["mirror"] = lambda: Dying(scene.root, after=after)
    assert scene.read(scene.open(order("mirror", mirror=True), order("main"))) == (sorted(scene.ids), set())
    assert scene.codes() == [("copy-changed", Severity.WARNING)]


def test_named_alone_it_gives_what_it_has_and_the_repository_the_names(scene: Scene) -> None:
    mirror = TreeSource(scene.root)
    mirror.refused.add(scene.ids[4])
    scene.readers |= {"mirror": lambda: mirror, "main": lambda: NamesOnly(scene.root)}
    found, lost = scene.read(scene.open(order("mirror", mirror=True), order("main", names_only=True)))
    assert (len(found), lost) == (19, {scene.ids[4]})
    scene.readers["mirror"] = lambda: Dying(scene.root, after=2)
    with pytest.raises(NotReachable):
        scene.read(scene.open(order("mirror", mirror=True), order("main", names_only=True)))


def test_without_a_repository_only_a_mirror_of_that_very_state_is_read(scene: Scene) -> None:
    scene.readers["main"] = gone
    assert scene.read(scene.open(order("mirror", mirror=True), order("main"))) == (sorted(scene.ids), set())
    assert scene.codes() == [("mirror-alone", Severity.INFO)]
    with pytest.raises(NotReachable):
        scene.open(order("mirror", mirror=True, exact=False), order("main"))


def test_a_repository_that_is_nearer_is_read_and_the_mirror_is_its_spare(scene: Scene) -> None:
    scene.readers["main"] = lambda: Dying(scene.root, after=2)
    reader = scene.open(order("main"), order("mirror", mirror=True))
    assert scene.read(reader) == (sorted(scene.ids), set())
    assert [code for code, _ in scene.codes()] == ["copy-changed", "mirror-alone"]


def test_the_nearest_is_here_and_one_that_gives_no_content_is_never(tmp_path: Path) -> None:
    orders = [order("names", names_only=True, owner="here"), order("main"), order("mirror", mirror=True, owner="here")]
    ranked = Speeds(tmp_path).nearest_first(NodeId("here"), orders)
    assert [each.order.label for each in ranked] == ["mirror", "main", "names"]
    speeds = Speeds(tmp_path)
    speeds.note("far mirror", 1 << 30, 1.0)
    far = [order("main"), order("far mirror", mirror=True)]
    assert [each.order.label for each in speeds.nearest_first(NodeId("here"), far)] == ["far mirror", "main"]


def test_a_path_that_an_older_mirror_lacks_comes_from_the_repository(scene: Scene, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    scene.readers["mirror"] = lambda: TreeSource(other)
    wanted = os.fsencode(scene.root / "file03")
    reader = scene.open(order("mirror", mirror=True, exact=False), order("main"))
    (entry,) = [entry for listed in reader.listing((wanted,)) for entry in listed.entries]
    (answer,) = reader.answers([[ref.id for ref in entry.chunks]])
    assert len(answer.payloads) == 1
    assert scene.codes() == [("copy-changed", Severity.INFO)]
    reader.close()


def test_the_error_of_the_only_copy_is_told(scene: Scene) -> None:
    scene.readers["main"] = gone
    with pytest.raises(HoldfastError, match="gone"):
        scene.open(order("main"))
