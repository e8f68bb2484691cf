"""What fits: times whole on a desk, and of a table as much as a phone is wide."""

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


def test_repositories_fit_on_a_phone(enter: Enter, office: World) -> None:
    person = enter(office, size=PHONE).go("/repositories")
    person.sees("offsite")
    expect(person.page.get_by_text("Newest point")).to_be_visible()
    assert person.page.get_by_text("Room", exact=True).count() == 0
    box = person.page.get_by_text("Newest point").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE[0]
