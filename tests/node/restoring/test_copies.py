"""A point is read from several copies: from the next when one is gone, and what is damaged in one from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.core.errors import Cancelled, NotReachable
from holdfast.model.jobs import Finding
from holdfast.model.reading import Answer, Listed
from holdfast.node.restoring.copies import CopiesReader, Copy
from holdfast.testing.tree_source import TreeSource


class Dying(TreeSource):
    """Gone after so many answers, or listings."""

    def __init__(self, root: Path, *, after: int = 1_000_000, lists: int = 1_000_000) -> None:
        super().__init__(root)
        self.left, self.lists = after, lists

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        for entry in self.entries(paths):
            if not self.lists:
                raise NotReachable("gone")
            self.lists -= 1
            yield Listed([entry])

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        for answer in super().answers(questions):
            if not self.left:
                raise NotReachable("gone")
            self.left -= 1
            yield answer


class Scene:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "source"
        self.root.mkdir()
        for number in range(20):
            (self.root / f"file{number:02}").write_bytes(b"%d" % number * 50)
        self.told: list[Finding] = []
        self.whole = TreeSource(self.root)
        self.ids = [ref.id for entry in self.whole.entries() for ref in entry.chunks]

    def reader(self, *copies: TreeSource) -> CopiesReader:
        # The name binds at once: each copy opens its own.
        opened = [Copy(f"copy {number}", lambda copy=copy: copy) for number, copy in enumerate(copies)]  # type: ignore[misc]
        return CopiesReader(opened, check=lambda: None, tell=self.told.append)

    def read(self, reader: CopiesReader) -> list[bytes]:
        """All of it, as a restore asks for it; what comes is each chunk once, in whole answers."""
        paths = [entry.path for listed in reader.listing() for entry in listed.entries]
        assert paths == [entry.path for entry in self.whole.entries()]
        questions = [self.ids[start : start + 3] for start in range(0, len(self.ids), 3)]
        found: list[bytes] = []
        ends = 0
        for answer in reader.answers(iter(questions)):
            found += [payload.id for payload in answer.payloads]
            ends += answer.last
            assert not answer.lost
        assert ends == len(questions)
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize(("after", "lists"), [(0, 1_000_000), (1, 1_000_000), (4, 1_000_000), (1_000_000, 0), (1_000_000, 9)])
def test_it_goes_on_from_the_next_copy(scene: Scene, after: int, lists: int) -> None:
    assert scene.read(scene.reader(Dying(scene.root, after=after, lists=lists), TreeSource(scene.root))) == scene.ids
    assert [finding.code for finding in scene.told] == ["copy-changed"]


def test_what_is_damaged_in_one_comes_from_another(scene: Scene) -> None:
    first, second, third = TreeSource(scene.root), TreeSource(scene.root), TreeSource(scene.root)
    first.refused |= {scene.ids[4], scene.ids[5]}
    second.refused.add(scene.ids[5])
    assert sorted(scene.read(scene.reader(first, second, third))) == sorted(scene.ids)
    assert {finding.code for finding in scene.told} == {"copy-healed"}


def test_without_another_copy_it_ends_as_the_only_one_did(scene: Scene) -> None:
    with pytest.raises(NotReachable, match="gone"):
        scene.read(scene.reader(Dying(scene.root, after=2)))


def test_cancelled_no_other_copy_is_tried(scene: Scene) -> None:
    def cancelled() -> None:
        raise Cancelled("cancelled")

    reader = scene.reader(Dying(scene.root, after=2), TreeSource(scene.root))
    reader._check = cancelled
    with pytest.raises(Cancelled):
        scene.read(reader)
