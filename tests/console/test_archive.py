"""Archived files in the console: what would go, what is there and until when, legal holds, and bringing files back into their places."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter, make_files
from tests.console.person import PHONE, Person, grave_findings
from tests.e2e.world import World, by_hand_only, world_in

OLD = 10
BILLS = 4
LONG_AGO_S = 1_500_000_000
ONE = """\
environment: test
nodes: {{desk: {{}}}}
repositories:
  main: {{node: desk, location: {folder}/desk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
      archive: {{when: {{older_than: 365d}}, keep: 7y, {when}}}
flows:
  shelf:
    vertices:
      files: {{node: desk, policies: [documents]}}
      store: {{repository: main}}
    movers:
      - {{from: files, to: store, carries: [documents/backup, documents/archive]}}
"""


def letter(world: World, number: int) -> Path:
    return world.folder / "data" / "letters" / f"letter {number}.txt"


def make_old(path: Path) -> bytes:
    """The content of a file that nobody has changed for years."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(f"of long ago: {path.name}\n".encode() * 100)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return path.read_bytes()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One machine with letters, of which the old ones are archived: stubs stand in their places."""
    folder = tmp_path_factory.mktemp("shelf")
    make_files(folder / "data")
    with world_in(folder, "desk") as world:
        olds = [*(letter(world, number) for number in range(OLD)), *(folder / "data" / "2019" / f"bill {n}" for n in range(BILLS))]
        for path in olds:
            make_old(path)
        world.apply(ONE.format(folder=folder, when=by_hand_only()), "shelf")
        world.run("trigger", "shelf", "--wait")
        assert all(path.is_symlink() for path in olds)
        yield world


def table(person: Person, name: str) -> Locator:
    return person.page.get_by_role("table", name=name, exact=True)


def test_what_would_go_is_seen_before_anything_goes(shelf: World, enter: Enter) -> None:
    plans = [shelf.folder / "data" / "plans" / f"plan {number}" for number in range(3)]
    for path in plans:
        make_old(path)
    shelf.run("trigger", "shelf", "--operation", "backup", "--wait")
    person = enter(shelf).go("/archive")
    person.button("Look what would go").click()
    row = table(person, "What would be archived").get_by_role("row").filter(has_text="desk/documents")
    expect(row).to_contain_text("older than 365d")
    expect(row).to_contain_text("a stub")
    expect(row.get_by_role("cell", name="3", exact=True)).to_be_visible()
    files = table(person, "Files of desk/documents that would go")
    for path in plans:
        expect(files.get_by_role("row").filter(has_text=path.name)).to_be_visible()
    assert grave_findings(person.page) == []
    assert not any(path.is_symlink() for path in plans)


def test_files_are_recalled_into_their_places_after_a_look(shelf: World, enter: Enter) -> None:
    person = enter(shelf).go("/archive")
    row = table(person, "Archived datasets").get_by_role("row").filter(has_text="desk/documents")
    expect(row).to_contain_text("older than 365d")
    expect(row).to_contain_text(f"{OLD + BILLS}")
    for number in (2, 3):
        table(person, "Archived versions").get_by_role("checkbox", name=str(letter(shelf, number)), exact=False).check()
    assert grave_findings(person.page) == []
    person.button("Recall 2 files …").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("--node desk")
    expect(dialog.get_by_role("button", name="Recall now")).to_be_disabled()
    dialog.get_by_role("button", name="Look what would come back").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"nothing is changed yet\s*2 files .* would be recalled"))
    assert letter(shelf, 2).is_symlink()
    assert grave_findings(person.page) == []
    dialog.get_by_role("button", name="Recall now").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"succeeded\s*2 files .* recalled"))
    for number in (2, 3):
        assert not letter(shelf, number).is_symlink()
        assert letter(shelf, number).read_bytes() == f"of long ago: letter {number}.txt\n".encode() * 100
    assert letter(shelf, 4).is_symlink()

    dialog.get_by_role("link", name="See the job").click()
    expect(person.page.get_by_role("region", name="What it did")).to_contain_text("Files that take the places of their stubs.")
    expect(person.page.get_by_role("link", name="See the archive")).to_have_attribute("href", "/archive")


