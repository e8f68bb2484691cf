"""What one is told when one saves: a text with flows that cannot be activated is stored all the same, and not in silence."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.console.person import Person, grave_findings
from tests.e2e.world import World

FLOW = (
    "  away: {vertices: {files: {node: nobody}, store: {repository: main}},"
    " movers: [{from: files, to: store, carries: [documents/backup]}]}"
)


def test_what_keeps_flows_from_being_activated_is_told_once_it_is_saved(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/document")
    type_after(person, "carries: [documents/backup], after:", f"\n{FLOW}")
    save(person)
    warning = person.page.get_by_text("Activating flow away would be refused")
    expect(warning).to_have_count(1)
    assert grave_findings(person.page) == []

    type_after(person, "environment: test", "  # ours")
    save(person)
    expect(warning).to_have_count(1)
    person.page.get_by_role("link", name="See what is wrong").click()
    expect(warning).to_have_count(0)
    expect(person.page).to_have_url(re.compile("/flows/away/compile$"))
    expect(person.page.locator("[data-code=unknown-node]").first).to_be_visible()

    person.go("/document")
    type_after(person, "environment: test", " indeed")
    save(person)
    expect(warning).to_have_count(1)
    office.client.put("/environment", without_it(office))
    expect(person.page.locator(".cm-line", has_text="away:")).to_have_count(0)
    type_after(person, "environment: test", ", and theirs")
    save(person)
    expect(warning).to_have_count(0)
    assert "theirs" in person.api("/environment")["text"]


def without_it(world: World) -> dict[str, object]:
    """The newest text less the flow; what nobody has unsaved here follows it."""
    newest = world.client.get("/environment")
    text = newest["text"].replace(FLOW, "")
    return {"text": text, "base_revision": newest["revision"], "accept_removals": True, "comment": ""}


def type_after(person: Person, line: str, text: str) -> None:
    person.page.locator(".cm-line", has_text=line).first.click()
    person.press("End")
    person.page.keyboard.insert_text(text)
    bar = person.page.get_by_role("toolbar", name="Working copy")
    expect(bar).to_contain_text("not saved")
    expect(bar).to_have_attribute("aria-busy", "false")


def save(person: Person) -> None:
    newest = person.api("/environment")["revision"]
    person.press("Control+s")
    person.sees(f"Saved as revision {newest + 1}")
