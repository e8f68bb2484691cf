"""Pass `overlaps`: what the policies of one machine do to each other."""

from __future__ import annotations

from holdfast.compiler.drawing import Leg, policy_where
from holdfast.compiler.folders import nested_pairs
from holdfast.compiler.report import Report
from holdfast.model.document import Policy

# A capture keeps the memberships of a path as bits of one 62-bit number.
MAX_DATASETS = 62


def check_overlaps(legs: tuple[Leg, ...], report: Report) -> None:
    by_node: dict[str, dict[str, Policy]] = {}
    for leg in legs:
        if leg.origin is None:
            for source in leg.sources:
                by_node.setdefault(source, {})[leg.policy.name] = leg.policy
    seen: set[tuple[str, ...]] = set()
    for node, policies in by_node.items():
        together = tuple(policies)
        if together not in seen:
            seen.add(together)
            _check(node, tuple(policies.values()), report)


def _check(node: str, policies: tuple[Policy, ...], report: Report) -> None:
    if len(policies) > MAX_DATASETS:
        message = f"node `{node}` has {len(policies)} policies; one node can have {MAX_DATASETS}"
        hint = "join policies that treat their data alike"
        report.add("too-many-datasets", policy_where(policies[MAX_DATASETS]), message, hint)
    roots = [(root, policy) for policy in policies for root in policy.classification.paths]
    for (outer_root, outer), (inner_root, inner) in nested_pairs(roots, lambda each: each[0]):
        if outer.classification.granularity != inner.classification.granularity:
            message = (
                f"on node `{node}` the files below {inner_root} would be cut with granularity `{inner.classification.granularity}` "
                f"and, below {outer_root} by policy `{outer.name}`, with `{outer.classification.granularity}`"
            )
            hint = "give both policies the same `granularity`: what is captured once is cut once"
            report.add("granularity-overlap", policy_where(inner, "classification.granularity"), message, hint)
        if outer.classification.application != inner.classification.application:
            plain, asking = sorted((outer, inner), key=lambda each: each.classification.application)
            message = (
                f"on node `{node}` databases below {inner_root} would be captured consistent for policy `{asking.name}` "
                f"and as plain files for policy `{plain.name}`"
            )
            hint = "give both policies the same `application`: what is captured once is read in one way"
            report.add("application-overlap", policy_where(inner, "classification.application"), message, hint)
