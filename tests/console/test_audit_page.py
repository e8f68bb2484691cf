"""The audit log in a browser: who asked what, by whom alone, and whether anybody changed it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World


def test_who_asked_what_is_listed_narrowed_and_verified(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    office.run("find", "letter*")
    person = enter(office).go("/audit")
    table = person.page.get_by_role("table", name="Audit records")
    expect(table).to_contain_text("POST /api/v1/flows/office/trigger")
    expect(table).to_contain_text("GET /api/v1/search")
    person.page.get_by_label("Activity").fill("search")
    expect(table).not_to_contain_text("POST /api/v1/flows/office/trigger")
    person.page.get_by_role("button", name="Verify the log").click()
    told = person.page.get_by_role("status").filter(has_text="none changed")
    expect(told).to_contain_text("Witnesses: ")
