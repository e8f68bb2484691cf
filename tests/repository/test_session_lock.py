"""The session lock: what stays behind when its owner is killed must not keep stock tools away."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import RepositoryLocked, StoreError
from holdfast.core.ids import Epoch
from holdfast.model.change import Begin
from holdfast.repository._format.lock import LockFile, encode_lock
from holdfast.repository._format.text import time_text
from holdfast.repository._format.unpacked import encode_document
from holdfast.repository.lock_record import LockRecord
from holdfast.repository.repository import unlock
from holdfast.repository.session_lock import SEEN_FRESH_S, STALE_S
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.repository_scene import DATASET, PASSWORD, RepositoryScene


def locks(scene: RepositoryScene) -> list[str]:
    return sorted(LocalBackend(scene.place).names(FileType.LOCK))


def write_lock(scene: RepositoryScene, pid: int, *, exclusive: bool = False) -> str:
    """As a stock tool on this host writes it."""
    backend = LocalBackend(scene.place)
    file = LockFile(time=time_text(scene.clock.now_ns()), exclusive=exclusive, hostname=os.uname().nodename, username="u", pid=pid)
    name, content = encode_document(encode_lock(file), unlock(backend, PASSWORD)[0], SystemEntropy())
    backend.save(FileType.LOCK, name, content)
    return name


def test_what_a_killed_owner_left_goes_when_it_starts_again(scene: RepositoryScene) -> None:
    """The lock names a process that is there: the dead one not cleared away yet, or another that has its number, here our own."""
    killed = scene.open()
    scene.action(killed).cursor()
    assert len(locks(scene)) == 1
    with closing(scene.open()):
        assert locks(scene) == []
        scene.restic.check()


def test_also_between_the_two_steps_of_a_refresh(scene: RepositoryScene) -> None:
    killed = scene.open()
    scene.action(killed).cursor()
    (old,) = locks(scene)
    content = (scene.place / "locks" / old).read_bytes()
    killed._interior.lock.refresh()
    (new,) = locks(scene)
    assert new != old
    # As if the kill had come after the new lock was written and before the old one was removed.
    (scene.place / "locks" / old).write_bytes(content)
    with closing(scene.open()):
        assert locks(scene) == []


def test_the_lock_of_a_process_that_was_killed_and_not_cleared_away_is_stale(scene: RepositoryScene) -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        with closing(scene.open()) as repository:
            write_lock(scene, child.pid, exclusive=True)
            with closing(scene.action(repository)) as action:
                assert action.cursor() is None
        with closing(scene.open()):
            assert locks(scene) == []
    finally:
        child.communicate()


def test_locks_of_others_that_are_at_work_stay(scene: RepositoryScene) -> None:
    name = write_lock(scene, 1)
    with closing(scene.open()):
        assert locks(scene) == [name]
    exclusive = write_lock(scene, 1, exclusive=True)
    with closing(scene.open()) as repository:
        with closing(scene.action(repository)) as action, pytest.raises(RepositoryLocked):
            action.cursor()
        assert locks(scene) == sorted((name, exclusive))


class _Stuck(FaultyBackend):
    """Lock files cannot be removed while `is_stuck`."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner, lambda *_: None)
        self.is_stuck = True

    def remove(self, kind: FileType, name: str) -> None:
        if kind is FileType.LOCK and self.is_stuck:
            self.fired += 1
            raise StoreError("Input/output error")
        super().remove(kind, name)


def test_a_lock_that_could_not_be_removed_goes_with_the_next_session(scene: RepositoryScene) -> None:
    stuck = _Stuck(LocalBackend(scene.place))
    with closing(scene.open(lambda _: stuck)) as repository:
        with closing(scene.action(repository)) as action:
            action.cursor()
        assert stuck.fired == 1
        assert len(locks(scene)) == 1
        stuck.is_stuck = False
        with closing(scene.action(repository)) as action:
            action.cursor()
        assert locks(scene) == []


def test_or_when_the_owner_starts_again(scene: RepositoryScene) -> None:
    stuck = _Stuck(LocalBackend(scene.place))
    with closing(scene.open(lambda _: stuck)) as repository:
        for _ in range(2):
            with closing(scene.action(repository)) as action:
                action.cursor()
        assert len(locks(scene)) == 2
    with closing(scene.open()):
        assert locks(scene) == []


def test_without_its_record_the_process_numbers_have_to_do(scene: RepositoryScene, tmp_path: Path) -> None:
    killed = scene.open()
    scene.action(killed).cursor()
    record = scene.home / "session-locks"
    assert LockRecord(scene.home).names() == tuple(locks(scene))
    for content in (b"../../etc/passwd\n", b"\xff\xfe", None):
        record.unlink()
        if content is not None:
            record.write_bytes(content)
        assert LockRecord(scene.home).names() == ()
        with closing(scene.open()):
            assert len(locks(scene)) == 1, "its process is there"
        record.touch()


def test_a_lock_that_somebody_removed_is_not_taken_again(scene: RepositoryScene) -> None:
    with closing(scene.open()) as repository:
        lock = repository._interior.lock
        with lock.session():
            (name,) = locks(scene)
            lock.assert_held()
            (scene.place / "locks" / name).unlink()
            lock.refresh()
            assert locks(scene) == []
            with pytest.raises(RepositoryLocked):
                lock.assert_held()
        with lock.session():
            scene.clock.advance(STALE_S + 1)
            with pytest.raises(RepositoryLocked):
                lock.assert_held()


def test_status_tells_who_is_at_work(scene: RepositoryScene) -> None:
    with closing(scene.open()) as repository:
        assert repository.status().locks == ()
        scene.action(repository).cursor()
        write_lock(scene, pid=2**22 + 1)
        scene.clock.advance(SEEN_FRESH_S + 1)
        own, other = repository.status().locks
        assert (own.own, own.pid, own.exclusive, own.stale) == (True, os.getpid(), False, False)
        assert (other.own, other.username, other.pid, other.stale) == (False, "u", 2**22 + 1, True)
        (scene.place / "locks" / other.id).write_bytes(b"torn")
        scene.clock.advance(SEEN_FRESH_S + 1)
        assert [lock.at is None for lock in repository.status().locks] == [False, True]


def test_a_session_begins_before_the_second_look_and_writes_only_after_it(scene: RepositoryScene) -> None:
    """Somebody else looked before our lock was there, and made an exclusive one: whoever looks twice gives way."""
    with closing(scene.open()) as repository:
        action, lock = scene.action(repository), repository._interior.lock
        assert action.cursor() is None
        exclusive = write_lock(scene, 1, exclusive=True)
        lock.enter()
        for _ in range(2):
            with pytest.raises(RepositoryLocked, match="is locked by u@"):
                lock.settle()
            assert locks(scene) == [exclusive]
        with pytest.raises(RepositoryLocked):
            action.begin(Begin(dataset=DATASET, label="l", epoch=Epoch("e" * 32), seq=1, base=None, roots=(b"/a",), hostname="h"))
        with pytest.raises(RepositoryLocked):
            lock.enter()
        with pytest.raises(RepositoryLocked):
            lock.assert_held()
        action.close()
        lock.leave()
        (scene.place / "locks" / exclusive).unlink()
        with lock.session():
            lock.assert_held()
            assert len(locks(scene)) == 1
