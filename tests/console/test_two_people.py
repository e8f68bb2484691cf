"""Two people at one document: each is told of the other, sees the difference, and loses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.console.person import Person
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only

TOLD = re.compile(r"admin saved revision \d+ while you were editing")


@pytest.fixture(autouse=True)
def as_at_first(office: World) -> None:
    """Each test begins with the same document, in whatever order they come."""
    text = ONE_TO_TWO.format(folder=office.folder, when=by_hand_only())
    office.client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": "as at first"})


@pytest.fixture
def two(office: World, enter: Callable[..., Person]) -> tuple[Person, Person]:
    """Anna and Ben, each at a browser of their own, both at the drawing."""
    anna, ben = enter(office), enter(office)
    for person in (anna, ben):
        person.go("/flows/office").is_live()
        expect(person.vertex("store")).to_be_visible()
    return anna, ben


def rename(person: Person, vertex: str, name: str) -> None:
    """In the drawing."""
    person.vertex(vertex).click()
    write(person, "Name in the drawing", name)
    expect(person.vertex(name)).to_be_visible()
    person.sees("not saved")


def write(person: Person, label: str, text: str) -> None:
    person.field(label).fill(text)
    person.press("Enter")


def save(person: Person) -> None:
    person.button("Save").click()
    person.sees(re.compile(r"Saved as revision \d+"))


def see_the_difference(person: Person) -> Locator:
    person.sees(TOLD)
    person.button("See the difference").click()
    dialog = person.page.get_by_role("dialog", name=re.compile(r"admin saved revision \d+"))
    expect(dialog.get_by_role("heading", name="You changed")).to_be_visible()
    return dialog


def stored(world: World) -> str:
    return str(world.client.get("/environment")["text"])


def in_line_editor(person: Person, before: str, after: str) -> None:
    """In the text: put the caret behind `before` and type."""
    line = person.page.locator(".cm-line", has_text=before).first
    line.click()
    person.press("End")
    person.page.keyboard.insert_text(after)


def test_the_second_is_told_sees_the_difference_and_takes_both(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    rename(ben, "copy", "twin")
    rename(anna, "far", "distant")
    save(anna)
    dialog = see_the_difference(ben)
    expect(dialog.get_by_role("region", name="What admin changed")).to_contain_text("distant")
    expect(dialog.get_by_role("region", name="What you changed")).to_contain_text("twin")
    dialog.get_by_role("button", name="Take both").click()
    expect(ben.page.get_by_text(TOLD)).to_be_hidden()
    expect(ben.vertex("twin")).to_be_visible()
    expect(ben.vertex("distant")).to_be_visible()
    save(ben)
    for words in ("twin: {mirror: dr", "to: twin", "distant: {repository: offsite}", "to: distant"):
        assert words in stored(office)
    # Anna had nothing unsaved: her page follows by itself.
    expect(anna.vertex("twin")).to_be_visible()
    expect(anna.page.get_by_text(TOLD)).to_be_hidden()


@pytest.mark.parametrize("choice", ["Theirs", "Mine"])
def test_where_both_changed_the_same_one_sees_both_and_chooses(office: World, two: tuple[Person, Person], choice: str) -> None:
    anna, ben = two
    for person, limit in ((anna, "3MB/s"), (ben, "5MB/s")):
        person.go(f"/flows/office?select={'mover:files->store'}").is_live()
        write(person, "Limit", limit)
        person.sees("not saved")
    write(ben, "Limit", "5MB/s")
    save(anna)
    dialog = see_the_difference(ben)
    both = dialog.get_by_role("region", name="What both changed")
    expect(both).to_contain_text("Both changed 1 thing")
    expect(both.get_by_role("radio", name="Theirs: 3MB/s")).to_be_visible()
    expect(both.get_by_role("radio", name="Mine: 5MB/s")).to_be_checked()
    both.get_by_role("radio", name=re.compile(choice)).check()
    dialog.get_by_role("button", name="Take both, as chosen").click()
    expect(ben.field("Limit")).to_have_value("3MB/s" if choice == "Theirs" else "5MB/s")
    # What Ben had is one step back.
    ben.button(re.compile("^Undo: Merge")).click()
    expect(ben.field("Limit")).to_have_value("5MB/s")
    ben.button(re.compile("^Redo: Merge")).click()
    if choice == "Mine":
        save(ben)
    assert f"limit: {'3' if choice == 'Theirs' else '5'}MB/s" in stored(office)


def test_theirs_can_be_taken_and_mine_had_back_by_undo(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    rename(ben, "copy", "twin")
    rename(anna, "far", "distant")
    save(anna)
    ben.sees(TOLD)
    ben.button("Take theirs and drop mine").click()
    expect(ben.vertex("distant")).to_be_visible()
    expect(ben.vertex("copy")).to_be_visible()
    ben.button(re.compile("^Undo: Discard")).click()
    expect(ben.vertex("twin")).to_be_visible()
    ben.sees("not saved")


def test_the_drawing_and_the_text_of_two_people_become_one(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    ben.page.get_by_role("link", name="YAML").click()
    in_line_editor(ben, "policies:", "  # Ben was here")
    ben.sees("not saved")
    rename(anna, "far", "distant")
    save(anna)
    dialog = see_the_difference(ben)
    dialog.get_by_role("button", name="Take both").click()
    expect(ben.page.get_by_text(TOLD)).to_be_hidden()
    save(ben)
    assert "policies:  # Ben was here" in stored(office)
    assert "distant: {repository: offsite}" in stored(office)


def test_who_has_nothing_unsaved_follows_by_itself(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    rename(anna, "far", "distant")
    save(anna)
    expect(ben.vertex("distant")).to_be_visible()
    ben.sees("saved")
    expect(ben.page.get_by_text(TOLD)).to_be_hidden()
    expect(ben.button(re.compile("^Undo"))).to_be_disabled()


def test_a_reload_keeps_what_is_not_saved_and_what_one_was_told(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    rename(ben, "copy", "twin")
    ben.page.reload()
    expect(ben.vertex("twin")).to_be_visible()
    ben.sees("not saved")
    rename(anna, "far", "distant")
    save(anna)
    ben.sees(TOLD)
    ben.page.reload()
    ben.sees(TOLD)
    expect(ben.vertex("twin")).to_be_visible()
    dialog = see_the_difference(ben)
    dialog.get_by_role("button", name="Take both").click()
    save(ben)
    assert "twin: {mirror: dr" in stored(office)
    assert "distant: {repository: offsite}" in stored(office)


def test_to_save_over_the_other_is_refused_and_nothing_is_lost(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    rename(ben, "copy", "twin")
    rename(anna, "far", "distant")
    save(anna)
    ben.sees(TOLD)
    ben.button("Save").click()
    expect(ben.button("Dismiss").first).to_be_visible()
    assert "twin" not in stored(office)
    expect(ben.vertex("twin")).to_be_visible()
    ben.sees("not saved")


def test_the_same_at_a_policy(office: World, two: tuple[Person, Person]) -> None:
    anna, ben = two
    for person in (anna, ben):
        person.go("/policies/documents").is_live()
    person = ben
    write(ben, "Newest", "9")
    ben.sees("not saved")
    write(anna, "Daily", "7")
    anna.sees("not saved")
    save(anna)
    dialog = see_the_difference(ben)
    dialog.get_by_role("button", name="Take both").click()
    expect(person.field("Daily")).to_have_value("7")
    expect(person.field("Newest")).to_have_value("9")
    save(ben)
    assert re.search(r"keep: \{last: 9, daily: 7\}", stored(office))
