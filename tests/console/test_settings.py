"""Users, roles, tokens and approvals in a browser: somebody is let in, sees what she may, and lets through what needs two."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter
from tests.console.person import Person
from tests.e2e.world import World

PASSWORD = "correct horse battery"


def add_user(person: Person, name: str, role: str) -> None:
    person.go("/settings/users")
    person.button("Add a user").click()
    dialog = person.page.get_by_role("dialog", name="Add a user")
    dialog.get_by_label("Name").fill(name)
    dialog.locator("input[type=password]").fill(PASSWORD)
    dialog.get_by_role("combobox", name="Role on everything").click()
    person.page.get_by_role("option", name=role, exact=True).click()
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(person.page.get_by_role("list", name="Users")).to_contain_text(f"{role} on everything")


def sign_in_as(enter: Enter, world: World, name: str) -> Person:
    person = enter(world, signed_in=False)
    person.page.goto(person.base)
    person.page.get_by_label("User").fill(name)
    person.page.locator("input[type=password]").fill(PASSWORD)
    person.press("Enter")
    expect(screens(person)).to_be_visible()
    return person


def screens(person: Person) -> Locator:
    return person.page.get_by_role("navigation", name="Screens")


def test_a_viewer_sees_what_she_may_and_no_dead_buttons(office: World, enter: Enter) -> None:
    admin = enter(office)
    add_user(admin, "vera", "viewer")
    admin.button("What can vera do?").click()
    can = admin.page.get_by_role("list", name="What vera can do")
    expect(can).to_contain_text("status.read on everything")
    expect(can).not_to_contain_text("flows.trigger")

    vera = sign_in_as(enter, office, "vera")
    expect(screens(vera).get_by_role("link", name="Nodes")).to_be_visible()
    for hidden in ("Audit", "Document", "Policies", "Restore"):
        expect(screens(vera).get_by_role("link", name=hidden)).to_have_count(0)
    expect(vera.page.get_by_test_id("verdict")).to_be_visible()
    expect(vera.button("Protect a folder")).to_have_count(0)
    screens(vera).get_by_role("link", name="Nodes").click()
    expect(vera.page.get_by_role("table", name="Nodes")).to_contain_text("files1")
    expect(vera.page.get_by_role("link", name="Add a node")).to_have_count(0)
    vera.go("/repositories/main")
    expect(vera.page.get_by_role("heading", name="Last proven restorable")).to_be_visible()
    expect(vera.button("Check the structure")).to_have_count(0)
    vera.go("/log")
    expect(vera.page.get_by_role("table", name="Log", exact=True)).to_be_visible()
    expect(vera.page.get_by_role("group", name="With the chosen lines")).to_have_count(0)
    vera.go("/audit")
    expect(vera.page.get_by_role("alert").filter(has_text="audit.read").first).to_be_visible()
    vera.go("/settings")
    expect(vera.page.get_by_role("tab", name="Users")).to_have_count(0)


def test_a_token_is_shown_once_and_dropped(office: World, enter: Enter) -> None:
    person = enter(office).go("/settings/tokens")
    person.button("Make a token").click()
    person.field("Name").fill("for the monitoring")
    person.button("Make it").click()
    expect(person.page.get_by_role("dialog")).to_contain_text("hft_")
    person.button("I have it").click()
    row = person.page.get_by_role("list", name="Tokens").get_by_role("listitem").filter(has_text="for the monitoring")
    expect(row).to_contain_text("of admin")
    person.button("Drop the token for the monitoring").click()
    expect(row).to_have_count(0)
    person.page.get_by_role("tab", name="Sessions").click()
    expect(person.page.get_by_role("list", name="Sessions")).to_contain_text("this one")


def test_what_needs_two_is_held_and_let_through_by_the_other(office: World, enter: Enter) -> None:
    admin = enter(office)
    add_user(admin, "ben", "admin")
    office.run("approvals", "require", "deactivate")
    refused = office.run("deactivate", "office", expect=5)
    assert "second person" in refused.stderr
    admin.go("/settings/approvals")
    mine = admin.page.get_by_role("list", name="Requests that wait")
    expect(mine).to_contain_text("/api/v1/flows/office/deactivate")
    expect(mine.get_by_role("button", name="Approve")).to_have_count(0)

    ben = sign_in_as(enter, office, "ben")
    ben.go("/settings/approvals")
    ben.button("Approve").click()
    over = ben.page.get_by_role("list", name="Requests that are over")
    expect(over).to_contain_text("done")
    assert office.client.get("/flows")["flows"][0]["state"] == "draft"
    office.run("activate", "office")
