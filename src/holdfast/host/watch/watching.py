"""A watch at work: a thread that empties the kernel's queues, and keeps what they say until somebody takes it."""

from __future__ import annotations

import logging
import os
import select
import threading
from contextlib import suppress
from types import TracebackType

from holdfast.core.clock import Clock, SystemClock
from holdfast.core.errors import UsageError, WatchUnavailable
from holdfast.host.watch.choosing import choose_listener
from holdfast.host.watch.facts import Batch, Coverage, Dirty, Gap, Reason, Scope, Shortfall, WatchRequest
from holdfast.host.watch.ground import Survey, changes_between, real_path, survey
from holdfast.host.watch.listener import Heard, Listener
from holdfast.host.watch.mounts import MOUNTINFO
from holdfast.host.watch.pending import Pending
from holdfast.host.watch.territory import Territory
from holdfast.model.entry import display_path, is_below

_NOTHING = Survey({}, {}, {})
# Mounts that come and go while they are looked at; then it is tried again with the next look.
_MOST_TRIES = 5


def open_watch(request: WatchRequest, clock: Clock | None = None) -> Watch:
    """Begins to watch. Roots may be missing. Raises `UsageError` for roots that make no sense or lie behind a symbolic link,
    `WatchLimited`, `WatchUnavailable`.
    """
    watch = Watch(request, clock or SystemClock())
    try:
        for root in watch.territory.roots:
            _refuse_links(root)
        watch.start()
    except BaseException:
        watch.close()
        raise
    return watch


