"""Browser profiles of people who are signed in, for one test after the other: signing in, and filling an empty cache, takes longer than
what many tests do. A profile in which a test has left anything is not used again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext

from tests.console.person import DESK, Person, new_profile, person_in, sign_in
from tests.e2e.world import World

Kept = tuple[frozenset[tuple[str, str]], str]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    url: str
    size: tuple[int, int]
    dark: bool


@dataclass(frozen=True, kw_only=True)
class Profile:
    context: BrowserContext
    # What it kept when somebody had just signed in.
    kept: Kept


@dataclass
class Profiles:
    browser: Browser
    _free: defaultdict[Wishes, list[Profile]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def person_at(self, world: World, *, size: tuple[int, int] = DESK, dark: bool = False) -> Iterator[Person]:
        """Somebody in a profile of their own, as long as they are there: two at a time share nothing."""
        wishes = Wishes(url=world.client.url, size=size, dark=dark)
        profile = self._of_before(wishes) or self._new(wishes, world)
        is_as_it_was = False
        try:
            with person_in(profile.context, world) as person:
                yield person
            for page in profile.context.pages:
                page.close()
            is_as_it_was = kept_by(profile.context) == profile.kept
        finally:
            if is_as_it_was:
                self._free[wishes].append(profile)
            else:
                profile.context.close()

    def _of_before(self, wishes: Wishes) -> Profile | None:
        while self._free[wishes]:
            profile = self._free[wishes].pop()
            if profile.context.request.get(f"{wishes.url}/api/v1/session").ok:
                return profile
            # Its session was ended elsewhere.
            profile.context.close()
        return None

    def _new(self, wishes: Wishes, world: World) -> Profile:
        context = new_profile(self.browser, size=wishes.size, dark=wishes.dark)
        sign_in(context, wishes.url, world.machines.admin_password)
        return Profile(context=context, kept=kept_by(context))


def kept_by(context: BrowserContext) -> Kept:
    """Cookies, but for when they expire, and what pages keep for all tabs; what they keep for one goes with it."""
    state = context.storage_state()
    return frozenset((each["name"], each["value"]) for each in state["cookies"]), str(state["origins"])
