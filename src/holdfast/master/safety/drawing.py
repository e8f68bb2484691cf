"""Drawing the flow that keeps the Master's exports: an ordinary policy of an ordinary node, in the document like any other."""

from __future__ import annotations

import asyncio
import socket

import msgspec

from holdfast.compiler.edit import KEEP, add_entry
from holdfast.compiler.edit_text import scalar_text
from holdfast.core.errors import Conflict, UnknownName, UsageError
from holdfast.core.ids import NodeId
from holdfast.core.units import parse_duration_s
from holdfast.master.documents.environment import ApplyRequest, Environments, readable_document
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.records import inventory
from holdfast.master.rules.activation import Activation, ActivationReport
from holdfast.master.safety.backup import FLOW
from holdfast.master.safety.exporting import FOLDER
from holdfast.model.document import Document, RepositoryEntry

_LOCAL = ("127.0.0.1", "::1")


class BackupWish(msgspec.Struct, frozen=True, kw_only=True):
    """`node`: the one on the Master's machine, empty = the only one that dials from here. `repository` empty = the first one on another
    machine, else any."""

    author: str
    node: str = ""
    repository: str = ""
    every: str = "15m"


class BackupDrawn(msgspec.Struct, frozen=True, kw_only=True):
    """`elsewhere`: the repository is on another machine than the Master's."""

    flow: str
    node: str
    repository: str
    repository_node: str
    elsewhere: bool
    activation: ActivationReport


class BackupDrawing:
    def __init__(self, base: Foundation, hub: Hub, environment: Environments, activation: Activation) -> None:
        self._base = base
        self._hub = hub
        self._environment = environment
        self._activation = activation

    async def draw(self, wish: BackupWish) -> BackupDrawn:
        """Put policy and flow into the document and activate it. Raises `UsageError`, `UnknownName`, `InvalidDocument`, or `Conflict` when
        the flow is there already."""
        parse_duration_s(wish.every)
        newest = await self._environment.newest()
        document = await asyncio.to_thread(readable_document, newest.text)
        node = await self._node(wish.node)
        repository = _repository(document, wish.repository, node)
        folder = str(self._base.config.home / FOLDER)
        text = await asyncio.to_thread(drawn, newest.text, document, node, repository.name, folder, wish.every)
        comment = f"the Master's own backup, by {node} to {repository.name}"
        await self._environment.apply(ApplyRequest(text=text, author=wish.author, base_revision=newest.number, comment=comment))
        return BackupDrawn(
            flow=FLOW,
            node=node,
            repository=repository.name,
            repository_node=repository.node,
            elsewhere=repository.node != node,
            activation=await self._activation.activate(FLOW),
        )

    async def _node(self, wanted: str) -> str:
        joined = [node for node in await self._base.database.run(inventory.nodes) if node.state == inventory.JOINED]
        if wanted:
            if wanted not in [node.name for node in joined]:
                raise UnknownName(f"no node {wanted!r} has joined", hint="`holdfast nodes` lists them", node=wanted)
            return wanted
        here = [node.name for node in joined if self._is_here(node.id)]
        if len(here) != 1:
            raise UsageError(
                "which node is on the Master's machine?" if here else "no node of the Master's machine is connected",
                hint=f"name it with --node: {', '.join(here)}" if here else "join one there with `holdfast node join`, and start it",
            )
        return here[0]

    def _is_here(self, node: NodeId) -> bool:
        host = self._hub.host_of(node)
        return host in (*_LOCAL, *self._base.config.names, socket.gethostname())


def drawn(text: str, document: Document, node: str, repository: str, folder: str, every: str) -> str:
    """The text with the policy and the flow. Raises `Conflict` when either name is taken."""
    if FLOW in [*(policy.name for policy in document.policies), *(flow.name for flow in document.flows)]:
        raise Conflict(f"{FLOW} is in the document already", hint="change it there as any other, then activate it")
    if all(each.name != node for each in document.nodes):
        text = add_entry(text, "nodes", node, "{}")
    classification = f'classification: {{paths: [{scalar_text(folder)}], exclude: [".*.new"]}}'
    text = add_entry(text, "policies", FLOW, f"{classification}\noperations:\n  backup: {{every: {every}, keep: {KEEP}}}")
    source = f"{{node: {scalar_text(node)}, policies: [{FLOW}]}}"
    vertices = f"vertices:\n  source: {source}\n  store: {{repository: {scalar_text(repository)}}}"
    text = add_entry(text, "flows", FLOW, f"{vertices}\nmovers:\n  - {{from: source, to: store, carries: [{FLOW}/backup]}}")
    readable_document(text)
    return text


def _repository(document: Document, wanted: str, node: str) -> RepositoryEntry:
    if wanted:
        found = next((each for each in document.repositories if each.name == wanted), None)
        if found is None:
            raise UnknownName(f"the document has no repository {wanted!r}", hint="`holdfast export` shows those it has", repository=wanted)
        return found
    elsewhere = [each for each in document.repositories if each.node != node]
    if not document.repositories:
        raise UsageError("the document has no repository to keep it in", hint="add one, best on another machine than the Master's")
    return (elsewhere or list(document.repositories))[0]
