"""Editing a policy: what it would take is seen on a real node before anything is saved, and a name changes with all that refers to it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World


def test_what_a_pattern_leaves_out_is_seen_before_it_is_saved(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/policies/documents")
    person.sees("Takes 41 entries")
    person.field("Add pattern to leave out").fill("*.tmp")
    person.press("Enter")
    person.sees("Takes 40 entries")
    left_out = person.page.get_by_role("region", name="Left out")
    expect(left_out.get_by_role("listitem")).to_have_text(re.compile(r"notes\.tmp\s*left out by the pattern \*\.tmp"))
    assert "*.tmp" not in person.api("/environment")["text"], "nothing is saved by looking"

    person.field("Add path").fill("not/absolute")
    person.press("Enter")
    person.sees(re.compile("is not an absolute path"))
    person.button(re.compile("^Undo: Add path")).click()
    person.sees("Takes 40 entries")
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))
    assert 'exclude: ["*.tmp"]' in person.api("/environment")["text"]


def test_the_calendar_follows_the_keep_rules(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/policies/documents")
    page = person.page
    page.get_by_role("combobox", name="Runs").first.click()
    page.get_by_role("option", name="Every so often").click()
    page.get_by_role("region", name="Operation backup").get_by_label("Every", exact=True).fill("6h")
    person.press("Enter")
    person.button("Use a template").click()
    page.get_by_role("menuitem", name=re.compile("A week of days")).click()
    person.sees("7 would be there now")
    person.field("Daily").fill("3")
    person.press("Enter")
    person.sees("3 would be there now")

    today = page.get_by_role("gridcell", name=re.compile(": 1 point$")).last
    today.focus()
    person.press("ArrowLeft")
    expect(page.locator(":focus")).to_have_attribute("aria-label", re.compile(": no point$"))
    page.get_by_text("The same as a list").click()
    expect(page.get_by_role("listitem").filter(has_text="(daily)")).to_have_count(3)


def test_a_renamed_policy_goes_on_and_a_removed_one_says_what_ends(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/policies/documents")
    page = person.page
    person.sees("In force on files1.")
    person.button("More about this policy").click()
    page.get_by_role("menuitem", name="Rename …").click()
    person.field("New name").fill("papers")
    person.press("Enter")
    expect(page.get_by_role("heading", name="papers", level=1)).to_be_visible()
    person.sees("In force on files1, there still as documents.")
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))
    text = person.api("/environment")["text"]
    assert "documents/" not in text
    assert "carries: [papers/backup]" in text
    assert "was: documents" in text

    person.button("More about this policy").click()
    page.get_by_role("menuitem", name="Remove …").click()
    person.sees("1 flow (office) will do without it; 3 movers there carry it and stop doing so.")
    expect(person.button("Remove it")).to_be_disabled()
    person.field("Type papers to go on").fill("papers")
    person.button("Remove it").click()
    person.sees("No policy yet")
    person.button("Undo: Remove policy papers (Ctrl Z)").click()
    page.get_by_role("link", name="papers").click()
    person.button("More about this policy").click()
    page.get_by_role("menuitem", name="Rename …").click()
    person.field("New name").fill("documents")
    person.press("Enter")
    person.sees("In force on files1.")
    person.button("Save").click()
    person.button("Save without it").click()
    expect(page.get_by_text("saved", exact=True)).to_be_visible()
    assert "papers" not in person.api("/environment")["text"]
