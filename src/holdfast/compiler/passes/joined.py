"""Pass `joined`: machines that have not joined are left out, and it is said what that leaves undone."""

from __future__ import annotations

from dataclasses import replace

from holdfast.compiler.drawing import Drawing, Leg
from holdfast.compiler.report import Report, some
from holdfast.compiler.roster import Roster


def keep_joined(drawing: Drawing, legs: tuple[Leg, ...], roster: Roster, report: Report) -> tuple[Leg, ...]:
    """The legs of which every machine is there, with the sources that are."""
    _report_missing(drawing, roster, report)
    found = []
    for leg in legs:
        places = [leg.sink.place, *leg.relays, *([leg.origin.node] if leg.origin else [])]
        sources = tuple(name for name in leg.sources if name in roster.members)
        if sources and all(place in roster.members for place in places):
            found.append(leg if len(sources) == len(leg.sources) else replace(leg, sources=sources))
    _report_addresses(found, roster, report)
    return tuple(found)


def _report_missing(drawing: Drawing, roster: Roster, report: Report) -> None:
    for vertex in drawing.vertices:
        missing = [name for name in (vertex.nodes if vertex.is_source else (vertex.place,)) if name not in roster.members]
        if not missing:
            continue
        left_out = "what it captures" if vertex.is_source else "every delivery that ends or passes there"
        if len(missing) == 1:
            message = f"node `{missing[0]}` has not joined; {left_out} is left out until it has"
        else:
            message = f"{len(missing)} nodes have not joined ({some(missing)}); what they capture is left out until they have"
        hint = "join it with `holdfast node join`, then activate the flow again"
        report.add("node-not-joined", vertex.where(vertex.kind), message, hint)


def _report_addresses(legs: list[Leg], roster: Roster, report: Report) -> None:
    for leg in legs:
        for mover in leg.movers:
            starts = leg.sources if mover.source.is_source else (mover.source.place,)
            for dialled, end in (
                [(start, mover.source) for start in starts] if mover.mover.dial == "to" else [(mover.target.place, mover.target)]
            ):
                if roster.members[dialled].address or all(start == mover.target.place for start in starts):
                    continue
                hint = f"start the node once, or write `address: HOST:PORT` at `nodes.{dialled}`"
                report.add("no-address", end.where(end.kind), f"nobody knows yet where node `{dialled}` listens", hint)
