"""Drawing, list, text and `holdfast export` are one document, whatever is done to it and wherever.

A person does a random walk over the ways of editing. After each step the text, read by a YAML library that is not ours, says what the
drawing and the list show, and comments that stand elsewhere stay as they were; undoing everything gives the first text, byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from playwright.sync_api import expect
from ruamel.yaml import YAML

from tests.console.endings import in_twelve_hours
from tests.console.person import Person
from tests.console.wanderer import Wanderer
from tests.e2e.world import World

STEPS = 16
# Written by several hands over the years: comments everywhere,
# two kinds of indentation, quotes, flow and block, empty lines, a document mark.
OFFICE = """\
# The office's environment.   Do not move!
---
environment: 'test'   # one of ours

nodes:
    files1: {{}}          # in the cellar
    vault: {{tags: [linux,   "big-disk"]}}   # two arrays
    dr:
        tags:
        # not much there
        - linux
repositories:
  main: {{ node: vault, location: {folder}/vault/main }}   # since 2019

  offsite:   # the far one
    node: dr
    location: "{folder}/dr/offsite"   # quoted, nobody knows why


policies:
  documents:
    classification: {{paths: [{folder}/data]}}  # all of it
    operations:
      # Twelve hours from now, at most.
      backup: {{at: ['{at}'], keep: {{last: 50}}}}   # fifty
      replicate: {{removed: follow}}
  mail:
    classification:
      paths:
      - {folder}/data/letters   # by hand
    operations: {{backup: {{at: ["{at}"], keep: {{last: 3}}}}}}
flows:
  office:   # drawn by Anna
    vertices:
      # --- where data comes from ---
      files: {{node: files1, policies: [documents]}}   # the file server
      # --- where it goes ---
      store: {{repository: main}}    # first
      copy:     # second
        mirror: dr   # plain files
        path: {folder}/dr/mirror
      far: {{repository: offsite, place: [620, 40]}}   # third
    movers:
    - {{from: files, to: store, carries: [documents/backup]}}   # m1
    # the plain copy
    - from: files    # m2
      to: copy
      carries: [documents/replicate]   # all of it
    - {{from: store, to: far,
       carries: [documents/backup], after: documents/backup}}   # m3
# The end.
"""
COMMENT = re.compile(r"#.*$", re.MULTILINE)


@pytest.fixture
def stored(bare: World) -> str:
    """The text above, as the newest revision."""
    text = OFFICE.format(folder=bare.folder, at=in_twelve_hours())
    bare.client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": "as at first"})
    return text


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.big), pytest.param(14, marks=pytest.mark.big)])
def test_all_views_are_one_document(bare: World, stored: str, enter: Callable[..., Person], seed: int) -> None:
    wanderer = Wanderer(enter(bare).go("/flows/office"), Random(seed), "office")
    wanderer.look()
    assert wanderer.text == stored
    try:
        for _ in range(STEPS):
            before = wanderer.text
            gone = wanderer.step()
            wanderer.look()
            lost = comments(without(before, gone)) - comments(wanderer.text)
            assert not lost, f"gone with {wanderer.done[-1]}: {lost}"
            assert above_flows(wanderer.text) == above_flows(stored)
        undo_all_redo_all_and_save(wanderer, stored)
    except BaseException:
        print(f"seed {seed}: {wanderer.done}\n{wanderer.text}")
        raise
    assert bare.run("export").stdout == wanderer.text == wanderer.person.api("/environment")["text"]


def undo_all_redo_all_and_save(wanderer: Wanderer, first: str) -> None:
    finish(wanderer)
    last = wanderer.text
    wanderer.view("Draw")
    wanderer.page.locator(".react-flow").focus()
    wanderer.steps("Undo", "Control+z", 200)
    wanderer.look()
    assert wanderer.text == first
    wanderer.view("Draw")
    wanderer.page.locator(".react-flow").focus()
    wanderer.steps("Redo", "Control+Shift+z", 200)
    wanderer.look()
    assert wanderer.text == last
    wanderer.person.press("Control+s")
    go_on = wanderer.person.button(re.compile("^Save without"))
    expect(go_on.or_(wanderer.page.get_by_text("Saved as revision"))).to_be_visible()
    if go_on.is_visible():
        go_on.click()
    wanderer.person.sees(re.compile("Saved as revision"))


def finish(wanderer: Wanderer) -> None:
    """Only what says what it means can be stored: what was only begun is taken out again."""
    page = wanderer.page
    wanderer.view("Draw")
    for name, vertex in wanderer.parts["vertices"].items():
        if "" in vertex.values():
            wanderer.take_out(wanderer.person.vertex(name))
    empty = page.locator(".react-flow__edge[aria-label*='nothing yet']")
    while empty.count() > 0:
        thing = page.locator(f"[data-id='{empty.first.get_attribute('data-id')}']")
        wanderer.take_out(thing)
    wanderer.look()


def comments(text: str) -> Counter[str]:
    return Counter(COMMENT.findall(text))


def above_flows(text: str) -> str:
    return text[: text.index("\nflows:")]


def without(text: str, gone: list[str]) -> str:
    """The text less the lines of these vertices and of the movers that lead there, and less the comments right above them."""
    if not gone:
        return text
    flow = _value(_value(YAML().compose(text), "flows"), "office")
    vertices = [(key, value) for key, value in _value(flow, "vertices").value if key.value in gone]
    movers = [(each, each) for each in _value(flow, "movers").value if {_value(each, "from").value, _value(each, "to").value} & set(gone)]
    lines = text.splitlines()
    for start, end in vertices + movers:
        first, last = start.start_mark.line, end.end_mark.line
        if not end.flow_style:
            # A block is said to end where the next thing begins.
            last = max(line for line in range(first, last) if line == first or not _is_bare(lines[line]))
        while first > 0 and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        lines[first : last + 1] = [""] * (last + 1 - first)
    return "\n".join(lines)


def _is_bare(line: str) -> bool:
    return line.strip() == "" or line.lstrip().startswith("#")


def _value(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)
