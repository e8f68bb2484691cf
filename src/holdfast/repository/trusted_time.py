"""The time that locks and keep rules go by: nobody without root on the owner's machine can turn it.

It goes on with the time since the machine started (CLOCK_BOOTTIME) from the value that was kept last. The wall clock may pull it along by
as much as clocks drift. Where the two are further apart, the wall clock was set, or the machine was off: then the time is *doubted* until
somebody else (the Master) has the wall clock's time too, or the two agree again. Doubt that lasts stops all expiry.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from holdfast.core.clock import BootClock, Clock, boot_clock, utc
from holdfast.core.units import format_duration, format_utc
from holdfast.host.home_records import load_record, save_record

_FILE = "trusted-time.json"
TOLERANCE_NS = 120 * 1_000_000_000
PATIENCE_NS = 600 * 1_000_000_000
_DRIFT = 0.0005
_KEEP_EVERY_NS = 60 * 1_000_000_000


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's clocks at one moment."""

    wall_ns: int
    boottime_ns: int
    boot_id: str


class TimeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """At `boottime_ns` of that start of the machine it was `trusted_ns`. `doubted_ns`: since which boottime it is doubted, if it is.
    `off_ns`: by how much the wall clock is ahead."""

    boot_id: str
    boottime_ns: int
    trusted_ns: int
    doubted_ns: int | None = None
    off_ns: int = 0


def advanced(record: TimeRecord | None, reading: Reading) -> TimeRecord:
    """The record at this reading. The first of all takes the wall clock's word."""
    if record is None:
        return TimeRecord(boot_id=reading.boot_id, boottime_ns=reading.boottime_ns, trusted_ns=reading.wall_ns)
    same = record.boot_id == reading.boot_id
    # After a restart at least so much has passed as the machine is up.
    passed_ns = max(0, reading.boottime_ns - (record.boottime_ns if same else 0))
    trusted_ns = record.trusted_ns + passed_ns
    off_ns = reading.wall_ns - trusted_ns
    doubted_ns = record.doubted_ns if same else None
    if abs(off_ns) > TOLERANCE_NS:
        doubted_ns = reading.boottime_ns if doubted_ns is None else doubted_ns
    else:
        pull_ns = int(passed_ns * _DRIFT)
        trusted_ns += max(-pull_ns, min(pull_ns, off_ns))
        doubted_ns, off_ns = None, reading.wall_ns - trusted_ns
    return TimeRecord(boot_id=reading.boot_id, boottime_ns=reading.boottime_ns, trusted_ns=trusted_ns, doubted_ns=doubted_ns, off_ns=off_ns)


def corroborated(record: TimeRecord, reading: Reading, peer_ns: int) -> TimeRecord:
    """What is doubted and the peer confirms is believed. A peer that says something else, or that nobody asked, changes nothing."""
    if record.doubted_ns is None or abs(peer_ns - reading.wall_ns) > TOLERANCE_NS:
        return record
    return replace(record, trusted_ns=reading.wall_ns, doubted_ns=None, off_ns=0)


def is_suspended(record: TimeRecord) -> bool:
    """Whether the doubt has lasted for longer than one waits for a confirmation."""
    return record.doubted_ns is not None and record.boottime_ns - record.doubted_ns > PATIENCE_NS


class TrustedTime:
    """Of one repository; kept in its folder in the owner's home. For any thread. Never raises."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._path = home / _FILE
        self._clock = clock
        self._boot: BootClock = boot_clock(clock)
        self._guard = threading.Lock()
        self._record = load_record(self._path, TimeRecord)
        self._kept: TimeRecord | None = None

    def now_ns(self) -> int:
        return self._look().trusted_ns

    def now(self) -> datetime:
        return utc(self.now_ns())

    def is_doubted(self) -> bool:
        """Somebody should be asked what time it is."""
        return self._look().doubted_ns is not None

    def suspended(self) -> str:
        """Why nothing may expire now; empty = it may."""
        record = self._look()
        if not is_suspended(record):
            return ""
        ahead = "ahead of" if record.off_ns > 0 else "behind"
        return (
            f"the wall clock is {format_duration(abs(record.off_ns) / 1e9)} {ahead} the time this repository goes by"
            f" ({format_utc(utc(record.trusted_ns))}), and nobody confirms it: nothing expires"
        )

    def hear(self, peer_ns: int) -> None:
        """What time it is now for somebody who can be trusted in this: the Master."""
        with self._guard:
            reading = self._reading()
            self._record = corroborated(advanced(self._record, reading), reading, peer_ns)
            self._keep(self._record)

    def _look(self) -> TimeRecord:
        with self._guard:
            self._record = advanced(self._record, self._reading())
            self._keep(self._record)
            return self._record

    def _reading(self) -> Reading:
        return Reading(wall_ns=self._clock.now_ns(), boottime_ns=self._boot.boottime_ns(), boot_id=self._boot.boot_id())

    def _keep(self, record: TimeRecord) -> None:
        kept = self._kept
        # A value that is a little old only makes time pass a little later after a restart.
        if kept is not None and (kept.boot_id, kept.doubted_ns) == (record.boot_id, record.doubted_ns):
            passed_ns = max(record.boottime_ns - kept.boottime_ns, abs(record.trusted_ns - kept.trusted_ns))
            if passed_ns < _KEEP_EVERY_NS:
                return
        with suppress(OSError):
            save_record(self._path, record)
            self._kept = record
