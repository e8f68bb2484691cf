"""What would keep the flows of a document from being activated, before anybody asks for one of them. Pure.

All of them are compiled together first: where that says no error there is none. Else each flow that an error is about is compiled as its
activation would compile it, beside those in force: flows that are alternatives, like a failover and its way back, are in conflict
only together. One that is not active and is left as it was is compiled beside nothing: it is kept for another day, when what is in
force now will not be, and to say so at every change would teach people to look away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from holdfast.compiler.compile import compile_flows
from holdfast.compiler.freeze import ActiveFlows, Freezer, changed_flows
from holdfast.compiler.inventory import Inventory
from holdfast.model.diagnostics import Diagnostic, Level
from holdfast.model.document import Document

# Each that is compiled by itself takes as long as all that is active, in the largest environments a second and more, and a plan is asked
# for while people type.
_MOST_TRIED = 20
_MOST_NODES_TRIED = 20_000
# Flows that say nothing alone can say these together, so flows with other errors are looked at first.
_CONFLICTS = frozenset(
    (
        "application-overlap",
        "granularity-overlap",
        "loop-by-location",
        "mirror-path-clash",
        "only-differs",
        "repository-clash",
        "source-inside-store",
        "too-many-datasets",
        "two-ways-in",
    )
)
_SECTIONS = ("nodes", "groups", "repositories", "schedules", "policies")


class FlowError(msgspec.Struct, frozen=True, kw_only=True):
    """`flows`: those that could not be activated for it."""

    flows: tuple[str, ...]
    error: Diagnostic


class FlowErrors(msgspec.Struct, frozen=True, kw_only=True):
    """`untried`: flows that may have errors too, and were not looked at because there are too many."""

    errors: tuple[FlowError, ...] = ()
    untried: tuple[str, ...] = ()


def find_flow_errors(
    document: Document, newest: Document | None, active: ActiveFlows, inventory: Inventory, created_at: datetime
) -> FlowErrors:
    """The errors of the flows of `document`, which is to be the draft in place of `newest`; of a bounded number of flows."""

    def errors_of(flows: ActiveFlows) -> Iterator[Diagnostic]:
        found = compile_flows(document, flows, inventory, generations={}, created_at=created_at)
        return (diagnostic for diagnostic in found.diagnostics if diagnostic.level is Level.ERROR)

    together = tuple(errors_of(_all_drafted(document, active)))
    if not together:
        return FlowErrors()
    trials, most = _Trials(), _most_tried(document)
    kept = _kept(document, newest, active)
    wanted = about = _in_turn(document, together)
    for name in about[:most]:
        beside = msgspec.structs.replace(active, flows=()) if name in kept else active
        trials.take(name, errors_of(beside.activate(name)))
    if len(about) <= most and not trials.has_all(together):
        # Flows in conflict, and the error names one of them: it may be the other that is not in force, and cannot be.
        wanted += tuple(name for name in _not_in_force(document, active) if name not in about and name not in kept)
        for name in wanted[len(about) : most]:
            trials.take(name, errors_of(active.activate(name)))
    return FlowErrors(errors=trials.found(), untried=wanted[most:])


class _Trials:
    """What flows said, each by itself; what many of them said is one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[Diagnostic, list[str]]] = {}

    def take(self, flow: str, errors: Iterable[Diagnostic]) -> None:
        for error in errors:
            self._found.setdefault(_key(error), (error, []))[1].append(flow)

    def has_all(self, errors: Iterable[Diagnostic]) -> bool:
        return all(_key(error) in self._found for error in errors)

    def found(self) -> tuple[FlowError, ...]:
        return tuple(FlowError(flows=tuple(flows), error=error) for error, flows in self._found.values())


def _most_tried(document: Document) -> int:
    return min(_MOST_TRIED, max(1, _MOST_NODES_TRIED // max(1, len(document.nodes))))


def _key(error: Diagnostic) -> tuple[str, str, str]:
    return error.code, error.where.path, error.message


def _all_drafted(document: Document, active: ActiveFlows) -> ActiveFlows:
    """All flows of the draft, and those in force that have left it."""
    names = tuple(flow.name for flow in document.flows)
    return active.deactivate(*names).activate(*names)


def _in_turn(document: Document, errors: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    certain = _flows_about(document, (error for error in errors if error.code not in _CONFLICTS))
    return tuple(dict.fromkeys((*certain, *_flows_about(document, errors))))


def _flows_about(document: Document, errors: Iterable[Diagnostic]) -> tuple[str, ...]:
    """The flows that the errors name, or that name the part of the document they are in, in the order of the document."""
    about = {error.where.flow for error in errors if error.where.flow}
    places = {place for error in errors if not error.where.flow for place in _enclosing(error.where.path)}
    freezer = Freezer(document)
    return tuple(flow.name for flow in document.flows if flow.name in about or (places and places & _parts(freezer.freeze(flow.name))))


def _enclosing(path: str) -> Iterator[str]:
    """`policies.a.operations` -> itself, `policies.a`, `policies`: names may have dots in them, so each may be the part."""
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]


def _parts(frozen: Document | None) -> frozenset[str]:
    """`policies.documents`: the places of all that the flow names."""
    if frozen is None:
        return frozenset()
    return frozenset(f"{section}.{part.name}" for section in _SECTIONS for part in getattr(frozen, section))


def _kept(document: Document, newest: Document | None, active: ActiveFlows) -> frozenset[str]:
    """Flows that are not active and that the document leaves as they are."""
    if newest is None:
        return frozenset()
    idle = {flow.name for flow in document.flows}.difference(frozen.name for frozen in active.flows)
    now, before = Freezer(document), Freezer(newest)
    return frozenset(name for name in idle if now.freeze(name) == before.freeze(name))


def _not_in_force(document: Document, active: ActiveFlows) -> tuple[str, ...]:
    """Flows that activating would change something for."""
    settled = {frozen.name for frozen in active.flows}.difference(changed_flows(document, active))
    return tuple(flow.name for flow in document.flows if flow.name not in settled)
