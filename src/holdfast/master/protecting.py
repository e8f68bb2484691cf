"""Protecting one folder with one wish: the document is written for the person, the flow activated."""

from __future__ import annotations

import asyncio
from itertools import chain, count

import msgspec

from holdfast.compiler.edit import Wish, flow_protecting
from holdfast.compiler.edit import protect as protect_in_text
from holdfast.compiler.parse import parse_document
from holdfast.compiler.parse_places import clean_path
from holdfast.core.errors import InvalidDocument, UsageError
from holdfast.master.activation import Activation, ActivationReport
from holdfast.master.environment import ApplyRequest, Environments
from holdfast.master.foundation import Foundation
from holdfast.master.records import inventory
from holdfast.master.records.documents import used_repositories
from holdfast.model.document import Document, RepositoryEntry


class ProtectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`node` empty = the only node there is. `cdp`: for how long every moment can be restored, empty = not at all."""

    path: str
    location: str
    author: str
    every: str = "1h"
    cdp: str = ""
    node: str = ""


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    flow: str
    policy: str
    repository: str
    dataset: str
    activation: ActivationReport


class Protecting:
    def __init__(self, base: Foundation, environment: Environments, activation: Activation) -> None:
        self._base = base
        self._environment = environment
        self._activation = activation

    async def protect(self, request: ProtectRequest) -> Protected:
        """Raises `UsageError`, `InvalidDocument`, or `Conflict` when somebody else applied at the same moment."""
        if not request.path.startswith("/"):
            raise UsageError(f"{request.path!r} is not an absolute path", hint="begin it with /")
        node = await self._node(request.node)
        newest = await self._environment.newest()
        used = await self._base.database.run(used_repositories)
        name = _repository_name(await asyncio.to_thread(_parsed, newest.text), used, node, request.location)
        wish = Wish(node=node, path=request.path, location=request.location, every=request.every, cdp=request.cdp)
        text = await asyncio.to_thread(protect_in_text, newest.text, wish, name)
        wanted = ApplyRequest(text=text, author=request.author, base_revision=newest.number, comment=f"protect {request.path} on {node}")
        await self._environment.apply(wanted)
        document = await asyncio.to_thread(_parsed, text)
        flow = flow_protecting(document, node, request.path, request.location)
        policy, repository = _drawn(document, flow, request.path)
        return Protected(
            flow=flow,
            policy=policy,
            repository=repository,
            dataset=f"{node}/{policy}",
            activation=await self._activation.activate(flow),
        )

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


def _parsed(text: str) -> Document:
    document = parse_document(text).document
    if document is None:
        raise InvalidDocument("the document cannot be read", hint="mend it with `holdfast export` and `holdfast apply`")
    return document


def _drawn(document: Document, flow_name: str, path: str) -> tuple[str, str]:
    """Policy and repository of a flow that protects `path`."""
    flow = next(flow for flow in document.flows if flow.name == flow_name)
    here = {policy.name for policy in document.policies if policy.classification.paths == (clean_path(path),)}
    repositories = {vertex.name: vertex.repository for vertex in flow.vertices if vertex.repository}
    for mover in flow.movers:
        for carried in mover.carries:
            policy = carried.partition("/")[0]
            if policy in here and mover.target in repositories:
                return policy, repositories[mover.target]
    return flow.movers[0].carries[0].partition("/")[0], next(iter(repositories.values()), "")
