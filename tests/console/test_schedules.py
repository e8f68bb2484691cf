"""Schedules in a browser: one is made by choosing, its mistakes stand at their fields, and what it costs is seen before it is saved."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.console.conftest import Enter
from tests.console.person import grave_findings
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only


def by_day(office: World) -> None:
    scheduled = "schedules: {days: {windows: ['08:00-20:00'], zone: UTC}}\n"
    office.apply(ONE_TO_TWO.format(folder=office.folder, when="every: 4h, schedule: days") + scheduled, "office")


def test_a_schedule_is_made_chosen_seen_and_in_force(office: World, enter: Enter) -> None:
    office.apply(ONE_TO_TWO.format(folder=office.folder, when=by_hand_only()), "office")
    person = enter(office).go("/schedules")
    page = person.page
    person.sees("No schedule yet")
    expect(page.get_by_role("grid", name="Next runs")).to_be_visible()
    person.button("New schedule").click()
    person.field("Name").fill("nights")
    person.press("Enter")
    expect(page.get_by_role("heading", name="nights", level=1)).to_be_visible()
    person.sees("Used nowhere")

    hours = page.get_by_role("grid", name="When nights lets runs start")
    expect(hours.get_by_role("button", name=re.compile(r"^Monday.*, 20 o'clock: open$"))).to_be_visible()
    expect(hours.get_by_role("button", name=re.compile(r"^Monday.*, 12 o'clock: closed$"))).to_be_visible()
    hours.locator('[tabindex="0"]').focus()
    for key in ("Home", "ArrowRight"):
        person.press(key)
    expect(page.locator(":focus")).to_have_accessible_name(re.compile(", 1 o'clock: open$"))

    person.field("window 1").fill("nights")
    person.press("Enter")
    expect(page.get_by_text(re.compile("nights.* is no window|no window|not a window", re.IGNORECASE)).first).to_be_visible()
    person.sees("The calendar comes back when the schedule can be read.")
    person.button(re.compile("^Undo: Change window")).click()
    expect(hours).to_be_visible()

    person.button("Add a trigger time by choosing …").click()
    dialog = page.get_by_role("dialog", name="Add a trigger time")
    dialog.get_by_text("Days of the month").click()
    dialog.get_by_role("button", name="Add it").click()
    expect(dialog.get_by_text("A time, like 02:30.")).to_be_visible()
    dialog.get_by_label("Days of the month").last.fill("last")
    dialog.get_by_label("At", exact=True).fill("23:30")
    dialog.get_by_role("button", name="Add it").click()
    expect(page.get_by_label("trigger time 1", exact=True)).to_have_value("day last 23:30")
    page.get_by_text("Month", exact=True).click()
    expect(hours.get_by_role("button", name=re.compile("starts at 23:30$")).first).to_be_visible()
    assert grave_findings(page) == []
    person.button("Save").click()
    person.sees(re.compile("Saved as revision"))
    schedule = person.api("/environment")["text"]
    assert "nights:" in schedule
    assert "day last 23:30" in schedule


def test_what_an_rpo_cannot_be_is_seen_before_it_is_applied_and_runs_when_it_is(office: World, enter: Enter) -> None:
    by_day(office)
    person = enter(office).go("/schedules")
    page = person.page
    runs = page.get_by_role("grid", name="Next runs")
    expect(runs.get_by_role("button", name=re.compile(r": \d+ runs?")).first).to_be_visible()
    expect(page.get_by_role("list", name="Schedules")).to_contain_text("used in documents/backup")
    unmet = page.get_by_role("list", name="RPOs that cannot be met")
    # How many of them fall into the days looked at depends on whether one is going on now.
    expect(unmet.first).to_contain_text(
        re.compile(
            re.escape("Promised every 4 h, but up to 16 h pass (") + r"3\d" + re.escape(" times too long): no window was open then.")
        )
    )
    assert grave_findings(page) == []

    page.get_by_role("link", name="days", exact=True).click()
    person.button("Remove window 1").click()
    person.sees("No RPO is found that cannot be met")
    page.get_by_text("As saved").click()
    expect(unmet.first).to_contain_text("no window was open then")
    person.button("More about this schedule").click()
    expect(page.get_by_role("menuitem", name="Remove: it is used")).to_be_disabled()


def test_whoever_may_only_read_sees_no_form_and_whoever_may_not_is_told(office: World, enter: Enter) -> None:
    by_day(office)
    secret = office.folder / "secret"
    secret.write_text("correct horse battery\n")
    for name, role in (("otto", "operator"), ("vera", "viewer")):
        office.run("user", "add", name, "--password-file", str(secret))
        office.run("grant", "add", name, role)
        person = enter(office, signed_in=False)
        person.page.goto(person.base)
        person.page.get_by_label("User").fill(name)
        person.page.locator("input[type=password]").fill("correct horse battery")
        person.press("Enter")
        screens = person.page.get_by_role("navigation", name="Screens")
        expect(screens).to_be_visible()
        expect(screens.get_by_role("link", name="Schedules")).to_have_count(1 if role == "operator" else 0)
        person.go("/schedules")
        if role == "operator":
            person.page.get_by_role("link", name="days", exact=True).click()
            person.sees("When runs start")
            person.sees("in 08:00-20:00")
            expect(person.page.get_by_role("toolbar", name="Working copy")).to_have_count(0)
        else:
            person.sees("You may not read schedules")
        expect(person.page.get_by_role("alert")).to_have_count(0)
