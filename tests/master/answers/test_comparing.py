"""Two listings of two owners compared page by page: what differs is what a comparison of two dicts says, in walk order."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError, ProtocolError, RepositoryDamaged, UnknownName, UsageError
from holdfast.core.ids import DatasetId, PointId
from holdfast.master.answers import comparing
from holdfast.master.answers.comparing import Compared, Comparison, FarSide
from holdfast.model.differences import AskDiff, Change, Fact
from holdfast.model.entry import parent_of, walk_key
from holdfast.model.listing_questions import AskListing, Listings
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.questions import Answer, Question
from tests.master.machines import Machine, with_points
from tests.master.masters import Running, with_master

Tree = dict[str, Listing]
POINT = Point(
    id=PointId("1" * 32),
    dataset="files1/documents",
    dataset_id=DatasetId("d" * 32),
    operation="backup",
    repository="main",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    files=1,
    bytes=1,
)


def folder(path: str) -> Listing:
    return Listing(path=path, kind="dir", mode=0o755, size_bytes=0, mtime_ns=1)


def file(path: str, content: str = "a", size_bytes: int = 1) -> Listing:
    return Listing(path=path, kind="file", mode=0o644, size_bytes=size_bytes, mtime_ns=1, content=content)


def side(tree: Tree, lost: tuple[LostListing, ...] = (), *, foreign: bool = False) -> FarSide:
    async def answer(ask: AskListing) -> Listings:
        path = ask.path.decode()
        if path and path not in tree:
            raise UnknownName(f"{path} is not in this point")
        if not ask.recursive and path and tree[path].kind == "file":
            return Listings(rows=(tree[path],), point=point)
        below = [row for name, row in tree.items() if not path or name.startswith(f"{path}/")]
        if not ask.recursive:
            below = [row for row in below if row.path.rpartition("/")[0] == path]
        rows = sorted(below, key=lambda row: walk_key(row.path.encode()))
        if ask.after:
            rows = [row for row in rows if walk_key(row.path.encode()) > walk_key(ask.after)]
        if not ask.content:
            rows = [msgspec.structs.replace(row, content="") for row in rows]
        return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit, lost=lost, point=point)

    point = msgspec.structs.replace(POINT, foreign=foreign)
    return FarSide(point, "vault", answer)


def compared(a: FarSide, b: FarSide, ask: AskDiff) -> Compared:
    return asyncio.run(Comparison((a, b), ask).page())


def all_pages(a: Tree, b: Tree, *, path: str = "", recursive: bool = True, limit: int = 3) -> list[tuple[str, Change]]:
    found: list[tuple[str, Change]] = []
    after = b""
    while True:
        page = compared(side(a), side(b), AskDiff(a="", b="", path=path.encode(), recursive=recursive, limit=limit, after=after))
        found += [(row.path, row.change) for row in page.rows]
        if not page.more:
            return found
        after = page.rows[-1].path.encode()


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Below one root; names that sort differently as bytes and in a walk."""
    names = st.sampled_from(["a", "a-b", "a.c", "b"])
    tree = {"/r": folder("/r")}
    for parts in draw(st.lists(st.lists(names, min_size=1, max_size=3), max_size=9)):
        for depth in range(1, len(parts)):
            at = "/r/" + "/".join(parts[:depth])
            tree[at] = folder(at)
        path = "/r/" + "/".join(parts)
        if path not in tree:
            tree[path] = file(path, draw(st.sampled_from("xy")))
    return {path: row for path, row in tree.items() if all(up not in tree or tree[up].kind == "dir" for up in above(path))}


def above(path: str) -> list[str]:
    found = []
    while path.count("/") > 1:
        path = path.rpartition("/")[0]
        found.append(path)
    return found


def expected(a: Tree, b: Tree) -> dict[str, Change]:
    found = {}
    for path in sorted(a.keys() | b.keys(), key=lambda path: walk_key(path.encode())):
        if path not in a or path not in b:
            found[path] = Change.ADDED if path not in a else Change.REMOVED
        elif a[path] != b[path]:
            found[path] = Change.CHANGED
    return found


