"""Relays hand the stream on: what arrives behind them is what was sent, and what fails behind them is said in front."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.core.errors import NoSpace, NotReachable
from holdfast.core.ids import ActionId, Epoch, NodeId
from holdfast.delivery.forward import ForwardAction
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Cursor, Durability
from holdfast.testing.deliveries import EPOCH, RECEIVER, SOURCE, ServedDelivery, begin_of, commit_of, opening_of, puts_of
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import memory_pair
from holdfast.wire.channel import Channel

FILES = {b"/data/%02d" % n: bytes([n]) * (10_000 * n) for n in range(40)}


class Next:
    """The next node of a relay: every dial is a new session with the same actions."""

    def __init__(self, *actions: MemoryAction | ForwardAction, granted: bool = True) -> None:
        self.actions = actions
        self.granted = granted
        self.served: list[ServedDelivery] = []
        self.ends: list[Channel] = []

    def dial(self) -> Channel:
        here, there = memory_pair(NodeId("0" * 32), RECEIVER)
        self.served.append(ServedDelivery(there, self.actions, granted=self.granted))
        self.ends.append(there)
        return here

    def forward(self, name: str = "forward") -> ForwardAction:
        return ForwardAction(ActionId(name), opening_of(*(action.id for action in self.actions)), self.dial)

    def wait(self) -> None:
        for served in self.served:
            assert served.wait() == []


def unreachable() -> Channel:
    raise NotReachable("nothing listens on dr:7442", hint="start Holdfast there")


def session_to(action: ForwardAction, *more: MemoryAction) -> tuple[DeliverySession, ServedDelivery]:
    here, there = memory_pair(SOURCE, RECEIVER)
    served = ServedDelivery(there, [action, *more])
    return DeliverySession(here, window_bytes=500_000), served


def send_files(session: DeliverySession, seq: int, base: int | None, actions: list[ActionId]) -> None:
    session.begin(begin_of(seq, base), actions)
    names = sorted(FILES)
    for number in range(0, 40, 5):
        session.send(puts_of(number, {name: FILES[name] for name in names[number : number + 5]}, run=seq, first=number == 0))


def test_a_chain_of_two_relays_delivers_frames_and_acknowledgements() -> None:
    last = MemoryAction("last")
    third = Next(last)
    second = Next(third.forward("second"))
    first = second.forward("first")
    local = MemoryAction("local")
    session, served = session_to(first, local)
    states = session.open(opening_of("first", "local"))
    assert [(state.cursor, state.error) for state in states] == [(None, None), (None, None)]
    send_files(session, 1, None, [first.id, local.id])
    through, beside = session.commit(commit_of(1))
    assert (through.error, beside.error) == (None, None)
    assert through.action == "first"
    assert through.cursor == Cursor(EPOCH, 1)
    assert through.points == (commit_of(1).marks[0].point,)
    send_files(session, 2, 1, [first.id, local.id])
    assert session.commit(commit_of(2))[0].cursor == Cursor(EPOCH, 2)
    assert session.counters.sent_bytes == 0, "what the last node has is asked of nobody"
    session.close()
    assert served.wait() == []
    second.wait()
    third.wait()
    assert {path: last.content(path) for path in FILES} == {path: local.content(path) for path in FILES} == FILES
    assert last.received_bytes == sum(map(len, FILES.values()))


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([(EPOCH, 7), (EPOCH, 3)], Cursor(EPOCH, 3)),
        ([(EPOCH, 7), None], None),
        ([(EPOCH, 7), (Epoch("0" * 32), 7)], None),
    ],
)
def test_a_relay_stands_where_the_last_of_its_receivers_stands(positions: list[tuple[Epoch, int] | None], expected: Cursor | None) -> None:
    actions = [MemoryAction(str(index)) for index in range(len(positions))]
    for action, position in zip(actions, positions, strict=True):
        action.position = None if position is None else Cursor(*position)
    onward = Next(*actions)
    forward = onward.forward()
    assert forward.cursor() == expected
    forward.close()
    onward.wait()


def test_an_unreachable_next_node_is_said_and_spares_the_others() -> None:
    beside = MemoryAction("beside")
    forward = ForwardAction(ActionId("forward"), opening_of("x"), unreachable)
    session, served = session_to(forward, beside)
    lost, fine = session.open(opening_of("forward", "beside"))
    assert lost.error is not None
    assert (lost.error.code, fine.error) == ("not-reachable", None)
    send_files(session, 1, None, [beside.id])
    assert session.commit(commit_of(1))[0].error is None
    session.close()
    assert served.wait() == []


def test_a_missing_grant_behind_the_relay_is_said_in_front() -> None:
    onward = Next(MemoryAction(), granted=False)
    session, served = session_to(onward.forward())
    (state,) = session.open(opening_of("forward"))
    assert state.error is not None
    assert state.error.code == "not-granted"
    session.close()
    assert served.wait() == []


def _fail_action(onward: Next) -> None:
    action = onward.actions[0]
    assert isinstance(action, MemoryAction)
    action.fail_at, action.failure = "commit", NoSpace("full")


def _kill_session(onward: Next) -> None:
    onward.ends[-1].kill()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("break_it", "code"), [(_fail_action, "no-space"), (_kill_session, "not-reachable")])
def test_what_fails_behind_a_relay_is_its_error_and_the_next_commit_works(break_it: Callable[[Next], None], code: str) -> None:
    last, beside = MemoryAction("last"), MemoryAction("beside")
    onward = Next(last)
    session, served = session_to(onward.forward(), beside)
    session.open(opening_of("forward", "beside"))
    actions = [ActionId("forward"), beside.id]
    send_files(session, 1, None, actions)
    break_it(onward)
    through, fine = session.commit(commit_of(1))
    assert through.error is not None
    assert (through.error.code, fine.error) == (code, None)
    assert (last.entries, last.position) == ({}, None)
    last.fail_at = ""
    send_files(session, 2, None, actions)
    assert [acknowledgement.error for acknowledgement in session.commit(commit_of(2))] == [None, None]
    session.close()
    assert served.wait() == []
    assert {path: last.content(path) for path in FILES} == FILES


def test_a_sender_that_goes_away_is_forgotten_behind_the_relay_too() -> None:
    last = MemoryAction("last")
    onward = Next(last)
    session, served = session_to(onward.forward())
    session.open(opening_of("forward"))
    send_files(session, 1, None, [ActionId("forward")])
    session.abort()
    assert served.wait() == []
    onward.wait()
    assert (last.entries, last.commits) == ({}, [])


def test_the_weakest_promise_behind_a_relay_counts() -> None:
    class Held(MemoryAction):
        def commit(self, commit):  # type: ignore[no-untyped-def]
            import msgspec

            return msgspec.structs.replace(super().commit(commit), durability=Durability.HELD, stored_bytes=5)

    onward = Next(MemoryAction("sealed"), Held("held"))
    session, served = session_to(onward.forward())
    session.open(opening_of("forward"))
    session.begin(begin_of(1), [ActionId("forward")])
    (acknowledgement,) = session.commit(commit_of(1))
    assert (acknowledgement.durability, acknowledgement.stored_bytes) == (Durability.HELD, 5)
    session.close()
    assert served.wait() == []
