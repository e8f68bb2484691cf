"""Which copy of a point is the nearest: one on this machine, then the one that was read fastest before, then as the Master named them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.ids import NodeId
from holdfast.core.private_files import make_private_folder
from holdfast.core.units import format_size
from holdfast.host.home_records import load_record, save_record
from holdfast.model.orders import RestoreOrder

# Less says more about the start of a restore than about the way to the copy.
_ENOUGH_BYTES = 16 << 20


@dataclass(frozen=True)
class Ranked:
    """`why` goes on after "reads COPY: "."""

    order: RestoreOrder
    why: str


class Speeds:
    """Bytes a second at which this node restored from each repository or mirror the last time, in HOME/restores/speeds.json. Losing it
    costs nothing but a worse choice."""

    def __init__(self, home: Path) -> None:
        self._path = home / "restores" / "speeds.json"

    def nearest_first(self, node: NodeId, orders: Sequence[RestoreOrder]) -> list[Ranked]:
        known = self._known()
        # Sorting keeps the Master's order where nothing else is known.
        ranked = sorted(orders, key=lambda order: (order.names_only, order.owner != node, -known.get(order.place, 0.0)))
        count = sum(not order.names_only for order in orders)
        return [Ranked(order, _why(order, node, known, count)) for order in ranked]

    def note(self, place: str, size_bytes: int, duration_s: float) -> None:
        if size_bytes < _ENOUGH_BYTES or duration_s <= 0:
            return
        try:
            make_private_folder(self._path.parent)
            save_record(self._path, {**self._known(), place: size_bytes / duration_s})
        except OSError:
            return

    def _known(self) -> dict[str, float]:
        return load_record(self._path, dict[str, float]) or {}


def _why(order: RestoreOrder, node: NodeId, known: dict[str, float], count: int) -> str:
    if order.owner == node:
        return "it is on this machine"
    if count == 1:
        return "the only copy that was asked for or can be reached"
    speed = known.get(order.place)
    if speed:
        return f"the fastest of {count} copies the last time, {format_size(int(speed))}/s"
    return f"the first of {count} copies that can be reached"
