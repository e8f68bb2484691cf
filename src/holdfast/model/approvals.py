"""Two-person approval: acts that need a second person, requests for them, and what may become of a request.

A request keeps one call exactly as it was made. Somebody else lets it through or not, once; nothing here does it. States:

    waiting -> running -> done | failed
            |          \\-> unknown     the Master died while it ran
            |-> refused | withdrawn    by somebody else | by who asked
            \\-> expired                 nobody said anything for a day
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from holdfast.core.errors import Conflict, Refused, UsageError

LIFETIME = timedelta(hours=24)
MOST_OUTCOME_CHARACTERS = 4_000


class ApprovalAct(StrEnum):
    """What can be made to need a second person."""

    FORGET = "forget"
    EXPIRE = "expire"
    PRUNE = "prune"
    RELEASE = "release"
    DEACTIVATE = "deactivate"
    ACTIVATE = "activate"
    APPROVALS = "approvals"


ACT_MEANINGS: dict[ApprovalAct, str] = {
    ApprovalAct.FORGET: "forget points, or all points of a dataset",
    ApprovalAct.EXPIRE: "let points end before their time",
    ApprovalAct.PRUNE: "give back the space of what nothing keeps; give up what is damaged beyond repair",
    ApprovalAct.RELEASE: "release a legal hold, or what an anomaly holds",
    ApprovalAct.DEACTIVATE: "take a flow out of force",
    ApprovalAct.ACTIVATE: "activate a flow, which may shorten how long points are kept",
    ApprovalAct.APPROVALS: "change which acts need approval; always among them when there is any",
}


class ApprovalState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A call that waits, or waited, for a second person.

    `path`, `query` and the body whose SHA-256 is `body_sha256` are the call; `arguments` is the body as the audit log shows it. `activity`
    is what whoever approves has to have been granted. `status` and `outcome`: how the call was answered, null and empty before.
    """

    id: str
    act: ApprovalAct
    activity: str
    operation: str
    asked_by: str
    credential: str
    peer: str
    method: str
    path: str
    query: str
    body_sha256: str
    arguments: str
    asked_at: datetime
    expires_at: datetime
    state: ApprovalState = ApprovalState.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None
    comment: str = ""
    status: int | None = None
    outcome: str = ""

    def is_same_call(self, other: Approval) -> bool:
        return (self.asked_by, self.method, self.path, self.query, self.body_sha256) == (
            other.asked_by,
            other.method,
            other.path,
            other.query,
            other.body_sha256,
        )


def seen_at(approval: Approval, now: datetime) -> Approval:
    """As it stands at `now`: who waited for a day waits no more."""
    if approval.state is ApprovalState.WAITING and now >= approval.expires_at:
        return replace(approval, state=ApprovalState.EXPIRED)
    return approval


def approve(approval: Approval, user: str, now: datetime) -> Approval:
    """It may run now, once. Raises `Refused` for who asked, `Conflict` when it does not wait any more."""
    if user == approval.asked_by:
        raise Refused("nobody approves what they asked for themselves", hint="ask somebody else", approval=approval.id)
    return replace(_waiting(approval, now), state=ApprovalState.RUNNING, decided_by=user, decided_at=now)


def refuse(approval: Approval, user: str, comment: str, now: datetime) -> Approval:
    """It will not run; by who asked it is withdrawn. Raises `Conflict` as `approve`."""
    state = ApprovalState.WITHDRAWN if user == approval.asked_by else ApprovalState.REFUSED
    return replace(_waiting(approval, now), state=state, decided_by=user, decided_at=now, comment=comment)


def ended(approval: Approval, status: int, outcome: str) -> Approval:
    """The call was answered so."""
    state = ApprovalState.DONE if status < 400 else ApprovalState.FAILED
    return replace(approval, state=state, status=status, outcome=outcome[:MOST_OUTCOME_CHARACTERS])


def interrupted(approval: Approval) -> Approval:
    """The Master died while it ran. It is not run again: it may have been done."""
    return replace(approval, state=ApprovalState.UNKNOWN)


def parse_acts(names: Iterable[str]) -> frozenset[ApprovalAct]:
    """Acts by name, with changing the acts among them when there is any. Raises `UsageError`."""
    found = set()
    for name in names:
        try:
            found.add(ApprovalAct(name))
        except ValueError:
            raise UsageError(f"{name!r} is no act that can need approval", hint=f"there is {', '.join(ApprovalAct)}", act=name) from None
    return frozenset(found | {ApprovalAct.APPROVALS}) if found else frozenset()


def _waiting(approval: Approval, now: datetime) -> Approval:
    found = seen_at(approval, now)
    if found.state is not ApprovalState.WAITING:
        by = f" by {found.decided_by}" if found.decided_by else ""
        raise Conflict(f"this request does not wait any more: {found.state}{by}", hint="ask again", approval=found.id)
    return found
