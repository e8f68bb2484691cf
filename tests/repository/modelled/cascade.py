"""Points of one modelled repository forwarded to another, hop by hop, as a cascade does it."""

from __future__ import annotations

import os

from holdfast.core.ids import NodeId
from holdfast.delivery.ports import Action
from holdfast.model.change import Begin, Payload
from holdfast.operations.cascade import Hop, commit_of, plan_hops
from holdfast.testing.feeding import PlainChunk
from tests.repository.damage import plain_of_payload
from tests.repository.modelled.model import Model, ModelCommit, Stored
from tests.repository.modelled.site import OPERATIONS, Fault, Site, session
from tests.repository.modelled.sources import Source

_RELAY = NodeId("5" * 32)


def cascade(source: Site, target: Site, dataset: Source, stored: Stored, fault: Fault | None) -> None:
    """All that the target lacks; with a fault until it strikes."""
    with session(target, dataset, stored, sender=_RELAY) as action:
        cursor = action.cursor()
    for hop in plan_hops(source.repository.points(dataset.dataset), cursor, OPERATIONS):
        held = source.model.of(dataset.dataset)
        commit = held.commits[held.points[hop.point.id].cursor]

        def change(model: Model, hop: Hop = hop, commit: ModelCommit = commit) -> None:
            marks = [(each.operation, each.id) for each in hop.points]
            model.of(dataset.dataset).receive(commit, marks, stored, target.repository.time.now())

        if not target.attempt(lambda hop=hop: _forward(source, target, dataset, hop, stored), change, fault):
            return


def _forward(source: Site, target: Site, dataset: Source, hop: Hop, stored: Stored) -> None:
    point = hop.point
    with session(target, dataset, stored, sender=_RELAY) as action:
        begin = Begin(
            dataset=point.dataset_id,
            label=dataset.label,
            epoch=point.epoch,
            seq=point.seq,
            base=action.cursor() if hop.base is not None else None,
            roots=tuple(map(os.fsencode, point.paths)),
            hostname="h",
        )
        action.begin(begin)
        _send(source, action, hop)
        action.commit(commit_of(hop, {}))


def _send(source: Site, action: Action, hop: Hop) -> None:
    for outgoing in source.repository.outgoing(hop.point, hop.base):
        wanted = action.wanted(outgoing.segment)
        chunks = {
            payload.id: PlainChunk(payload.id, plain_of_payload(payload))
            for payload in outgoing.chunks.payloads(sorted(wanted), "auto")
            if isinstance(payload, Payload)
        }
        action.apply(outgoing.segment, chunks, frozenset())
