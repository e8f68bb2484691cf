"""Taking over a repository that another program made: the question to its new owner's machine, and the answer.

Only over the local socket: a password never leaves its machine, and so it is never shown when a question is printed.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.errors import UsageError


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """From now on the snapshots of `group` (host and paths, as `points` shows them) are the earlier history of `dataset` (its label)."""

    dataset: str
    group: str


class AskAdopt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Make a key of this machine for the repository at `location`, by any `password` of it. Without both: one that this machine owns."""

    repository: str
    location: str = ""
    password: str = ""
    binds: tuple[Bind, ...] = ()

    def __repr__(self) -> str:
        return f"AskAdopt(repository={self.repository!r}, ...)"


class SnapshotGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Restic snapshots of one host and the same paths. `dataset`: the label of the one they are bound to."""

    group: str
    count: int
    newest_at: datetime
    dataset: str = ""


class Adopted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`groups`: what it holds that Holdfast did not make. `bound`: how many snapshots were bound just now."""

    repository: str
    groups: tuple[SnapshotGroup, ...] = ()
    bound: int = 0


def parse_bind(text: str) -> Bind:
    """`files1/documents=OLDHOST:/srv/documents`. Raises `UsageError`."""
    dataset, equals, group = text.partition("=")
    if not equals or "/" not in dataset or ":" not in group:
        hint = "write it like files1/documents=OLDHOST:/srv/documents; `holdfast points` shows the hosts and paths"
        raise UsageError(f"{text[:200]!r} does not bind anything", hint=hint)
    return Bind(dataset=dataset, group=group)
