"""A file that changes all the time, in a dataset that is followed: who gets only batches has a state of it with each, read in one pass."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from holdfast.capture.comparison import SMALL
from holdfast.capture.ports import CaptureRequest, Place
from holdfast.capture.rows import RESTLESS
from holdfast.capture.scan import Capture
from holdfast.model.entry import walk_key


class Restless:
    """A file that is appended to between any two steps. `written`: all of it until now."""

    def __init__(self, path, first):
        self.path, self.written = path, b""
        self.append(first)

    @property
    def name(self):
        return os.fsencode(self.path)

    def append(self, data=b"another line\n"):
        self.written += data
        with self.path.open("ab") as file:
            file.write(data)


def follow(machine, log):
    """A small run, for who follows."""
    rule = machine.rules[machine.live.dataset]
    request = CaptureRequest((rule,), {machine.live.dataset: machine.live.seq}, places=(Place(log.name),))
    run = Capture(machine.state, clock=machine.clock, scratch=SMALL, home_reserve_bytes=0).run(request)
    machine.live.begin(machine.live.seq)
    for round_ in run:
        machine.live.take(round_)
    machine.live.commit(run.run)


def batch(machine, receiver, log, *, beside):
    """A run for who gets only batches, after a small run for who follows. `beside`: that comes while everything is looked at. The file
    changes once more before anything is sent. Gives what it came to."""
    with closing(machine.capture.compare((machine.rules[receiver.dataset],))) as compared:
        compared.walk()
        log.append()
        follow(machine, log)
        request = CaptureRequest((machine.rules[receiver.dataset],), {receiver.dataset: receiver.seq})
        run = machine.capture.run(request, compared=compared if beside else None)
        receiver.begin(receiver.seq)
        for round_ in run:
            log.append()
            receiver.take(round_)
        receiver.commit(run.run)
        return run.result()


@pytest.fixture
def office(machine):
    """A receiver of batches of what `machine.live` follows, and a log."""
    receiver, machine.live = machine.dataset(), machine.dataset()
    (machine.source / "quiet").write_bytes(b"quiet")
    return receiver, Restless(machine.source / "log", b"first\n")


def is_restless(machine, log):
    return machine.state.row(walk_key(log.name)).flags & RESTLESS != 0


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("size_bytes", [100, 5 << 20])
def test_it_is_left_out_of_one_batch_at_most(machine, office, beside, size_bytes):
    """By what is there it is at rest each time when its turn comes, and another when it is sent."""
    receiver, log = office
    log.append(b"x" * size_bytes)
    machine.run(machine.live, receiver)
    batch(machine, receiver, log, beside=beside)
    assert receiver.withdrawn
    assert is_restless(machine, log)
    receiver.withdrawn.clear()
    for _ in range(3):
        before = len(receiver.content(log.name))
        result = batch(machine, receiver, log, beside=beside)
        content = receiver.content(log.name)
        assert result.counters.read_bytes == len(content) > before
        assert log.written.startswith(content)
    assert not receiver.withdrawn


def test_what_is_another_when_its_turn_comes_is_left_out_of_none(machine, office):
    receiver, log = office
    machine.run(machine.live, receiver)
    log.append()
    with closing(machine.capture.compare((machine.rules[receiver.dataset],))) as compared:
        compared.walk()
        follow(machine, log)
        log.append()
        run = machine.capture.run(CaptureRequest((machine.rules[receiver.dataset],), {receiver.dataset: receiver.seq}), compared=compared)
        receiver.begin(receiver.seq)
        for round_ in run:
            receiver.take(round_)
        receiver.commit(run.run)
    assert receiver.content(log.name) == log.written
    assert not receiver.withdrawn


def test_nothing_is_read_for_who_may_have_it(machine, office):
    """A new receiver, and one whose state was lost: nobody knows here what they have."""
    receiver, log = office
    machine.run(machine.live, receiver)
    batch(machine, receiver, log, beside=True)
    assert is_restless(machine, log)
    machine.run(machine.live, receiver)
    new = machine.dataset()
    new.chunks = dict(receiver.chunks)
    assert machine.run(new).counters.read_bytes == 0
    assert machine.below(new) == machine.facts()


def test_names_of_one_file_are_read_together(machine, office):
    receiver, log = office
    other = machine.source / "other"
    os.link(log.path, other)
    machine.run(machine.live, receiver)
    for _ in range(2):
        result = batch(machine, receiver, log, beside=True)
    assert receiver.content(log.name) == receiver.content(os.fsencode(other))
    assert result.counters.read_bytes == len(receiver.content(log.name))
    assert receiver.content(log.name) != b"first\n"
    log.path.unlink()
    machine.run(machine.live, receiver)
    assert log.name not in receiver.tree


def test_what_rests_from_one_batch_to_the_next_is_restless_no_more(machine, office):
    receiver, log = office
    machine.run(machine.live, receiver)
    for _ in range(2):
        batch(machine, receiver, log, beside=True)
        machine.run(machine.live, receiver)
        machine.state.drop_tombstones(receiver.dataset, machine.last.run)
        assert is_restless(machine, log)
    for _ in range(2):
        # Told once more of the same run.
        machine.state.drop_tombstones(receiver.dataset, machine.last.run)
        assert is_restless(machine, log)
    assert machine.run(machine.live, receiver).counters.read_bytes == 0
    machine.state.drop_tombstones(receiver.dataset, machine.last.run)
    assert not is_restless(machine, log)


def test_what_a_new_receiver_did_not_get_is_restless(machine, office):
    """Though all the others have had it for long."""
    receiver, log = office
    machine.run(machine.live, receiver)
    for _ in range(2):
        machine.run(machine.live, receiver)
        machine.state.drop_tombstones(receiver.dataset, machine.last.run)
    new = machine.dataset()
    run = machine.capture.run(CaptureRequest((machine.rules[new.dataset],), {new.dataset: None}))
    new.begin(None)
    for round_ in run:
        log.append()
        new.take(round_)
    new.commit(run.run)
    machine.state.drop_tombstones(receiver.dataset, run.run)
    assert is_restless(machine, log)
