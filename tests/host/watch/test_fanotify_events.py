"""The kernel's bytes as values: what a real queue holds, and that bytes of any kind end in an event or a typed error."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.host.watch.fanotify_events import Event, NameAt, events_in
from holdfast.host.watch.syscalls import FAN_CREATE, FAN_ONDIR, FAN_Q_OVERFLOW, FAN_RENAME

FSID = b"fsid----"


def handle(body: bytes) -> bytes:
    return struct.pack("=Ii", len(body), 1) + body


def record(kind: int, body: bytes, name: bytes | None = None) -> bytes:
    rest = FSID + handle(body) + (b"" if name is None else name + b"\0")
    rest += bytes(-len(rest) % 4)
    return struct.pack("=BBH", kind, 0, 4 + len(rest)) + rest


def event(mask: int, *records: bytes, version: int = 3) -> bytes:
    rest = b"".join(records)
    return struct.pack("=IBBHQii", 24 + len(rest), version, 0, 24, mask, -1, 77) + rest


def test_what_a_queue_holds() -> None:
    made = event(FAN_CREATE, record(2, b"folder01", b"\xff\n"), record(1, b"inode001"))
    moved = event(FAN_RENAME | FAN_ONDIR, record(10, b"from", b"old"), record(12, b"to", b"new"), record(1, b"it"))
    lost = event(FAN_Q_OVERFLOW)
    of_itself = event(FAN_CREATE, record(3, b"folder01"))
    assert list(events_in(made + moved + lost + of_itself)) == [
        Event(FAN_CREATE, 77, None, NameAt(handle(b"folder01"), b"\xff\n"), handle(b"inode001")),
        Event(FAN_RENAME | FAN_ONDIR, 77, NameAt(handle(b"from"), b"old"), NameAt(handle(b"to"), b"new"), handle(b"it")),
        Event(FAN_Q_OVERFLOW, 77, None, None, None),
        Event(FAN_CREATE, 77, None, NameAt(handle(b"folder01"), b"."), None),
    ]


def test_records_of_a_kind_not_asked_for_are_passed_over() -> None:
    assert list(events_in(event(FAN_CREATE, record(99, b"x")))) == [Event(FAN_CREATE, 77, None, None, None)]


@pytest.mark.parametrize(
    "data",
    [
        event(FAN_CREATE, version=4),
        event(FAN_CREATE, record(2, b"folder", b"name"))[:-4],
        event(FAN_CREATE)[:10],
        event(FAN_CREATE, struct.pack("=BBH", 2, 0, 400)),
        event(FAN_CREATE, struct.pack("=BBH", 2, 0, 0)),
        struct.pack("=IBBHQii", 0, 3, 0, 24, 0, -1, 0),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(events_in(data))


@given(st.binary(max_size=200), st.integers(0, 60), st.binary(max_size=3))
def test_any_bytes_end_in_events_or_an_error(noise: bytes, at: int, patch: bytes) -> None:
    good = event(FAN_CREATE, record(2, b"folder01", b"name"), record(1, b"inode001"))
    for data in (noise, good + noise, good[:at] + patch + good[at + len(patch) :]):
        with suppress(ProtocolError):
            assert all(isinstance(found, Event) for found in events_in(data))
