"""What a bucket can do, tried out once when an owner takes it, and kept in the owner's home: never in the repository."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.backend.owner import Owner
from holdfast.backend.s3_client import ObjectSpace
from holdfast.core.clock import now
from holdfast.core.errors import HoldfastError
from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """`conditional_put`: of two writers of a new name one loses, so the owner's note protects. `versioned`: what is deleted or written over
    stays as an old version. `object_lock` None = could not be found out, `object_lock_problem` says why.

    `default_retention`: new objects are locked by the bucket itself; then session locks pile up as old versions.
    """

    probed_at: datetime
    conditional_put: bool
    versioned: bool
    object_lock: bool | None = None
    object_lock_problem: str = ""
    default_retention: bool = False

    @property
    def lease_is_atomic(self) -> bool:
        return self.conditional_put


class LockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The bucket's object lock."""

    enabled: bool
    default_retention: bool = False


def probe(space: ObjectSpace, folder: str, owner: Owner, lock_facts: Callable[[], LockFacts]) -> Capabilities:
    """Write, write again and delete one small object in `folder` (a key prefix). Raises what a first write can raise."""
    key = f"{folder}/probe-{owner.entropy.token_bytes(8).hex()}"
    try:
        version = space.put(key, b"first")
        conditional = not space.put_new(key, b"second") and space.knows_conditions
    finally:
        with suppress(HoldfastError):
            space.delete(key)
    facts, problem = None, ""
    try:
        facts = lock_facts()
    except HoldfastError as error:
        problem = f"{error.message}; {error.hint}" if error.hint else error.message
    return Capabilities(
        probed_at=now(owner.clock),
        conditional_put=conditional,
        versioned=version is not None and version != "null",
        object_lock=facts.enabled if facts is not None else None,
        object_lock_problem=problem,
        default_retention=facts is not None and facts.default_retention,
    )


def load_capabilities(path: Path) -> Capabilities | None:
    """None when there is no record, or one of another version: then it is probed again."""
    with suppress(*UNREADABLE_FILE):
        return msgspec.json.decode(path.read_bytes(), type=Capabilities)
    return None


def save_capabilities(path: Path, capabilities: Capabilities) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(capabilities)) + b"\n")
