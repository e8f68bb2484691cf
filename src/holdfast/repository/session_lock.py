"""restic's session lock: a file in locks/ that tells stock tools we are at work. Non-exclusive; refreshed while it is held.

Rules as in restic's lock_file.go: look, create, wait 200 ms, look again; stale after 30 min, or when its process on this host is gone.
What an owner that was killed has left is removed at its next start, since stock restic refuses to prune or check beside any lock.
"""

from __future__ import annotations

import os
import pwd
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from holdfast.backend.backend import FileType
from holdfast.core.clock import utc
from holdfast.core.errors import HoldfastError, NotReachable, RepositoryDamaged, RepositoryLocked, RepositoryMissing, StoreError
from holdfast.host.processes import is_alive
from holdfast.model.repository_status import RepositoryLock
from holdfast.repository._format.lock import LockFile, decode_lock, encode_lock
from holdfast.repository._format.text import time_ns, time_text
from holdfast.repository.lock_record import LockRecord
from holdfast.repository.packs.storage import Storage
from holdfast.repository.pausing import Pausing

STALE_S = 30 * 60.0
REFRESH_S = 5 * 60.0
SETTLE_S = 0.2
SEEN_FRESH_S = 5.0


class SessionLock:
    """Counts the sessions of one owner; the first takes the lock, the last gives it back. May be used from several threads."""

    def __init__(self, name: str, storage: Storage, wait: Callable[[float], object], record: LockRecord, pausing: Pausing) -> None:
        self._repository = name
        self._pausing = pausing
        self._storage = storage
        self._wait = wait
        self._record = record
        self._guard = threading.RLock()
        # Held by whoever of this owner works alone: there is one exclusive lock at a time.
        self._one_alone = threading.Lock()
        self._sessions = 0
        self._name = ""
        # When others have had time to see the lock, and we to see theirs; None once that is over. Why the lock was lost then.
        self._settles_at_s: float | None = None
        self._refusal: RepositoryLocked | None = None
        self._exclusive = ""
        # Lock files of ours that could not be removed when they should have been.
        self._left: set[str] = set()
        self._refreshed_at_s = 0.0
        self._stop = threading.Event()
        self._host = socket.gethostname()
        self._seen: tuple[float, tuple[RepositoryLock, ...]] | None = None

    @property
    def held(self) -> bool:
        return self._sessions > 0

    @property
    def sessions(self) -> int:
        """How many are at work; who is about to begin counts."""
        with self._guard:
            return self._sessions

    def enter(self) -> None:
        """One more session. Raises `RepositoryLocked` while somebody works alone in the repository (prune, for example), its kind
        `RepositoryPaused` while it is paused.

        Comes back before the second look. Until `settle` was called the session may read, because whoever made its lock after our first
        look still waits for a second look of its own; it must write nothing, and say nothing that others rely on.
        """
        with self._guard:
            self._pausing.check(self._repository)
            if self._sessions == 0:
                self._acquire()
            elif self._refusal is not None:
                raise self._refusal
            self._sessions += 1

    def settle(self) -> None:
        """The second look. Raises `RepositoryLocked` when somebody works alone, to every session of this lock."""
        if self._settles_at_s is None and self._refusal is None:
            return
        with self._guard:
            if self._refusal is not None:
                raise self._refusal
            if self._settles_at_s is None:
                return
            self._wait(max(0.0, self._settles_at_s - self._storage.clock.monotonic_s()))
            try:
                self._refuse_if_exclusive()
            except RepositoryLocked as error:
                self._refusal = error
                self._give_back()
                raise
            self._settles_at_s = None

    def leave(self) -> None:
        """One session less. Never raises: a lock file that cannot be removed goes when the next session begins, or the owner starts."""
        with self._guard:
            self._sessions -= 1
            if self._sessions == 0:
                self._stop.set()
                self._give_back()
                self._settles_at_s = self._refusal = None

    @contextmanager
    def session(self, *, at_once: bool = False) -> Iterator[None]:
        """A session that may write from its beginning. `at_once`: it reads first, and settles itself before it writes."""
        self.enter()
        try:
            if not at_once:
                self.settle()
            yield
        finally:
            self.leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within a session: no other program at work here meanwhile, and none begins; sessions of this owner go on. Raises
        `RepositoryLocked` while another one is at work. To be held for a short time."""
        with self._one_alone:
            with self._guard:
                self._refuse_others()
                self._exclusive = self._create(exclusive=True)
            try:
                self._wait(SETTLE_S)
                self._refuse_others()
                yield
            finally:
                with self._guard:
                    name, self._exclusive = self._exclusive, ""
                    self._remove(name)

    def _refuse_others(self) -> None:
        for name, lock in self._others():
            if name not in self._left and (lock is None or not self._is_stale(lock)):
                who = f"{lock.username}@{lock.hostname}, process {lock.pid}" if lock is not None else "a lock that cannot be read"
                raise RepositoryLocked(f"another program works in the repository: {who}", hint="it is tried again when that has ended")

    def seen(self) -> tuple[RepositoryLock, ...]:
        """Who is at work in the repository, ours first, as of at most `SEEN_FRESH_S` ago. A lock that cannot be read has no names. Raises
        nothing: a place that cannot be read shows none."""
        now_s = self._storage.clock.monotonic_s()
        if self._seen is None or now_s - self._seen[0] > SEEN_FRESH_S:
            locks: list[RepositoryLock] = []
            with suppress(HoldfastError, OSError):
                ours = {name for name in (self._name, self._exclusive) if name}
                locks = [self._look(name, is_ours=name in ours) for name in self._storage.backend.names(FileType.LOCK)]
            self._seen = (now_s, tuple(sorted(locks, key=lambda each: (not each.own, each.hostname, each.pid))))
        return self._seen[1]

    def _look(self, name: str, *, is_ours: bool) -> RepositoryLock:
        try:
            lock = decode_lock(self._storage.load_document(FileType.LOCK, name))
        except (RepositoryMissing, RepositoryDamaged):
            return RepositoryLock(id=name, own=is_ours)
        return RepositoryLock(
            id=name,
            at=utc(time_ns(lock.time)),
            exclusive=lock.exclusive,
            username=lock.username,
            hostname=lock.hostname,
            pid=lock.pid,
            own=is_ours,
            stale=not is_ours and self._is_stale(lock),
        )

    def assert_held(self) -> None:
        """Raises `RepositoryLocked` when the lock was lost, so that what the cache says may be gone."""
        self.settle()
        with self._guard:
            lost = self._storage.clock.monotonic_s() - self._refreshed_at_s > STALE_S
            if not lost:
                try:
                    self._storage.backend.size(FileType.LOCK, self._name)
                except RepositoryMissing:
                    lost = True
            if lost:
                raise RepositoryLocked("the session lock was lost, so this commit cannot be trusted", hint="it is tried again")

    def refresh(self) -> None:
        """Write the lock anew with the present time, then remove the old one."""
        with self._guard:
            if not self._sessions:
                return
            try:
                self._storage.backend.size(FileType.LOCK, self._name)
            except RepositoryMissing:
                # Somebody removed it; taking it again now would hide that a prune may have run.
                return
            old, self._name = self._name, self._create()
            self._remove(old)
            if self._exclusive:
                old, self._exclusive = self._exclusive, self._create(exclusive=True)
                self._remove(old)

    def keep_fresh(self) -> None:
        """`refresh` where it is time. Never raises: a failure is tried again in time."""
        if self.held and self._storage.clock.monotonic_s() - self._refreshed_at_s >= REFRESH_S:
            with suppress(StoreError, NotReachable):
                self.refresh()

    def remove_dead(self) -> None:
        """At the start of the owner: remove what an earlier life left, and locks of processes of this host that are gone."""
        for name in self._record.names():
            self._storage.backend.remove(FileType.LOCK, name)
        for name, lock in self._others():
            if lock is not None and self._is_dead(lock):
                self._storage.backend.remove(FileType.LOCK, name)

    def _acquire(self) -> None:
        for name in tuple(self._left):
            self._remove(name)
        self._refuse_if_exclusive()
        self._name = self._create()
        self._settles_at_s = self._storage.clock.monotonic_s() + SETTLE_S
        self._stop = threading.Event()
        threading.Thread(target=self._keep_fresh, args=(self._stop,), name="session-lock", daemon=True).start()

    def _give_back(self) -> None:
        name, self._name = self._name, ""
        self._remove(name)

    def _remove(self, name: str) -> None:
        self._left.add(name)
        with suppress(HoldfastError):
            self._storage.backend.remove(FileType.LOCK, name)
            self._left.discard(name)

    def _keep_fresh(self, stop: threading.Event) -> None:
        while not stop.wait(REFRESH_S):
            # A failed refresh is tried again in time; if it never works, `assert_held` finds out.
            with suppress(StoreError, NotReachable):
                self.refresh()

    def _create(self, *, exclusive: bool = False) -> str:
        uid, gid = os.getuid(), os.getgid()
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        lock = LockFile(
            time=time_text(self._storage.clock.now_ns()),
            exclusive=exclusive,
            hostname=self._host,
            username=user,
            pid=os.getpid(),
            uid=uid,
            gid=gid,
        )
        name = self._storage.save_document(FileType.LOCK, encode_lock(lock)).hex()
        self._record.write({*self._left, self._name, self._exclusive, name} - {""})
        self._refreshed_at_s = self._storage.clock.monotonic_s()
        return name

    def _refuse_if_exclusive(self) -> None:
        for name, lock in self._others():
            if lock is None:
                raise RepositoryLocked(
                    f"lock {name[:8]} cannot be read", hint="if no other program works here, run `restic unlock --remove-all`"
                )
            if lock.exclusive and not self._is_stale(lock):
                raise RepositoryLocked(
                    f"the repository is locked by {lock.username}@{lock.hostname}, process {lock.pid}, since {lock.time}",
                    hint="wait until it is done (a prune, for example)",
                )

    def _others(self) -> Iterator[tuple[str, LockFile | None]]:
        """Every lock but ours; None for one that cannot be read. Those that vanish meanwhile are left out."""
        for name in list(self._storage.backend.names(FileType.LOCK)):
            if name in (self._name, self._exclusive):
                continue
            try:
                if self._storage.backend.size(FileType.LOCK, name) == 0:
                    continue
                yield name, decode_lock(self._storage.load_document(FileType.LOCK, name))
            except RepositoryMissing:
                continue
            except RepositoryDamaged:
                yield name, None

    def _is_stale(self, lock: LockFile) -> bool:
        if self._storage.clock.now_ns() - time_ns(lock.time) > STALE_S * 1e9:
            return True
        return self._is_dead(lock)

    def _is_dead(self, lock: LockFile) -> bool:
        return lock.hostname == self._host and not is_alive(lock.pid)
