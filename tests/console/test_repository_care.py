"""Looking after a repository from the console: what a prune gives back, points tagged, locked and forgotten, and the way to a kit."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter, make_files
from tests.console.person import PHONE, Person, grave_findings
from tests.e2e.world import World, by_hand_only, world_in

PATIENCE_MS = 60_000
ONE = """\
environment: test
nodes: {{desk: {{}}}}
repositories:
  main: {{node: desk, location: {folder}/desk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
flows:
  care:
    vertices:
      files: {{node: desk, policies: [documents]}}
      store: {{repository: main}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
"""


@pytest.fixture(scope="module")
def care(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One machine that keeps its own files in a repository."""
    folder = tmp_path_factory.mktemp("care")
    make_files(folder / "data")
    with world_in(folder, "desk") as world:
        world.apply(ONE.format(folder=folder, when=by_hand_only()), "care")
        yield world


def letter(world: World) -> Path:
    return world.folder / "data" / "letters" / "letter 1.txt"


def run_with(world: World, content: bytes) -> dict[str, Any]:
    """The point that comes of one run."""
    before = {point["id"] for point in world.points("main")}
    letter(world).write_bytes(content)
    world.run("trigger", "care", "--wait")
    (made,) = [point for point in world.points("main") if point["id"] not in before]
    return dict(made)


def snapshots(world: World) -> set[str]:
    """The points that stock restic sees, by Holdfast's ids of them."""
    listed = json.loads(world.restic("main", "desk", "snapshots", "--json"))
    return {tag.removeprefix("hf:point=") for snapshot in listed for tag in snapshot.get("tags", ()) if tag.startswith("hf:point=")}


def row_of(person: Person, point: dict[str, Any]) -> Locator:
    link = person.page.locator(f"a[href*='{point['id']}']")
    return person.page.get_by_role("table", name="Points").get_by_role("row").filter(has=link)


def choose(person: Person, *points: dict[str, Any]) -> None:
    for point in points:
        row_of(person, point).get_by_role("checkbox").check()


def region(person: Person, name: str) -> Locator:
    return person.page.get_by_role("region", name=name, exact=True)


def test_points_are_tagged_locked_and_forgotten_by_plan(care: World, enter: Enter) -> None:
    first, second, last = (run_with(care, text) for text in (b"one\n", b"two\n", b"three\n"))
    person = enter(care).go("/repositories/main")
    choose(person, first, second)

    person.button("Tag …").click()
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_label("Tags to add").first.fill("year-end")
    person.press("Enter")
    dialog.get_by_role("button", name="Look what would become of them").click()
    expect(dialog).to_contain_text("2 points would be tagged.")
    assert all(point["tags"] == [] for point in care.points("main"))
    dialog.get_by_role("button", name="Tag 2 points").click()
    expect(dialog).to_be_hidden()
    for point in (first, second):
        expect(row_of(person, point)).to_contain_text("year-end")
    assert "year-end" in care.restic("main", "desk", "snapshots")

    choose(person, first)
    person.button("Lock until …").click()
    until = datetime.now(UTC) + timedelta(days=400)
    dialog.get_by_label("Locked until").fill(f"{until:%Y-%m-%dT%H:%M}")
    dialog.get_by_role("button", name="Look what would become of them").click()
    dialog.get_by_role("button", name="Lock 1 point").click()
    expect(dialog).to_be_hidden()
    expect(row_of(person, first)).to_contain_text(f"locked until {until:%Y-%m}")

    choose(person, first, second)
    person.button("Forget …").click()
    dialog.get_by_role("button", name="Look what would become of them").click()
    expect(dialog).to_contain_text("1 point stays: all go or none")
    expect(dialog.get_by_role("row").filter(has_text="it is locked until")).to_be_visible()
    expect(dialog.get_by_role("button", name="Forget 1 point")).to_be_disabled()
    assert grave_findings(person.page) == []
    dialog.get_by_role("button", name="Leave out what stays").click()
    expect(dialog).to_contain_text("1 point would be forgotten for ever.")
    expect(dialog.get_by_role("button", name="Forget 1 point")).to_be_disabled()
    dialog.get_by_label("Type main to go on").fill("main")
    assert second["id"] in {point["id"] for point in care.points("main")}
    dialog.get_by_role("button", name="Forget 1 point").click()
    expect(dialog).to_be_hidden()
    expect(row_of(person, second)).to_have_count(0)
    left = {point["id"] for point in care.points("main")}
    assert {first["id"], last["id"]} <= left
    assert second["id"] not in left
    assert second["id"] not in snapshots(care)
    assert first["id"] in snapshots(care)


def test_points_are_told_when_to_expire_and_take_it_back(care: World, enter: Enter) -> None:
    first, _ = run_with(care, b"old\n"), run_with(care, b"new\n")
    person = enter(care).go("/repositories/main")
    dialog = person.page.get_by_role("dialog")
    for choice, is_told in (("Now", True), ("Never said", False)):
        choose(person, first)
        person.button("Expire …").click()
        dialog.get_by_role("radio", name=choice).check()
        dialog.get_by_role("button", name="Look what would become of them").click()
        dialog.get_by_role("button", name="Expire 1 point").click()
        expect(dialog).to_be_hidden()
        if is_told:
            expect(row_of(person, first)).to_contain_text("expires")
        else:
            expect(row_of(person, first)).not_to_contain_text("expires")
        (told,) = [point for point in care.points("main") if point["id"] == first["id"]]
        assert (told["expires_at"] is not None) == is_told


def test_what_a_prune_would_give_back_is_seen_before_it_is_done(care: World, enter: Enter) -> None:
    large = care.folder / "data" / "large.bin"
    large.write_bytes(bytes(number * 7919 % 251 for number in range(65_536)) * 8 + os.urandom(6_000_000))
    point = run_with(care, b"with something large beside it\n")
    large.unlink()
    run_with(care, b"without it\n")
    care.run("points", "forget", point["id"], "--yes", "--repository", "main")
    stored = care.client.get("/repositories")["repositories"][0]["stored_bytes"]

    person = enter(care).go("/repositories/main")
    card = region(person, "Give back space")
    expect(card.get_by_role("button", name="Prune now")).to_be_disabled()
    card.get_by_text("Delete at once", exact=True).click()
    card.get_by_role("button", name="Look what would go").click()
    expect(card.get_by_role("status")).to_contain_text("Nothing is changed yet", timeout=PATIENCE_MS)
    expect(card.get_by_role("table", name="What a prune would do")).to_contain_text("Bytes that this frees.")
    expect(card.get_by_role("status")).to_contain_text(re.compile(r"[5-9]\.\d MiB would go at once"))
    assert care.client.get("/repositories")["repositories"][0]["stored_bytes"] == stored
    card.get_by_role("button", name="Prune now").click()
    expect(card.get_by_role("status")).to_contain_text("Pruned", timeout=PATIENCE_MS)
    assert care.client.get("/repositories")["repositories"][0]["stored_bytes"] < stored - 5_000_000
    assert "no errors were found" in care.restic("main", "desk", "check", "--read-data")

    job = care.client.get("/jobs", limit=1)["jobs"][0]
    assert (job["kind"], job["state"], job["report"]["dry_run"]) == ("prune", "succeeded", False)
    person.go(f"/jobs/{job['id']}")
    expect(region(person, "What it did").get_by_role("table")).to_contain_text("Bytes that this frees.")
    expect(person.page.get_by_role("main").get_by_role("link", name="main", exact=True)).to_be_visible()
    assert grave_findings(person.page) == []


def test_repair_and_scrub_say_that_all_is_well(care: World, enter: Enter) -> None:
    run_with(care, b"whole\n")
    person = enter(care).go("/repositories/main")
    repair = region(person, "Repair")
    repair.get_by_role("button", name="Look what would be repaired").click()
    expect(repair.get_by_role("status")).to_contain_text("nothing to repair", timeout=PATIENCE_MS)
    expect(repair.get_by_role("button", name="Repair", exact=True)).to_be_disabled()
    proof = region(person, "Last proven restorable")
    proof.get_by_role("button", name="Read the next part now").click()
    expect(proof).to_contain_text(re.compile(r"Scrub: \d+ % of this pass is read"), timeout=PATIENCE_MS)
    repair.get_by_role("button", name="Make the catalog anew").click()
    expect(repair.get_by_role("button", name="Make the catalog anew")).to_be_enabled(timeout=PATIENCE_MS)
    expect(person.page.get_by_role("table", name="Points").get_by_role("row")).not_to_have_count(1)


def test_a_repository_is_paused_and_resumed(care: World, enter: Enter) -> None:
    person = enter(care).go("/repositories/main")
    button = person.page.get_by_role("button", name="Pause it for 2 hours")
    button.click(timeout=PATIENCE_MS)
    again = person.page.get_by_role("button", name="Resume it")
    expect(again).to_be_visible(timeout=PATIENCE_MS)
    expect(person.page.get_by_text("It is free for restic prune.")).to_be_visible(timeout=PATIENCE_MS)
    assert care.json("repository", "stats", "main")["pause"]["by"] == "admin through the Master"
    again.click()
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    assert care.json("repository", "stats", "main")["pause"] is None


def test_a_repository_without_a_kit_says_so_and_how_to_make_one(care: World, enter: Enter) -> None:
    person = enter(care, size=PHONE).go("/repositories/main")
    expect(person.page.get_by_role("alert").filter(has_text="No recovery kit.")).to_contain_text("nobody can read this repository any more")
    keys = region(person, "Keys")
    expect(keys).to_contain_text("holdfast repository key kit main")
    expect(keys).to_contain_text("1 password opens it")
    care.run("repository", "key", "kit", "main", home="desk")
    expect(keys).to_contain_text("--acknowledge", timeout=PATIENCE_MS * 2)
    expect(keys).to_contain_text("2 passwords open it")
    assert grave_findings(person.page) == []


def test_why_a_file_is_kept_is_told_beside_it(care: World, enter: Enter) -> None:
    point = run_with(care, b"kept for a reason\n")
    person = enter(care).go(f"/restore?dataset=desk/documents&point={point['id']}")
    person.button(re.compile("^letters$")).click()
    person.button("Why letter 1.txt is kept").click()
    panel = person.page.get_by_role("dialog")
    held = panel.get_by_role("region", name="In repository main")
    expect(held).to_contain_text("the newest version")
    expect(held.get_by_role("table")).to_contain_text("the rule “last”")
    assert grave_findings(person.page) == []
    person.press("Escape")
    expect(panel).to_be_hidden()


def test_points_of_another_program_are_shown_and_left_alone(care: World, enter: Enter) -> None:
    run_with(care, b"ours\n")
    care.restic("main", "desk", "backup", str(letter(care)))
    person = enter(care).go("/repositories/main?mark=foreign")
    rows = person.page.get_by_role("table", name="Points").get_by_role("row").filter(has_text="read-only")
    expect(rows).to_have_count(1)
    expect(rows.get_by_role("checkbox")).to_be_disabled()
    expect(region(person, "What stays")).to_contain_text("1 point of another program")
    expect(region(person, "What stays")).to_contain_text("the newest 50")
