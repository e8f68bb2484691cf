"""The same story by keyboard alone: no mouse is touched from the first page to the run, and one always sees where one is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.console.endings import LIMIT, add_big_file, arrives, flow_is_active, in_twelve_hours, ran_well, watch_bytes_rise
from tests.console.keyboard import Keyboard
from tests.console.person import Person
from tests.e2e.world import World


def test_a_folder_is_protected_without_a_mouse(bare: World, enter: Callable[..., Person]) -> None:
    add_big_file(bare.folder / "data")
    person = enter(bare)
    # The browser's log is looked through at the end.
    person.page.add_init_script("addEventListener('pointerdown', () => console.error('somebody took the mouse'), true)")
    keys = Keyboard(person.go("/"))

    begin(keys)
    draw_vertices(keys, bare.folder)
    write_policy(keys, bare.folder / "data")
    connect_and_mend(keys, bare.folder)
    undo_and_redo(keys)
    save_and_activate(keys)
    flow_is_active(person, "office")
    run_and_watch(keys)

    ran_well(bare, "office", points=1)


def begin(keys: Keyboard) -> None:
    keys.press("Control+k")
    keys.is_at("Go to, find, do")
    keys.type("flows")
    keys.press("Enter")
    expect(keys.page.get_by_role("heading", name="Flows", level=1)).to_be_visible()
    keys.tab_to("Begin with an empty drawing")
    keys.press("Enter")
    keys.is_at("Name")
    keys.type("office")
    keys.press("Enter")
    keys.is_at(re.compile("^Drawing of office"))


def draw_vertices(keys: Keyboard, folder: Path) -> None:
    add(keys, "files1", re.compile("^files1, source"))
    add(keys, "keeps points", re.compile("^store, repository"))
    keys.press("Enter")
    keys.is_at("Name in the drawing")
    keys.tab_to("Its name")
    keys.tab_to("On node")
    keys.choose("vault")
    keys.tab_to("Folder on that node")
    keys.type(str(folder / "vault" / "main"))
    keys.press("Enter")
    keys.is_at(re.compile("^store, repository, main on vault"))
    add(keys, "mirror", re.compile("^copy, mirror"))
    keys.press("Enter")
    keys.is_at("Name in the drawing")
    keys.tab_to("On node")
    keys.choose("dr")
    # Its folder is forgotten.
    keys.press("Escape")
    keys.is_at(re.compile("^copy, mirror, on dr"))


def add(keys: Keyboard, word: str, drawn: re.Pattern[str]) -> None:
    keys.press("a")
    keys.is_at("Add to the drawing")
    keys.type(word)
    keys.press("Enter")
    keys.is_at(drawn)


def walk_to(keys: Keyboard, thing: str) -> None:
    """From the beginning of the drawing."""
    keys.tab_to(re.compile("^Drawing of office"), back=True)
    keys.tab_to(re.compile(f"^{thing}"))


def write_policy(keys: Keyboard, data: Path) -> None:
    walk_to(keys, "files1, source")
    keys.press("Enter")
    keys.is_at("Name in the drawing")
    keys.tab_to("New policy")
    keys.press("Enter")
    keys.is_at("Add path")
    keys.type(str(data))
    keys.press("Enter")
    keys.person.sees("Takes 42 entries")
    keys.tab_to("Runs")
    keys.choose("At times of day")
    keys.tab_to("time 1")
    keys.fill(in_twelve_hours())
    keys.press("Enter")
    keys.tab_to("Back to the drawing", back=True)
    keys.press("Enter")
    keys.is_at(re.compile("^Drawing of office"))


def connect_and_mend(keys: Keyboard, folder: Path) -> None:
    page = keys.page
    walk_to(keys, "files1, source")
    keys.press("c")
    keys.is_at("Connect files1 to …")
    keys.type("store")
    keys.press("Enter")
    keys.is_at(re.compile("^Mover from files1 to store, batch, carries files1-data/backup"))
    keys.press("Enter")
    keys.tab_to("Limit")
    keys.type(LIMIT)
    keys.press("Enter", "Escape")

    problems = page.get_by_role("region", name="Problems", exact=True)
    expect(problems).to_contain_text("path is not filled in")
    walk_to(keys, r"copy, mirror, on dr, 1 problem")
    keys.press("Enter")
    keys.tab_to("Folder on that node")
    keys.type(str(folder / "dr" / "mirror"))
    keys.press("Enter", "Escape")
    # Nothing leads to the mirror yet.
    expect(problems).to_contain_text("2 warnings")
    expect(keys.person.vertex("files1").get_by_test_id("warning")).to_be_visible()
    keys.tab_to("2 warnings")
    keys.press("Enter")
    keys.tab_to("Carry it to copy")
    keys.press("Enter")
    expect(problems).to_contain_text("No problems")
    expect(page.locator('[data-id="mover:files1->copy"]')).to_be_attached()


def undo_and_redo(keys: Keyboard) -> None:
    """By the text itself, as it is carried off: all the way back, until not even the flow is there, and on again."""
    keys.tab_to("YAML", back=True)
    keys.press("Enter")
    keys.tab_to("Download")
    drawn = downloaded(keys)
    assert "files1-data/replicate" in drawn
    step_all(keys, "Undo", "Control+z")
    keys.person.sees("There is no such flow")
    # It is what is stored, byte for byte, or it would say otherwise.
    expect(keys.page.get_by_role("toolbar", name="Working copy")).to_contain_text(re.compile("^saved"))
    step_all(keys, "Redo", "Control+Shift+z")
    keys.tab_to("Download")
    assert downloaded(keys) == drawn
    keys.tab_to("Draw", back=True)
    keys.press("Enter")
    expect(keys.page.locator('[data-id="mover:files1->copy"]')).to_be_attached()


def downloaded(keys: Keyboard) -> str:
    with keys.page.expect_download() as carried_off:
        keys.press("Enter")
    return Path(carried_off.value.path()).read_text()


def step_all(keys: Keyboard, word: str, key: str) -> None:
    button = keys.page.get_by_role("button", name=re.compile(f"^{word}: "))
    while button.is_enabled():
        label = button.get_attribute("aria-label") or ""
        keys.press(key)
        expect(button).not_to_have_accessible_name(label)


def save_and_activate(keys: Keyboard) -> None:
    keys.press("Control+s")
    keys.person.sees(re.compile("Saved as revision"))
    keys.tab_to("Compile and activate")
    keys.press("Enter")
    keys.person.sees("Can be activated")
    keys.tab_to("Activate")
    keys.press("Enter")
    keys.person.sees("3 nodes confirmed")


def run_and_watch(keys: Keyboard) -> None:
    keys.tab_to("Run now")
    keys.press("Enter")
    keys.tab_to("Watch it", back=True)
    keys.press("Enter")
    watch_bytes_rise(keys.person)
    arrives(keys.person)
