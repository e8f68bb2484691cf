"""The catalog against a dictionary: commits, forgetting in any order, sessions that break off, and building it anew."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import UnknownName
from holdfast.model.entry import Entry, Kind, display_path, walk_key
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing
from holdfast.model.points import Listing
from holdfast.repository.points.sealing import forget
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, START, MarkingFeeder, RepositoryScene
from tests.scratch import SCRATCH

ROOT = b"/r"
NAMES = (b"a", b"b", b"a-b", b"x.txt", b"X.TXT", b"\xc3\xa9", b"\xff")
PLACES = [ROOT + b"/" + name for name in NAMES]
PLACES += [folder + b"/" + name for folder in PLACES[:2] for name in NAMES[:4]]
PLACES += [ROOT + b"/a/b/" + name for name in NAMES[:3]]
Tree = dict[bytes, Entry]
Step = tuple[str, object]


class Broken(Exception):
    pass


def tree_of(chosen: dict[bytes, tuple[str, int]]) -> Tree:
    """Entries for these paths, those below something that is no folder left out."""
    found = {ROOT: Entry(path=ROOT, kind=Kind.DIRECTORY, mode=0o755)}
    for path in sorted(chosen, key=walk_key):
        kind, state = chosen[path]
        above = found.get(path[: path.rfind(b"/")])
        if above is not None and above.kind is Kind.DIRECTORY:
            target = b"to-%d" % state if kind == "symlink" else b""
            found[path] = Entry(
                path=path, kind=Kind(kind), mode=0o640 + state % 8, uid=state, user=f"u{state}", mtime_ns=state * 7, link_target=target
            )
    return found


trees = st.dictionaries(st.sampled_from(PLACES), st.tuples(st.sampled_from(["file", "dir", "dir", "symlink"]), st.integers(0, 3))).map(
    tree_of
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), trees),
        st.tuples(st.just("full"), trees),
        st.tuples(st.just("head"), trees),
        st.tuples(st.just("break"), trees),
        st.tuples(st.just("forget"), st.sets(st.integers(0, 9), min_size=1, max_size=4)),
        st.tuples(st.just("rebuild"), st.none()),
    ),
    min_size=2,
    max_size=9,
)


@dataclass
class Live:
    captured_at: datetime
    tree: Tree
    point: str


@dataclass
class Model:
    scene: RepositoryScene
    repository: Repository
    feeder: MarkingFeeder = field(default_factory=lambda: MarkingFeeder(dataset=DATASET, roots=(ROOT,), chunks={}))
    live: list[Live] = field(default_factory=list)

    def take(self, name: str, given: object) -> None:
        if isinstance(given, dict):
            self._send(name, given)
        elif isinstance(given, set):
            self._forget(given)
        else:
            self._rebuild()

    def _send(self, name: str, tree: Tree) -> None:
        action = self.scene.action(self.repository)
        self.feeder.operations = () if name == "head" else ("backup",)
        self.feeder.on_segment = self._break if name == "break" else None
        base = self.live[-1].tree if self.live and name != "full" else None
        try:
            action.cursor()
            self.feeder.send(action, base, tree)
        except Broken:
            return
        finally:
            action.close()
        # A head goes with the next commit.
        self.live = [commit for commit in self.live if commit.point]
        point = self.feeder.point_id("backup") if name != "head" else ""
        self.live.append(Live(START + timedelta(hours=self.feeder.seq), tree, point))

    def _break(self, number: int) -> None:
        if number == 1:
            raise Broken

    def _forget(self, places: set[int]) -> None:
        going = {commit.point for place, commit in enumerate(self.live) if place in places and commit.point}
        interior = self.repository._interior
        rows = [row.id for row in interior.commits.listed() if row.brief.point is not None and row.brief.point.id in going]
        with interior.catalog.transaction():
            forget(interior, rows)
        self.live = [commit for commit in self.live if commit.point not in going or not commit.point]

    def _rebuild(self) -> None:
        self.repository.close()
        (self.scene.home / "catalog.db").unlink()
        self.repository = self.scene.open()

    def expected(self, path: bytes) -> list[tuple[object, ...]]:
        """Its versions, oldest first."""
        found: list[tuple[object, ...]] = []
        last: object = None
        for commit in self.live:
            entry = commit.tree.get(path)
            seen = visible_entry(entry) if entry is not None else None
            if seen != last and found and found[-1][-1] is None and last is not None:
                found[-1] = (*found[-1][:-1], commit.captured_at)
            if seen is not None and seen != last:
                found.append((seen, commit.captured_at, None))
            last = seen
        return found


def visible_entry(entry: Entry) -> tuple[object, ...]:
    return entry.kind.value, entry.mode, entry.size_bytes, entry.mtime_ns, entry.uid, entry.user, display_path(entry.link_target)


def visible(row: Listing) -> tuple[object, ...]:
    return row.kind, row.mode, row.size_bytes, row.mtime_ns, row.uid, row.user, row.link_target


def joined(rows: list[Listing]) -> list[tuple[object, ...]]:
    """Oldest first, neighbours that look alike as one: what lay between them may be forgotten."""
    found: list[tuple[object, ...]] = []
    for row in rows:
        if found and found[-1][0] == visible(row) and found[-1][2] == row.valid_from:
            found[-1] = (*found[-1][:2], row.valid_to)
        else:
            found.append((visible(row), row.valid_from, row.valid_to))
    return found


def check_against(model: Model) -> None:
    repository = model.repository
    assert [point.id for point in repository.points()] == [commit.point for commit in model.live if commit.point]
    ever = {path for commit in model.live for path in commit.tree}
    everything = repository.find(AskFind(pattern="*")).rows
    assert {row.path for row in everything} == {display_path(path) for path in ever}
    for path in (ROOT, *PLACES):
        rows = repository.history(AskHistory(path=path)).rows
        assert joined(list(reversed(rows))) == model.expected(path), path
        named = repository.find(AskFind(pattern="*" + path.decode("utf-8", "surrogateescape")[3:])).rows
        assert {row.path for row in rows} <= {row.path for row in named}
        for row in rows:
            since = [commit for commit in model.live if commit.point and commit.captured_at >= row.valid_from]
            holding = [commit for commit in since if row.valid_to is None or commit.captured_at < row.valid_to]
            assert (row.points, row.point) == (len(holding), holding[-1].point if holding else "")
    for commit in model.live:
        if commit.point:
            check_listing(repository, commit)


def check_listing(repository: Repository, commit: Live) -> None:
    """A dataset at a time, from the catalog, is what the point's tree says."""
    for path in (b"", b"/", *PLACES):
        for recursive in (False, True):
            by_point = AskListing(point=commit.point, path=path, recursive=recursive)
            by_time = AskListing(dataset=DATASET, at=commit.captured_at + timedelta(minutes=59), path=path, recursive=recursive)
            try:
                expected = repository.listing(by_point)
            except UnknownName:
                with pytest.raises(UnknownName):
                    repository.listing(by_time)
                continue
            assert repository.listing(by_time) == expected
    paged: list[Listing] = []
    while True:
        after = (paged[-1].path_raw or paged[-1].path.encode()) if paged else b""
        page = repository.listing(AskListing(dataset="files1/documents", at=commit.captured_at, recursive=True, limit=2, after=after))
        paged += page.rows
        if not page.more:
            break
    assert paged == list(repository.listing(AskListing(point=commit.point, recursive=True)).rows)


@given(steps)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_catalog_says_what_a_dictionary_would(plan: list[Step]) -> None:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        scene = RepositoryScene(Path(folder))
        scene.create()
        model = Model(scene, scene.open())
        for name, given_ in plan:
            model.take(name, given_)
        check_against(model)
        model.take("rebuild", None)
        check_against(model)
        with suppress(Exception):
            model.repository.close()
