"""Movers whose windows are closed, from the document to what people are told; a person need not wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.followed import document, following, is_following
from tests.e2e.world import World, eventually, wait_briefly, world_in

pytestmark = pytest.mark.e2e


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter").write_bytes(b"dear")
    with world_in(tmp_path, "files1", "vault") as world:
        yield world


def test_what_waits_for_a_window_is_said_and_is_no_fault(office: World) -> None:
    # Open for one hour, which is not this one nor the next.
    opens = (datetime.now(UTC) + timedelta(hours=3)).hour
    window = f'"{opens:02}:00-{opens + 1:02}:00"'
    text = document(office.folder, {"backup": "{every: 1h, keep: {last: 20}}"}, {"mirror": "vault"})
    assert text.count("carries:") == 2
    closed = text.replace("carries:", f"window: {window}, carries:")
    planned = office.folder / "planned.yaml"
    planned.write_text(closed)
    compiled = office.run("apply", str(planned)).stdout + office.run("compile", "office").stdout
    assert f"{opens:02}:00-{opens + 1:02}:00 full, otherwise closed (UTC)" in compiled
    office.apply(closed, "office")
    eventually(lambda: any(p.get("waits") for p in office.json("status")["protections"]), "it waits")
    status = office.json("status", expect=None)
    assert not any(p["overdue"] or p["error"] for p in status["protections"]), status
    assert "waits for its window until" in office.run("status", expect=None).stdout
    movers = office.json("monitor", "office", expect=None)["movers"]
    assert all(mover["closed_until"] and mover["waits"] and not mover["error"] for mover in movers), movers
    assert office.json("points") == []
    office.run("trigger", "office", "--wait")
    assert len(office.points("main")) == 1
    assert (office.folder / "mirror" / "letter").read_bytes() == b"dear"
    eventually(lambda: is_following(office), "it is followed")
    (office.folder / "data" / "note").write_bytes(b"x" * 5_000)
    eventually(lambda: following(office)["pending_bytes"] >= 5_000, "the note waits")
    told = following(office)
    assert (told["state"], told["error"]) == ("waiting", None)
    assert told["waits_until"]
    assert not (office.folder / "mirror" / "note").exists()
    office.apply(text, "office")
    eventually((office.folder / "mirror" / "note").exists, "an open mover delivers what waited")


def test_moments_of_a_closed_window_are_kept_and_arrive_with_their_own_times(office: World) -> None:
    text = document(office.folder, {"cdp": "{within: 24h}"})
    office.apply(text, "office")
    office.run("trigger", "office", "--wait")
    eventually(lambda: is_following(office), "it is followed")
    opens = (datetime.now(UTC) + timedelta(hours=3)).hour
    office.apply(text.replace("carries:", f'window: "{opens:02}:00-{opens + 1:02}:00", carries:'), "office")
    eventually(lambda: bool(following(office)["waits_until"]), "its windows are closed")
    letter, moments = office.folder / "data" / "letter", []
    for number in range(3):
        letter.write_bytes(b"state %d" % number)
        eventually(lambda number=number: kept_runs(office) > number and not following(office)["pending"], "it is kept")  # type: ignore[misc]
        moments.append(datetime.now(UTC))
        wait_briefly()
    told = following(office)
    assert (told["state"], told["error"], told["gaps"]) == ("following", None, [])
    assert (office.folder / "mirror" / "letter").read_bytes() == b"dear"
    assert "window" in office.run("status", expect=None).stdout
    office.apply(text, "office")
    eventually(lambda: (office.folder / "mirror" / "letter").read_bytes() == b"state 2", "the mirror has the newest")
    eventually(lambda: not following(office)["spooled"], "all that was kept is there")
    for number, moment in enumerate(moments):
        back = office.folder / f"back {number}"
        at = ("--dataset", "files1/documents", "--at", moment.isoformat())
        office.run("restore", *at, "--to", str(back), "--node", "files1")
        assert (back / str(letter).lstrip("/")).read_bytes() == b"state %d" % number
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


def kept_runs(world: World) -> int:
    return sum(int(each["runs"]) for each in following(world).get("spooled", ()))
