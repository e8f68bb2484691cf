"""Why a hop stands still: what is known to wait for something else, by one reason each. Not what is wrong; that is an error."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.ids import JobId


class WaitReason(str, Enum):
    """`window`: the mover's window is closed. `upstream`: nothing has come that could go on, or what should come has not. `receiver`: the
    receiver, or its store, is away. `not-called`: `dial: to`, and the receiver has not called. `job`: another job has to end first.
    `paused`: a repository is paused. `low-disk`: the sender has no room for its own records, so that nothing is captured. `limit`: a
    node or a repository has as many jobs at once as it may."""

    WINDOW = "window"
    UPSTREAM = "upstream"
    RECEIVER = "receiver"
    NOT_CALLED = "not-called"
    JOB = "job"
    PAUSED = "paused"
    LOW_DISK = "low-disk"
    LIMIT = "limit"


class Wait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`what` is waited for, as people call it: a node, a repository, an operation, an action, the rule of a job. `since`: when that began
    (of `upstream`: what had come until then), `until`: when it ends by itself; null = nobody knows. `why` it is as it is, where that is
    known from elsewhere. `job`: the one that goes first."""

    reason: WaitReason
    what: str = ""
    since: datetime | None = None
    until: datetime | None = None
    why: str = ""
    job: JobId | None = None