@given(trees(), trees(), st.integers(1, 4))
def test_pages_are_what_two_dicts_say_in_walk_order(a: Tree, b: Tree, rows_at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "ROWS_AT_ONCE", rows_at_once)
        differs = expected(a, b)
        assert all_pages(a, b) == list(differs.items())
        children = {}
        for path in sorted((a.keys() | b.keys()) - {"/r"}, key=lambda path: walk_key(path.encode())):
            top = "/".join(path.split("/")[:3])
            if path in differs:
                children.setdefault(top, differs[path] if path == top else Change.INSIDE)
        assert all_pages(a, b, path="/r", recursive=False, limit=1) == list(children.items())
        assert all(parent_of(path.encode()) == b"/r" for path in children)


@settings(max_examples=50)
@given(trees(), trees(), st.integers(1, 6))
def test_where_there_is_too_much_below_what_is_told_is_true_and_no_child_that_differs_is_left_out(a: Tree, b: Tree, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "ROWS_AT_ONCE", 1)
        patch.setattr(comparing, "MOST_PAGES", most)
        differs = expected(a, b)
        with contextlib.suppress(UsageError):
            assert all_pages(a, b) == list(differs.items())
        try:
            found = all_pages(a, b, path="/r", recursive=False)
        except UsageError:
            return
        assert sorted(found, key=lambda row: walk_key(row[0].encode())) == found
        assert len(dict(found)) == len(found)
        assert {"/".join(path.split("/")[:3]) for path in differs} <= dict(found).keys()
        for path, change in found:
            is_inside = path not in differs and any(each.startswith(f"{path}/") for each in differs)
            assert change == differs.get(path) or change == Change.UNKNOWN or (change == Change.INSIDE and is_inside)


def test_children_of_a_folder_with_too_much_below_are_told_without_a_look_into_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(comparing, "MOST_PAGES", 4)
    big = {"/r": folder("/r"), "/r/a": folder("/r/a")} | {f"/r/a/{n}": file(f"/r/a/{n}") for n in range(9)} | {"/r/b": folder("/r/b")}
    a, b = big | {"/r/c": file("/r/c")}, big | {"/r/b/new": file("/r/b/new")}
    for path in ("", "/r"):
        children = all_pages(a, b, path=path, recursive=False, limit=1)
        assert children == (
            [("/r", Change.UNKNOWN)] if not path else [(f"/r/{n}", Change.UNKNOWN) for n in "ab"] + [("/r/c", Change.REMOVED)]
        )
    with pytest.raises(UsageError, match="too much below"):
        all_pages(a, b)
    told = compared(side(a), side(b | {"/r/a/0": file("/r/a/0", "b")}), AskDiff(a="", b="", recursive=True))
    assert ([row.path for row in told.rows], told.more) == (["/r/a/0"], True)


def test_a_path_that_neither_has_is_an_error_and_a_file_is_compared_itself() -> None:
    a, b = {"/f": file("/f", "x")}, {"/f": file("/f", "y")}
    assert all_pages(a, b, path="/f") == all_pages(a, b, path="/f", recursive=False) == [("/f", Change.CHANGED)]
    assert all_pages(a, {}, path="/f") == [("/f", Change.REMOVED)]
    with pytest.raises(UnknownName, match="in neither of them"):
        all_pages(a, b, path="/typo")


@pytest.mark.parametrize("other", [{"repository": "offsite"}, {"dataset_id": DatasetId("e" * 32)}, {"id": PointId("2" * 32)}, None])
def test_an_owner_that_lists_another_point_than_it_was_asked_for_is_not_believed(other: dict[str, str] | None) -> None:
    async def answer(ask: AskListing) -> Listings:
        return Listings(rows=(file("/f"),), point=None if other is None else msgspec.structs.replace(POINT, **other))

    with pytest.raises(ProtocolError):
        compared(FarSide(POINT, "vault", answer), side({}), AskDiff(a="", b=""))


def test_it_says_by_what_files_were_compared() -> None:
    a, b = {"/f": file("/f", "x")}, {"/f": file("/f", "y")}
    ask = AskDiff(a="", b="", recursive=True)
    told = compared(side(a), side(b), ask)
    assert (told.by, [row.facts for row in told.rows]) == ("content", [(Fact.CONTENT,)])
    told = compared(side(a), side(b, foreign=True), ask)
    assert (told.by, told.rows) == ("metadata", ())
    told = compared(side(a), side({"/f": file("/f", "", size_bytes=2)}), ask)
    assert (told.by, [row.facts for row in told.rows]) == ("metadata", [(Fact.CONTENT,)])


