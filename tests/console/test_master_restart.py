"""The Master goes and comes back while pages are open: they say so, come back by themselves, and are right."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Request, Route, expect

from tests.console.person import Person
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, eventually

GONE = "The Master does not answer."
SLOW_BYTES = 12_000_000


def back(world: World) -> None:
    world.restart("master")
    world.machines.wait_for_nodes(set(world.names))


@pytest.fixture(autouse=True)
def as_at_first(office: World) -> Iterator[None]:
    """What a test leaves is put right for the next, in whatever order they come."""
    yield
    if not office.client.is_answered():
        back(office)
    text = ONE_TO_TWO.format(folder=office.folder, when=by_hand_only())
    office.client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": "as at first"})


def test_open_pages_say_that_the_master_is_gone_and_come_back_right(office: World, enter: Callable[..., Person]) -> None:
    watcher = enter(office).go("/jobs")
    drawer = enter(office).go("/flows/office")
    for person in (watcher, drawer):
        person.is_live()
    expect(drawer.vertex("store")).to_be_visible()
    office.stop("master")
    for person in (watcher, drawer):
        expect(person.page.get_by_text(GONE)).to_be_visible()
    back(office)
    # Somebody else was at work before the pages were back.
    text = office.run("export").stdout
    office.client.put("/environment", {"text": text.replace("nodes: {", "nodes: {late: {}, ", 1), "base_revision": None, "comment": "late"})
    for person in (watcher, drawer):
        expect(person.page.get_by_text(GONE)).to_be_hidden()
    office.run("trigger", "office", "--wait")
    newest = office.client.get("/jobs", limit=1)["jobs"][0]
    expect(watcher.page.locator("main").get_by_text(newest["rule"]).first).to_be_visible()
    drawer.page.get_by_role("link", name="Document", exact=True).click()
    expect(drawer.page.get_by_text("late: {}").first).to_be_visible()


def test_a_run_goes_on_while_the_master_is_away(office: World, enter: Callable[..., Person]) -> None:
    (office.folder / "data" / "large.bin").write_bytes(os.urandom(SLOW_BYTES))
    text = ONE_TO_TWO.format(folder=office.folder, when=by_hand_only())
    office.apply(text.replace("carries: [documents", "limit: 1MB/s, carries: [documents"), "office")
    office.client.post("/flows/office/trigger", {"policy": "", "operation": "", "accept": False})
    eventually(lambda: bool(office.client.get("/jobs", state="running")["jobs"]), "a run of a dozen seconds")
    job = office.client.get("/jobs", state="running")["jobs"][0]
    person = enter(office).go(f"/jobs/{job['id']}")
    bar = person.page.get_by_role("main").get_by_role("progressbar").first
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]"))
    office.stop("master")
    expect(person.page.get_by_text(GONE)).to_be_visible()
    back(office)
    expect(person.page.get_by_text(GONE)).to_be_hidden()
    expect(person.page.get_by_role("main").get_by_text("succeeded").first).to_be_visible(timeout=40_000)
    expect(bar).to_be_hidden()
    assert office.client.get(f"/jobs/{job['id']}")["state"] == "succeeded"
    office.apply(text, "office")


def test_unsaved_edits_stay_and_can_be_saved_when_the_master_is_back(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/flows/office")
    person.is_live()
    person.vertex("copy").click()
    person.field("Name in the drawing").fill("twin")
    person.press("Enter")
    expect(person.vertex("twin")).to_be_visible()
    office.stop("master")
    expect(person.page.get_by_text(GONE)).to_be_visible()
    # Without the Master nothing can be edited: it is said, and what is there stays.
    person.field("Name in the drawing").fill("lost")
    person.press("Enter")
    expect(person.button("Dismiss")).to_be_visible()
    expect(person.vertex("twin")).to_be_visible()
    expect(person.field("Name in the drawing")).to_have_value("twin")
    person.sees("not saved")
    back(office)
    expect(person.page.get_by_text("What you see is from")).to_be_hidden()
    person.button("Save").click()
    person.sees(re.compile(r"Saved as revision \d+"))
    assert "twin: {mirror: dr" in office.run("export").stdout


def test_a_screen_whose_code_did_not_arrive_comes_by_itself(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/jobs")
    person.page.route(re.compile(r"/assets/Restore-.*\.js"), lambda route: route.abort())
    # It asks once by itself, as a reload of the page, and after that when the person says so.
    with person.page.expect_event("load"):
        person.page.get_by_role("link", name="Restore").click()
    expect(person.page.get_by_role("heading", name="Not here yet")).to_be_visible()
    person.page.unroute_all()
    person.button("Try again").click()
    expect(person.page.get_by_role("heading", name="Restore", level=1)).to_be_visible()
    person.faults.clear()  # That it did not arrive stands in the browser's log.


def shows_what_ended_last(person: Person) -> None:
    """A cascade that follows by itself may end after what was asked for."""

    def is_shown() -> bool:
        ended = [job for job in person.api("/jobs", limit=20)["jobs"] if job["ended_at"]]
        newest = max(ended, key=lambda job: str(job["ended_at"]))
        return person.last_job().get_attribute("href") == f"/jobs/{newest['id']}"

    eventually(is_shown, "the job that ended last is shown")


def test_tabs_share_one_stream_and_hand_it_over(office: World, enter: Callable[..., Person]) -> None:
    first = enter(office)
    streams: list[Request] = []
    first.page.context.on("request", lambda request: streams.append(request) if request.url.endswith("/api/v1/events") else None)
    first.go("/jobs")
    first.is_live()
    second = first.another_tab().go("/nodes")
    second.is_live()
    assert len(streams) == 1
    office.run("trigger", "office", "--wait")
    for person in (first, second):
        shows_what_ended_last(person)
    assert len(streams) == 1
    first.page.close()
    office.run("trigger", "office", "--wait")
    shows_what_ended_last(second)
    assert len(streams) == 2


def test_a_session_that_ended_asks_to_sign_in_and_loses_nothing(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/flows/office")
    person.is_live()
    person.vertex("files").click()
    person.field("Name in the drawing").fill("papers")
    person.press("Enter")
    expect(person.vertex("papers")).to_be_visible()
    person.sees("not saved")
    for each in office.client.get("/sessions")["sessions"]:
        office.client.delete(f"/sessions/{each['id']}")
    expect(person.page.get_by_role("heading", name="Sign in")).to_be_visible()
    person.sees("Your session has ended")
    person.page.get_by_role("textbox", name="Password").fill(office.machines.admin_password)
    person.press("Enter")
    expect(person.vertex("papers")).to_be_visible()
    person.sees("not saved")


@pytest.mark.parametrize("path", ["/", "/restore?q=letter"])
def test_a_wrong_password_is_told_and_a_right_one_lets_in(office: World, enter: Callable[..., Person], path: str) -> None:
    person = enter(office, signed_in=False)
    person.page.goto(person.base + path)
    password = person.page.get_by_role("textbox", name="Password")
    password.fill("not it")
    person.press("Enter")
    expect(person.page.get_by_role("alert")).to_be_visible()
    password.fill(office.machines.admin_password)
    person.press("Enter")
    expect(person.page.get_by_role("navigation", name="Screens")).to_be_visible()
    assert person.page.url == person.base + path


def test_what_is_typed_stays_when_a_page_asks_late_who_is_there(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office, signed_in=False)
    held: list[Route] = []
    person.page.route("**/api/v1/status*", lambda route: held.append(route))
    person.page.goto(person.base + "/")
    password = person.page.get_by_role("textbox", name="Password")
    password.fill("half of i")
    with person.page.expect_response("**/api/v1/session"):
        for route in held:
            route.continue_()
    expect(password).to_have_value("half of i")
    expect(password).to_be_focused()
