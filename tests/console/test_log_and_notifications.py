"""The log and the notifications in a browser: a line comes live, is narrowed to and acknowledged; somebody is told of what goes wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from playwright.sync_api import Locator, expect

from holdfast.testing.message_services import WebHook, web_hook
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


@contextmanager
def hook_beside() -> Iterator[WebHook]:
    """In a thread of its own: in this one Playwright's loop runs."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    opened = web_hook()
    try:
        yield asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def add_rule(person: Person, name: str) -> Locator:
    person.button("Add a rule").click()
    dialog = person.page.get_by_role("dialog", name="Add a rule")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("combobox", name="Tell by").fill("ops")
    person.page.get_by_role("option", name="ops", exact=True).click()
    return dialog


def add_channel(person: Person, hook: WebHook) -> None:
    """What it is called and where it goes; then whether its service takes a message, and what is said when not."""
    person.button("Add a channel").click()
    person.field("Name").fill("ops")
    person.page.locator("input[type=password]").fill(f"json://anna:hush-hush@127.0.0.1:{hook.port}/s3cr3t-path")
    person.button("Save").click()
    channel = person.page.get_by_role("list", name="Channels").get_by_role("listitem")
    expect(channel).to_contain_text("not tried")
    person.button("Test the channel ops").click()
    expect(channel).to_contain_text("The service took the test message")
    expect(channel).to_contain_text("works")
    assert len(hook.taken) == 1
    hook.status = 500
    person.button("Test the channel ops").click()
    expect(channel).to_contain_text("failing")
    expect(channel.get_by_role("alert")).to_be_visible()
    assert "hush-hush" not in person.page.content()
    hook.status = 200


def test_somebody_is_told_of_what_goes_wrong(office: World, enter: Enter) -> None:
    with hook_beside() as hook:
        person = enter(office).go("/notifications")
        person.sees("Nobody is told anything.")
        add_channel(person, hook)
        all_of_it = add_rule(person, "all")
        all_of_it.get_by_role("textbox", name="Collect for").fill("soon")
        person.button("Save").click()
        expect(all_of_it).to_contain_text("A time such as 15m")
        all_of_it.get_by_role("textbox", name="Collect for").fill("")
        person.button("Save").click()
        rules = person.page.get_by_role("list", name="Rules in their order").get_by_role("listitem")
        expect(rules).to_have_count(1)
        pager = add_rule(person, "pager")
        pager.get_by_role("combobox", name="Kinds").fill("node-*")
        pager.get_by_role("textbox", name="Wait").fill("1h30m")
        assert grave_findings(person.page) == []
        person.button("Save").click()
        expect(rules.nth(1)).to_contain_text("Warnings and errors of kind node-*, to ops")
        up = person.button("Move the rule pager up")
        up.focus()
        person.press("Enter")
        expect(rules.first).to_contain_text("1. pager")
        expect(up).to_be_focused()
        told = person.api("/notifications")
        assert [(rule["name"], rule["kinds"], rule["after_s"]) for rule in told["rules"]] == [("pager", ["node-*"], 5_400), ("all", [], 0)]

        (office.folder / "data").rename(office.folder / "elsewhere")
        office.run("trigger", "office", "--wait", expect=None)
        (office.folder / "elsewhere").rename(office.folder / "data")
        person.go("/notifications")
        standing = person.page.get_by_role("list", name="What stands now").get_by_role("listitem").filter(has_text="dataset-failed")
        expect(standing).to_contain_text("all to ops")
        expect(standing).not_to_contain_text("pager")
        assert re.search("dataset-failed .*all to ops", office.run("notify", "now").stdout)
        assert grave_findings(person.page) == []
        person.button("Remove the rule pager").click()
        person.page.get_by_role("dialog").get_by_role("textbox").fill("pager")
        person.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(rules).to_have_count(1)
