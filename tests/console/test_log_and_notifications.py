"""The log and the notifications in a browser: a line comes live, is narrowed to and acknowledged; somebody is told of what goes wrong."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter
from tests.console.person import Person, grave_findings
from tests.e2e.world import World


def lines(person: Person) -> Locator:
    return person.page.get_by_role("table", name="Log", exact=True)


def test_a_line_comes_live_is_narrowed_to_and_acknowledged(bare: World, enter: Enter) -> None:
    bare.run("nodes", "revoke", "dr")
    person = enter(bare).go("/log")
    expect(lines(person)).to_contain_text("node-revoked")
    before = lines(person).get_by_role("row").filter(has_text="node-revoked").count()
    person.is_live()
    bare.run("nodes", "revoke", "vault")
    expect(lines(person).get_by_role("row").filter(has_text="node-revoked")).to_have_count(before + 1)

    person.field("Code").fill("node-revoked")
    person.press("Enter")
    person.field("Words").fill("no such words")
    person.press("Enter")
    expect(lines(person)).to_contain_text("No line fits this filter.")
    person.field("Words").fill("")
    person.press("Enter")
    row = lines(person).get_by_role("row").filter(has_text="vault")
    expect(row).to_have_count(1)
    assert grave_findings(person.page) == []
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="Export as CSV").click()
    rows = download.value.path().read_text().splitlines()
    assert rows[0].startswith("number,time,severity")
    assert len(rows) == 1 + before + 1

    row.get_by_role("checkbox").check()
    person.button("Acknowledge …").click()
    person.field("Comment").fill("it was sold")
    person.button("Acknowledge").last.click()
    expect(row).to_contain_text("it was sold")
    (told,) = [line for line in person.api("/logs", code="node-revoked")["events"] if "vault" in line["message"]]
    assert (told["acknowledged_by"], told["comment"]) == ("admin", "it was sold")
    person.page.get_by_role("combobox", name="Acknowledged").click()
    person.page.get_by_role("option", name="not acknowledged").click()
    expect(row).to_have_count(0)
