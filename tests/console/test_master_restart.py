"""The Master goes and comes back while pages are open: they say so, come back by themselves, and are right."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World


def test_open_pages_say_that_the_master_is_gone_and_come_back_right(office: World, enter: Callable[..., Person]) -> None:
    watcher = enter(office).go("/jobs")
    drawer = enter(office).go("/flows/office")
    drawer.sees("store")
    office.stop("master")
    try:
        for person in (watcher, drawer):
            expect(person.page.get_by_text("The Master does not answer.")).to_be_visible()
    finally:
        office.restart("master")
    # Somebody else was at work before the pages were back.
    text = office.run("export").stdout
    office.client.put("/environment", {"text": text.replace("nodes: {", "nodes: {late: {}, ", 1), "base_revision": None, "comment": "late"})
    for person in (watcher, drawer):
        expect(person.page.get_by_text("The Master does not answer.")).to_be_hidden()
    office.run("trigger", "office", "--wait")
    newest = office.client.get("/jobs", limit=1)["jobs"][0]
    expect(watcher.page.get_by_text(newest["rule"]).first).to_be_visible()
    drawer.go("/document")
    expect(drawer.page.get_by_text("late", exact=False).first).to_be_visible()


def test_a_session_that_ended_asks_to_sign_in_and_loses_nothing(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/jobs")
    person.page.get_by_role("link", name="Restore").click()
    session = next(each for each in office.client.get("/sessions")["sessions"])
    for each in office.client.get("/sessions")["sessions"]:
        office.client.delete(f"/sessions/{each['id']}")
    assert session
    expect(person.page.get_by_role("heading", name="Sign in")).to_be_visible()
    person.sees("Your session has ended")
    person.page.get_by_label("Password", exact=False).first.fill(office.machines.admin_password)
    person.press("Enter")
    expect(person.page.get_by_role("heading", name="Restore")).to_be_visible()


def test_a_wrong_password_is_told_and_a_right_one_lets_in(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office, signed_in=False)
    person.page.goto(person.base)
    password = person.page.get_by_label("Password", exact=False).first
    password.fill("not it")
    person.press("Enter")
    expect(person.page.get_by_role("alert")).to_be_visible()
    password.fill(office.machines.admin_password)
    person.press("Enter")
    expect(person.page.get_by_role("navigation", name="Screens")).to_be_visible()
