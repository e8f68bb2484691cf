"""The main story by mouse: from an empty environment to a file brought back, in the order in which somebody does it who has no manual."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.console.endings import LIMIT, add_big_file, arrives, flow_is_active, in_twelve_hours, ran_well, watch_bytes_rise
from tests.console.hand import Hand
from tests.console.person import Person
from tests.e2e.world import World


def test_a_folder_is_protected_and_a_file_got_back(bare: World, enter: Callable[..., Person]) -> None:
    data = bare.folder / "data"
    letter = data / "letters" / "letter 7.txt"
    first = letter.read_bytes()
    add_big_file(data)
    person = enter(bare).go("/")

    begin(person)
    draw_vertices(person, bare.folder)
    write_policy(person, data)
    draw_movers(person)
    see_and_mend(person, bare.folder)
    limit_and_save(person)
    compile_and_activate(person)
    flow_is_active(person, "office")
    run_and_watch(person)
    letter.write_text("all new\n")
    run_again(person)
    target = bare.folder / "back"
    restore_first_state(person, "letter 7", target)

    assert (target / str(letter).lstrip("/")).read_bytes() == first
    assert letter.read_text() == "all new\n"
    ran_well(bare, "office", points=2)


def begin(person: Person) -> None:
    person.page.get_by_role("link", name="Draw it instead").click()
    person.button("Begin with an empty drawing").click()
    person.field("Name").fill("office")
    person.button("Begin to draw").click()
    person.sees("An empty drawing")


def draw_vertices(person: Person, folder: Path) -> None:
    hand, page = Hand(person), person.page
    hand.put("files1", 0.2, 0.5)
    expect(person.vertex("files1")).to_be_visible()
    hand.put("Repository", 0.75, 0.2)
    form = page.get_by_role("form", name="New repository")
    form.get_by_role("combobox", name="On node").click()
    page.get_by_role("option", name="vault").click()
    form.get_by_role("textbox", name="Folder on that node").fill(str(folder / "vault" / "main"))
    form.get_by_role("button", name="Create").click()
    expect(person.vertex("store")).to_contain_text("main on vault")
    hand.put("Mirror", 0.75, 0.65)
    page.get_by_role("combobox", name="On node").click()
    page.get_by_role("option", name="dr").click()
    # Its folder is forgotten.
    expect(person.vertex("copy")).to_contain_text("on dr")


def write_policy(person: Person, data: Path) -> None:
    page = person.page
    person.vertex("files1").click()
    person.button("New policy").click()
    person.field("Add path").fill(str(data))
    person.press("Enter")
    person.sees("Takes 42 entries")
    backup = page.get_by_role("region", name="Operation backup")
    backup.get_by_role("combobox", name="Runs").click()
    page.get_by_role("option", name="At times of day").click()
    backup.get_by_role("textbox", name="time 1").fill(in_twelve_hours())
    person.press("Enter")
    expect(page.get_by_role("region", name="Operation replicate")).to_contain_text("Runs with")
    page.get_by_role("link", name="Back to the drawing").click()
    expect(person.vertex("files1")).to_contain_text("files1-data")


def draw_movers(person: Person) -> None:
    hand = Hand(person)
    hand.join("files1", "store")
    expect(hand.mover("files1", "store")).to_have_attribute("aria-label", re.compile("carries files1-data/backup"))
    hand.join("files1", "copy")
    expect(hand.mover("files1", "copy")).to_have_attribute("aria-label", re.compile("carries files1-data/replicate"))


def see_and_mend(person: Person, folder: Path) -> None:
    expect(person.vertex("copy").get_by_test_id("warning")).to_be_visible()
    problems = person.page.get_by_role("region", name="Problems", exact=True)
    expect(problems).to_contain_text("1 error")
    expect(problems).to_contain_text("path is not filled in")
    problems.get_by_role("button", name="vertex copy").click()
    person.field("Folder on that node").fill(str(folder / "dr" / "mirror"))
    person.press("Enter")
    expect(problems).to_contain_text("No problems")
    expect(person.page.get_by_test_id("warning")).to_have_count(0)


def limit_and_save(person: Person) -> None:
    Hand(person).label("files1", "store").click()
    person.field("Limit").fill(LIMIT)
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))


def compile_and_activate(person: Person) -> None:
    page = person.page
    page.get_by_role("link", name="Compile and activate").click()
    person.sees("Can be activated")
    work = page.get_by_role("table", name="What each node will do")
    for words in (r"files1.*captures", r"sends.*vault", r"vault.*stores", r"dr.*mirrors"):
        expect(work.get_by_role("row").filter(has_text=re.compile(words)).first).to_be_attached()
    person.button("Activate").click()
    person.sees("3 nodes confirmed")
    person.sees(re.compile("data is protected after the first run"))


def run_and_watch(person: Person) -> None:
    page = person.page
    person.button("Run now").click()
    page.get_by_role("link", name="Watch it").click()
    watch_bytes_rise(person)
    arrives(person)


def run_again(person: Person) -> None:
    jobs = person.page.get_by_role("region", name="Jobs").get_by_role("listitem").filter(has_text="succeeded")
    expect(jobs).to_have_count(1)
    person.button("Run now").click()
    expect(jobs).to_have_count(2)


def restore_first_state(person: Person, name: str, target: Path) -> None:
    page = person.page
    page.get_by_role("link", name="Restore").click()
    person.field("Search over all time").fill(name)
    page.get_by_role("row").filter(has_text=f"{name}.txt").get_by_role("button", name="Versions").click()
    rows = page.get_by_role("dialog").get_by_role("row")
    rows.filter(has_text=re.compile(r"until 20")).get_by_role("button", name="Restore …").click()
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.sees("1 file (")
    assert not target.exists(), "a look changes nothing"
    person.button("Restore now").click()
    expect(page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()


# All of it on the canvas, and nothing over any corner of it.
_SEEN = """(id) => {
  const vertex = document.querySelector(`[data-id="${id}"]`);
  const { left, top, right, bottom } = vertex.getBoundingClientRect();
  const corners = [[left + 8, top + 8], [right - 8, top + 8], [left + 8, bottom - 8], [right - 8, bottom - 8]];
  return corners.every(([x, y]) => vertex.contains(document.elementFromPoint(x, y)));
}"""


def test_what_is_added_by_a_click_is_in_sight_whole(bare: World, enter: Callable[..., Person]) -> None:
    """A click says not where: the first thing stood in the corner, below the buttons."""
    person = enter(bare).go("/flows?new=empty")
    person.field("Name").fill("clicked")
    person.button("Begin to draw").click()
    for node in ("files1", "vault", "dr"):
        person.page.get_by_role("region", name="Add to the drawing").get_by_role("button", name=node, exact=True).click()
        expect(person.vertex(node)).to_be_visible()
        person.page.wait_for_function(_SEEN, arg=f"vertex:{node}")
