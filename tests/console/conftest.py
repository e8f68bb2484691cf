"""Fixtures of the browser tests: Debian's Chromium, a real Master and real nodes behind it. Nothing is stubbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from holdfast.api.console import STATIC
from tests.console.person import ARGUMENTS, CHROMIUM, Person, person_at
from tests.console.profiles import Profiles
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, world_in

NODES = ("files1", "vault", "dr")
FILES = 40
Enter = Callable[..., Person]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason=f"needs Chromium at {CHROMIUM} (Debian's package chromium)"))
            if not (STATIC / "index.html").exists():
                item.add_marker(pytest.mark.skip(reason="needs the built console (make console)"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while Playwright lives, an event loop runs in this thread, and tests of other folders start their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A Master and three nodes with nothing to do, and a folder with files in it."""
    folder = tmp_path_factory.mktemp("bare")
    make_files(folder / "data")
    with world_in(folder, *NODES) as world:
        yield world


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same with a flow: files1 -> repository on vault and mirror on dr, vault -> second repository on dr. Active, not run yet."""
    folder = tmp_path_factory.mktemp("office")
    make_files(folder / "data")
    with world_in(folder, *NODES) as world:
        world.apply(ONE_TO_TWO.format(folder=folder, when=by_hand_only()), "office")
        yield world


@pytest.fixture(scope="module")
def profiles(browser: Browser) -> Profiles:
    return Profiles(browser)


@pytest.fixture
def enter(browser: Browser, profiles: Profiles) -> Iterator[Callable[..., Person]]:
    """`enter(world, dark=True, size=PHONE)`: somebody opens a browser. Several may be at the same Master. `fresh=True`: theirs was never
    there before."""
    with ExitStack() as stack:

        def come_in(world: World, *, fresh: bool = False, signed_in: bool = True, **wishes: Any) -> Person:
            if signed_in and not fresh:
                return stack.enter_context(profiles.person_at(world, **wishes))
            return stack.enter_context(person_at(browser, world, signed_in=signed_in, **wishes))

        yield come_in


def make_files(folder: Path) -> None:
    (folder / "letters").mkdir(parents=True)
    for number in range(FILES):
        (folder / "letters" / f"letter {number}.txt").write_text(f"letter {number}\n" * (number * 20 + 1))
    (folder / "notes.tmp").write_text("not worth keeping\n")
