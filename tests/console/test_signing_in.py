"""Getting in: by a link of the command line, once; by a password, with a word when it is wrong; and out again."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.console.conftest import Enter
from tests.e2e.world import World


def test_a_link_of_the_command_line_lets_in_once(bare: World, enter: Enter) -> None:
    link = bare.client.post("/session/links")["url"].replace("/#", "/nodes?state=all#")
    guest = enter(bare, signed_in=False)
    guest.page.goto(link)
    expect(guest.page.get_by_role("heading", name="Nodes", level=1)).to_be_visible()
    assert guest.page.url == f"{guest.base}/nodes?state=all", "the code does not stay in the address bar"
    late = enter(bare, signed_in=False)
    late.page.goto(link)
    late.sees("this link has been used, or has expired")
    expect(late.button("Sign in")).to_be_visible()


def test_a_link_is_no_trouble_to_who_is_in_already(bare: World, enter: Enter) -> None:
    person = enter(bare)
    person.page.goto(bare.client.post("/session/links")["url"])
    expect(person.page.get_by_role("navigation", name="Screens")).to_be_visible()
    assert "signin" not in person.page.url


def test_by_password_and_out_again(bare: World, enter: Enter) -> None:
    person = enter(bare, signed_in=False).go("/jobs")
    password = person.page.locator("input[type=password]")
    password.fill("guess")
    person.press("Enter")
    person.sees("user or password is wrong")
    password.fill(bare.machines.admin_password)
    person.press("Enter")
    expect(person.page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    person.button("Signed in as admin").click()
    person.page.get_by_role("menuitem", name="Sign out").click()
    expect(person.button("Sign in")).to_be_visible()
    assert person.page.context.cookies() == []
