"""Drawing continuous protection: a mover that delivers each change, and an operation that needs it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.console.person import Person, grave_findings
from tests.e2e.world import World


def choose(field: Locator, option: str) -> None:
    field.click()
    field.page.get_by_role("option", name=option).click()


def rest(person: Person) -> None:
    """Until the edits are answered and kept: what is not is lost when the page is left."""
    expect(person.page.get_by_role("toolbar", name="Working copy")).to_have_attribute("aria-busy", "false")


def test_a_mover_is_made_continuous_and_one_that_carries_live_is_by_itself(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office).go("/flows/office?select=mover%3Afiles-%3Ecopy")
    page = person.page
    mover = page.locator('[data-id="mover:files->copy"]')
    expect(mover).to_have_attribute("aria-label", re.compile("^Mover from files to copy, batch"))
    choose(page.get_by_role("combobox", name="Moves"), "As it changes (continuous)")
    expect(mover).to_have_attribute("aria-label", re.compile("^Mover from files to copy, continuous"))
    assert grave_findings(page) == []
    page.get_by_role("navigation", name="Views of the flow").get_by_role("link", name="List", exact=True).click()
    expect(page.get_by_role("combobox", name="How files to copy moves")).to_have_value("continuous")

    rest(person)
    person.go("/policies/documents")
    person.button("Add").first.click()
    page.get_by_role("menuitem", name=re.compile("^Live backup")).click()
    added = page.get_by_role("region", name="Operation live")
    expect(added).to_contain_text("Runs every 15 minutes; keeps 24 hourly and 30 daily.")
    rest(person)
    person.go("/flows/office?select=mover%3Afiles-%3Estore")
    expect(page.locator('[data-id="mover:files->copy"]')).to_have_attribute("aria-label", re.compile("continuous"))
    page.get_by_role("checkbox", name="documents/live").click()
    expect(page.get_by_role("group", name="Moves")).to_contain_text("documents/live needs every change as it happens")
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))
    text = person.api("/environment")["text"]
    assert "mode: continuous" in text
    assert re.search(r"live:\s*\{?\s*every: 15m", text)
    assert all(each["level"] != "error" for each in person.api("/environment/document")["diagnostics"])