def test_below_a_lost_folder_nothing_is_said_and_the_folder_is_named() -> None:
    lost = LostListing(path="/r/d", reason="damaged")
    a = {"/r": folder("/r"), "/r/d": folder("/r/d"), "/r/d/f": file("/r/d/f"), "/r/e": file("/r/e")}
    b = {"/r": folder("/r"), "/r/d": folder("/r/d")}
    told = compared(side(a), side(b, (lost,)), AskDiff(a="", b="", recursive=True))
    assert ([row.path for row in told.rows], told.lost) == (["/r/e"], (lost,))


def test_a_folder_that_one_side_does_not_have_is_all_new() -> None:
    b = {"/r": folder("/r"), "/r/d": folder("/r/d"), "/r/d/f": file("/r/d/f")}
    assert all_pages({"/r": folder("/r")}, b, path="/r/d") == [("/r/d/f", Change.ADDED)]


@with_master
async def test_what_two_owners_have_one_of_each_is_compared_by_the_master(running: Running) -> None:
    machines = await with_points(running)
    a = machines["vault"].points[-1]
    b = msgspec.structs.replace(machines["dr"].points[0], id=PointId("b" * 32))
    machines["dr"].points = (b,)
    told = await running.get("/diff", a=a.id, b=b.id[:8], path="/srv", recursive="true")
    assert (told["a"]["id"], told["b"]["id"], told["by"], told["totals"]) == (a.id, b.id, "content", None)
    assert [(row["path"], row["facts"]) for row in told["rows"]] == [("/srv", ["mode"])]
    await running.get("/diff", a=a.id, b="f" * 8, status=404)
    machines["dr"].points = (msgspec.structs.replace(b, repository="main"),)
    await running.get("/diff", a=a.id, b=b.id, status=404)
    await a_part_of_a_point_is_not_taken_for_the_point(running, machines)
    await the_owner_that_has_both_is_heard(running, machines["vault"])


async def a_part_of_a_point_is_not_taken_for_the_point(running: Running, machines: dict[str, Machine]) -> None:
    """What `only` lets through bears the id of the whole."""
    kept = {name: machines[name].points for name in ("vault", "dr")}
    first, second = (msgspec.structs.replace(point, paths=("/srv",)) for point in kept["vault"])
    for whole, part in (("vault", "dr"), ("dr", "vault")):
        for name, paths in ((whole, ("/srv",)), (part, ("/srv/a",))):
            here = {"vault": "main", "dr": "offsite"}[name]
            machines[name].points = tuple(msgspec.structs.replace(each, repository=here, paths=paths) for each in (first, second))
        assert (await running.get("/ls", point=first.id))["point"]["paths"] == ["/srv"]
        assert [row["path"] for row in (await running.get("/diff", a=first.id, b=second.id))["rows"]] == [f"/{machines[whole].number}"]
        # Its own copy would be the nearest, and is not taken unless it has what is wanted.
        for paths, owner in (([], whole), (["/srv/a/b"], "dr")):
            told = await running.post("/restores", {"point": first.id, "to": "/back", "node": "dr", "paths": paths})
            assert told["point"]["repository"] == {"vault": "main", "dr": "offsite"}[owner]
    for name, points in kept.items():
        machines[name].points = points


async def the_owner_that_has_both_is_heard(running: Running, machine: Machine) -> None:
    """Nobody reads listings because it could not compare."""
    asked: list[Question] = []
    for error, status in (UnknownName("/typo is in neither of them"), 404), (RepositoryDamaged("a tree is gone"), 500):

        def answer(question: Question, error: HoldfastError = error) -> Answer:
            asked.append(question)
            if isinstance(question, AskDiff):
                raise error
            return machine.answer(question)

        machine.node.answer = answer
        a, b = (point.id for point in machine.points)
        told = (await running.get("/diff", a=a, b=b, path="/typo", status=status))["error"]
        assert (told["code"], told["message"]) == (error.code, error.message)
    assert not any(question.recursive for question in asked if isinstance(question, AskListing))
