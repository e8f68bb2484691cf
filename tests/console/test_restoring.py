"""Getting a file back, as a person who has never seen the console: the first state of a changed file, found by its name."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World


def test_the_first_state_of_a_changed_file_is_found_and_restored(office: World, enter: Callable[..., Person]) -> None:
    letter = office.folder / "data" / "letters" / "letter 7.txt"
    first = letter.read_bytes()
    office.run("trigger", "office", "--wait")
    letter.write_text("all new\n")
    office.run("trigger", "office", "--wait")
    target = office.folder / "back"

    person = enter(office).go("/restore")
    person.field("Search over all time").fill("letter 7")
    person.press("Enter")
    rows = person.page.get_by_role("row").filter(has_text="letter 7.txt")
    expect(rows).to_have_count(2)
    old = rows.filter(has_text=re.compile(r"until 20"))
    old.get_by_role("button", name="Restore …").click()
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
