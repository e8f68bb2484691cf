"""Spans in which protection was not what the rules promise: recorded where they happened, carried with the commit that heals them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec


class GapReason(str, Enum):
    """`overflow`: more changed than could be told. `mount`: a file system came or went. `root-replaced`: a root is another folder now.
    `restart`: nobody watched. `not-watched`: this machine cannot watch there, changes are found by scans. `thinned`: changes were seen
    and sent, but states between them were dropped because a receiver was away and the spool full. `source-vanished`: the source was
    refused, since it looked as if it was gone, and what it was meanwhile was kept by nobody. `scan`: all of it was looked at, which takes
    its time, and a file is as it was when it was read: of a moment in that span it may be later. `late`: what changed was looked at long
    after its time, since the node was busy with something else; of what changed more than once the last state is known."""

    OVERFLOW = "overflow"
    MOUNT = "mount"
    REPLACED = "root-replaced"
    RESTART = "restart"
    NOT_WATCHED = "not-watched"
    THINNED = "thinned"
    VANISHED = "source-vanished"
    SCAN = "scan"
    LATE = "late"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Between the two moments, at and below `path`, versions may be missing. What is there after `until` is whole again."""

    path: bytes
    since: datetime
    until: datetime
    reason: GapReason
