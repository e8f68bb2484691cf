"""Pass `trials`: which machine makes which drill of another one's repository."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.compiler.drawing import Leg, policy_where
from holdfast.compiler.passes.merge import Merged
from holdfast.compiler.report import Report
from holdfast.compiler.roster import Roster
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.model.rules import TrialDuty


def check_trials(legs: tuple[Leg, ...], roster: Roster, report: Report) -> None:
    """Says which of these machines have not joined. That there is such a node was asked before."""
    policies = {leg.policy.name: leg.policy for leg in legs if leg.policy.drill is not None and leg.sink.repository is not None}
    for policy in policies.values():
        on = policy.drill.on if policy.drill is not None else ""
        if on and on not in roster.members and any(leg.policy.name == policy.name and leg.sink.place != on for leg in legs):
            message = f"node `{on}` has not joined; nothing of `{policy.name}` is restored on trial until it has"
            hint = "join it with `holdfast node join`, then activate the flow again"
            report.add("node-not-joined", policy_where(policy, "drill.on"), message, hint)


def find_trials(merged: Merged, roster: Roster, names: dict[RepositoryId, str]) -> Iterator[tuple[NodeId, TrialDuty]]:
    """`names` are those of repositories by their ids. A dataset that comes along two ways counts once for whoever collects them."""
    for stream in merged.streams.values():
        for action in stream.actions:
            stored = merged.stores.get((stream.receiver.id, action))
            if stored is None or stored.drill is None or stored.drill.on not in roster.members:
                continue
            duty = TrialDuty(
                dataset=stream.dataset,
                label=stream.label,
                repository=names.get(stored.repository, stored.repository),
                check=stored.drill.check,
            )
            yield roster.members[stored.drill.on].id, duty
