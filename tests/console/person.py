"""A person at the console: a real browser on a real Master, with words for what people do, and eyes for what must never happen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.e2e.world import World

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PATIENCE_MS = 40_000
DESK = (1280, 800)
PHONE = (390, 844)
# A test that signs out, restarts the Master or is refused on purpose sees these in the browser's log.
_EXPECTED = re.compile(
    r"status of (400|401|403|404|409|422|429|502|503)|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_NETWORK"
)

# What is downloaded comes from the machine that has it.
_DOWNLOAD = re.compile(r"https://127\.0\.0\.1:\d+/download/")

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Person:
    """`faults` gathers what no page may do: errors in its code, breaches of its policy, calls to other hosts, but for those `elsewhere` to
    which it sends people on purpose."""

    page: Page
    world: World
    base: str
    faults: list[str] = field(default_factory=list)
    elsewhere: tuple[str, ...] = ()

    def go(self, path: str = "/") -> Person:
        self.page.goto(self.base + path)
        expect(self.page.locator("main")).to_be_visible()
        return self

    def sees(self, text: str | re.Pattern[str]) -> Locator:
        found = self.page.get_by_text(text).first
        expect(found).to_be_visible()
        return found

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def press(self, keys: str) -> None:
        self.page.keyboard.press(keys)

    def field(self, label: str) -> Locator:
        return self.page.get_by_role("textbox", name=label, exact=True)

    def vertex(self, name: str) -> Locator:
        """On the canvas."""
        return self.page.locator(f'[data-id="vertex:{name}"]')

    def last_job(self) -> Locator:
        """At the bottom of every page: what ended last."""
        return self.page.get_by_role("contentinfo").get_by_role("link").filter(has_text="Last:")

    def is_live(self) -> None:
        """Wait until the page has heard of the Master and follows it."""
        expect(self.page.locator("[data-connection=live]")).to_be_attached()

    def another_tab(self) -> Person:
        """Of the same browser."""
        person = Person(self.page.context.new_page(), self.world, self.base, self.faults)
        person.listen()
        return person

    def api(self, path: str, **query: Any) -> Any:
        return self.world.client.get(path, **query)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _EXPECTED.search(message.text):
            self.faults.append(f"console: {message.text}")

    def _asks(self, request: Request) -> None:
        if not request.url.startswith((self.base, *self.elsewhere, "data:", "blob:")) and not _DOWNLOAD.match(request.url):
            self.faults.append(f"asks another host: {request.url}")

    def listen(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"page: {error}"))
        self.page.on("request", self._asks)


@contextmanager
def person_at(
    browser: Browser, world: World, *, size: tuple[int, int] = DESK, dark: bool = False, signed_in: bool = True
) -> Iterator[Person]:
    """A new browser profile, closed at the end; fails when the page did what no page may."""
    context = new_profile(browser, size=size, dark=dark)
    try:
        if signed_in:
            sign_in(context, world.client.url, world.machines.admin_password)
        with person_in(context, world) as person:
            yield person
    finally:
        context.close()


@contextmanager
def person_in(context: BrowserContext, world: World) -> Iterator[Person]:
    """In a tab of this profile; fails when the page did what no page may."""
    person = Person(context.new_page(), world, world.client.url)
    person.listen()
    yield person
    assert not person.faults, "\n".join(person.faults)


def new_profile(browser: Browser, *, size: tuple[int, int], dark: bool) -> BrowserContext:
    return browser.new_context(
        ignore_https_errors=True,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        accept_downloads=True,
    )


def sign_in(context: BrowserContext, base: str, password: str) -> None:
    """As the form does, without the form."""
    answer = context.request.post(
        f"{base}/api/v1/session",
        data={"user": "admin", "password": password},
        headers={"X-Holdfast-Page": "test", "Origin": base},
    )
    assert answer.ok, answer.text()


AXE = Path(__file__).resolve().parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"


# Colours on their way from one to another have the contrast of neither; what turns for ever is not waited for.
# On a busy machine what a click sets going begins some frames later, so it is still once nothing moves two frames after the last move.
_STILL = """(async () => {
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
  const ending = (each) => Number.isFinite(each.effect?.getComputedTiming().endTime);
  for (let moving = [null]; moving.length; ) {
    await frame();
    await frame();
    moving = document.getAnimations().filter(ending).filter((each) => each.playState !== "finished");
    await Promise.allSettled(moving.map((each) => each.finished));
  }
})()"""


def grave_findings(page: Page) -> list[str]:
    """What axe calls serious or critical on the page as it is now, once nothing moves on it any more and nothing is faded because newer is
    asked for."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.evaluate(_STILL)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]
