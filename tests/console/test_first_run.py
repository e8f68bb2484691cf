"""The first quarter of an hour: somebody who has never seen Holdfast protects a folder and gets a file back, without a manual."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter, make_files
from tests.console.person import Person
from tests.e2e.world import World, world_in

# From the home page of an empty Master to a lost file back in its place.
MOST_CLICKS = 11
# So much that its progress can be watched on its way to a disk.
LARGE_BYTES = 150_000_000
_COUNT_CLICKS = (
    "window.clicks = 0; addEventListener('click', (event) => { if (event.isTrusted && event.detail > 0) window.clicks += 1; }, true);"
)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[World]:
    """A Master and one node, which nobody has given anything to do."""
    make_files(tmp_path / "data")
    with world_in(tmp_path, "files1") as world:
        yield world


def verdict(person: Person) -> Locator:
    return person.page.get_by_test_id("verdict")


def test_a_folder_is_protected_and_a_lost_file_comes_back(alone: World, enter: Enter) -> None:
    data = alone.folder / "data"
    (data / "film.bin").write_bytes(os.urandom(LARGE_BYTES))
    letter = data / "letters" / "letter 12.txt"
    before = letter.read_bytes()
    person = enter(alone)
    person.page.add_init_script(_COUNT_CLICKS)
    person.go("/")

    expect(verdict(person)).to_have_text("Nothing is protected yet.")
    person.sees("Three steps to your first file back")
    person.sees("1 node online")
    protect(person, data, alone.folder / "backup")
    expect(verdict(person)).to_have_text(re.compile("files1/data.* is protected"), timeout=60_000)
    letter.unlink()
    get_back(person, letter)

    assert letter.read_bytes() == before
    assert person.page.evaluate("window.clicks") <= MOST_CLICKS
    # What is to be done every day is due at once: on a slow machine the node begins it before it is told to, and then does it again.
    points = alone.points()
    assert 1 <= len(points) <= 2
    (repository,) = alone.client.get("/repositories")["repositories"]
    assert repository["location"] == str(alone.folder / "backup")
    assert "every: 1d" in person.api("/environment")["text"]
    snapshots = json.loads(alone.restic(repository["name"], "files1", "snapshots", "--json"))
    assert {snapshot["id"] for snapshot in snapshots} == {point["snapshot"] for point in points}
    alone.restic(repository["name"], "files1", "check", "--read-data")


def protect(person: Person, folder: Path, location: Path) -> None:
    """With the dialog, until it says that the first point is there."""
    person.button("Protect a folder").click()
    dialog = person.page.get_by_role("dialog", name="Protect a folder")
    expect(dialog.get_by_role("combobox", name="Node")).to_have_value("files1")
    expect(person.field("Folder")).to_be_focused()
    person.field("Folder").fill(str(folder))
    person.field("Where to").fill(str(location))
    dialog.get_by_role("combobox", name="How often").click()
    person.page.get_by_role("option", name="Every day").click()
    dialog.get_by_role("button", name="Protect", exact=True).click()
    dialog = person.page.get_by_role("dialog", name="Protecting")
    # A browser that gets no turn while the run lasts sees its end alone; that it goes on is seen in `test_jobs_and_repositories`.
    done = dialog.get_by_text("the first point is there")
    expect(dialog.get_by_role("progressbar", name="Progress of the job").or_(done).first).to_be_visible()
    expect(dialog.get_by_text(re.compile(r"\d of \d|\d [KM]iB")).or_(done).first).to_be_visible()
    expect(done).to_be_visible(timeout=60_000)


def get_back(person: Person, file: Path) -> None:
    """From the end of the first run: look into the folder, tick it, back to where it was."""
    person.page.get_by_role("link", name="Get a file back").click()
    person.page.get_by_role("button", name=file.parent.name, exact=True).click()
    person.page.get_by_label(f"Choose {file.name}").click()
    person.button("Restore 1 thing …").click()
    person.page.get_by_role("radio", name="Back to where it was").click()
    person.button("Look what would happen").click()
    person.sees("1 file (")
    assert not file.exists(), "a look changes nothing"
    person.button("Restore now").click()
    expect(person.page.get_by_role("dialog").get_by_text("restored", exact=True)).to_be_visible()


def test_each_step_waits_for_the_one_before_and_says_what_is_missing(tmp_path: Path, enter: Enter) -> None:
    """Without any node at first; folders are looked for, not typed; mistakes are told at their field."""
    make_files(tmp_path / "data")
    with world_in(tmp_path) as world:
        person = enter(world).go("/")
        expect(person.button("Protect a folder")).to_be_disabled()
        expect(person.page.get_by_role("main").get_by_role("link", name="Add a node")).to_have_attribute("href", "/nodes/-/add")
        world.machines.start_node("files1")
        expect(person.button("Protect a folder")).to_be_enabled(timeout=60_000)
        person.button("Protect a folder").click()
        person.page.get_by_role("dialog").get_by_role("button", name="Protect", exact=True).click()
        expect(person.page.get_by_text("Write the whole path, from / on.")).to_have_count(2)
        pick(person, tmp_path / "data" / "letters")
        expect(person.field("Folder")).to_have_value(str(tmp_path / "data" / "letters"))
        person.field("Where to").fill(str(tmp_path / "data" / "letters" / "backup"))
        person.sees("This lies in the folder itself")
        person.field("Where to").fill(str(tmp_path / "backup"))
        person.press("Enter")
        person.sees("the first point is there")
        (point,) = world.points()
        assert point["paths"] == [str(tmp_path / "data" / "letters")]


def pick(person: Person, folder: Path) -> None:
    """With the dialog that shows a node's folders."""
    person.button("Browse").first.click()
    picker = person.page.get_by_role("dialog", name="Choose a folder")
    for name in folder.parts[1:]:
        picker.get_by_role("button", name=name, exact=True).click()
        expect(picker.get_by_role("navigation", name="Folders above").get_by_role("button", name=name, exact=True)).to_be_visible()
    picker.get_by_role("button", name="Take this folder").click()
    expect(picker).to_be_hidden()
