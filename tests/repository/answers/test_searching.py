"""A search finds what a look at every version would find, page by page, indexed or not, and beside whoever writes."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId
from holdfast.model.entry import ChunkRef, Entry, Kind, walk_key
from holdfast.model.listing_questions import AskFind
from holdfast.model.points import Listing
from holdfast.model.search import KINDS_OF_TYPE, Match, Search, Span, State
from holdfast.model.searching import AskSearch, Hit, Place
from holdfast.repository.catalog import name_order
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, START, MarkingFeeder, RepositoryScene

OTHER = DatasetId("e" * 32)
NAMES = ["report.pdf", "Report.PDF", "report2.txt", "é ß.pdf", "b", "plan", "x_1999.csv"]


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


CONTENTS = {hashlib.sha256(plain).digest(): plain for plain in (b"x" * size for size in range(1, 30))}
BY_SIZE = {len(plain): ChunkRef(id, len(plain)) for id, plain in CONTENTS.items()}


def tree(root: bytes, state: int) -> dict[bytes, Entry]:
    """Names that come again in other folders; some files change, go and come back."""
    folders = (root + b"/a", root + b"/a/deep", root + b"/docs")
    entries = [Entry(path=folder, kind=Kind.DIRECTORY, mode=0o755) for folder in (root, *folders)]
    for place, folder in enumerate(folders):
        for number, name in enumerate(NAMES):
            turn = place + number + len(root)
            if (turn % 4 == 3 and state > 2) or (turn % 5 == 2 and state in (1, 2)):
                continue
            changed = state if turn % 3 == 0 else 1
            is_link = turn % 7 == 6
            size = 0 if is_link else turn + changed
            entries.append(
                Entry(
                    path=folder + b"/" + name.encode(),
                    kind=Kind.SYMLINK if is_link else Kind.FILE,
                    mode=0o600 + changed,
                    uid=1000 + place,
                    user="ann" if place else "bob",
                    size_bytes=size,
                    mtime_ns=ns_of(at(changed)) + 17,
                    link_target=b"there" if is_link else b"",
                    chunks=() if is_link else (BY_SIZE[size],),
                )
            )
    return {entry.path: entry for entry in sorted(entries, key=lambda entry: walk_key(entry.path))}


def store(scene: RepositoryScene, repository: Repository, dataset: DatasetId, root: bytes, states: int = 4) -> None:
    feeder = MarkingFeeder(dataset=dataset, roots=(root,), chunks=dict(CONTENTS))
    for state in range(1, states + 1):
        action = scene.action(repository, dataset=dataset)
        action.cursor()
        feeder.send(action, tree(root, state - 1) if state > 1 else None, tree(root, state))
        action.close()


def populated(scene: RepositoryScene) -> Repository:
    repository = scene.open()
    store(scene, repository, DATASET, b"/r")
    store(scene, repository, OTHER, b"/more")
    return repository


def paged(repository: Repository, search: Search, limit: int = 1_000, dataset: str = "", steps: bool = False) -> list[Hit]:
    """All pages; with `steps` each answer ends as soon as it may."""
    hits: list[Hit] = []
    after: Place | None = None
    while True:
        found = repository.search(AskSearch(search=search, limit=limit, dataset=dataset), after, lambda: steps)
        hits += [placed.hit for placed in found.hits]
        assert len(found.hits) <= limit
        if found.seen is None:
            return hits
        assert after is None or found.seen > after, "every answer gets further"
        after = found.seen


def everything(repository: Repository) -> Sequence[Listing]:
    return repository.find(AskFind(pattern="*", limit=10_000)).rows


def by_hand(versions: Sequence[Listing], search: Search) -> set[tuple[str, str, datetime | None]]:
    """From every version there is, one by one."""
    found: dict[tuple[str, str], datetime | None] = {}
    living = {(row.dataset, row.path) for row in versions if row.valid_to is None}
    for row in versions:
        name = row.path.rpartition("/")[2]
        seen = row.path if "/" in search.name else name
        pattern, text = (search.name.casefold(), seen.casefold()) if search.ignore_case else (search.name, seen)
        if search.match is Match.GLOB and "/" in pattern and not pattern.startswith("/"):
            pattern = f"*/{pattern}"
        if search.match is Match.GLOB:
            is_named = fnmatch.fnmatchcase(text, pattern)
        else:
            is_named = pattern in text if search.match is Match.PART else re.search(pattern, text) is not None
        valid_from, valid_to = row.valid_from, row.valid_to
        assert valid_from is not None
        keeps = (
            (not search.name or is_named)
            and (not search.under or row.path.encode().startswith(search.under + b"/"))
            and (search.size_from is None or row.size_bytes >= search.size_from)
            and (search.size_to is None or row.size_bytes <= search.size_to)
            and (search.modified.since is None or row.mtime_ns >= ns_of(search.modified.since))
            and (search.modified.until is None or row.mtime_ns <= ns_of(search.modified.until) + 999)
            and (search.existed.until is None or valid_from <= search.existed.until)
            and (search.existed.since is None or valid_to is None or valid_to > search.existed.since)
            and (not search.owner or search.owner in (row.user, str(row.uid)))
            and (not search.types or any(Kind(row.kind) in KINDS_OF_TYPE[each] for each in search.types))
            and (not search.ending or name.casefold().endswith(f".{search.ending}"))
            and (search.state is None or ((row.dataset, row.path) in living) == (search.state is State.EXISTING))
        )
        if keeps:
            key = (row.dataset, row.path)
            found[key] = max(filter(None, (found.get(key), valid_from)))
    return {(dataset, path, newest) for (dataset, path), newest in found.items()}


def told(hits: Sequence[Hit]) -> set[tuple[str, str, datetime | None]]:
    return {(hit.dataset, hit.path, hit.valid_from) for hit in hits}


@pytest.fixture
def repository(scene: RepositoryScene) -> Iterator[Repository]:
    repository = populated(scene)
    yield repository
    repository.close()


times = st.none() | st.sampled_from([at(hours) for hours in (0, 1, 1.5, 2, 3, 4, 9)])
spans = st.tuples(times, times).map(lambda pair: Span(*sorted(pair)) if None not in pair else Span(*pair))  # type: ignore[type-var]
names = st.sampled_from(
    [
        ("", Match.GLOB),
        ("report.pdf", Match.GLOB),
        ("rep*", Match.GLOB),
        ("*.pdf", Match.GLOB),
        ("[rx]*", Match.GLOB),
        ("docs/*", Match.GLOB),
        ("/r/a/*", Match.GLOB),
        ("port", Match.PART),
        ("a/deep/r", Match.PART),
        ("/r/a", Match.PART),
        ("b", Match.PART),
        ("é", Match.PART),
        ("^re.*t(2|\\.p)", Match.REGEX),
        ("\\d{4}", Match.REGEX),
        ("deep/x|docs/p", Match.REGEX),
        ("nothing", Match.PART),
    ]
)
searches = st.builds(
    lambda name, **rest: Search(name=name[0], match=name[1], **rest),
    names,
    ignore_case=st.booleans(),
    under=st.sampled_from([b"", b"", b"/r/a", b"/r/docs/plan"]),
    modified=st.just(Span()) | spans,
    existed=st.just(Span()) | spans,
    owner=st.sampled_from(["", "", "ann", "1000", "nobody"]),
    types=st.sampled_from([(), (), ("file",), ("folder", "link"), ("other",)]),
    ending=st.sampled_from(["", "", "pdf", "b"]),
    state=st.sampled_from([None, None, *State]),
    size_from=st.sampled_from([None, None, 1, 5]),
    size_to=st.sampled_from([None, None, 0, 6]),
)


def test_a_search_finds_what_a_look_at_everything_finds(repository: Repository) -> None:
    interior, versions = repository._interior, everything(repository)

    @given(searches, st.booleans(), st.booleans(), st.integers(1, 9))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def compare(search: Search, many_names: bool, steps: bool, limit: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if many_names:
                patch.setattr(name_order, "_FEW_NAMES", 0)
                patch.setattr(name_order, "_FIRST_WINDOW", 2)
                patch.setattr(name_order, "_PATHS", 3)
            whole = paged(repository, search)
            assert told(whole) == by_hand(versions, search)
            assert len(whole) == len(told(whole))
            assert paged(repository, search, limit, steps=steps) == whole

    compare()
    assert interior.names.behind() == 0, "`find` has made all names searchable"


def test_what_is_not_indexed_yet_is_found_all_the_same(scene: RepositoryScene) -> None:
    repository = populated(scene)
    assert repository._interior.names.behind() > 0
    wanted = Search(name="*.pdf", ignore_case=True)
    before = paged(repository, wanted, 2)
    repository._interior.names.catch_up(iter([False, True]).__next__)
    assert paged(repository, wanted, 2) == before
    assert told(before) == by_hand(everything(repository), wanted)
    store(scene, repository, DatasetId("f" * 32), b"/new", 1)
    assert repository._interior.names.behind() > 0
    both = paged(repository, wanted, 3)
    assert len(both) > len(before)
    assert told(both) == by_hand(everything(repository), wanted)
    repository.close()


def test_what_is_said_of_a_path_is_so(repository: Repository) -> None:
    gone = paged(repository, Search(state=State.DELETED, name="Report.PDF"), dataset=DATASET)
    assert gone
    for hit in gone:
        assert not hit.exists
        assert hit.point
        assert hit.seen_at == at(2), "the last state that had it"
        assert hit.valid_to == at(3)
    changed = paged(repository, Search(name="/r/docs/plan"), dataset=DATASET)
    assert [(hit.versions, hit.exists, hit.seen_at, hit.valid_from) for hit in changed] == [(4, True, at(4), at(4))]
    older = paged(repository, Search(name="/r/docs/plan", modified=Span(None, at(2.5))), dataset=DATASET)
    assert [(hit.versions, hit.exists, hit.valid_from) for hit in older] == [(4, True, at(2))], "the newest that fits, of four"
    assert paged(repository, Search(name="*"), dataset="no such dataset") == []


def test_a_search_waits_for_nobody_who_writes(repository: Repository) -> None:
    catalog = repository._interior.catalog
    hits: list[Hit] = []

    def ask() -> None:
        hits.extend(paged(repository, Search(name="plan")))

    with catalog.transaction():
        catalog.execute("DELETE FROM paths")
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(100)
        assert not asking.is_alive()
        assert hits
        catalog._connection.execute("ROLLBACK")
        catalog._connection.execute("BEGIN IMMEDIATE")


def test_a_search_goes_on_in_the_catalog_that_was_made_anew(repository: Repository) -> None:
    wanted = Search(name="plan", match=Match.PART)
    before = told(paged(repository, wanted))
    repository.care.rebuild()
    assert told(paged(repository, wanted)) == before
