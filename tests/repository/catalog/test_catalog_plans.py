"""No statement of the catalog reads all versions, paths or folders: what it costs follows from what it is asked, not from what there is."""

from __future__ import annotations

import re

from holdfast.model.entry import Entry, Kind, walk_key
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing
from holdfast.repository.points.sealing import forget
from holdfast.testing.repository_scene import DATASET, MarkingFeeder, RepositoryScene

_LARGE = re.compile(r"^SCAN (v|p|f|versions|paths|folders|named|blobs|claims|commits|c|s)\b")


def _tree(state: int) -> dict[bytes, Entry]:
    folders = [b"/r", b"/r/a", b"/r/b"] + ([b"/r/gone"] if state == 1 else [])
    files = [folder + b"/file%d" % number for folder in folders for number in range(state, state + 4)]
    entries = [Entry(path=path, kind=Kind.DIRECTORY, mode=0o755) for path in folders]
    entries += [Entry(path=path, kind=Kind.FILE, mode=0o600 + state) for path in files]
    return {entry.path: entry for entry in sorted(entries, key=lambda entry: walk_key(entry.path))}


def test_nothing_is_read_whole(scene: RepositoryScene) -> None:
    repository = scene.open()
    interior = repository._interior
    connection = interior.catalog._connection
    said: set[str] = set()
    connection.set_trace_callback(said.add)
    feeder = MarkingFeeder(dataset=DATASET, roots=(b"/r",), chunks={})
    for state in (1, 2, 3, 4):
        scene.store(repository, feeder, _tree(state - 1) if state > 1 else None, _tree(state))
    for pattern in ("file1", "fil*", "*ile*", "/r/a/*", "b/*", "*/r/*1"):
        repository.find(AskFind(pattern=pattern))
        repository.find(AskFind(pattern=pattern, ignore_case=True))
    repository.history(AskHistory(path=b"/r/a/file1", dataset=DATASET))
    repository.listing(AskListing(dataset=DATASET, recursive=True))
    repository.point(repository.points()[0].id)
    rows = [row.id for row in interior.commits.listed()]
    for going in (rows[1:2], rows[3:]):
        with interior.catalog.transaction():
            forget(interior, going)
    connection.set_trace_callback(None)
    plans = {
        statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        for statement in said
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")) and "name_parts" not in statement
    }
    assert len(plans) > 40
    assert {statement: plan for statement, plan in plans.items() if any(_LARGE.match(step) for step in plan)} == {}
    repository.close()
