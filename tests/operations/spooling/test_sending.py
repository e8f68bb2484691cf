"""The thread that sends what is in a spool: when it calls, and when it leaves the line to others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable, RepositoryLocked
from holdfast.core.ids import ActionId, NodeId
from holdfast.model.change import Acknowledgement, Commit
from holdfast.operations.connecting import Dial
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.running import Delivered
from holdfast.operations.spooling.keeper import CATCHING_UP, Keeper
from holdfast.operations.spooling.sending import Sender, SendTools
from holdfast.testing.deliveries import DATASET, SOURCE, ServedDelivery
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.testing.waiting import wait_for
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState, DataMessage, Started
from tests.delivery.row_source import Edit
from tests.delivery.spool.spooled_source import Spooling, time_of
from tests.operations.spooling.test_standing import MIRROR, RULE, STORE, at, delivery


class Line:
    """A receiver that is away; counts who calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = threading.Event()

    def __call__(self, receiver: NodeId) -> Channel:
        self.calls += 1
        self.called.set()
        raise NotReachable(f"{receiver} is away")


@pytest.fixture
def scene(tmp_path: Path) -> Spooling:
    found = Spooling(tmp_path)
    found.first([("put", b"/data/a", (b"first",))])
    found.align()
    found.edit([("put", b"/data/a", (b"second",))])
    return found


@pytest.fixture
def keeper(scene: Spooling) -> Keeper:
    return Keeper(RULE, delivery("continuous", store="days"), (STORE,), False, scene.spool, SystemClock())


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def sender(keeper: Keeper, line: Line) -> Iterator[Sender]:
    clock = SystemClock()
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=line, generation=1, told=lambda _: None, missed=lambda _: None)
    found = Sender(keeper, tools)
    yield found
    found.close()


def test_it_calls_when_something_is_kept_and_says_why_that_does_not_help(
    scene: Spooling, keeper: Keeper, sender: Sender, line: Line
) -> None:
    assert keeper.waiting is None
    assert scene.keep()
    assert line.called.wait(60)
    wait_for(lambda: keeper.error is not None)
    assert keeper.waiting is not None
    assert keeper.waiting.code == "not-reachable"
    told = keeper.told()
    assert told is not None
    assert (told.receiver, told.runs, told.error) == ("vault", 1, keeper.error)


def test_it_leaves_the_line_to_a_run_that_goes_to_the_receiver_itself(scene: Spooling, keeper: Keeper, sender: Sender, line: Line) -> None:
    scene.spool.tee(on=True)
    assert scene.keep()
    assert keeper.waiting == CATCHING_UP
    scene.spool.align(scene.spool.cursor, scene.spool.cursor)
    scene.spool.tee(on=False)
    sender.close()
    assert line.calls == 0


class Busy(MemoryAction):
    """A receiver that takes one commit while its source makes three. `awaited` is done in the midst of each, `killed_at` is the commit in
    which it dies, once."""

    def __init__(self, scene: Spooling, *, runs: int, killed_at: int = -1, awaited: Callable[[], object] = bool) -> None:
        super().__init__(STORE)
        self.entries, self.chunks, self.position = scene.receiver.entries, scene.receiver.chunks, scene.receiver.position
        self.scene, self.left, self.killed_at, self.awaited = scene, runs, killed_at, awaited
        self.most_unsent = 0
        self.channels: list[MemoryChannel] = []

    def commit(self, commit: Commit) -> Acknowledgement:
        for _ in range(min(3, self.left)):
            self.left -= 1
            self.scene.edit([put(self.left % 7, self.left), put(7, self.left)], marked=self.left % 40 == 0)
            assert self.scene.keep()
        self.most_unsent = max(self.most_unsent, self.scene.spool.unsent().runs)
        self.awaited()
        if len(self.commits) == self.killed_at:
            self.killed_at = -1
            self.channels[-1].kill()
            raise NotReachable("a power cut")
        return super().commit(commit)

    def __call__(self, receiver: NodeId) -> Channel:
        here, there = memory_pair(SOURCE, receiver)
        self.channels.append(here)
        ServedDelivery(there, [self])
        return here


def put(number: int, content: int) -> Edit:
    return "put", b"/data/%d" % number, (b"always the same", b"%d" % content)


def test_a_row_that_grows_faster_than_it_is_taken_is_joined(scene: Spooling) -> None:
    busy = Busy(scene, runs=120, killed_at=10)
    with sending(scene, "hours", busy):
        assert scene.keep()
        wait_for(lambda: not busy.left and not scene.spool.has_unsent)
    assert busy.entries == scene.source.files()
    assert scene.marked <= {commit.seq for commit in busy.commits}
    assert busy.most_unsent <= 10
    assert len(busy.commits) < 60


def test_where_moments_are_kept_none_is_joined_and_the_next_is_sent_before_the_answer(scene: Spooling) -> None:
    begun = []

    def is_ahead() -> None:
        if len(busy.commits) == 1:
            wait_for(lambda: len(begun) > 2)

    busy = Busy(scene, runs=20, awaited=is_ahead)

    def dial(receiver: NodeId) -> Channel:
        channel = busy(receiver)
        send = channel.send

        def noted(message: DataMessage) -> None:
            begun.extend([message] if isinstance(message, Started) else [])
            send(message)

        channel.send = noted  # type: ignore[method-assign]
        return channel

    with sending(scene, "days", dial):
        assert scene.keep()
        wait_for(lambda: not busy.left and not scene.spool.has_unsent)
    assert [commit.seq for commit in busy.commits] == list(range(2, 23))
    assert busy.entries == scene.source.files()


