"""What fits: times whole on a desk, and on a phone each row of a table as a list of what a desk shows of it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.console.conftest import Enter
from tests.console.person import DESK, PHONE, Person
from tests.e2e.world import World

_CUT = """() => [...document.querySelectorAll('[role=cell] time')].filter((time) => {
  const cell = time.closest('[role=cell]').getBoundingClientRect();
  return time.getBoundingClientRect().right > cell.right + 1;
}).map((time) => time.textContent)"""


def test_times_are_whole_on_a_desk(enter: Enter, office: World) -> None:
    office.run("trigger", "office", "--wait")
    person = enter(office, size=DESK)
    for path in ("/restore", "/audit"):
        person.go(path)
        expect(person.page.get_by_text(_year(person)).first).to_be_visible()
        assert person.page.evaluate(_CUT) == []


def _year(person: Person) -> str:
    return str(person.page.evaluate("() => String(new Date().getFullYear())")) + "-"


# Of what a table shows, what cannot be seen without scrolling it sideways.
_ASIDE = """() => [...document.querySelectorAll('[role=table]')].flatMap((table) => {
  const card = table.parentElement;
  const cells = [...table.querySelectorAll('[role=cell]')].filter((cell) => cell.getBoundingClientRect().right > window.innerWidth);
  return [...(card.scrollWidth > card.clientWidth + 1 ? [table.getAttribute('aria-label')] : []), ...cells.map((cell) => cell.textContent)];
})"""
_TABLES = ("/flows", "/nodes", "/repositories", "/repositories/main", "/jobs", "/log", "/audit", "/reports", "/restore?q=letter")


def test_tables_are_read_without_scrolling_sideways_on_a_phone(enter: Enter, office: World) -> None:
    office.run("trigger", "office", "--wait")
    person = enter(office, size=PHONE)
    for path in _TABLES:
        person.go(path)
        expect(person.page.locator("[role=table] [role=cell]").first).to_be_visible()
        assert (path, person.page.evaluate(_ASIDE)) == (path, [])


def test_a_phone_shows_all_that_a_desk_shows_of_a_repository(enter: Enter, office: World) -> None:
    person = enter(office, size=PHONE).go("/repositories")
    row = person.page.get_by_role("row").filter(has_text="offsite")
    for label in ("Stored", "Room", "Points", "Newest point", "Last proven restorable"):
        expect(row.get_by_text(label, exact=True)).to_be_visible()
    # What it is sorted by stands above, as at a desk.
    person.button("Points").click()
    expect(person.page.get_by_role("columnheader", name="Points")).to_have_attribute("aria-sort", "ascending")
