"""Whatever happens, in whatever order: the receiver gets each run as it was, or is told that it does not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.delivery.spool.thinning import joined_changes
from holdfast.model.change import Change, Put, Remove
from holdfast.model.entry import Entry, Kind, is_below, walk_key
from tests.delivery.row_source import Edit, Source, edits
from tests.delivery.spool.spooled_source import Spooling

Step = tuple[str, list[Edit], int]
kinds = st.sampled_from(
    ["run", "run", "run", "point", "unkept", "send", "send one", "send joined", "send killed", "seal", "crash", "lose journal", "catch up"]
)
steps = st.lists(st.tuples(kinds, edits, st.integers(0, 3)), max_size=16)


@settings(max_examples=40, deadline=None)
@given(edits, steps, st.sampled_from([4_000, 8_000, 1 << 30]))
def test_every_run_arrives_as_it_was_or_is_said_to_be_missing(first: list[Edit], story: list[Step], share_bytes: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-spool-"))
    try:
        scene = Spooling(folder, share_bytes)
        scene.first(first)
        scene.align()
        for kind, changes, number in story:
            play(scene, kind, changes, number)
        scene.send()
        scene.catch_up()
        scene.check_told()
        scene.seal()
        scene.align()
        assert scene.spool.is_empty
    finally:
        shutil.rmtree(folder)


def play(scene: Spooling, kind: str, changes: list[Edit], number: int) -> None:
    match kind:
        case "run" | "point":
            scene.edit(changes, marked=kind == "point")
            scene.keep()
        case "unkept":
            scene.edit(changes)
            scene.spool.missed(scene.commit().captured_at)
        case "send":
            scene.send()
        case "send one":
            scene.send(number)
        case "send joined":
            scene.send(2 * number, 2 + number)
        case "send killed":
            scene.send(9, 2 + number, is_killed=True)
        case "seal":
            scene.seal()
            scene.align()
        case "crash":
            scene.crash()
        case "lose journal":
            scene.lose_journal()
        case "catch up":
            scene.send()
            scene.catch_up()
    assert scene.spool.size_bytes <= scene.share_bytes + 2_000


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, min_size=1, max_size=6))
def test_what_is_joined_is_what_the_runs_do_one_by_one(story: list[list[Edit]]) -> None:
    source, runs = Source(), list[list[Change]]()
    model = dict[bytes, Entry]()
    for number, changes in enumerate(story, 1):
        source.edit(changes)
        runs.append([change_of(path, entry) for path, entry, run in source.in_order() if run == number])
        applied(model, runs[-1])
        assert model == source.files()
    joined = list(joined_changes(runs))
    assert applied({}, joined) == model
    keys = [walk_key(change.entry.path if isinstance(change, Put) else change.path) for change in joined]
    assert keys == sorted(set(keys))


def change_of(path: bytes, entry: Entry | None) -> Change:
    return Remove(path) if entry is None else Put(entry)


def applied(model: dict[bytes, Entry], changes: list[Change]) -> dict[bytes, Entry]:
    for change in changes:
        path = change.entry.path if isinstance(change, Put) else change.path
        is_folder = isinstance(change, Put) and change.entry.kind is Kind.DIRECTORY
        for below in [known for known in model if is_below(known, path) and not (is_folder and known != path)]:
            del model[below]
        if isinstance(change, Put):
            model[path] = change.entry
    return model
