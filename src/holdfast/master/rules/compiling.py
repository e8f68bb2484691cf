"""From the records to a compilation: the draft, the active flows, the machines; and what it would change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.compile import Compilation, compile_flows
from holdfast.compiler.edits import document_values
from holdfast.compiler.fixes import with_fixes
from holdfast.compiler.freeze import ActiveFlows, FrozenFlow
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.notes import locate
from holdfast.compiler.parse import parse_document
from holdfast.compiler.remarks import on_others, repeated
from holdfast.core.errors import InvalidDocument
from holdfast.core.ids import NodeId
from holdfast.master.documents.environment import newest_revision
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.records import documents, inventory
from holdfast.master.records.documents import ActiveFlow
from holdfast.master.records.report_schedules import report_schedules
from holdfast.master.rules.deployment import deployment
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Document, Revision
from holdfast.model.rules import Identity, Rules

DrawingKey = tuple[object, ...]
Change = Callable[[ActiveFlows], ActiveFlows]
InForce = tuple[Document, ActiveFlows, Inventory]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a compilation depends on, as it stands in the records at one moment. `rules` are the newest of each node."""

    revision: Revision
    active: tuple[ActiveFlow, ...]
    flows: ActiveFlows
    inventory: Inventory
    rules: dict[NodeId, Rules]


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A compilation with the situation it came from. `diagnostics` bear lines of the draft's text."""

    situation: Situation
    document: Document
    compilation: Compilation
    diagnostics: tuple[Diagnostic, ...]


class Compiling:
    """Compiles for one Master. What there is to remark on the flows in force is kept: to find it out takes as long as the compilation that
    asks (with 2,000 nodes 0.4 s), and asks come in rows: one with each edit in the console."""

    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub
        self._known: tuple[InForce, tuple[Diagnostic, ...]] | None = None

    async def compile(self, change: Change, text: str | None = None) -> Compiled:
        """The active flows after `change`, with the newest draft or `text` in its place. Off the event loop: large documents take a
        second. Raises `InvalidDocument`."""
        online = self._hub.online()
        situation = await self._base.database.run(lambda s: _situation(s, self._base, online))
        if text is not None:
            draft = msgspec.structs.replace(situation.revision, text=text)
            situation = msgspec.structs.replace(situation, revision=draft)
        return await asyncio.to_thread(self._compile, situation, change(situation.flows))

    def _compile(self, situation: Situation, flows: ActiveFlows) -> Compiled:
        parsed = parse_document(situation.revision.text)
        if parsed.document is None:
            raise InvalidDocument(
                "the stored document cannot be read by this version", hint="see `holdfast plan` for the places, then apply a mended one"
            )
        compilation = compile_flows(parsed.document, flows, situation.inventory, generations={}, created_at=self._base.now())
        told = self._told(situation, parsed.document, flows, compilation)
        return Compiled(
            situation=situation,
            document=parsed.document,
            compilation=compilation,
            diagnostics=with_fixes(locate(told, parsed.places), document_values(situation.revision.text), compilation.flows),
        )

    def _told(self, situation: Situation, document: Document, flows: ActiveFlows, compilation: Compilation) -> tuple[Diagnostic, ...]:
        """Without the remarks on other flows that are in force with them already: whoever activates one was told of those long ago."""
        candidates = on_others(compilation, (*flows.activating, *compilation.reactivated))
        if not candidates:
            return compilation.diagnostics
        before = compilation.diagnostics if flows == situation.flows else self._in_force(situation, document)
        left_out = repeated(candidates, before)
        return tuple(each for each in compilation.diagnostics if each not in left_out)

    def _in_force(self, situation: Situation, document: Document) -> tuple[Diagnostic, ...]:
        """Flows in force are not taken from the draft, which gives only the machines and repositories around them."""
        around = Document(environment=document.environment, nodes=document.nodes, repositories=document.repositories)
        asked, known = (around, situation.flows, situation.inventory), self._known
        if known is None or known[0] != asked:
            known = asked, compile_flows(*asked, generations={}, created_at=self._base.now()).diagnostics
            self._known = known
        return known[1]


def current_situation(session: Session, base: Foundation) -> Situation:
    """As the records have it; who is online is left out."""
    return _situation(session, base, frozenset())


def drawing_key(session: Session) -> DrawingKey:
    """The same as long as nobody has edited, activated, joined or left; to read it costs next to nothing."""
    active = tuple((flow.flow, flow.revision, flow.activated_at) for flow in documents.active_flows(session))
    return newest_revision(session), active, inventory.newest_generations(session), inventory.node_states(session), _by_reports(session)


def _by_reports(session: Session) -> frozenset[str]:
    """The schedules that reports name."""
    return frozenset(stored.schedule.schedule for stored in report_schedules(session) if stored.schedule.schedule)


def _has_limits(node: inventory.Node) -> bool | None:
    """By what it said when it was last here; None before that."""
    return None if node.clock_offset_ms is None else all(finding.code != "no-limits" for finding in node.findings)


def _situation(session: Session, base: Foundation, online: frozenset[NodeId]) -> Situation:
    revision = newest_revision(session)
    active = documents.active_flows(session)
    identities = {
        node.name: Identity(id=node.id, name=node.name, address=node.address, online=node.id in online, has_limits=_has_limits(node))
        for node in inventory.nodes(session)
        if node.state == inventory.JOINED
    }
    return Situation(
        revision=revision,
        active=active,
        flows=ActiveFlows(
            flows=tuple(FrozenFlow(name=flow.flow, document=flow.frozen) for flow in active),
            repositories=documents.used_repositories(session),
        ),
        inventory=Inventory(
            environment=base.environment.id,
            nodes=identities,
            policy_ids=documents.policy_ids(session),
            schedules_of_reports=_by_reports(session),
        ),
        rules=deployment(session).rules,
    )
