"""What the machine of a dataset says against its source, asked when somebody wants what was deleted there."""

from __future__ import annotations

from holdfast.core.errors import HoldfastError
from holdfast.master.hub.hub import Hub
from holdfast.master.rules.deployment import Deployment
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskStatus
from holdfast.model.refusals import Refusal, refusal_of

_ANSWER_S = 10.0


async def refusal_at_source(hub: Hub, rolled_out: Deployment, dataset: str) -> Refusal | None:
    """Of a dataset (label or id); None = it is not refused, or its machine does not answer."""
    for node, rules in rolled_out.rules.items():
        if not any(dataset in (each.id, each.label) for each in rules.datasets):
            continue
        try:
            return refusal_of(await hub.ask_for(node, AskStatus(), NodeStatus, _ANSWER_S), dataset)
        except HoldfastError:
            return None
    return None
