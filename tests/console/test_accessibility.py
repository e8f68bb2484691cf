"""Every screen, light and dark: nothing that axe calls serious or critical; whole at a desk, readable on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.console.person import DESK, PHONE, Person, grave_findings
from tests.e2e.world import World

SCREENS = (
    "/",
    "/flows",
    "/flows/office",
    "/flows/office/list",
    "/flows/office/yaml",
    "/flows/office/compile",
    "/flows/office/monitor",
    "/policies",
    "/policies/documents",
    "/schedules",
    "/nodes",
    "/nodes/-/add",
    "/nodes/files1",
    "/repositories",
    "/repositories/main",
    "/restore",
    "/restore?q=letter",
    "/archive",
    "/jobs",
    "/log",
    "/notifications",
    "/reports",
    "/reports?kind=transfers",
    "/audit",
    "/document",
    "/nowhere",
)


@pytest.fixture(scope="module")
def lived_in(office: World) -> World:
    """A world in which things have happened: two runs, a restore."""
    office.run("trigger", "office", "--wait")
    (office.folder / "data" / "letters" / "letter 1.txt").write_text("changed\n")
    office.run("trigger", "office", "--wait")
    return office


def settled(person: Person, path: str) -> None:
    """The screen is there, and has said what it has to say."""
    person.go(path)
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    expect(person.page.get_by_label("Loading", exact=True)).to_have_count(0)
    expect(person.page.get_by_text("Loading …")).to_have_count(0)


@pytest.mark.parametrize("path", SCREENS)
def test_axe_finds_nothing_grave(lived_in: World, enter: Callable[..., Person], path: str) -> None:
    person = enter(lived_in)
    settled(person, path)
    assert grave_findings(person.page) == []
    person.page.emulate_media(color_scheme="dark")
    expect(person.page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    # A colour on its way from light to dark is neither.
    person.page.wait_for_function("() => !document.getAnimations().some(each => each instanceof CSSTransition)")
    assert grave_findings(person.page) == []


@pytest.mark.parametrize("path", SCREENS)
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_sticks_out_sideways(lived_in: World, enter: Callable[..., Person], path: str, size: tuple[int, int]) -> None:
    person = enter(lived_in, size=size)
    settled(person, path)
    assert person.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    content = person.page.locator("main")
    assert content.evaluate("each => Math.max(...[...each.children].map(child => child.scrollWidth - child.clientWidth))") <= 1


def test_the_page_that_asks_who_one_is(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in, signed_in=False)
    person.page.goto(person.base)
    expect(person.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert grave_findings(person.page) == []


def test_palette_and_sheet_of_keys(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in).go("/")
    person.press("Control+k")
    box = person.page.get_by_role("combobox", name="Go to, find, do")
    expect(box).to_be_focused()
    assert grave_findings(person.page) == []
    box.fill("repos")
    person.press("Enter")
    expect(person.page.get_by_role("heading", name="Repositories", level=1)).to_be_visible()
    person.press("?")
    expect(person.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert grave_findings(person.page) == []
