"""Names are never markup: whatever a file, a name of the document, a comment or an address is, it is shown as text, and nothing breaks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Locator, expect

from holdfast.model.entry import display_path
from tests.console.conftest import NODES
from tests.console.person import Person, person_at
from tests.e2e.world import World, by_hand_only, eventually, world_in

MARKUP = "<img src=x onerror=alert(1)>"
FILES: dict[str, bytes] = {
    "markup": MARKUP.encode(),
    "script": b'"><script>alert(1)',
    "attribute": b"' onmouseover='alert(1)",
    "turned around": "evil\u202ecod.exe".encode(),
    "invisible": "no\u200bthing".encode(),
    "two lines": b"two\nlines",
    "terminal": b"\x1b[31mred\x1b[0m",
    "long": b"x" * 255,
    "long and wide": ("\u00e4" * 127).encode(),
    "no text": b"caf\xe9 \xff\xfe",
    "way up": b"..%2f..%2fetc%2fpasswd",
    "address": b"javascript:alert(1)",
    "template": b"{{7*7}} ${7*7}",
    "entity": b"&lt;b&gt;&amp;",
    "escape": b"%00%FF%3Cb%3E",
    "blank": b" ",
    "dashes": b"--help",
    "quotes": b"'; rm -rf ~; '",
    "member": b"__proto__",
    "picture": "\U0001f600\u0301".encode(),
}
FOLDER = b"<b>.d\xff"
DOCUMENT = """\
environment: test
# <script>alert(1)</script> {{7*7}}
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}, constructor: {{}}, "10": {{}}, "9": {{}}, add: {{}},
  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: {{}}}}
repositories:
  valueOf: {{node: vault, location: '{folder}/vault/<u>m ain</u>'}}
