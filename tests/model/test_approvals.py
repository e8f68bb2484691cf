"""What may become of a request for approval: any people in any order at any time, against the rules said plainly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.core.errors import Conflict, Refused, UsageError
from holdfast.model.approvals import (
    LIFETIME,
    Approval,
    ApprovalAct,
    ApprovalState,
    approve,
    ended,
    parse_acts,
    refuse,
    seen_at,
)

ASKED_AT = datetime(2026, 1, 2, tzinfo=UTC)
USERS = ("ann", "ben", "cyd")


def a_request() -> Approval:
    return Approval(
        id="a" * 32,
        act=ApprovalAct.FORGET,
        activity="points.destroy",
        operation="forget_points",
        asked_by="ann",
        credential="token:1",
        peer="127.0.0.1",
        method="POST",
        path="/api/v1/points/forget",
        query="",
        body_sha256="0" * 64,
        arguments="{}",
        asked_at=ASKED_AT,
        expires_at=ASKED_AT + LIFETIME,
    )


class ARequest(RuleBasedStateMachine):
    """Beside the request stands what happened, as plain facts; the request must say what follows from them."""

    def __init__(self) -> None:
        super().__init__()
        self.request = a_request()
        self.hours = 0.0
        self.approved_by = ""
        self.turned_down_by = ""
        self.runs = 0

    @property
    def now(self) -> datetime:
        return ASKED_AT + timedelta(hours=self.hours)

    @property
    def is_open(self) -> bool:
        return not self.approved_by and not self.turned_down_by and self.hours < 24

    @rule(hours=st.sampled_from([0.5, 7, 24]))
    def time_passes(self, hours: float) -> None:
        self.hours += hours

    @rule(user=st.sampled_from(USERS))
    def somebody_approves(self, user: str) -> None:
        may = self.is_open and user != "ann"
        try:
            self.request = approve(self.request, user, self.now)
        except (Conflict, Refused):
            assert not may
            return
        assert may
        self.approved_by = user
        self.runs += 1

    @rule(user=st.sampled_from(USERS))
    def somebody_refuses(self, user: str) -> None:
        may = self.is_open
        try:
            self.request = refuse(self.request, user, "no", self.now)
        except Conflict:
            assert not may
            return
        assert may
        self.turned_down_by = user

    @invariant()
    def it_runs_once_and_never_by_who_asked(self) -> None:
        assert self.runs <= 1
        assert self.approved_by != "ann"
        assert not (self.approved_by and self.turned_down_by)

    @invariant()
    def it_says_what_happened(self) -> None:
        state = seen_at(self.request, self.now).state
        if self.approved_by:
            assert (state, self.request.decided_by) == (ApprovalState.RUNNING, self.approved_by)
        elif self.turned_down_by:
            assert state is (ApprovalState.WITHDRAWN if self.turned_down_by == "ann" else ApprovalState.REFUSED)
        else:
            assert state is (ApprovalState.WAITING if self.hours < 24 else ApprovalState.EXPIRED)


TestARequest = ARequest.TestCase


def test_the_end_says_how_the_call_was_answered() -> None:
    running = approve(a_request(), "ben", ASKED_AT)
    assert ended(running, 200, "{}").state is ApprovalState.DONE
    failed = ended(running, 404, "x" * 10_000)
    assert (failed.state, failed.status, len(failed.outcome)) == (ApprovalState.FAILED, 404, 4_000)


def test_whatever_needs_approval_the_rules_do_too() -> None:
    assert parse_acts(["prune"]) == {ApprovalAct.PRUNE, ApprovalAct.APPROVALS}
    assert parse_acts([]) == frozenset()
    with pytest.raises(UsageError, match="'burn' is no act"):
        parse_acts(["burn"])