@contextmanager
def sending(scene: Spooling, operation: str, dial: Dial) -> Iterator[None]:
    clock = SystemClock()
    what = msgspec.structs.replace(delivery("continuous", store=operation), dataset=DATASET)
    keeper = Keeper(RULE, what, (STORE,), False, scene.spool, clock)
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=dial, generation=1, told=lambda _: None, missed=lambda _: None)
    sender = Sender(keeper, tools)
    try:
        yield
    finally:
        sender.close()
        tools.pool.close()


def test_a_mirror_that_does_not_take_what_waited_is_left_to_a_run_of_the_source(scene: Spooling) -> None:
    mirror = MemoryAction(MIRROR, fail_at="commit", failure=RepositoryLocked("another session is writing the mirror"))
    store, left, clock = Busy(scene, runs=0), list[str](), SystemClock()
    mirror.entries, mirror.chunks, mirror.position = dict(store.entries), dict(store.chunks), store.position

    def dial(receiver: NodeId) -> Channel:
        here, there = memory_pair(SOURCE, receiver)
        ServedDelivery(there, [store, mirror])
        return here

    what = msgspec.structs.replace(delivery("continuous", store="days", mirror="copy"), dataset=DATASET)
    tools = SendTools(
        clock=clock, pool=SessionPool(clock), dial=dial, generation=1, told=lambda _: None, missed=lambda _: None, left_behind=left.append
    )
    with closing(tools.pool), closing(Sender(Keeper(RULE, what, (STORE,), False, scene.spool, clock), tools)):
        assert scene.keep()
        wait_for(lambda: left == [DATASET])
    assert (len(store.commits), len(mirror.commits)) == (1, 0)


class AllRecorded:
    """A source that knows what its receiver had."""

    def __init__(self, action: MemoryAction) -> None:
        self._before = {path: frozenset(ref.id for ref in entry.chunks) for path, entry in action.entries.items()}

    def chunks_before(self, path: bytes) -> frozenset[bytes]:
        return self._before.get(path, frozenset())


@pytest.mark.parametrize("lacks", [(MIRROR,), (MIRROR, STORE)])
def test_what_somebody_took_out_of_a_mirror_takes_no_moment_from_the_repository(scene: Spooling, lacks: tuple[str, ...]) -> None:
    """The mirror asks for what the spool never kept, for both had it. What the repository itself lacks is lost."""
    store, mirror, left, clock = Busy(scene, runs=0), MemoryAction(MIRROR), list[str](), SystemClock()
    mirror.entries, mirror.chunks, mirror.position = dict(store.entries), dict(store.chunks), store.position
    scene.recorded = AllRecorded(store)
    for action in [store, mirror]:
        action.chunks = {} if action.id in lacks else action.chunks

    def dial(receiver: NodeId) -> Channel:
        here, there = memory_pair(SOURCE, receiver)
        ServedDelivery(there, [store, mirror])
        return here

    what = msgspec.structs.replace(delivery("continuous", store="days", mirror="copy"), dataset=DATASET)
    tools = SendTools(
        clock=clock, pool=SessionPool(clock), dial=dial, generation=1, told=lambda _: None, missed=lambda _: None, left_behind=left.append
    )
    assert scene.keep()
    scene.edit([("put", b"/data/a", (b"first", b"third"))])
    assert scene.keep()
    with closing(tools.pool), closing(Sender(Keeper(RULE, what, (STORE,), False, scene.spool, clock), tools)):
        wait_for(lambda: bool(left) or scene.spool.is_empty)
    assert [commit.seq for commit in store.commits] == ([2] if STORE in lacks else [2, 3])
    assert bool(scene.spool.gaps((b"/data",), time_of(9))) is (STORE in lacks)
    assert 3 not in [commit.seq for commit in mirror.commits]


class Mute(Busy):
    """Takes its first commit, and its answer is lost."""

    def commit(self, commit: Commit) -> Acknowledgement:
        said = super().commit(commit)
        if len(self.commits) == 1:
            self.channels[-1].kill()
        return said


def test_who_had_taken_it_before_the_line_broke_is_said_to_be_well_by_a_run(scene: Spooling) -> None:
    mute, left, clock = Mute(scene, runs=0), list[str](), SystemClock()
    what = msgspec.structs.replace(delivery("continuous", store="days"), dataset=DATASET)
    told = list[Delivered]()
    tools = SendTools(
        clock=clock, pool=SessionPool(clock), dial=mute, generation=1, told=told.append, missed=lambda _: None, left_behind=left.append
    )
    with closing(tools.pool), closing(Sender(Keeper(RULE, what, (STORE,), False, scene.spool, clock), tools)):
        assert scene.keep()
        wait_for(lambda: left == [DATASET])
    assert (len(mute.commits), told) == (1, [])


def test_what_two_actions_say_is_of_the_one_behind(keeper: Keeper) -> None:
    assert keeper.heard({STORE: ActionState(action=STORE, cursor=at(1))}).cursor == at(1)
    assert keeper.heard({ActionId("other"): ActionState(action=ActionId("other"))}).error is not None
