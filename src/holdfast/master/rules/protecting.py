"""Protecting one folder with one wish: the document is written for the person, the flow activated."""

from __future__ import annotations

import asyncio
from itertools import chain, count

import msgspec

from holdfast.compiler.edit import Wish, protection_at
from holdfast.compiler.edit import protect as protect_in_text
from holdfast.core.errors import ErrorFacts, UsageError
from holdfast.master.documents.environment import ApplyRequest, Environments, readable_document
from holdfast.master.foundation import Foundation
from holdfast.master.hub.looks import Looks
from holdfast.master.records import inventory
from holdfast.master.records.documents import used_repositories
from holdfast.master.rules.activation import Activation, ActivationReport
from holdfast.model.document import Document, RepositoryEntry
from holdfast.model.node_status import NodeStatus


class ProtectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`node` empty = the only node there is. `every` and `cdp` as in `Wish`."""

    path: str
    location: str
    author: str
    every: str = ""
    cdp: str = ""
    node: str = ""


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """`every_s`: how often a point is due, as the policy says; null = it says times, or nothing. `problem`: why nothing can be kept in the
    repository yet, as its owner says, like keys of an object store that are not there; null = it says of none, or is away."""

    flow: str
    policy: str
    repository: str
    dataset: str
    every_s: float | None
    activation: ActivationReport
    problem: ErrorFacts | None = None


class Protecting:
    def __init__(self, base: Foundation, environment: Environments, activation: Activation, looks: Looks) -> None:
        self._base = base
        self._environment = environment
        self._activation = activation
        self._looks = looks

    async def protect(self, request: ProtectRequest) -> Protected:
        """Raises `UsageError`, `InvalidDocument`, or `Conflict` when somebody else applied at the same moment, or the folder is protected
        there already and something else is promised."""
        if not request.path.startswith("/"):
            raise UsageError(f"{request.path!r} is not an absolute path", hint="begin it with /")
        node = await self._node(request.node)
        newest = await self._environment.newest()
        used = await self._base.database.run(used_repositories)
        name = _repository_name(await asyncio.to_thread(readable_document, newest.text), used, node, request.location)
        wish = Wish(node=node, path=request.path, location=request.location, every=request.every, cdp=request.cdp)
        text = await asyncio.to_thread(protect_in_text, newest.text, wish, name)
        wanted = ApplyRequest(text=text, author=request.author, base_revision=newest.number, comment=f"protect {request.path} on {node}")
        await self._environment.apply(wanted)
        document = await asyncio.to_thread(readable_document, text)
        drawn = protection_at(document, wish)
        assert drawn is not None  # It was there, or has just been written.
        policy = next(each for each in document.policies if each.name == drawn.policy)
        spans = [use.when.every_s for use in policy.operations if use.kind == "backup" and use.when.every_s is not None]
        return Protected(
            flow=drawn.flow,
            policy=drawn.policy,
            repository=drawn.repository,
            dataset=f"{node}/{drawn.policy}",
            every_s=min(spans, default=None),
            activation=(activation := await self._activation.activate(drawn.flow)),
            problem=await self._problem(node, drawn.repository) if activation.valid and not activation.rolled_back else None,
        )

    async def _problem(self, owner: str, repository: str) -> ErrorFacts | None:
        """Asked now: whoever wishes is still there, and a first run that fails is seen much later."""
        node = await self._base.database.run(lambda session: inventory.node_by_name(session, owner))
        told = None if node is None else (await self._looks.ask((node.id,)))[node.id]
        if not isinstance(told, NodeStatus):
            return None
        return next((each.error for each in told.repositories if each.name == repository), None)

    async def _node(self, wanted: str) -> str:
        known = await self._base.database.run(inventory.nodes)
        joined = [node.name for node in known if node.state == inventory.JOINED]
        if wanted and wanted not in joined:
            raise UsageError(f"no node {wanted!r} has joined", hint=f"there are {', '.join(joined)}" if joined else "join one first")
        if not wanted and len(joined) != 1:
            raise UsageError(
                "which machine is the folder on?" if joined else "no node has joined yet",
                hint=f"name it with --node: {', '.join(joined)}" if joined else "join one with `holdfast node join`",
            )
        return wanted or joined[0]


def _repository_name(document: Document, used: tuple[RepositoryEntry, ...], node: str, location: str) -> str:
    """Of a repository that was at this place before, the name it had; else one that none has, or ever had: a name stands for its key
    and its catalog on the owner, also when the document has forgotten it."""
    drawn = {repository.name for repository in document.repositories}
    known = next((each.name for each in used if (each.node, each.location) == (node, location) and each.name not in drawn), "")
    names = chain(("main",), (f"main-{number}" for number in count(2)))
    taken = drawn | {repository.name for repository in used}
    return known or next(name for name in names if name not in taken)
