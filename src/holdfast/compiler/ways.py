"""Which movers of the drawing a promise of a node runs over: what a monitor needs to show rules on the drawing they came from.

A node promises (dataset, operation, action of its first receiver). The way there is one or more movers: through relays there are several,
and each of them does as well as the promise does, because a relay acknowledges only when the next machine has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.compiler.collector import collector_paused
from holdfast.compiler.drawing import DrawnMover, DrawnVertex
from holdfast.compiler.freeze import ActiveFlows, merge_frozen
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.passes.joined import keep_joined
from holdfast.compiler.passes.legs import find_legs
from holdfast.compiler.passes.merge import PromiseKey, merge_legs
from holdfast.compiler.passes.movers import check_movers
from holdfast.compiler.passes.names import resolve_names
from holdfast.compiler.passes.places import find_places
from holdfast.compiler.report import Report
from holdfast.compiler.roster import call_roster
from holdfast.model.rules import Identity


@dataclass(frozen=True)
class Ways:
    """`movers` of a promise: (flow, index among the movers of that flow), from the first to the last. `members`: by name in the document,
    those that have joined."""

    vertices: tuple[DrawnVertex, ...]
    movers: tuple[DrawnMover, ...]
    members: Mapping[str, Identity]
    of: Mapping[PromiseKey, tuple[tuple[str, int], ...]]


def find_ways(active: ActiveFlows, inventory: Inventory) -> Ways:
    """Of the flows in force, by the compiler's own passes: ids are derived from names, so that they are those of the rules."""
    with collector_paused():
        report = Report()
        scene = merge_frozen(active.flows, "")
        drawing = check_movers(resolve_names(scene, scene, report), report)
        roster = call_roster(scene, scene, inventory)
        legs = keep_joined(drawing, find_legs(drawing, report), roster, report)
        merged = merge_legs(legs, find_places((), legs, report), roster, report)
        return Ways(drawing.vertices, drawing.movers, roster.members, {key: tuple(movers) for key, movers in merged.ways.items()})
