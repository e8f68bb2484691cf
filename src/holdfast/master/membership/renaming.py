"""A node gets another name. It is its id, so identity, certificate, rules and all that is stored stay; what says its name follows.

In one transaction: the records of the node, the document as one revision, the flows in force as they were frozen, repositories that were
once in use, past jobs by their subjects, resource groups, and notification rules. Then the rules go out with the new name in them.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.edits import apply_edits, read_values
from holdfast.compiler.parse import parse_document
from holdfast.compiler.rename_node import moved_mirrors, rename_edits, renamed_document, renamed_owner
from holdfast.core.errors import Conflict, Refused, UsageError
from holdfast.core.ids import NodeId
from holdfast.master.documents.environment import newest_revision, readable_document
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.membership.join_tokens import NAME
from holdfast.master.news import Subject
from holdfast.master.records import documents, happenings, inventory, notifications, permissions
from holdfast.master.records.inventory import Node
from holdfast.master.rules.activation import Activation
from holdfast.master.rules.landscape import Landscapes
from holdfast.model.document import Document, Revision
from holdfast.model.jobs import Event, Severity


class RenameWish(msgspec.Struct, frozen=True, kw_only=True):
    """`node`: name or id. `accept_new_copies`: mirrors may begin anew in another place because of it."""

    node: str
    name: str
    by: str
    accept_new_copies: bool = False
    dry_run: bool = False


class Renamed(msgspec.Struct, frozen=True, kw_only=True):
    """`revision`: the document's newest after it. `flows`: those in force whose rules go out anew. `mirrors` (`FLOW/VERTEX`) have the
    node's name in their path: they begin anew in another place."""

    id: NodeId
    name: str
    was: str
    revision: int
    flows: tuple[str, ...]
    mirrors: tuple[str, ...]
    dry_run: bool


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be written. `text` None = the document does not name the node."""

    node: Node
    revision: Revision
    text: str | None
    frozen: tuple[documents.ActiveFlow, ...]
    before: tuple[documents.ActiveFlow, ...]

    @property
    def flows(self) -> tuple[str, ...]:
        return tuple(new.flow for new, old in zip(self.frozen, self.before, strict=True) if new.frozen != old.frozen)


class Renaming:
    def __init__(self, base: Foundation, hub: Hub, activation: Activation, landscapes: Landscapes) -> None:
        self._base = base
        self._hub = hub
        self._activation = activation
        self._landscapes = landscapes

    async def rename(self, wish: RenameWish) -> Renamed:
        """Raises `UsageError` for what can be no name, `UnknownName`, `Conflict` where the name is taken or somebody edits at the same
        moment, `Refused` where mirrors would begin anew and that was not accepted, `InvalidDocument`."""
        if not NAME.fullmatch(wish.name):
            raise UsageError(f"{wish.name!r} cannot be a node's name", hint="letters, digits, `.`, `_` and `-`, at most 63")
        async with self._activation.standing_still():
            change = await self._base.database.run(lambda s: self._read(s, wish))
            change = msgspec.structs.replace(change, text=await asyncio.to_thread(_written, change, wish.name))
            mirrors = tuple(mirror for flow in change.frozen for mirror in moved_mirrors(flow.frozen, wish.name))
            made = self._answer(change, wish, mirrors)
            if wish.dry_run or change.node.name == wish.name:
                return made
            if mirrors and not wish.accept_new_copies:
                raise Refused(
                    f"the path of {', '.join(mirrors)} has the node's name in it: the mirror would begin anew in another place",
                    hint="write the name into the path in place of {node}, or agree with --yes; the folder that is there stays",
                    mirrors=", ".join(mirrors),
                )
            await self._base.database.run(lambda s: self._write(s, wish, change))
        self._landscapes.forget()
        self._hub.moved.set()
        self._base.news.tell(Subject("node", change.node.id), Subject("environment"), Subject("flows"), Subject("log"))
        return made

    def _read(self, session: Session, wish: RenameWish) -> _Change:
        node = inventory.named_node(session, wish.node)
        taken = inventory.node_by_name(session, wish.name)
        if taken is not None and taken.id != node.id:
            state = " (revoked)" if taken.state == inventory.REVOKED else ""
            hint = "choose another; a node that is not needed any more can be renamed out of the way first"
            raise Conflict(f"there is a node {wish.name!r} already{state}", hint=hint, node=wish.name)
        before = documents.active_flows(session)
        frozen = tuple(msgspec.structs.replace(f, frozen=renamed_document(f.frozen, node.name, wish.name)) for f in before)
        return _Change(node=node, revision=newest_revision(session), text=None, frozen=frozen, before=before)

    def _answer(self, change: _Change, wish: RenameWish, mirrors: tuple[str, ...]) -> Renamed:
        return Renamed(
            id=change.node.id,
            name=wish.name,
            was=change.node.name,
            revision=change.revision.number + (change.text is not None and not wish.dry_run),
            flows=change.flows,
            mirrors=mirrors,
            dry_run=wish.dry_run,
        )

    def _write(self, session: Session, wish: RenameWish, change: _Change) -> None:
        old, new, now = change.node.name, wish.name, self._base.now()
        if newest_revision(session).number != change.revision.number or inventory.named_node(session, change.node.id) != change.node:
            raise Conflict("document or node were changed at this moment", hint="look at what changed, and do it again")
        inventory.set_name(session, change.node.id, new)
        if change.text is not None:
            comment = f"node {old} is called {new}"
            revision = Revision(number=change.revision.number + 1, text=change.text, created_at=now, author=wish.by, comment=comment)
            documents.add_revision(session, revision)
        documents.set_active(session, change.frozen)
        documents.rewrite_used(session, lambda entry: renamed_owner(entry, old, new))
        happenings.rename_subjects(session, old, new)
        permissions.rename_node(session, old, new)
        notifications.rename_node(session, old, new, now)
        message = f"{old} is called {new} from now on, by {wish.by}; its identity, its rules and what is stored stay"
        event = Event(code="node-renamed", severity=Severity.INFO, message=message, node=change.node.id, time=now)
        happenings.record_own_events(session, change.node.id, (event,))


def _written(change: _Change, new: str) -> str | None:
    """The document's text with the new name; None when it does not have the old one."""
    old, text = change.node.name, change.revision.text
    if old == new:
        return None
    document = readable_document(text)
    _check_free(document, old, new)
    wanted = renamed_document(document, old, new)
    if wanted == document:
        return None
    written = apply_edits(text, rename_edits(read_values(text), old, new))
    if parse_document(written).document != wanted:
        hint = f"rename it by hand first, with `{new}: {{was: {old}}}` under `nodes` and the new name wherever the old one stands"
        raise Conflict(f"the document names {old!r} in a way that cannot be changed by itself", hint=hint)
    return written


def _check_free(document: Document, old: str, new: str) -> None:
    """A document that says `NEW: {was: OLD}` has done its part already."""
    entry = next((entry for entry in document.nodes if entry.name == new), None)
    if entry is not None and entry.was != old:
        hint = "choose another name, or take that entry out of the document first: no machine has joined as it"
        raise Conflict(f"the document has a node {new!r} already", hint=hint, node=new)
