"""A recovery kit on paper: one page that needs nothing from anywhere, and that no name can break."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from holdfast.cli.kit_page import kit_html, kit_text
from holdfast.model.keys import KIT_USER, KeySlot, Kit
from holdfast.model.kit import new_code, read_code
from holdfast.testing.virtual_clock import SeededEntropy

CODE = new_code(SeededEntropy("paper"))
HOSTILE = '/srv/it\'s <script>alert(1)</script> & "more"'


def kit(location: str = "/srv/holdfast/main", node: str = "vault") -> Kit:
    made = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)
    slot = KeySlot(id="ab" * 32, username=KIT_USER, hostname=node, created_at=made, is_kit=True)
    return Kit(repository="main", repository_id="cd" * 32, location=location, node=node, slot=slot, code=CODE)


class Page(HTMLParser):
    """Tags with what they refer to, and the text in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("location", ["/srv/holdfast/main", HOSTILE, "s3:https://s3.example.net/backup/main"])
def test_the_page_says_all_of_it_and_refers_to_nothing(location: str) -> None:
    written = kit_html(kit(location))
    page = Page(written)
    assert page.references == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "url(" not in written
    assert "@import" not in written
    assert page.tags.count("svg") == 1
    for wanted in (CODE, location, "vault", "cd" * 32, "abababab", "2026-11-25 19:00 UTC", f"restic -r {shlex.quote(location)}"):
        assert wanted in page.text, wanted
    # What is copied from the page is the password itself.
    assert read_code(CODE) == CODE


def test_the_text_has_the_steps_as_commands() -> None:
    text = kit_text(kit())
    assert f"\n    {CODE}\n" in text
    commands = re.findall(r"^ {9}(.*)$", text, re.MULTILINE)
    assert commands == [
        "holdfast repository key restore main",
        "holdfast points --repository main",
        "holdfast restore POINT --to DIR",
        "restic -r /srv/holdfast/main --no-lock snapshots",
        "restic -r /srv/holdfast/main restore latest --target back",
    ]
    assert shlex.split(re.findall(r"restic -r .* snapshots", kit_text(kit(HOSTILE)))[0])[2] == HOSTILE
    assert "export AWS_ACCESS_KEY_ID=" in kit_text(kit("s3:https://s3.example.net/backup/main"))
