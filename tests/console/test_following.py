"""Datasets that are followed, as a person sees them: on home, on the node, and on the drawing while it moves; and what a gap looks like."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.console.conftest import make_files
from tests.console.person import Person, grave_findings
from tests.e2e.followed import following
from tests.e2e.world import World, eventually, worker_pid, world_in

FOLLOWED = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/vault/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      live: {{every: 1h, keep: {{last: 50}}}}
      replicate: {{removed: follow}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: {folder}/vault/mirror}}
    movers:
      - {{from: files, to: store, carries: [documents/live]}}
      - {{from: files, to: copy, carries: [documents/replicate], mode: continuous}}
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("followed")
    make_files(folder / "data")
    with world_in(folder, "files1", "vault") as world:
        world.apply(FOLLOWED.format(folder=folder), "office")
        eventually(lambda: following(world).get("state") == "following", "it is followed")
        yield world


def test_home_node_and_drawing_say_that_everything_is_delivered(followed: World, enter: Callable[..., Person]) -> None:
    person = enter(followed).go("/")
    card = person.page.get_by_role("region", name="Followed as they change")
    expect(card).to_contain_text("1 dataset is followed; everything is delivered.")
    expect(card.get_by_role("listitem")).to_contain_text("files1/documents: everything is delivered")
    expect(card.get_by_role("listitem")).to_contain_text(re.compile("Watched by (fanotify|inotify)"))
    person.go("/nodes/files1")
    expect(person.page.get_by_role("region", name="Followed as they change")).to_contain_text("everything is delivered")
    person.go("/flows/office/monitor")
    expect(person.page.locator("[data-thing='mover:files->copy']")).to_have_text("nothing waits")
    expect(person.page.get_by_role("region", name="Followed as they change")).to_contain_text("files1/documents")
    assert grave_findings(person.page) == []


def test_a_mirror_that_is_away_is_waited_for_and_a_gap_is_told(followed: World, enter: Callable[..., Person]) -> None:
    person = enter(followed).go("/")
    item = person.page.get_by_role("list", name="Followed datasets").get_by_role("listitem")
    followed.stop("vault")
    (followed.folder / "data" / "letters" / "letter 5.txt").write_text("nobody takes this now\n")
    expect(item).to_contain_text("waiting")
    followed.restart("vault")
    eventually(lambda: (followed.folder / "vault/mirror/letters/letter 5.txt").read_text() == "nobody takes this now\n", "it came")
    expect(item).to_contain_text("everything is delivered")
    os.kill(worker_pid(followed, "files1", "source"), 9)
    # A worker that comes back on a busy machine takes its time; the page is to say it then.
    eventually(lambda: bool(following(followed).get("gaps")), "the gap is known")
    expect(item).to_contain_text("newest gap")
    expect(item).to_contain_text("nobody watched: the node, its worker or the machine was not running.")
    assert grave_findings(person.page) == []
