"""What runs, what it found and what is kept: seen as it happens, and said as it is when a machine is silent or a run failed."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter
from tests.console.person import Person
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, eventually

PATIENCE_MS = 60_000
# So many bytes are on their way for twenty seconds, and for most of them a reader waits: they are more than queues take.
SLOW_BYTES = 60_000_000
LIMIT = "3MB/s"


@pytest.fixture(autouse=True)
def as_at_first(office: World) -> Iterator[None]:
    """What a test leaves is put right for the next, in whatever order they come."""
    yield
    if office.child("vault").exit_code() is not None:
        office.restart("vault")
    if not (office.folder / "data").exists():
        (office.folder / "away").rename(office.folder / "data")
    if large_file(office).exists():
        large_file(office).write_text("small again\n")
    office.apply(document(office), "office")


def large_file(world: World) -> Path:
    return world.folder / "data" / "large.bin"


def document(world: World, limit: str = "") -> str:
    text = ONE_TO_TWO.format(folder=world.folder, when=by_hand_only())
    if not limit:
        return text
    text = text.replace("carries: [documents", f"limit: {limit}, carries: [documents")
    return text.replace("/vault/main}", "/vault/main, parallel_jobs: 1}")


def begin_slowly(world: World) -> dict[str, Any]:
    """The job of a run of twenty seconds, as soon as it runs."""
    large_file(world).write_bytes(os.urandom(SLOW_BYTES))
    world.apply(document(world, LIMIT), "office")
    trigger = world.client.post("/flows/office/trigger", {"policy": "", "operation": "", "accept": False})["trigger"]

    def running() -> list[dict[str, Any]]:
        return list(world.client.get("/jobs", state="running", trigger=trigger)["jobs"])

    eventually(lambda: bool(running()), "the run begins")
    return running()[0]


def bar(person: Person) -> Locator:
    return person.page.get_by_role("main").get_by_role("progressbar", name="Progress of the job")


def verdict(person: Person) -> Locator:
    return person.page.get_by_test_id("verdict")


def state(person: Person, word: str) -> None:
    """Of the job whose page it is."""
    expect(person.page.get_by_role("main").get_by_text(word, exact=True).first).to_be_visible(timeout=PATIENCE_MS)


def row(person: Person, table: str, text: str) -> Locator:
    return person.page.get_by_role("table", name=table).get_by_role("row").filter(has_text=text).first


def test_two_people_see_a_run_go_on_and_end(office: World, enter: Enter) -> None:
    points = len(office.points("main"))
    near, far = enter(office).go("/jobs"), enter(office).go("/jobs")
    for each in (near, far):
        each.is_live()
    job = begin_slowly(office)
    link = f"a[href='/jobs/{job['id']}']"
    listed = far.page.get_by_role("row").filter(has=far.page.locator(link))
    near.page.get_by_role("row").locator(link).click()
    for percent in (r"^\d", r"^[1-9]\d", r"^[3-9]\d"):
        expect(bar(near)).to_have_attribute("aria-valuenow", re.compile(percent))
        expect(listed).to_contain_text(re.compile(r"running \d+ %"))
    lanes = near.page.get_by_role("list", name="What goes to each receiver").get_by_role("listitem")
    expect(lanes).to_have_count(2)
    state(near, "succeeded")
    expect(bar(near)).to_be_hidden()
    expect(listed).to_contain_text("succeeded")
    assert office.client.get(f"/jobs/{job['id']}")["state"] == "succeeded"
    assert len(office.points("main")) == points + 1


def test_a_run_is_cancelled_and_makes_no_point(office: World, enter: Enter) -> None:
    points = len(office.points("main"))
    job = begin_slowly(office)
    person, other = enter(office).go(f"/jobs/{job['id']}"), enter(office).go(f"/jobs/{job['id']}")
    for each in (person, other):
        expect(bar(each)).to_be_visible()
    person.button("Cancel the job").click()
    dialog = person.page.get_by_role("dialog", name="Cancel the job?")
    expect(dialog).to_contain_text("makes no point of this run.")
    dialog.get_by_role("button", name="Cancel the job").click()
    for each in (person, other):
        state(each, "cancelled")
        expect(each.button("Run again")).to_be_visible()
    assert office.client.get(f"/jobs/{job['id']}")["state"] == "cancelled"
    assert len(office.points("main")) == points
    office.restic("main", "vault", "check")


def test_what_a_run_found_is_shown_with_its_path(office: World, enter: Enter) -> None:
    """A file that changes while it is read, for as long as it takes. Meanwhile its repository says who has the one place it gives."""
    large, is_over = large_file(office), threading.Event()
    job = begin_slowly(office)

    def write_on() -> None:
        while not is_over.wait(0.05):
            os.utime(large)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        owner, person = enter(office).go("/repositories/main"), enter(office).go(f"/jobs/{job['id']}")
        places = owner.page.get_by_role("region", name="Jobs at once")
        expect(places).to_contain_text(re.compile("1 of 1 place taken.*delivers.*files1", re.DOTALL))
        assert "\n            delivers:  files1, since" in office.run("repository", "stats", "main").stdout
        state(person, "warnings")
    finally:
        is_over.set()
        writer.join()
    found = row(person, "Findings", "changed while it was read")
    expect(found).to_contain_text(str(large))
    expect(found).to_contain_text("warning")
    ended = office.client.get(f"/jobs/{job['id']}")
    assert (ended["state"], ended["findings_total"]) == ("warnings", len(ended["findings"]))
    assert str(large) in [finding["path"] for finding in ended["findings"] if finding["code"] == "changed-while-read"]


def test_a_repository_is_proven_restorable(office: World, enter: Enter) -> None:
    office.run("trigger", "office", "--wait")
    person, other = enter(office).go("/repositories/main"), enter(office).go("/repositories")
    card = person.page.get_by_role("region", name="Last proven restorable")
    for button, word in (("Check the structure", "structure proven"), ("Read every byte", "proven")):
        card.get_by_role("button", name=button).click()
        expect(card.get_by_text(word, exact=True)).to_be_visible(timeout=PATIENCE_MS)
        expect(row(other, "Repositories", "main").get_by_text(word, exact=True)).to_be_visible()
    expect(card).to_contain_text("Every byte was read and is right.")
    expect(card.get_by_role("button", name="Read every byte")).to_be_enabled()
    kept = {each["name"]: each for each in office.client.get("/repositories")["repositories"]}
    assert (kept["main"]["checked_ok"], kept["main"]["checked_data"]) == (True, True)
    assert kept["offsite"].get("checked_at") is None
    job = office.client.get("/jobs", limit=1)["jobs"][0]
    assert (job["kind"], job["state"]) == ("check", "succeeded")
    office.restic("main", "vault", "check", "--read-data")


def test_a_silent_owner_is_named_and_nothing_is_smoothed_over(office: World, enter: Enter) -> None:
    office.run("trigger", "office", "--wait")
    home, all_of_them, one = (enter(office).go(path) for path in ("/", "/repositories", "/repositories/main"))
    expect(verdict(home)).to_have_text("files1/documents is protected.")
    expect(one.page.get_by_role("region", name="What it holds")).to_be_visible()
    office.stop("vault")
    expect(verdict(home)).to_have_text(re.compile("^0 of 1 dataset protected: 1 not known"), timeout=PATIENCE_MS)
    hurdles = home.page.get_by_role("list", name="What stands in the way")
    expect(hurdles).to_contain_text("vault does not answer.")
    expect(hurdles.get_by_role("link", name="See vault").first).to_be_visible()
    for person in (all_of_them, one):
        alert = person.page.get_by_role("alert").filter(has_text="A repository does not answer")
        expect(alert).to_contain_text("main on vault")
    expect(row(all_of_them, "Repositories", "vault")).to_be_hidden()
    expect(row(all_of_them, "Repositories", "offsite")).to_contain_text("ok")
    expect(one.page.get_by_role("region", name="What it holds")).to_be_hidden()
    assert [each["node"] for each in office.client.get("/repositories")["unreachable"]] == ["vault"]

    office.restart("vault")
    expect(verdict(home)).to_have_text("files1/documents is protected.", timeout=PATIENCE_MS)
    expect(one.page.get_by_role("region", name="What it holds")).to_be_visible(timeout=PATIENCE_MS)
    expect(row(all_of_them, "Repositories", "vault")).to_be_visible(timeout=PATIENCE_MS)


def test_a_failed_run_is_said_first_and_mended_from_there(office: World, enter: Enter) -> None:
    office.run("trigger", "office", "--wait")
    points = len(office.points("main"))
    person = enter(office).go("/")
    expect(verdict(person)).to_have_text("files1/documents is protected.")
    (office.folder / "data").rename(office.folder / "away")
    office.run("trigger", "office", "--wait", expect=None)
    expect(verdict(person)).to_have_text(re.compile("^0 of 1 dataset protected: 1 failed .files1/documents"))
    person.page.get_by_role("link", name="See its jobs").click()
    row(person, "Jobs", "failed").get_by_role("link").click()
    expect(person.page.get_by_role("alert").first).to_contain_text(str(office.folder / "data"))
    (office.folder / "away").rename(office.folder / "data")
    person.button("Run again").click()
    person.button("It is mended, run again").click()
    person.page.get_by_role("link", name="Home", exact=True).click()
    expect(verdict(person)).to_have_text("files1/documents is protected.", timeout=PATIENCE_MS)
    assert len(office.points("main")) == points + 1
    assert office.client.get("/status")["failed"] == 0
