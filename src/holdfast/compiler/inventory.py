"""What the compiler is told of the world: frozen values, made by the Master from its records."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.core.ids import EnvironmentId
from holdfast.model.document import NodeEntry
from holdfast.model.rules import Identity


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes`: by name, those that have joined (and are not revoked). `policy_ids`: ids the Master keeps by policy name, so that a
    policy renamed more than once stays the same (docs/decisions/0002-derived-ids.md); a policy that is not in it gets a derived id.
    `schedules_of_reports`: names of schedules that the Master sends reports by; no word of the document says so.
    """

    environment: EnvironmentId
    nodes: Mapping[str, Identity] = {}
    policy_ids: Mapping[str, str] = {}
    schedules_of_reports: frozenset[str] = frozenset()

    def identity(self, entry: NodeEntry) -> Identity | None:
        """By name; a node renamed in the document may still be known by its old name."""
        return self.nodes.get(entry.name) or (self.nodes.get(entry.was) if entry.was else None)