class Watch:
    """See the contract in the package's docstring. All methods may be called from any thread; one thread takes."""

    def __init__(self, request: WatchRequest, clock: Clock) -> None:
        self.territory = Territory(request.roots, request.cuts)
        self._request = request
        self._clock = clock
        self._listeners: dict[str, tuple[Listener, frozenset[Shortfall]]] = {}
        self._survey = _NOTHING
        self._looked_ns = self._clock.now_ns()
        self._look_at_s = self._clock.monotonic_s()
        self._unsettled = False
        # Scopes that had ceased to be watched, until it is said.
        self._again: set[bytes] = set()
        # Below the line: shared, under the lock.
        self._changed = threading.Condition()
        self._pending = Pending(self.territory, request.most_pending)
        self._coverage: tuple[Coverage, ...] = ()
        self._asked = self._done = 0
        self._closing = self._is_reading = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._mounts = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)

    def start(self) -> None:
        self._look(first=True)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float | None = None) -> Batch:
        """What is known and was not taken; waits up to `timeout_s` (None = for ever) for something. An empty batch after that, and when
        it was closed. Raises `WatchUnavailable` when the watch has come to an end by itself: then scan, and open another.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._pending) or self._closing or self._error is not None, timeout_s)
            self._raise_error()
            return self._pending.take(self._clock.now_ns())

    def sync(self, timeout_s: float) -> bool:
        """Waits until all that changed before this call can be taken; False when the time was too short. Raises as `take`."""
        with self._changed:
            if self._closing:
                return False
            self._asked += 1
            ticket = self._asked
            os.eventfd_write(self._wake, 1)
            self._changed.wait_for(lambda: self._done >= ticket or self._closing or self._error is not None, timeout_s)
            self._raise_error()
            return self._done >= ticket

    @property
    def is_reading(self) -> bool:
        """Whether the kernel has told what cannot be taken yet."""
        return self._is_reading

    def coverage(self) -> tuple[Coverage, ...]:
        """As of now. Roots that are missing are in none."""
        with self._changed:
            return self._coverage

    def close(self) -> None:
        """Ends it; may be called again."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
            os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        for listener, _ in self._listeners.values():
            listener.close()
        os.close(self._wake)
        os.close(self._mounts)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _raise_error(self) -> None:
        if isinstance(self._error, WatchUnavailable):
            raise self._error
        if self._error is not None:
            raise WatchUnavailable(f"the watch ended: {self._error}", hint="the log has the details; a scan finds what has changed") from (
                self._error
            )

    def _run(self) -> None:
        try:
            while not self._closing:
                self._wait()
                self._turn()
        except Exception as error:
            # Whatever it is, the taker must learn that nobody watches any more.
            if not isinstance(error, WatchUnavailable):
                logging.getLogger(__name__).exception("the watch ended")
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _wait(self) -> None:
        """Until something is to be read or looked at, and then a little for events to merge in the kernel."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._mounts, select.POLLPRI)
        for listener, _ in self._listeners.values():
            poll.register(listener.fileno(), select.POLLIN)
        left_s = max(0.0, self._look_at_s - self._clock.monotonic_s())
        ready = {descriptor for descriptor, _ in poll.poll(left_s * 1_000)}
        self._unsettled |= self._mounts in ready
        if ready and self._wake not in ready:
            lull = select.poll()
            lull.register(self._wake, select.POLLIN)
            lull.poll(self._request.lull_s * 1_000)

    def _turn(self) -> None:
        with self._changed:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            ticket = self._asked
        self._is_reading = True
        for listener, _ in self._listeners.values():
            self._drain(listener)
        self._is_reading = False
        if self._unsettled or ticket > self._done or self._clock.monotonic_s() >= self._look_at_s:
            self._look()
        with self._changed:
            self._done = ticket
            self._changed.notify_all()

    def _drain(self, listener: Listener) -> None:
        left = listener.waiting()
        while left > 0:
            count, heard = listener.read()
            if not count:
                return
            left -= count
            self._keep(listener, heard)

    def _keep(self, listener: Listener, heard: Heard) -> None:
        now_ns = self._clock.now_ns()
        self._unsettled |= heard.unsettled
        with self._changed:
            self._pending.add(heard.facts, now_ns)
            if heard.lost:
                # Not since the last reading, which may have been a moment ago, but since the last that is known to have found all.
                for scope in listener.ground.scopes:
                    self._pending.add_gap(Gap(path=scope, since_ns=self._looked_ns, until_ns=now_ns, reason=Reason.OVERFLOW))
            if len(self._pending):
                self._changed.notify_all()

    def _look(self, first: bool = False) -> None:
        """At the roots and the mounts: watch what is there now, and say what may have been missed."""
        for attempt in range(_MOST_TRIES):
            self._unsettled = False
            try:
                found = survey(self.territory, self._request.one_file_system)
                changes = changes_between(self._survey, found)
                self._follow(found, {path for path, _ in changes.missed})
            except OSError:
                if attempt == _MOST_TRIES - 1:
                    self._unsettled = True
                continue
            self._survey = found
            missed = dict.fromkeys(self._again, Reason.REPLACED) | dict(changes.missed)
            self._again.clear()
            self._say({} if first else missed, changes.vanished)
            break
        self._look_at_s = self._clock.monotonic_s() + self._request.look_s

    def _say(self, missed: dict[bytes, Reason], vanished: tuple[bytes, ...]) -> None:
        now_ns = self._clock.now_ns()
        coverage = tuple(_coverage(listener, why) for listener, why in self._listeners.values())
        with self._changed:
            for path, reason in missed.items():
                self._pending.add_gap(Gap(path=path, since_ns=self._looked_ns, until_ns=now_ns, reason=reason))
            self._pending.add((Dirty(root, Scope.TREE) for root in vanished), now_ns)
            self._coverage = coverage
            if len(self._pending):
                self._changed.notify_all()
        self._looked_ns = now_ns

    def _follow(self, found: Survey, missed: set[bytes]) -> None:
        """Listeners for exactly the grounds found."""
        for device in [device for device in self._listeners if device not in found.grounds]:
            self._listeners.pop(device)[0].close()
        for device, ground in found.grounds.items():
            if device not in self._listeners:
                self._listeners[device] = choose_listener(self._request, self.territory, ground, self._clock)
                self._again.update(ground.scopes)
                continue
            listener, _ = self._listeners[device]
            if listener.ground != ground or any(is_below(path, scope) for path in missed for scope in ground.scopes):
                listener.follow(ground)
            self._again.update(listener.look())


def _refuse_links(root: bytes) -> None:
    # A link that vanishes meanwhile is none; the root is missing then, as it may be.
    with suppress(OSError):
        real = real_path(root)
        if real != root:
            raise UsageError(f"{display_path(root)} lies behind a symbolic link", hint=f"name its real path, {display_path(real)}")


def _coverage(listener: Listener, why: frozenset[Shortfall]) -> Coverage:
    ground = listener.ground
    shortfalls = listener.shortfalls | why | ({Shortfall.OTHER_MACHINES} if ground.is_remote else frozenset())
    return Coverage(paths=ground.scopes, file_system=ground.kind, means=listener.means, shortfalls=shortfalls)
