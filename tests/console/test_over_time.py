"""The timeline of a dataset: points, any moment between them, and gaps; by mouse, by keyboard and as a list; every version of one file, and
what changed since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import make_files
from tests.console.person import Person, grave_findings
from tests.console.test_following import FOLLOWED, following
from tests.e2e.world import World, eventually, world_in

EVERY_MOMENT = FOLLOWED.replace("    operations:\n", "    operations:\n      cdp: {{within: 24h}}\n").replace(
    "[documents/live]", "[documents/live, documents/cdp]"
)
LETTER = "data/letters/letter 1.txt"


@dataclass(frozen=True)
class LivedIn:
    """A letter was `first`, `second` at `between` and in a point, then there was a gap, then it was `third`, which no point holds."""

    world: World
    between: datetime
    in_gap: datetime


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    folder = tmp_path_factory.mktemp("over-time")
    make_files(folder / "data")
    with world_in(folder, "files1", "vault") as world:
        world.apply(EVERY_MOMENT.format(folder=folder), "office")
        eventually(lambda: following(world).get("state") == "following", "it is followed")
        write(world, "second")
        between = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        eventually(lambda: datetime.now(UTC) > between + timedelta(seconds=1), "a moment later")
        world.run("trigger", "office", "--operation", "live", "--wait")
        world.kill("files1")
        in_gap = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        eventually(lambda: datetime.now(UTC) > in_gap, "nobody watches for a moment")
        world.restart("files1")
        eventually(lambda: bool(following(world).get("gaps")), "the gap is known")
        eventually(lambda: following(world)["state"] == "following", "it is followed again")
        write(world, "third")
        yield LivedIn(world, between, in_gap)


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


def ask_for(person: Person, moment: datetime) -> None:
    local = moment.astimezone().replace(tzinfo=None, microsecond=0)
    person.page.get_by_label("As it was at").fill(local.isoformat())


def restore_to(person: Person, target: Path) -> None:
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.button("Restore now").click()
    expect(person.page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()


def test_states_are_walked_with_the_keys_and_the_folder_follows(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore?span=5m")
    person.button(re.compile("^letters$")).click()
    expect(size_of_letter(person)).to_have_text("5 B")
    slider(person).focus()
    expect(slider(person)).to_have_attribute("aria-valuetext", re.compile(", between points"))
    person.press("Home")
    expect(slider(person)).to_have_attribute("aria-valuetext", re.compile(", a point"))
    expect(size_of_letter(person)).to_have_text("189 B")
    person.press("End")
    expect(size_of_letter(person)).to_have_text("5 B")
    person.button("Newest point").click()
    expect(size_of_letter(person)).to_have_text("6 B")
    assert grave_findings(person.page) == []


def test_a_mark_is_clicked_and_the_window_moves_and_zooms(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore?span=5m")
    marks = slider(person).locator("[data-kind=point]")
    expect(marks).to_have_count(2)
    expect(slider(person).locator("[data-kind=moment]").first).to_be_visible()
    box, mark = slider(person).bounding_box(), marks.first.bounding_box()
    assert box
    assert mark
    slider(person).click(position={"x": mark["x"] - box["x"], "y": box["height"] / 2})
    expect(lines(person).last).to_have_attribute("aria-selected", "true")
    person.button("Zoom out").click()
    expect(person.page).to_have_url(re.compile("span=1h"))
    for _ in range(3):
        person.button("Earlier").click()
    expect(marks).to_have_count(0)
    person.page.get_by_text("Last 30 days", exact=True).click()
    expect(marks).not_to_have_count(0)


def test_any_moment_of_the_band_is_had_back(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore?span=5m")
    person.sees(re.compile("^ ?any moment can be chosen, since"))
    ask_for(person, lived_in.between)
    expect(slider(person)).to_have_attribute("aria-valuetext", re.compile(", between points"))
    person.button(re.compile("^letters$")).click()
    expect(size_of_letter(person)).to_have_text("6 B")
    person.page.get_by_label("Choose letter 1.txt").click()
    person.button("Restore 1 thing …").click()
    target = lived_in.world.folder / "back"
    restore_to(person, target)
    assert (target / str(lived_in.world.folder / LETTER).lstrip("/")).read_text() == "second"


def test_a_gap_is_hatched_listed_and_told_where_a_moment_lies_in_it(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore?span=5m")
    expect(lines(person).filter(has_text="gap of")).to_contain_text("nobody watched")
    person.sees("a gap: changes may be missing")
    hatched = slider(person).locator("[class*=gap]").first
    assert "repeating-linear-gradient" in hatched.evaluate("each => getComputedStyle(each).backgroundImage")
    ask_for(person, lived_in.in_gap)
    person.sees("This moment lies in a gap")
    expect(slider(person)).to_have_attribute("aria-valuetext", re.compile(", in a gap$"))
    assert grave_findings(person.page) == []


def test_a_version_between_points_is_restored_from_the_list_of_all_versions(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore")
    person.button(re.compile("^letters$")).click()
    person.button("Versions of letter 1.txt").click()
    drawer = person.page.get_by_role("dialog", name="Versions of letter 1.txt")
    versions = drawer.get_by_role("row").filter(has_text="from 2")
    expect(versions).to_have_count(3)
    assert grave_findings(person.page) == []
    versions.nth(0).get_by_role("button", name="Restore …").click()
    target = lived_in.world.folder / "newest"
    restore_to(person, target)
    assert (target / str(lived_in.world.folder / LETTER).lstrip("/")).read_text() == "third"


def test_what_changed_since_is_shown_and_the_old_had_back(lived_in: LivedIn, enter: Callable[..., Person]) -> None:
    person = enter(lived_in.world).go("/restore?span=5m")
    page = person.page
    lines(person).last.click()
    person.button("What changed since").click()
    table = page.get_by_role("table", name="Differences")
    person.sees(re.compile("^1 changed; the files among them had 189 B and have 5 B."))
    expect(table.get_by_role("row").filter(has_text="letters")).to_contain_text("changed inside")
    table.get_by_role("button", name="letters", exact=True).click()
    row = table.get_by_role("row").filter(has_text="letter 1.txt")
    expect(row).to_contain_text("content, time")
    expect(row).to_contain_text("189 B → 5 B")
    page.get_by_role("combobox", name="Compared with").click()
    page.get_by_role("option", name=re.compile(", live$")).first.click()
    expect(row).to_contain_text("189 B → 6 B")
    assert grave_findings(page) == []
    row.get_by_role("button", name="Restore letter 1.txt as it was").click()
    target = lived_in.world.folder / "old"
    restore_to(person, target)
    assert (target / str(lived_in.world.folder / LETTER).lstrip("/")).stat().st_size == 189
