"""The desk where calls that need a second person wait. What is let through is done by the API, once, by the very call that was made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from holdfast.core.errors import Conflict, ProtocolError, Refused, UsageError
from holdfast.core.ids import NodeId
from holdfast.core.units import format_utc
from holdfast.master.foundation import Foundation
from holdfast.master.news import Subject
from holdfast.master.records import approvals as records
from holdfast.master.records import happenings
from holdfast.master.records.approvals import ApprovalRules
from holdfast.model.approvals import LIFETIME, Approval, ApprovalAct, approve, ended, interrupted, parse_acts, refuse, seen_at
from holdfast.model.jobs import Event, Severity

MAX_BODY_BYTES = 256 << 10
_KEPT = timedelta(days=90)
_MOST_WAITING = 100


@dataclass(frozen=True, kw_only=True)
class HeldCall:
    """A call as it was made; the fields are those of `Approval`."""

    act: ApprovalAct
    activity: str
    operation: str
    user: str
    credential: str
    peer: str
    method: str
    path: str
    query: str
    body: bytes
    arguments: str


class ApprovalDesk:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def resume(self) -> None:
        """What ran when the Master died is not run again. To be called once, at the start."""

        def settle(session: Session) -> None:
            for found in records.running(session):
                records.put(session, interrupted(found))
            records.drop_older(session, self._base.now() - _KEPT)

        await self._base.database.run(settle)

    async def rules(self) -> ApprovalRules:
        return await self._base.database.run(records.rules)

    async def is_required(self, act: ApprovalAct) -> bool:
        return act in (await self.rules()).acts

    async def require(self, acts: list[str], user: str, others: frozenset[str]) -> ApprovalRules:
        """From now on these acts, and no others, need a second person. `others`: who beside `user` could approve a change of this again.
        Raises `UsageError`, and `Refused` where nobody could."""
        wanted = parse_acts(acts)
        if wanted and not others - {user}:
            hint = "give a second person the role admin on everything first"
            raise Refused("nobody else could approve anything, not even the end of this", hint=hint)
        rules = ApprovalRules(acts=tuple(sorted(wanted)), changed_by=user, changed_at=self._base.now())
        await self._base.database.run(lambda session: records.set_rules(session, rules))
        return rules

    async def ask(self, call: HeldCall) -> Approval:
        """The request for this call; asked once more, the one that waits. Raises `UsageError` for a call that is too large to be kept,
        `Conflict` when too many wait."""
        if len(call.body) > MAX_BODY_BYTES:
            raise UsageError(f"a call that waits for approval is at most {MAX_BODY_BYTES} bytes large", hint="ask for less at a time")
        now = self._base.now()
        new = Approval(
            id=self._base.new_id(),
            act=call.act,
            activity=call.activity,
            operation=call.operation,
            asked_by=call.user,
            credential=call.credential,
            peer=call.peer,
            method=call.method,
            path=call.path,
            query=call.query,
            body_sha256=hashlib.sha256(call.body).hexdigest(),
            arguments=call.arguments,
            asked_at=now,
            expires_at=now + LIFETIME,
        )

        def keep(session: Session) -> Approval:
            open_now = [found for found in records.waiting(session) if seen_at(found, now) is found]
            same = next((found for found in open_now if found.is_same_call(new)), None)
            if same is None and len(open_now) >= _MOST_WAITING:
                raise Conflict(f"{_MOST_WAITING} requests for approval wait already", hint="withdraw some: `holdfast approvals refuse`")
            if same is None:
                records.add(session, new, call.body)
                happenings.record_own_events(session, NodeId(""), (_wanted(new),))
            return same or new

        kept = await self._base.database.run(keep)
        self._base.news.tell(Subject("log"))
        return kept

    async def newest(self, limit: int) -> tuple[Approval, ...]:
        """Newest first, as they stand now."""
        now = self._base.now()
        return tuple(seen_at(found, now) for found in await self._base.database.run(lambda session: records.newest(session, limit)))

    async def show(self, approval: str) -> Approval:
        """By id or its beginning. Raises `UnknownName`, `Conflict`."""
        return seen_at((await self._base.database.run(lambda session: records.find(session, approval)))[0], self._base.now())

    async def approve(self, approval: str, user: str) -> tuple[Approval, bytes]:
        """It runs from now on: whoever gets this answer does the call with this body, and nobody else ever does. Raises `Refused` for who
        asked, `Conflict` when it does not wait, `UnknownName`, `ProtocolError` when the body is not what was asked."""
        bodies: list[bytes] = []

        def change(found: Approval, body: bytes) -> Approval:
            if hashlib.sha256(body).hexdigest() != found.body_sha256:
                raise ProtocolError("the records hold another call than the one that was asked", approval=found.id)
            bodies.append(body)
            return approve(found, user, self._base.now())

        return await self._change(approval, change), bodies[-1]

    async def refuse(self, approval: str, user: str, comment: str) -> Approval:
        """Raises `Conflict` when it does not wait, `UnknownName`."""
        return await self._change(approval, lambda found, _: refuse(found, user, comment, self._base.now()))

    async def ended(self, approval: Approval, status: int, outcome: str) -> Approval:
        """How the call was answered."""
        return await self._change(approval.id, lambda found, _: ended(found, status, outcome))

    async def _change(self, approval: str, change: Callable[[Approval, bytes], Approval]) -> Approval:
        """Read and written in one transaction: of two who approve at once, one finds that it does not wait any more."""

        def put(session: Session) -> Approval:
            changed = change(*records.find(session, approval))
            records.put(session, changed)
            return changed

        return await self._base.database.run(put)


def _wanted(asked: Approval) -> Event:
    """A line of the log, so that a notification rule can tell those who may approve. It does not say of what: others read it."""
    message = f"{asked.asked_by} asks for approval: {asked.act.value}, request {asked.id[:8]}, until {format_utc(asked.expires_at)}"
    facts = {"approval": asked.id, "hint": f"`holdfast approvals show {asked.id[:8]}`"}
    return Event(code="approval-wanted", severity=Severity.WARNING, message=message, node=NodeId(""), time=asked.asked_at, facts=facts)
