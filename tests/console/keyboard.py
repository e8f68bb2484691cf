"""Ten fingers and no mouse: keys are pressed, and where the focus is is looked at."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.console.person import Person

MOST_TABS = 90
# The name as a screen reader would say it, near enough to know one thing from another.
_NAME = """
() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "";
  const by = (at.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  const label = [...(at.labels ?? [])].map((each) => each.textContent).join(" ");
  return (at.getAttribute("aria-label") || by.trim() || label || at.textContent || "").trim();
}
"""
# Somebody sees where they are: it is on the screen, and something is drawn around it (or a cursor stands in it).
_SEEN = """
(at) => {
  const { left, top, right, bottom } = at.getBoundingClientRect();
  const isOn = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  const style = getComputedStyle(at);
  const isRinged = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  return isOn && at.matches(":focus-visible") && (isRinged || at.matches("input, textarea, [contenteditable=true], .react-flow__edge"));
}
"""


class Keyboard:
    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page

    @property
    def here(self) -> Locator:
        return self.page.locator(":focus")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def is_at(self, name: str | re.Pattern[str]) -> None:
        """The focus is there, by itself, and can be seen."""
        expect(self.here).to_have_accessible_name(name)
        self.is_seen()

    def is_seen(self) -> None:
        assert self.here.evaluate(_SEEN), f"nobody sees that {self.page.evaluate(_NAME)!r} has the focus"

    def tab_to(self, name: str | re.Pattern[str], *, back: bool = False) -> None:
        """Press Tab until it is reached; a person stops when they see it."""
        wanted = re.compile(f"^{re.escape(name)}$") if isinstance(name, str) else name
        passed: list[str] = []
        for _ in range(MOST_TABS):
            self.press("Shift+Tab" if back else "Tab")
            now = self.page.evaluate(_NAME)
            if wanted.search(now):
                self.is_seen()
                return
            passed.append(now)
        raise AssertionError(f"no Tab leads to {name!r}; passed {passed}")

    def fill(self, text: str) -> None:
        """In place of what stands in the field."""
        self.press("Control+A")
        self.type(text)

    def choose(self, option: str) -> None:
        """In the list of choices that has the focus."""
        self.press("ArrowDown")
        wanted = self.page.get_by_role("option", name=option, exact=True)
        expect(wanted).to_be_visible()
        for _ in range(self.page.get_by_role("option").count() + 1):
            active = self.here.get_attribute("aria-activedescendant")
            if active and wanted.get_attribute("id") == active:
                break
            self.press("ArrowDown")
        else:
            raise AssertionError(f"the arrows do not lead to {option}")
        self.press("Enter")
        expect(wanted).to_be_hidden()
