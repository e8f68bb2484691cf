"""A file that changes all the time, in a dataset that is followed: who gets only batches has a state of it with each, read in one pass."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from holdfast.capture.comparison import SMALL
from holdfast.capture.ports import CaptureRequest, Place
from holdfast.capture.scan import Capture


class Restless:
    """A file that is appended to between any two steps. `written`: all of it until now."""

    def __init__(self, path, first):
        self.path, self.written = path, b""
        self.append(first)

    def append(self, data=b"another line\n"):
        self.written += data
        with self.path.open("ab") as file:
            file.write(data)


def follow(machine, log):
    """A small run, for who follows."""
    request = CaptureRequest(
        (machine.rules[machine.live.dataset],), {machine.live.dataset: machine.live.seq}, places=(Place(os.fsencode(log.path)),)
    )
    run = Capture(machine.state, clock=machine.clock, scratch=SMALL, home_reserve_bytes=0).run(request)
    machine.live.begin(machine.live.seq)
    for round_ in run:
        machine.live.take(round_)
    machine.live.commit(run.run)


def batch(machine, receiver, log, *, beside):
    """A run for who gets only batches, after a small run for who follows. `beside`: that comes while everything is looked at. Gives what
    it came to."""
    with closing(machine.capture.compare((machine.rules[receiver.dataset],))) as compared:
        compared.walk()
        log.append()
        follow(machine, log)
        if beside:
            log.append()
        request = CaptureRequest((machine.rules[receiver.dataset],), {receiver.dataset: receiver.seq})
        run = machine.capture.run(request, compared=compared if beside else None)
        receiver.begin(receiver.seq)
        for round_ in run:
            log.append()
            receiver.take(round_)
        receiver.commit(run.run)
        return run.result()


@pytest.mark.parametrize(("beside", "ahead_s"), [(False, 1), (True, 1), (True, 3600)])
@pytest.mark.parametrize("size_bytes", [100, 5 << 20])
def test_each_batch_has_a_state_of_it(machine, beside, ahead_s, size_bytes):
    """`ahead_s`: an hour ahead, all that was captured passes for being at rest, unless it has changed since."""
    machine.clock.ahead_ns = ahead_s * 1_000_000_000
    receiver = machine.dataset()
    machine.live = machine.dataset()
    log = Restless(machine.source / "log", b"x" * size_bytes)
    (machine.source / "quiet").write_bytes(b"quiet")
    machine.run(machine.live, receiver)
    for _ in range(4):
        before = len(receiver.content(os.fsencode(log.path)))
        result = batch(machine, receiver, log, beside=beside)
        content = receiver.content(os.fsencode(log.path))
        assert result.counters.read_bytes == len(content)
        assert len(content) > before
        assert log.written.startswith(content)
    assert not receiver.withdrawn


def test_links_stay_one_file_and_what_is_gone_is_not_asked_for(machine):
    receiver = machine.dataset()
    machine.live = machine.dataset()
    log, other = Restless(machine.source / "log", b"first\n"), machine.source / "other"
    os.link(log.path, other)
    machine.run(machine.live, receiver)
    batch(machine, receiver, log, beside=True)
    assert receiver.content(os.fsencode(log.path)) == receiver.content(os.fsencode(other))
    log.path.unlink()
    machine.run(machine.live, receiver)
    assert os.fsencode(log.path) not in receiver.tree
