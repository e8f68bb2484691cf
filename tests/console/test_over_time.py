"""The timeline of a dataset: points and gaps over time, by mouse, by keyboard and as a list; and every version of one file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import make_files
from tests.console.person import Person, grave_findings
from tests.console.test_following import FOLLOWED, following
from tests.e2e.world import World, eventually, worker_pid, world_in

LETTER = "data/letters/letter 1.txt"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three points of a letter that changed, with a gap before the last."""
    folder = tmp_path_factory.mktemp("over-time")
    make_files(folder / "data")
    with world_in(folder, "files1", "vault") as world:
        world.apply(FOLLOWED.format(folder=folder), "office")
        eventually(lambda: following(world).get("state") == "following", "it is followed")
        write(world, "second")
        world.run("trigger", "office", "--operation", "live", "--wait")
        os.kill(worker_pid(world, "files1", "source"), 9)
        eventually(lambda: bool(following(world).get("gaps")), "the gap is known")
        write(world, "third")
        world.run("trigger", "office", "--operation", "live", "--wait")
        yield world


def write(world: World, text: str) -> None:
    (world.folder / LETTER).write_text(text)
    mirrored = world.folder / "vault/mirror/letters/letter 1.txt"
    eventually(lambda: mirrored.read_text() == text, "it is delivered")


def slider(person: Person) -> Locator:
    return person.page.get_by_role("slider", name="Moment that is shown")


def lines(person: Person) -> Locator:
    return person.page.get_by_role("table", name="Moments that can be restored").get_by_role("row")


def size_of_letter(person: Person) -> Locator:
    row = person.page.get_by_role("table", name="Files and folders").get_by_role("row").filter(has_text="letter 1.txt")
    return row.get_by_role("cell").nth(2)


def test_states_are_walked_with_the_keys_and_the_folder_follows(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in).go("/restore?span=5m")
    person.button(re.compile("^letters$")).click()
    expect(size_of_letter(person)).to_have_text("5 B")
    slider(person).focus()
    expect(slider(person)).to_have_attribute("aria-valuetext", re.compile(", a point"))
    person.press("ArrowLeft")
    expect(size_of_letter(person)).to_have_text("6 B")
    person.press("Home")
    expect(size_of_letter(person)).to_have_text("189 B")
    person.press("End")
    expect(size_of_letter(person)).to_have_text("5 B")
    assert grave_findings(person.page) == []


def test_a_mark_is_clicked_and_the_window_moves_and_zooms(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in).go("/restore?span=5m")
    marks = slider(person).locator("[data-kind=point]")
    expect(marks).to_have_count(3)
    box, mark = slider(person).bounding_box(), marks.first.bounding_box()
    assert box
    assert mark
    slider(person).click(position={"x": mark["x"] - box["x"], "y": box["height"] / 2})
    expect(lines(person).last).to_have_attribute("aria-selected", "true")
    person.button("Zoom out").click()
    expect(person.page).to_have_url(re.compile("span=1h"))
    person.button("Earlier").click()
    person.button("Earlier").click()
    person.button("Earlier").click()
    expect(marks).to_have_count(0)
    person.page.get_by_text("Last 30 days", exact=True).click()
    expect(marks).not_to_have_count(0)


def test_a_gap_is_hatched_on_the_timeline_and_a_line_in_the_list(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in).go("/restore?span=5m")
    gap = lines(person).filter(has_text="gap of")
    expect(gap).to_contain_text("nobody watched")
    person.sees("a gap: changes may be missing")
    assert "repeating-linear-gradient" in slider(person).locator("[class*=gap]").first.evaluate(
        "each => getComputedStyle(each).backgroundImage"
    )
    gap.click()
    expect(lines(person).nth(3)).to_have_attribute("aria-selected", "true")


def test_a_version_is_restored_from_the_list_of_all_versions(lived_in: World, enter: Callable[..., Person]) -> None:
    person = enter(lived_in).go("/restore")
    person.button(re.compile("^letters$")).click()
    person.button("Versions of letter 1.txt").click()
    drawer = person.page.get_by_role("dialog", name="Versions of letter 1.txt")
    versions = drawer.get_by_role("row").filter(has_text="from 2")
    expect(versions).to_have_count(3)
    assert grave_findings(person.page) == []
    versions.nth(1).get_by_role("button", name="Restore …").click()
    target = lived_in.folder / "back"
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.button("Restore now").click()
    expect(person.page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()
    assert (target / str(lived_in.folder / LETTER).lstrip("/")).read_text() == "second"
