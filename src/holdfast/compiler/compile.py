"""Flows become rules. Pure: the same values in give the same values out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from holdfast.compiler.availability import unavailable
from holdfast.compiler.collector import collector_paused
from holdfast.compiler.drawing import Drawing
from holdfast.compiler.freeze import ActiveFlows, Selection, merge_frozen, select_flows
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.passes.archives import check_archives
from holdfast.compiler.passes.graph import check_cycles
from holdfast.compiler.passes.joined import keep_joined
from holdfast.compiler.passes.legs import find_legs
from holdfast.compiler.passes.merge import merge_legs
from holdfast.compiler.passes.movers import check_movers
from holdfast.compiler.passes.names import resolve_names
from holdfast.compiler.passes.orders import Orders
from holdfast.compiler.passes.overlaps import check_overlaps
from holdfast.compiler.passes.places import find_places
from holdfast.compiler.passes.retention import check_locks, check_retention
from holdfast.compiler.passes.riding import check_riding
from holdfast.compiler.passes.schedules import check_schedules
from holdfast.compiler.passes.trials import check_trials
from holdfast.compiler.passes.unused import check_unused
from holdfast.compiler.report import Report
from holdfast.compiler.roster import call_roster
from holdfast.compiler.summary import Summary, summarize
from holdfast.core.ids import NodeId
from holdfast.model.diagnostics import Diagnostic, Where, has_errors
from holdfast.model.document import Document, RepositoryEntry
from holdfast.model.rules import Rules


class Compilation(msgspec.Struct, frozen=True, kw_only=True):
    """`rules`: one for every node of the inventory, also where there is nothing to do; empty when there are errors, so that nothing half
    made can be rolled out. `active`: what is in force once these rules are; the Master stores it and hands it in next time.
    `reactivated`: flows taken from the draft again because they share what changed. `summary` is there in any case.
    """

    rules: Mapping[NodeId, Rules]
    diagnostics: tuple[Diagnostic, ...]
    summary: Summary
    flows: tuple[str, ...]
    active: ActiveFlows
    reactivated: tuple[str, ...] = ()

    @property
    def has_errors(self) -> bool:
        return has_errors(self.diagnostics)


def compile_flows(
    document: Document,
    active: ActiveFlows,
    inventory: Inventory,
    *,
    generations: Mapping[NodeId, int],
    created_at: datetime,
) -> Compilation:
    """Compile the active flows with those of `active.activating`, which are taken from `document`, the draft.

    `generations`: the generation each node's rules shall bear; 1 for a node that is not in it.
    """
    with collector_paused():
        return _compile(document, active, inventory, generations, created_at)


def _compile(
    document: Document, active: ActiveFlows, inventory: Inventory, generations: Mapping[NodeId, int], created_at: datetime
) -> Compilation:
    report = Report()
    selection = select_flows(document, active)
    _report_selection(document, selection, report)
    scene = merge_frozen(selection.flows, document.environment)
    drawing = check_movers(resolve_names(scene, document, report), report)
    check_cycles(drawing, report)
    report.take(unavailable(scene))
    roster = call_roster(scene, document, inventory)
    all_legs = find_legs(drawing, report)
    legs = keep_joined(drawing, all_legs, roster, report)
    check_schedules(drawing, all_legs, report)
    check_retention(all_legs, drawing, report)
    check_archives(all_legs, report)
    check_locks(all_legs, drawing, inventory, report)
    check_overlaps(all_legs, report)
    check_unused(drawing, all_legs, inventory, report)
    check_trials(all_legs, roster, report)
    repositories = _open_repositories(document, drawing, active)
    places = find_places(repositories, all_legs, report)
    merged = merge_legs(legs, places, roster, report)
    orders = Orders(drawing, roster, merged, report)
    orders.collect(places, repositories)
    rules = orders.rules(inventory, generations, created_at)
    check_riding(drawing, rules.values(), report)
    diagnostics = report.diagnostics()
    flows = tuple(flow.name for flow in selection.flows)
    return Compilation(
        rules={} if has_errors(diagnostics) else rules,
        diagnostics=diagnostics,
        summary=summarize(rules, flows),
        flows=flows,
        active=ActiveFlows(flows=selection.flows, repositories=repositories),
        reactivated=tuple(selection.because),
    )


def _report_selection(document: Document, selection: Selection, report: Report) -> None:
    for name in selection.unknown:
        names = [flow.name for flow in document.flows]
        hint = nearest_hint(name, names, f"there are {', '.join(names)}" if names else "the document has no flows yet")
        report.add("unknown-flow", Where(path="flows", kind="flow", name=name, flow=name), f"there is no flow `{name}`", hint)
    for name, shared in selection.because.items():
        where = Where(path=f"flows.{name}", kind="flow", name=name, flow=name)
        message = f"flow `{name}` is active and is activated again, because {shared} changed"
        report.add("reactivated", where, message, "look at the differences before you go on")


def _open_repositories(document: Document, drawing: Drawing, active: ActiveFlows) -> tuple[RepositoryEntry, ...]:
    """Those of the compiled flows, and those once in use that the draft still has in the same place: taking a flow away must not lock
    people out of their points."""
    found = {repository.name: repository for repository in drawing.document.repositories}
    drafted = {repository.name: repository for repository in document.repositories}
    for repository in active.repositories:
        now = drafted.get(repository.name)
        if repository.name not in found and now is not None and (now.node, now.location) == (repository.node, repository.location):
            found[repository.name] = repository
    return tuple(found.values())
