"""What the place of a repository can do, as its owner found out when it took it: for `status`."""

from __future__ import annotations

from pathlib import Path

from holdfast.backend.capabilities import load_capabilities
from holdfast.model.object_location import is_object_location
from holdfast.model.repository_status import StoreAbilities
from holdfast.model.rules import RepositoryRule

# As the backend of object stores names its record.
_RECORD = "store.json"


def abilities_of(home: Path, rule: RepositoryRule) -> StoreAbilities | None:
    """None for a folder, and for a bucket that was never reached. `home`: the node's."""
    if not is_object_location(rule.location):
        return None
    found = load_capabilities(home / "repositories" / rule.name / _RECORD)
    if found is None:
        return None
    return StoreAbilities(
        probed_at=found.probed_at,
        object_lock=found.object_lock,
        object_lock_problem=found.object_lock_problem,
        default_retention=found.default_retention,
        versions=found.versioned,
        one_owner=found.lease_is_atomic,
    )
