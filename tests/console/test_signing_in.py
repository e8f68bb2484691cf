"""Getting in: by a link of the command line, once; by a password, with a word when it is wrong; by a provider; and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import expect

from holdfast.master.config import load_config, save_config
from tests.console.conftest import Enter
from tests.console.person import Person, grave_findings
from tests.e2e.world import World
from tests.openid.real_provider import RealProvider, real_provider


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


@pytest.fixture
def corp(bare: World, tmp_path: Path) -> Iterator[RealProvider]:
    """A real provider that the Master knows meanwhile."""
    home = bare.home("master") / "master"
    before = load_config(home)
    with real_provider(tmp_path / "provider", (f"{bare.client.url}/sign-in/return",)) as provider:
        save_config(msgspec.structs.replace(before, directories=(provider.directory(),)))
        bare.stop("master")
        bare.restart("master")
        yield provider
    save_config(before)
    bare.stop("master")
    bare.restart("master")


def test_by_a_provider_and_a_command_line_from_there(bare: World, enter: Enter, corp: RealProvider) -> None:
    guest: Person = enter(bare, signed_in=False)
    guest.elsewhere = (corp.issuer,)
    guest.go("/jobs?state=failed")
    expect(guest.button("Sign in with Example Corp")).to_be_visible()
    assert grave_findings(guest.page) == []
    corp.comes("nobody")
    guest.button("Sign in with Example Corp").click()
    guest.sees("Example Corp let nobody in (access_denied)")
    corp.comes("s-eva")
    guest.button("Sign in with Example Corp").click()
    expect(guest.page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    assert guest.page.url == f"{guest.base}/jobs?state=failed", "back where one was, and no code in the address"
    expect(guest.button("Signed in as eva")).to_be_visible()
    asked = bare.client.post("/login/requests")
    guest.go(f"/command-line/{asked['code']}")
    guest.sees("asks to be logged in as eva")
    guest.button("Allow").click()
    guest.sees("It is logged in.")
    assert bare.client.post("/login/requests/take", {"secret": asked["secret"]})["user"] == "eva"
    guest.go("/settings/directories")
    guest.sees("backup-admins: admin on everything")
    guest.button("Test Example Corp").click()
    guest.sees("2 groups bring grants")
    assert grave_findings(guest.page) == []
