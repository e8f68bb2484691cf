"""Activating flows: freeze, compile, issue, push; all nodes that are there confirm, or everything is taken back.

Offline nodes keep nobody waiting: their rules are in the records and reach them at their next hello.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.diff import RulesChange, diff_rules
from holdfast.compiler.freeze import ActiveFlows, changed_flows
from holdfast.compiler.identities import policy_ids_after
from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.parse import parse_document
from holdfast.compiler.summary import Summary, format_summary
from holdfast.core.errors import Conflict, HoldfastError, NoSpace, NotReachable, UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.documents.environment import newest_revision
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.news import Subject
from holdfast.master.records import documents, restorations
from holdfast.master.records.documents import ActiveFlow
from holdfast.master.rules.compiling import Compiled, Compiling, DrawingKey, Situation, current_situation, drawing_key
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.master.rules.rollout import Issued, Outcome, issue_changed, push_all
from holdfast.master.rules.settling import note_activation, settle, take_back
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.rules import Rules

REFRESH_AGAIN_S = 5.0
"""After the database was away."""
_log = logging.getLogger(__name__)
FlowState = Literal["draft", "active", "changed", "removed"]


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """`changed`: the draft is no longer what is active; `removed`: the draft has the flow no more. `datasets` are labels of what the
    active rules capture."""

    name: str
    state: FlowState
    active_revision: int | None
    datasets: tuple[str, ...]


class CompileReport(msgspec.Struct, frozen=True, kw_only=True):
    """`valid` = could be activated. `revision`: the newest, also when another text was compiled. `changes`: how the rules of each node
    would differ from those in force."""

    flow: str
    revision: int
    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    summary: Summary
    summary_text: str
    changes: tuple[RulesChange, ...]
    reactivated: tuple[str, ...]


class ActivationReport(msgspec.Struct, frozen=True, kw_only=True):
    """`rolled_back`: a node refused, so every node keeps what it had. `reactivated`: flows that share what changed, activated too."""

    flow: str
    revision: int
    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    summary_text: str
    nodes: tuple[Outcome, ...] = ()
    rolled_back: bool = False
    reactivated: tuple[str, ...] = ()


@dataclass(frozen=True)
class _FlowsRead:
    key: DrawingKey
    situation: Situation
    rolled_out: Deployment


class Activation:
    """One roll-out at a time."""

    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub
        self._compiling = Compiling(base, hub)
        self._one = asyncio.Lock()
        self._views: tuple[DrawingKey, tuple[FlowView, ...]] | None = None

    async def flows(self) -> tuple[FlowView, ...]:
        """Flows of the draft in its order, then active ones that left it."""
        read = await self._base.database.run(self._read_flows)
        if not isinstance(read, tuple):
            self._views = (read.key, await asyncio.to_thread(flow_views, read.situation, read.rolled_out))
            return self._views[1]
        return read

    def _read_flows(self, session: Session) -> tuple[FlowView, ...] | _FlowsRead:
        """The views as they were made last, or what they have to be made from anew."""
        key, known = drawing_key(session), self._views
        return (
            known[1]
            if known is not None and known[0] == key
            else _FlowsRead(key, current_situation(session, self._base), deployment(session))
        )

    async def compile(self, flow: str, text: str | None = None) -> CompileReport:
        """What activating this flow would give; with `text`, if that were the draft. Changes nothing. A text that cannot be read is a
        report that is not valid, a stored draft that cannot be read raises `InvalidDocument`."""
        parsed = None if text is None else await asyncio.to_thread(parse_document, text)
        if parsed is not None and parsed.document is None:
            newest = await self._base.database.run(newest_revision)
            return _not_compiled(flow, newest.number, parsed.diagnostics)
        compiled = await self._compiling.compile(lambda active: active.activate(flow), text)
        compilation = compiled.compilation
        return CompileReport(
            flow=flow,
            revision=compiled.situation.revision.number,
            valid=not compilation.has_errors,
            diagnostics=compiled.diagnostics,
            summary=compilation.summary,
            summary_text=format_summary(compilation.summary),
            changes=diff_rules(compiled.situation.rules, compilation.rules) if compilation.rules else (),
            reactivated=compilation.reactivated,
        )

    async def activate(self, flow: str) -> ActivationReport:
        async with self._one:
            await self._settle()
            compiled = await self._compiling.compile(lambda active: active.activate(flow))
            return await self._roll_out(flow, compiled)

    async def deactivate(self, flow: str) -> ActivationReport:
        """Its rules leave the nodes; what is stored stays. Raises `UnknownName` when it is not active."""

        def without(active: ActiveFlows) -> ActiveFlows:
            if all(frozen.name != flow for frozen in active.flows):
                hint = nearest_hint(flow, [frozen.name for frozen in active.flows], "`holdfast status` shows what is")
                raise UnknownName(f"flow {flow!r} is not active", hint=hint, flow=flow)
            return active.deactivate(flow)

        async with self._one:
            await self._settle()
            return await self._roll_out(flow, await self._compiling.compile(without))

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Meanwhile nothing is activated, nor taken back."""
        async with self._one:
            await self._settle()
            yield

    async def refresh(self) -> None:
        """Hand out the rules of what is active once more, because a machine moved, came or was revoked: they name addresses and keys.

        Where the active flows do not compile any more, the rules stay as they are and get the revoked keys alone: those must not wait.
        """
        async with self._one:
            await self._settle()
            try:
                compiled = await self._compiling.compile(lambda active: active)
                rules = compiled.compilation.rules if compiled.situation.active else {}
            except HoldfastError as error:
                _log.warning("the active flows do not compile", extra={"facts": {"reason": error.message}})
                rules = {}
            issued = await self._base.database.run(lambda s: issue_changed(s, self._base, _but_ahead(s, rules)))
            await push_all(self._hub, issued)
            self._base.news.tell(*(Subject("node", one.stored.node) for one in issued))

    async def follow_moves(self) -> None:
        """Refresh whenever the hub says that a machine came or moved. Runs until cancelled."""
        while True:
            await self._hub.moved.wait()
            self._hub.moved.clear()
            try:
                await self.refresh()
            except HoldfastError as error:
                _log.warning("rules were not refreshed", extra={"facts": {"reason": error.message}})
                if isinstance(error, NotReachable | NoSpace):
                    await asyncio.sleep(REFRESH_AGAIN_S)
                    self._hub.moved.set()

    async def settle(self) -> None:
        """End an activation that was cut off. To be called before the first session."""
        async with self._one:
            await self._settle()

    async def _settle(self) -> None:
        back = await self._base.database.run(lambda s: settle(s, self._base))
        await push_all(self._hub, back)

    async def _roll_out(self, flow: str, compiled: Compiled) -> ActivationReport:
        compilation = compiled.compilation
        report = ActivationReport(
            flow=flow,
            revision=compiled.situation.revision.number,
            valid=not compilation.has_errors,
            diagnostics=compiled.diagnostics,
            summary_text=format_summary(compilation.summary),
            reactivated=compilation.reactivated,
        )
        if compilation.has_errors:
            return report
        issued = await self._base.database.run(lambda s: self._take_over(s, flow, compiled))
        outcomes = await push_all(self._hub, issued)
        rolled_back = any(outcome.state == "refused" for outcome in outcomes)
        if rolled_back:
            outcomes = await self._roll_back(compiled.situation, issued, outcomes)
        else:
            await self._base.database.run(documents.end_activation)
        self._base.news.tell(Subject("flows"), *(Subject("node", one.stored.node) for one in issued))
        return msgspec.structs.replace(report, nodes=outcomes, rolled_back=rolled_back)

    def _take_over(self, session: Session, flow: str, compiled: Compiled) -> tuple[Issued, ...]:
        situation, compilation = compiled.situation, compiled.compilation
        if documents.active_flows(session) != situation.active:
            raise Conflict("another activation came first", hint="activate again")
        fresh = {flow, *compilation.reactivated}
        known = {active.flow: active for active in situation.active}
        now = self._base.now()
        active = tuple(
            ActiveFlow(
                flow=frozen.name,
                revision=situation.revision.number if is_new else known[frozen.name].revision,
                frozen=frozen.document,
                activated_at=now if is_new else known[frozen.name].activated_at,
            )
            for frozen in compilation.active.flows
            for is_new in (frozen.name in fresh or frozen.name not in known,)
        )
        policies = tuple(policy for frozen in compilation.active.flows for policy in frozen.document.policies)
        ids = policy_ids_after(self._base.environment.id, policies, dict(situation.inventory.policy_ids))
        documents.set_active(session, active)
        documents.keep_policy_ids(session, ids)
        restorations.set_ahead(session, frozenset())
        issued = issue_changed(session, self._base, compilation.rules)
        note_activation(session, situation.active, issued)
        return issued

    async def _roll_back(self, situation: Situation, issued: tuple[Issued, ...], outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """Everybody gets the old rules again; the report keeps what each node said to the new ones."""

        back = await self._base.database.run(lambda s: take_back(s, self._base, situation.active, issued))
        taken = {outcome.node: outcome for outcome in await push_all(self._hub, back)}
        return tuple(
            outcome
            if outcome.state == "refused" or outcome.node not in taken
            else msgspec.structs.replace(outcome, state="unchanged", generation=taken[outcome.node].generation)
            for outcome in outcomes
        )


def _but_ahead(session: Session, rules: Mapping[NodeId, Rules]) -> Mapping[NodeId, Rules]:
    """A node that works by rules newer than the flows here keeps them until somebody activates one."""
    in_force = deployment(session).rules
    kept = {node: in_force[node] for node in restorations.ahead(session) if node in in_force}
    return {**rules, **kept} if rules else in_force


def _not_compiled(flow: str, revision: int, diagnostics: tuple[Diagnostic, ...]) -> CompileReport:
    return CompileReport(
        flow=flow,
        revision=revision,
        valid=False,
        diagnostics=diagnostics,
        summary=Summary(flows=(), nodes=()),
        summary_text="",
        changes=(),
        reactivated=(),
    )


def _flow_state(is_drafted: bool, is_active: bool, is_changed: bool) -> FlowState:
    if not is_active:
        return "draft"
    if not is_drafted:
        return "removed"
    return "changed" if is_changed else "active"


def flow_views(situation: Situation, rolled_out: Deployment) -> tuple[FlowView, ...]:
    """Flows of the draft in its order, then active ones that left it."""
    document = parse_document(situation.revision.text).document
    active = {flow.flow: flow for flow in situation.active}
    drafted = [flow.name for flow in document.flows] if document else []
    changed = changed_flows(document, situation.flows) if document else tuple(active)
    views = []
    for name in dict.fromkeys((*drafted, *active)):
        state = _flow_state(name in drafted or document is None, name in active, name in changed)
        revision = active[name].revision if name in active else None
        views.append(FlowView(name=name, state=state, active_revision=revision, datasets=rolled_out.dataset_labels(name)))
    return tuple(views)
