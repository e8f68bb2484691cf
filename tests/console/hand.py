"""A hand with a mouse, on the drawing: every move is a real one, from where a thing is seen to where it is let go."""

from __future__ import annotations

from playwright.sync_api import FloatRect, Locator, expect

from tests.console.person import Person

Point = tuple[float, float]


class Hand:
    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page

    def mover(self, start: str, end: str) -> Locator:
        return self.page.locator(f'[data-id="mover:{start}->{end}"]')

    def label(self, start: str, end: str) -> Locator:
        """What is written at a mover."""
        return self.page.locator(f'[data-thing="mover:{start}->{end}"]')

    def put(self, entry: str, across: float, down: float) -> None:
        """Drag an entry of what can be added onto the canvas; `across` and `down` are shares of it."""
        found = self.page.get_by_role("region", name="Add to the drawing").get_by_role("button", name=entry, exact=True)
        canvas = _box(self.page.locator(".react-flow"))
        self.carry(_middle(_box(found)), (canvas["x"] + canvas["width"] * across, canvas["y"] + canvas["height"] * down))

    def join(self, start: str, end: str) -> None:
        """Draw a mover from the dot of one vertex to the dot of another."""
        port = self.person.vertex(start).locator(".react-flow__handle-right")
        other = self.person.vertex(end).locator(".react-flow__handle-left")
        self.carry(_middle(_box(port)), _middle(_box(other)))
        expect(self.mover(start, end)).to_be_attached()

    def carry(self, start: Point, end: Point) -> None:
        """Press, move, let go. The first move of a drag only starts it, so there are several."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(start[0] + 6, start[1] + 6)
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
        mouse.move(*end, steps=6)
        mouse.up()


def _middle(box: FloatRect) -> Point:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _box(thing: Locator) -> FloatRect:
    expect(thing).to_be_visible()
    box = thing.bounding_box()
    assert box is not None
    return box
