"""Every screen, light and dark: nothing that axe calls serious or critical; whole at a desk, readable on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.person import DESK, PHONE, Person, grave_findings, person_at
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


@pytest.fixture(scope="module")
def visitor(lived_in: World, browser: Browser) -> Iterator[Person]:
    """One browser goes to all screens: to start one for each takes longer than to look."""
    with person_at(browser, lived_in) as person:
        yield person


@pytest.mark.parametrize("path", SCREENS)
def test_a_screen_is_for_everybody(visitor: Person, path: str) -> None:
    """All that is wrong with it is told at once."""
    page, found = visitor.page, []
    page.emulate_media(color_scheme="light")
    settled(visitor, path, DESK)
    found += [f"light: {each}" for each in grave_findings(page)]
    found += sticking_out(page, "at a desk")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    # A colour on its way from light to dark is neither.
    page.wait_for_function("() => !document.getAnimations().some(each => each instanceof CSSTransition)")
    found += [f"dark: {each}" for each in grave_findings(page)]
    settled(visitor, path, PHONE)
    found += sticking_out(page, "on a phone")
    found += visitor.faults
    visitor.faults.clear()
    assert not found, "\n".join(found)


def settled(person: Person, path: str, size: tuple[int, int]) -> None:
    """The screen is there, and has said what it has to say."""
    person.page.set_viewport_size({"width": size[0], "height": size[1]})
    person.go(path)
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    expect(person.page.get_by_label("Loading", exact=True)).to_have_count(0)
    expect(person.page.get_by_text("Loading …")).to_have_count(0)


def sticking_out(page: Page, where: str) -> list[str]:
    """What one would have to scroll sideways for."""
    window, content = page.evaluate(
        """() => [
          document.documentElement.scrollWidth - window.innerWidth,
          Math.max(...[...document.querySelector("main").children].map(child => child.scrollWidth - child.clientWidth)),
        ]"""
    )
    return [
        f"{where}: {pixels} px stick out of {what}"
        for what, pixels, most in (("the window", window, 0), ("the content", content, 1))
        if pixels > most
    ]


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
