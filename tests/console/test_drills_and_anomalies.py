"""Drills and anomalies in the console: written into a policy by keyboard, seen on the first page, gone back from; and a mirror to restore
from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.keyboard import Keyboard
from tests.console.person import Person, grave_findings
from tests.e2e.world import World, eventually


def test_drills_and_what_is_looked_for_are_written_by_keyboard(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/policies/documents")
    keyboard = Keyboard(person)
    keyboard.tab_to("Restore it on trial")
    keyboard.choose("A sample, every so often")
    for label, text in (("Proven every", "3d"), ("Sample", "7 files"), ("Check script", "books-balance")):
        person.field(label).focus()
        keyboard.fill(text)
        keyboard.press("Enter")
    person.field("Hold for").focus()
    keyboard.fill("30d")
    keyboard.press("Enter")
    assert grave_findings(person.page) == []
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))
    text = person.api("/environment")["text"]
    assert 'drill: {every: 3d, sample: "7 files", check: books-balance}' in text
    assert "anomaly: {hold: 30d}" in text

    person.field("Sample").fill("some")
    person.press("Enter")
    person.sees(re.compile("is not a sample"))
    person.button(re.compile("^Undo: Set sample")).click()
    person.page.get_by_role("combobox", name="When files are encrypted, renamed or removed in mass").click()
    person.page.get_by_role("option", name="Do not look").click()
    person.page.get_by_role("combobox", name="Restore it on trial").click()
    person.page.get_by_role("option", name="Not by itself").click()
    person.button("Save").click()
    # That the first revision was saved may still be shown.
    eventually(lambda: "drill" not in person.api("/environment")["text"], "the second revision is saved")
    assert re.search(r"anomaly: ['\"]?off", person.api("/environment")["text"])


def test_the_first_page_says_what_is_proven_and_what_is_being_destroyed(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    office.run("drill", "files1/documents", "--repository", "main", "--sample", "all")
    person = enter(office).go("/")
    drills = person.page.get_by_role("region", name="Last proven restorable")
    expect(drills).to_contain_text("files1/documents in main")
    expect(drills).to_contain_text("41 files")

    for number in range(10, 30):
        (office.folder / "data" / "letters" / f"letter {number}.txt").write_bytes(os.urandom(4_000))
    office.run("trigger", "office", "--wait")
    eventually(lambda: office.run("anomalies", expect=None).returncode == 3, "the anomaly is told")
    person.go("/")
    card = person.page.get_by_role("region", name="Looks as if it were being destroyed")
    eventually(lambda: len(office.json("anomalies", expect=None)) == 2, "both repositories tell")
    expect(card.get_by_role("listitem")).to_have_count(2)
    expect(card).to_contain_text("held until")
    assert grave_findings(person.page) == []
    card.get_by_role("link", name="Go to the last clean moment").first.click()
    expect(person.page.get_by_role("heading", level=1, name="Restore")).to_be_visible()
    person.go("/")
    # One for each repository that stores it.
    expect(card.get_by_role("listitem")).to_have_count(2)
    card.get_by_role("button", name="It was a false alarm").first.click()
    expect(card.get_by_role("listitem")).to_have_count(1)
    card.get_by_role("button", name="It was a false alarm").click()
    expect(card).to_have_count(0)
    office.run("anomalies", expect=0)


def test_everything_comes_back_out_of_a_mirror(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    person = enter(office).go("/restore")
    mirror = f"dr:{office.folder}/dr/mirror"
    keyboard = Keyboard(person)
    keyboard.tab_to(f"Restore from it: {mirror}")
    keyboard.press("Enter")
    dialog = person.page.get_by_role("dialog")
    expect(dialog.get_by_label("From which copy")).to_have_value(mirror)
    person.field("Folder").fill(str(office.folder / "out of the mirror"))
    assert grave_findings(person.page) == []
    person.button("Look what would happen").click()
    person.sees(re.compile(r"41 files? \("))
    assert grave_findings(person.page) == []
    person.button("Restore now").click()
    expect(dialog.get_by_text("restored", exact=True)).to_be_visible()
    back = office.folder / "out of the mirror" / str(office.folder / "data").lstrip("/")
    assert len(list((back / "letters").iterdir())) == 40