def test_a_whole_folder_is_recalled_and_what_is_no_stub_is_said(shelf: World, enter: Enter) -> None:
    folder = shelf.folder / "data" / "2019"
    person = enter(shelf, dark=True).go(f"/archive?dataset=desk/documents&path={folder}")
    person.button(f"Recall all below {folder} …").click()
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Look what would come back").click()
    dialog.get_by_role("button", name="Recall now").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(rf"succeeded\s*{BILLS} files .* recalled"))
    assert [(folder / f"bill {n}").read_bytes() for n in range(BILLS)] == [f"of long ago: bill {n}\n".encode() * 100 for n in range(BILLS)]
    dialog.get_by_role("button", name="Close", exact=True).last.click()

    table(person, "Archived versions").get_by_role("checkbox", name="bill 1", exact=False).check()
    person.button("Recall 1 file …").click()
    dialog.get_by_role("button", name="Look what would come back").click()
    expect(dialog.get_by_role("list", name="What is not recalled")).to_contain_text("bill 1 is no archived file.")
    expect(dialog.get_by_role("button", name="Recall now")).to_be_disabled()
    assert grave_findings(person.page) == []


def test_a_hold_is_set_and_released_by_its_name(shelf: World, enter: Enter) -> None:
    person = enter(shelf).go("/archive?dataset=desk/documents")
    person.button("Hold …").click()
    dialog = person.page.get_by_role("dialog")
    person.field("Name").fill("case 7")
    person.field("At or below").fill(str(letter(shelf, 1)))
    expect(dialog).to_contain_text("holdfast archive hold desk/documents 'case 7' --path")
    assert grave_findings(person.page) == []
    dialog.get_by_role("button", name="Hold", exact=True).click()
    expect(dialog).to_be_hidden()
    holds = person.page.get_by_role("list", name="Legal holds")
    expect(holds).to_contain_text(f"case 7: {letter(shelf, 1)}")
    expect(table(person, "Archived versions").get_by_role("row").filter(has_text="letter 1.txt").first).to_contain_text("case 7")
    (told,) = shelf.json("archive", "report", "desk/documents")["datasets"]
    assert [(hold["name"], hold["path"]) for hold in told["holds"]] == [("case 7", str(letter(shelf, 1)))]
    assert grave_findings(person.page) == []

    person.button("Release case 7").click()
    expect(dialog).to_contain_text("No version at or below its path is past its time now.")
    expect(dialog.get_by_role("button", name="Release the hold")).to_be_disabled()
    dialog.get_by_label("Type case 7 to go on").fill("case 7")
    dialog.get_by_role("button", name="Release the hold").click()
    expect(dialog).to_be_hidden()
    expect(holds).to_have_count(0)
    assert shelf.json("archive", "report", "desk/documents")["datasets"][0]["holds"] == []


def test_a_file_that_is_archived_says_so_where_one_restores(shelf: World, enter: Enter) -> None:
    person = enter(shelf).go("/restore?dataset=desk/documents")
    person.button(re.compile("^letters$")).click()
    person.button("Versions of letter 11.txt").click()
    panel = person.page.get_by_role("dialog", name="Versions of letter 11.txt")
    expect(panel).to_contain_text("1 version")
    expect(panel.get_by_text("Archived:")).to_have_count(0)
    person.press("Escape")
    person.button("Versions of letter 1.txt").click()
    panel = person.page.get_by_role("dialog", name="Versions of letter 1.txt")
    expect(panel.get_by_role("alert")).to_contain_text(re.compile(r"Archived: \d versions? in main"))
    assert grave_findings(person.page) == []
    panel.get_by_role("button", name="Recall it …").click()
    dialog = person.page.get_by_role("dialog", name="Recall")
    dialog.get_by_role("button", name="Look what would come back").click()
    dialog.get_by_role("button", name="Recall now").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"succeeded\s*1 file .* recalled"))
    assert letter(shelf, 1).read_bytes() == b"of long ago: letter 1.txt\n" * 100
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    panel.get_by_role("link", name="See its archived versions").click()
    expect(table(person, "Archived versions").get_by_role("row").filter(has_text="letter 1.txt").first).to_be_visible()
    expect(table(person, "Archived versions").get_by_role("row").filter(has_text="letter 6.txt")).to_have_count(0)


def test_it_can_be_read_on_a_phone(shelf: World, enter: Enter) -> None:
    person = enter(shelf, size=PHONE).go("/archive")
    person.button("Look what would go").click()
    expect(table(person, "What would be archived")).to_be_visible()
    expect(table(person, "Archived versions").get_by_role("row").filter(has_text="letter 1.txt").first).to_be_visible()
    assert person.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    content = person.page.locator("main")
    assert content.evaluate("each => Math.max(...[...each.children].map(child => child.scrollWidth - child.clientWidth))") <= 1
    assert grave_findings(person.page) == []
