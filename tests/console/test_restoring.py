"""Getting a file back, as a person who has never seen the console: the first state of a changed file, found by its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, expect

from tests.console.person import Person, grave_findings
from tests.e2e.world import World, eventually


def test_the_first_state_of_a_changed_file_is_found_and_restored(office: World, enter: Callable[..., Person]) -> None:
    letter = office.folder / "data" / "letters" / "letter 7.txt"
    first = letter.read_bytes()
    office.run("trigger", "office", "--wait")
    letter.write_text("all new\n")
    office.run("trigger", "office", "--wait")
    target = office.folder / "back"

    person = enter(office).go("/restore")
    person.field("Search over all time").fill("letter 7")
    expect(found(person)).to_contain_text("letter 7.txt")
    # The arrows lead to it, and Enter opens its versions.
    person.press("ArrowDown")
    person.press("Enter")
    versions = person.page.get_by_role("dialog").get_by_role("table", name="Versions")
    expect(versions.get_by_role("row").filter(has_text="from 20")).to_have_count(2)
    versions.get_by_role("row").filter(has_text=re.compile(r"until 20")).get_by_role("button", name="Restore …").click()
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.sees("1 file (")
    assert not target.exists(), "a look changes nothing"
    person.button("Restore now").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog.get_by_text("restored", exact=True)).to_be_visible()

    assert (target / str(letter).lstrip("/")).read_bytes() == first
    assert letter.read_text() == "all new\n"
    job = person.api("/jobs", limit=1)["jobs"][0]
    assert (job["kind"], job["state"]) == ("restore", "succeeded")


@dataclass
class Stopwatch:
    """Counts what a person does."""

    actions: int = 0

    def __call__(self, act: Callable[[], object]) -> None:
        self.actions += 1
        act()


def found(person: Person) -> Locator:
    """The only row of what a search found."""
    rows = person.page.get_by_role("table", name="Files found").locator("[role=row]:not([aria-rowindex='1'])")
    expect(rows).to_have_count(1)
    return rows


def test_a_deleted_file_is_found_and_restored_in_six_actions(office: World, enter: Callable[..., Person]) -> None:
    lost = office.folder / "data" / "letters" / "letter 9.txt"
    content = lost.read_bytes()
    office.run("trigger", "office", "--wait")
    lost.unlink()
    office.run("trigger", "office", "--wait")
    target = office.folder / "had back"

    person, act = enter(office).go("/"), Stopwatch()
    act(lambda: person.page.get_by_role("link", name="Restore", exact=True).first.click())
    act(lambda: person.field("Search over all time").fill("LETTER 9"))
    expect(found(person)).to_contain_text("deleted")
    act(lambda: found(person).get_by_role("button", name="Restore …").click())
    act(lambda: person.field("Folder").fill(str(target)))
    act(lambda: person.button("Look what would happen").click())
    person.sees("1 file (")
    act(lambda: person.button("Restore now").click())
    expect(person.page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()
    assert (target / str(lost).lstrip("/")).read_bytes() == content
    assert act.actions <= 6


def test_filters_are_chips_and_stand_in_the_address(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    gone = office.folder / "data" / "letters" / "letter 5.txt"
    gone.unlink()
    office.run("trigger", "office", "--wait")
    person = enter(office).go("/restore")
    rows = person.page.get_by_role("table", name="Files found")
    person.field("Search over all time").fill("letter [35].txt")
    expect(rows).to_contain_text("letter 3.txt")
    person.button("Add filter").click()
    person.page.get_by_role("menuitem", name="Still there").click()
    person.page.get_by_role("combobox", name="Still there").click()
    person.page.get_by_role("option", name="Deleted").click()
    expect(found(person)).to_contain_text("letter 5.txt")
    assert grave_findings(person.page) == []
    expect(person.page).to_have_url(re.compile(r"state=deleted"))

    other = person.another_tab()
    other.page.goto(person.page.url)
    expect(found(other)).to_contain_text("letter 5.txt")
    person.button("Remove filter Still there: Deleted").click()
    expect(rows).to_contain_text("letter 3.txt")
    person.button("Add filter").click()
    person.page.get_by_role("menuitem", name="Size").click()
    person.field("Size").fill("large")
    person.press("Enter")
    person.sees("not a size: 'large'")
    person.button("Remove filter Size: large").click()
    person.button("Back to folders").click()
    expect(person.button(re.compile("^letters$"))).to_be_visible()


def test_a_repository_that_is_away_is_named(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    office.stop("vault")
    try:
        nodes = lambda: {node["name"]: node["state"] for node in office.client.get("/nodes")["nodes"]}  # noqa: E731
        eventually(lambda: nodes()["vault"] == "offline", "vault is away")
        person = enter(office).go("/restore?q=letter")
        person.sees("A repository does not answer. What it holds was not searched.")
        expect(person.page.get_by_role("table", name="Files found")).to_be_visible()
    finally:
        office.restart("vault")


def test_a_folder_is_browsed_and_restored_by_ticking(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    target = office.folder / "ticked"
    person = enter(office).go("/restore")
    person.button(re.compile("^letters$")).click()
    person.page.get_by_label("Choose letter 3.txt").click()
    person.page.get_by_label("Choose letter 4.txt").click()
    person.button("Restore 2 things …").click()
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.button("Restore now").click()
    expect(person.page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()
    folder = target / str(office.folder / "data" / "letters").lstrip("/")
    assert sorted(path.name for path in folder.iterdir()) == ["letter 3.txt", "letter 4.txt"]