policies:
  toString:
    classification: {{paths: ['{data}'], exclude: ['*.tmp', '<img src=x onerror=alert(1)>.bak']}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
flows:
  hasOwnProperty:
    vertices:
      isPrototypeOf: {{node: files1, policies: [toString]}}
      valueOf: {{repository: valueOf}}
    movers:
      - {{from: isPrototypeOf, to: valueOf, carries: [toString/backup]}}
"""
SCREENS = (
    "/",
    "/flows",
    "/flows/hasOwnProperty",
    "/flows/hasOwnProperty?select=vertex%3AisPrototypeOf",
    "/flows/hasOwnProperty/list",
    "/flows/hasOwnProperty/yaml",
    "/flows/hasOwnProperty/compile",
    "/flows/hasOwnProperty/monitor",
    "/policies",
    "/policies/toString",
    "/nodes",
    "/nodes/constructor",
    "/nodes/10",
    "/repositories",
    "/repositories/valueOf",
    "/restore",
    "/jobs",
    "/document",
    "/document?view=changes",
    "/document?view=revisions",
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of names that want to be something else, run twice."""
    folder = tmp_path_factory.mktemp("zoo")
    data = data_of(folder)
    os.makedirs(os.fsencode(data) + b"/" + FOLDER)
    for name in FILES.values():
        for place in (os.fsencode(data), os.fsencode(data) + b"/" + FOLDER):
            with open(place + b"/" + name, "wb") as file:
                file.write(name)
    (data / f"{MARKUP}.tmp").write_text("left out")
    os.symlink(MARKUP, data / "a link")
    with world_in(folder, *NODES) as world:
        text = DOCUMENT.format(folder=folder, data=data, when=by_hand_only())
        world.client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": f"{MARKUP} \u202eback"})
        world.run("activate", "hasOwnProperty")
        world.run("trigger", "hasOwnProperty", "--wait")
        yield world


def data_of(folder: Path) -> Path:
    return folder / f"da {MARKUP} ta"


@pytest.fixture(scope="module")
def careful(zoo: World, browser: Browser) -> Iterator[Person]:
    """Somebody who looks at everything, and for whom it is a fault when a page opens a dialog of the browser."""
    with person_at(browser, zoo) as person:

        def shut(dialog: Dialog) -> None:
            person.faults.append(f"a dialog: {dialog.message}")
            dialog.dismiss()

        person.page.on("dialog", shut)
        yield person


def shown(name: bytes) -> str:
    """The Master shows paths of files so that nothing hides in them."""
    return display_path(name)


def is_whole(person: Person) -> None:
    """The screen is there, and none of the names has become a part of it."""
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    expect(person.page.get_by_label("Loading", exact=True)).to_have_count(0)
    for made_of_names in ("main img", "main u", "main script", "[onerror]", "[onmouseover]"):
        expect(person.page.locator(made_of_names)).to_have_count(0)
    expect(person.page.get_by_text(re.compile(r"has a fault|Not here yet"))).to_have_count(0)
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 1280


def row_of(person: Person, name: bytes, **filters: object) -> Locator:
    rows = person.page.get_by_role("row").filter(has=person.page.get_by_label(f"Choose {shown(name)}", exact=True))
    return rows.first


@pytest.mark.parametrize("path", SCREENS)
def test_every_screen_shows_them_as_text(careful: Person, path: str) -> None:
    is_whole(careful.go(path))


def test_files_are_listed_and_restored_by_clicking(zoo: World, careful: Person) -> None:
    person = careful.go("/restore")
    target = zoo.folder / "back"
    for name in FILES.values():
        row = row_of(person, name)
        person.page.get_by_role("row").nth(1).scroll_into_view_if_needed()
        row.scroll_into_view_if_needed()
        expect(row).to_contain_text(shown(name).strip())
        row.get_by_role("checkbox").check()
    expect(person.page.get_by_text(f"a link → {MARKUP}")).to_be_visible()
    is_whole(person)
    person.button(f"Restore {len(FILES)} things …").click()
    restore_to(person, target)
    folder = os.fsencode(target) + os.fsencode(data_of(zoo.folder))
    assert sorted(os.listdir(folder)) == sorted(FILES.values())
    for name in FILES.values():
        with open(folder + b"/" + name, "rb") as file:
            assert file.read() == name


def test_one_in_a_folder_that_is_no_text_is_restored(zoo: World, careful: Person) -> None:
    person = careful.go("/restore")
    target = zoo.folder / "one"
    person.button(shown(FOLDER)).first.click()
    row_of(person, FILES["no text"]).get_by_role("checkbox").check()
    is_whole(person)
    person.button("Restore 1 thing …").click()
    restore_to(person, target)
    assert os.path.isfile(os.fsencode(target) + os.fsencode(data_of(zoo.folder)) + b"/" + FOLDER + b"/" + FILES["no text"])


@pytest.mark.parametrize("kind", ["markup", "turned around", "two lines", "template"])
def test_search_finds_and_restores_them(zoo: World, careful: Person, kind: str) -> None:
    name = FILES[kind]
    target = zoo.folder / f"found {kind}"
    person = careful.go(f"/restore?q={quote('*' + name.decode().replace('[', '?'))}")
    rows = person.page.get_by_role("row").filter(has_text=shown(name))
    expect(rows.first).to_be_visible()
    is_whole(person)
    rows.filter(has_not_text=shown(FOLDER)).first.get_by_role("button", name="Restore …").click()
    restore_to(person, target)
    assert os.listdir(os.fsencode(target) + os.fsencode(data_of(zoo.folder))) == [name]


def test_the_error_of_a_job_names_them(zoo: World, careful: Person) -> None:
    point = zoo.points()[0]
    wanted = {
        "point": point["id"],
        "paths": [quote(f"/nowhere/{MARKUP} \u202e")],
        "to": str(zoo.folder / "never"),
        "node": "files1",
        "conflict": "skip",
    }
    job = zoo.client.post("/restores", wanted)["job"]
    eventually(lambda: zoo.client.get(f"/jobs/{job}")["state"] == "failed", "there is no such path")
    careful.go(f"/jobs/{job}")
    expect(careful.page.locator("main").get_by_role("alert")).to_contain_text(f"{MARKUP} \\xe2\\x80\\xae is not in this point")
    is_whole(careful)


def test_the_sample_of_a_policy_shows_what_it_takes_and_leaves_out(careful: Person) -> None:
    person = careful.go("/policies/toString")
    taken = person.page.get_by_role("list", name="Will be taken: paths")
    for name in FILES.values():
        expect(taken.get_by_text(shown(name).strip(), exact=True).first).to_be_attached()
    expect(person.page.get_by_role("list", name="Left out: paths")).to_contain_text(f"{MARKUP}.tmp")
    is_whole(person)


def test_a_comment_of_a_revision_is_text(careful: Person) -> None:
    person = careful.go("/document?view=revisions")
    person.sees(f"admin: {MARKUP} \\u{{202e}}back")
    is_whole(person)


def test_a_name_that_is_an_address_of_the_console_is_still_reached(careful: Person) -> None:
    """A node may be called `add`."""
    person = careful.go("/nodes/add")
    expect(person.page.get_by_role("heading", name="add", exact=True, level=1)).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        "/flows/%2e%2e%2f",
        "/flows/%3Cscript%3Ealert(1)%3C/script%3E",
        "/flows/<script>alert(1)</script>",
        "/flows/%",
        "/flows/%FF%00",
        "/flows/toString",
        "/flows/__proto__",
        "/flows/hasOwnProperty/constructor",
        "/flows/hasOwnProperty?select=vertex%3A%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&select=mover%3A",
        "/policies/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/policies/__proto__",
        "/nodes/%2e%2e%2f%2e%2e%2fetc",
        "/nodes/valueOf",
        "/repositories/%E2%80%AEabc",
        "/jobs/%27%3B%20rm%20-rf%20~%3B%20%27",
        "/jobs/..%2f..%2fhealth",
        "/jobs?state=%3Cscript%3E&node=__proto__&rule=%27%22%3E&flow=%00",
        "/restore?path=%FF%00",
        "/restore?path=%2Fetc%2F..%2F%25zz&point=%3Cscript%3E&dataset=__proto__",
        "/restore?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/restore?q=%5B%5B%5B*%00",
        "/document?line=-1&view=%3Cscript%3E&revision=1e9",
        "/document?view=revisions&revision=99999999999999999999",
        "/" + "x" * 4000,
        "/flows/" + "y" * 4000,
        "/%3Cscript%3E",
        "//evil.example/",
    ],
)
def test_a_hostile_address_gets_a_page_that_helps(careful: Person, path: str) -> None:
    careful.go(path)
    is_whole(careful)
    helps = careful.page.locator("main").get_by_role("link").or_(careful.page.locator("main").get_by_role("button"))
    expect(helps.first).to_be_visible()


def test_what_can_be_copied_is_one_word_of_a_shell(careful: Person) -> None:
    careful.go("/jobs/%27%3Breboot%3B")
    careful.sees(re.compile(r"^holdfast jobs ''\\'';reboot;'$"))


def restore_to(person: Person, target: Path) -> None:
    person.field("Folder").fill(str(target))
    person.button("Look what would happen").click()
    person.button("Restore now").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile(r"^(restored|.*skipped.*|.*findings.*)$")).first).to_be_visible()
