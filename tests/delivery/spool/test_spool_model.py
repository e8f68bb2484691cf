"""Whatever happens, in whatever order: the receiver gets each run as it was, or is told that it does not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivery.row_source import Edit, edits
from tests.delivery.spool.spooled_source import Spooling

Step = tuple[str, list[Edit], int]
kinds = st.sampled_from(["run", "run", "run", "point", "unkept", "send", "send one", "seal", "crash", "lose journal", "catch up"])
steps = st.lists(st.tuples(kinds, edits, st.integers(0, 3)), max_size=14)


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
