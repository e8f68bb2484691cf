"""Somebody who edits a flow at random, now on the drawing, now in the list, now in the text, and looks at all three after each step."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from playwright.sync_api import Locator, expect
from ruamel.yaml import YAML

from tests.console.person import Person

# The whole text: of a long one the editor draws only the lines in sight.
_TEXT = "() => { const at = document.querySelector('.cm-content'); return (at.cmTile ?? at.cmView).view.state.doc.toString(); }"
_ARROWS = ("ArrowLeft", "Shift+ArrowRight", "ArrowUp", "ArrowDown")
_ADDED = ("Repository", "Relay", "Source", "vault", "offsite")
_FEWEST = 4


class Wanderer:
    """`text`: the document as all views showed it at the last look. `done`: what was done so far, for whoever reads a failure."""

    def __init__(self, person: Person, random: Random, flow: str) -> None:
        self.person = person
        self.page = person.page
        self.random = random
        self.flow = flow
        self.done: list[str] = []
        self.text = ""

    @property
    def parts(self) -> dict[str, Any]:
        return parts_of(self.text, self.flow)

    @property
    def vertices(self) -> list[str]:
        return list(self.parts["vertices"])

    # --- looking ---

    def look(self) -> None:
        """The text says what the drawing and the list show; then the text is remembered."""
        self.text = self.read()
        vertices, movers = named(self.parts)
        self.view("Draw")
        drawn = self.page.locator(".react-flow__node")
        expect(drawn).to_have_count(len(vertices))
        assert sorted(ids(drawn)) == sorted(f"vertex:{name}" for name in vertices)
        assert sorted(ids(self.page.locator(".react-flow__edge"))) == sorted(f"mover:{name}" for name in movers)
        self.view("List")
        listed = self.page.get_by_role("table", name="Vertices").get_by_role("textbox", name=re.compile("^Name of "))
        expect(listed).to_have_count(len(vertices))
        assert [field.input_value() for field in listed.all()] == vertices
        rows = self.page.get_by_role("table", name="Movers").get_by_role("textbox", name=re.compile("^Limit of "))
        expect(rows).to_have_count(len(movers))
        called = [(field.get_attribute("aria-label"), field.input_value()) for field in rows.all()]
        assert called == [(f"Limit of {each['from']} to {each['to']}", str(each.get("limit", ""))) for each in self.parts["movers"]]

    def read(self) -> str:
        self.view("YAML")
        expect(self.page.locator(".cm-content")).to_be_visible()
        self.rest()
        return str(self.page.evaluate(_TEXT))

    def rest(self) -> None:
        """Until the Master has answered to every edit."""
        expect(self.page.get_by_role("toolbar", name="Working copy")).to_have_attribute("aria-busy", "false")

    def view(self, name: str) -> None:
        link = self.page.get_by_role("navigation", name="Views of the flow").get_by_role("link", name=name, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        shown = {"Draw": ".react-flow", "List": "table[aria-label=Vertices]", "YAML": ".cm-content"}[name]
        expect(self.page.locator(shown)).to_be_visible()

    # --- doing ---

    def step(self) -> list[str]:
        """One edit, or one undone and done again. Returns the vertices that it takes out, with all that is written about them."""
        ways = (self.add, self.connect, self.rename, self.move, self.drop, self.limit, self.rename_in_list, self.remark, self.undo)
        return self.random.choice(ways)()

    def add(self) -> list[str]:
        entry = self.random.choice(_ADDED)
        self.view("Draw")
        self.page.get_by_role("region", name="Add to the drawing").get_by_role("button", name=entry, exact=True).click()
        return self.did(f"add {entry}")

    def connect(self) -> list[str]:
        start = self.at_a_vertex()
        self.person.press("c")
        dialog = self.page.get_by_role("dialog", name=f"Connect {start} to …")
        expect(dialog).to_be_visible()
        if ends := dialog.get_by_role("option").all():
            self.random.choice(ends).click()
        else:
            self.person.press("Escape")
        expect(dialog).to_be_hidden()
        return self.did(f"connect {start}")

    def rename(self) -> list[str]:
        name = self.at_a_vertex()
        self.person.press("Enter")
        self.write("Name in the drawing", self.new_name())
        return self.did(f"rename {name}")

    def move(self) -> list[str]:
        name = self.at_a_vertex()
        for _ in range(self.random.randint(1, 3)):
            self.person.press(self.random.choice(_ARROWS))
        return self.did(f"move {name}")

    def drop(self) -> list[str]:
        if len(self.vertices) < _FEWEST:
            return self.add()
        name = self.at_a_vertex()
        self.person.press("Delete")
        self.did(f"remove {name}")
        return [name]

    def limit(self) -> list[str]:
        movers = self.parts["movers"]
        if not movers:
            return self.connect()
        mover = self.random.choice(movers)
        self.view("List")
        called = f"Limit of {mover['from']} to {mover['to']}"
        field = self.page.get_by_role("textbox", name=called, exact=True).first
        field.fill(self.random.choice(["5MB/s", "1GB/s", "", "20MB/s"]))
        self.person.press("Enter")
        return self.did(called)

    def rename_in_list(self) -> list[str]:
        name = self.random.choice(self.vertices)
        self.view("List")
        self.write(f"Name of {name}", self.new_name())
        return self.did(f"rename {name} in the list")

    def remark(self) -> list[str]:
        self.view("YAML")
        self.page.locator(".cm-content").focus()
        self.person.press("Control+End")
        self.page.keyboard.type(f"# remark {len(self.done)}\n")
        return self.did("remark")

    def undo(self) -> list[str]:
        """Some steps back, and on again."""
        self.view("Draw")
        self.page.locator(".react-flow").focus()
        count = self.random.randint(1, 3)
        back = self.steps("Undo", "Control+z", count)
        self.rest()
        for _ in range(back):
            self.person.press("Control+y")
        self.rest()
        before = self.text
        assert self.read() == before, "undone and done again, it is another text"
        return self.did(f"undo and redo {back}")

    def steps(self, word: str, key: str, most: int) -> int:
        """So many steps, or as many as there are."""
        button = self.page.get_by_role("button", name=re.compile(f"^{word}: "))
        for count in range(most):
            self.rest()
            if button.is_disabled():
                return count
            self.person.press(key)
        return most

    def take_out(self, thing: Locator) -> None:
        thing.focus()
        self.person.press("Delete")
        expect(thing).to_be_hidden()

    def at_a_vertex(self) -> str:
        name = self.random.choice(self.vertices)
        self.view("Draw")
        self.person.vertex(name).focus()
        return name

    def write(self, label: str, text: str) -> None:
        self.person.field(label).fill(text)
        self.person.press("Enter")

    def new_name(self) -> str:
        return f"v{len(self.done)}-{self.random.randint(10, 99)}"

    def did(self, words: str) -> list[str]:
        self.done.append(words)
        return []


def parts_of(text: str, flow: str) -> dict[str, Any]:
    """Vertices and movers, by a reader that is not the product's way of reading."""
    found = YAML(typ="safe", pure=True).load(text)["flows"][flow]
    return {"vertices": found.get("vertices") or {}, "movers": found.get("movers") or []}


def named(parts: dict[str, Any]) -> tuple[list[str], list[str]]:
    """As the drawing names them: the second mover between the same ends is `from->to#2`."""
    seen: list[str] = []
    movers = []
    for mover in parts["movers"]:
        key = f"{mover['from']}->{mover['to']}"
        seen.append(key)
        movers.append(key if seen.count(key) == 1 else f"{key}#{seen.count(key)}")
    return list(parts["vertices"]), movers


def ids(things: Locator) -> list[str]:
    return [str(each) for each in things.evaluate_all("all => all.map((each) => each.dataset.id)")]
