"""A folder as it was yesterday at 14:05, on the console, with a stopwatch in steps: at most 8 actions; and the restore taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World, eventually

MOST_ACTIONS = 8


class Steps:
    """Counts what a person does: each press and each field filled is one."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, act: Callable[[], object]) -> None:
        self.count += 1
        act()


def test_a_folder_as_of_a_time_comes_back_in_few_steps_and_goes_again(office: World, enter: Callable[..., Person]) -> None:
    letters = office.folder / "data" / "letters"
    first = {path.name: path.read_bytes() for path in letters.iterdir() if path.is_file()}
    office.run("trigger", "office", "--wait")
    captured = datetime.fromisoformat(office.points("main")[-1]["time"]).astimezone()
    then = captured.replace(microsecond=0) + timedelta(seconds=1)
    eventually(lambda: datetime.now(UTC) > then, "the second that is asked for is over")
    for path in letters.iterdir():
        if path.is_file():
            path.write_text("spoiled\n")
    office.run("trigger", "office", "--wait")

    person, act = enter(office).go("/"), Steps()
    page = person.page
    act(lambda: page.get_by_role("link", name="Restore", exact=True).first.click())
    act(lambda: page.get_by_label("As it was at").fill(then.strftime("%Y-%m-%dT%H:%M:%S")))
    act(lambda: page.get_by_label("Choose letters").click())
    act(lambda: person.button("Restore 1 thing …").click())
    act(lambda: page.get_by_label("Back to where it was").check())
    act(lambda: page.get_by_label("Replace it").check())
    act(lambda: person.button("Look what would happen").click())
    person.sees("replace")
    assert (letters / "letter 3.txt").read_text() == "spoiled\n", "a look changes nothing"
    act(lambda: person.button("Restore now").click())
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("restored", exact=True)).to_be_visible()
    assert act.count <= MOST_ACTIONS
    assert {path.name: path.read_bytes() for path in letters.iterdir() if path.is_file()} == first

    dialog.get_by_role("button", name="Undo …").click()
    page.get_by_role("dialog", name="Take back the restore?").get_by_role("button", name="Look what would happen").click()
    person.button("Undo now").click()
    person.sees("The restore was taken back")
    assert (letters / "letter 3.txt").read_text() == "spoiled\n"


def test_what_came_later_goes_too_where_that_is_ticked_and_is_said_before(office: World, enter: Callable[..., Person]) -> None:
    letters = office.folder / "data" / "letters"
    office.run("trigger", "office", "--wait")
    (letters / "ransom note.txt").write_text("pay\n")
    person = enter(office).go("/")
    page = person.page
    page.get_by_role("link", name="Restore", exact=True).first.click()
    page.get_by_label("Choose letters").click()
    person.button("Restore 1 thing …").click()
    box = page.get_by_label("Also take away what came later")
    expect(box).to_have_count(0)
    page.get_by_label("Back to where it was").check()
    expect(box).to_be_disabled()
    page.get_by_label("Replace it").check()
    box.check()
    person.button("Look what would happen").click()
    person.sees("things that the point does not have")
    assert (letters / "ransom note.txt").exists(), "a look changes nothing"
    person.button("Restore now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("restored", exact=True)).to_be_visible()
    assert not (letters / "ransom note.txt").exists()
    dialog.get_by_role("button", name="Undo …").click()
    page.get_by_role("dialog", name="Take back the restore?").get_by_role("button", name="Look what would happen").click()
    person.button("Undo now").click()
    person.sees("The restore was taken back")
    assert (letters / "ransom note.txt").read_text() == "pay\n"
