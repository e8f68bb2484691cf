"""In which order the machines of an environment are brought to the Master's version: pure.

Versions of one minor number apart work together, either way. The Master goes first, since it asks and nodes answer; then the machines that
receive, since a sender that is older than its receiver says nothing that it does not know; then the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

Minor = tuple[int, int]


class Standing(str, Enum):
    """Of a machine's version beside the Master's. `far`: more than one minor number apart, which is not supported."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    FAR = "far"
    UNKNOWN = "unknown"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """`receives`: it stores, mirrors or forwards what others send."""

    name: str
    version: str
    receives: bool
    online: bool


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """`turn`: those of one number may be upgraded together; 0 = nothing to do. `next`: it is their turn now."""

    name: str
    version: str
    standing: Standing
    turn: int
    next: bool
    online: bool
    why: str


class UpgradeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`master`: its version. `master_first`: a node is newer, so it is the Master's turn before all others. `nodes`: in their turns, those
    with nothing to do last."""

    master: str
    master_first: bool
    nodes: tuple[Upgrade, ...]


def minor_of(text: str) -> Minor:
    """`1.4.2` -> (1, 4)."""
    parts = [int(part) if part.isdecimal() else 0 for part in [*text.split("."), "0", "0"][:2]]
    return parts[0], parts[1]


def standing_of(theirs: str, ours: str) -> Standing:
    """`ours` is the Master's."""
    if not theirs:
        return Standing.UNKNOWN
    if theirs == ours:
        return Standing.CURRENT
    a, b = minor_of(theirs), minor_of(ours)
    if a[0] != b[0] or abs(a[1] - b[1]) > 1:
        return Standing.FAR
    if a == b:
        return Standing.NEWER if _patch(theirs) > _patch(ours) else Standing.OLDER
    return Standing.NEWER if a > b else Standing.OLDER


def upgrade_order(master: str, members: Iterable[Member]) -> UpgradeOrder:
    found = [_upgrade(member, master) for member in members]
    newer = any(each.standing is Standing.NEWER or _is_ahead(each, master) for each in found)
    first = min((each.turn for each in found if each.turn), default=0)
    nodes = (msgspec.structs.replace(each, next=bool(each.turn) and each.turn == first and not newer) for each in found)
    return UpgradeOrder(master=master, master_first=newer, nodes=tuple(sorted(nodes, key=lambda each: (each.turn or 9, each.name))))


def _upgrade(member: Member, master: str) -> Upgrade:
    standing = standing_of(member.version, master)
    upgrade = Upgrade(
        name=member.name, version=member.version, standing=standing, turn=0, next=False, online=member.online, why=_WORDS[standing]
    )
    if standing in (Standing.CURRENT, Standing.UNKNOWN, Standing.NEWER) or _is_ahead(upgrade, master):
        return upgrade
    why = "it receives what others send" if member.receives else "after the machines that receive"
    return msgspec.structs.replace(upgrade, turn=1 if member.receives else 2, why=f"{upgrade.why}; {why}")


_WORDS = {
    Standing.CURRENT: "it is of the Master's version",
    Standing.OLDER: "older than the Master",
    Standing.NEWER: "newer than the Master, which is to be upgraded first",
    Standing.FAR: "more than one minor version apart, which is not supported",
    Standing.UNKNOWN: "it has not connected yet",
}


def _is_ahead(upgrade: Upgrade, master: str) -> bool:
    return upgrade.standing is Standing.FAR and minor_of(upgrade.version) > minor_of(master)


def _patch(text: str) -> int:
    last = text.split(".")[2:3]
    return int(last[0]) if last and last[0].isdecimal() else 0
