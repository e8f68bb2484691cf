"""Downloading in a browser, and seeing what changed in a file: from the machine that has it, past the Master."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.console.person import Person, grave_findings
from tests.e2e.world import World

# One black and one white pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef9240000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
)


def test_a_folder_is_downloaded_and_versions_of_a_text_and_a_picture_are_compared(
    office: World, enter: Callable[..., Person], tmp_path: Path
) -> None:
    letters = office.folder / "data" / "letters"
    (letters / "a picture.png").write_bytes(PNG)
    office.run("trigger", "office", "--wait")
    lines = (letters / "letter 2.txt").read_text().splitlines()
    (letters / "letter 2.txt").write_text("\n".join([*lines[:5], "<b>quite new</b>", *lines[6:]]) + "\n")
    (letters / "a picture.png").write_bytes(PNG + b"more")
    office.run("trigger", "office", "--wait")

    person = enter(office).go("/restore")
    with person.page.expect_download() as coming:
        person.button("Download letters").click()
    saved = tmp_path / coming.value.suggested_filename
    coming.value.save_as(saved)
    assert saved.name == "letters.zip"
    with zipfile.ZipFile(saved) as found:
        assert found.read("letters/letter 2.txt") == (letters / "letter 2.txt").read_bytes()
        assert len([name for name in found.namelist() if not name.endswith("/")]) == len(list(letters.iterdir()))
    person.sees("The browser downloads it")
    person.press("Escape")

    person.button(re.compile("^letters$")).click()
    person.button("Versions of letter 2.txt").click()
    person.button("Compare").click()
    person.sees("2 lines differ")
    differences = person.page.get_by_role("region", name="Differences")
    expect(differences).to_contain_text("<b>quite new</b>")
    expect(differences).not_to_contain_text("letter 1")
    assert grave_findings(person.page) == []
    person.press("Escape")
    person.press("Escape")

    person.button("Versions of a picture.png").click()
    person.button("Compare").click()
    expect(person.page.get_by_role("img", name=re.compile("a picture.png"))).to_have_count(2)
    assert person.page.evaluate("[...document.querySelectorAll('figure img')].every((one) => one.complete && one.naturalWidth === 1)")


def test_a_machine_that_gives_none_says_so(office: World, enter: Callable[..., Person]) -> None:
    office.run("trigger", "office", "--wait")
    files = [office.home(name) / "limits.toml" for name in ("vault", "dr")]
    texts = {path: path.read_bytes() if path.exists() else None for path in files}
    try:
        for path in texts:
            path.write_text('read = ["/"]\nwrite = ["/"]\ndownloads = false\n')
            path.chmod(0o600)
        person = enter(office).go("/restore")
        person.button("Download letters").click()
        person.sees("This machine gives no downloads")
    finally:
        for path, text in texts.items():
            if text is None:
                path.unlink()
            else:
                path.write_bytes(text)
