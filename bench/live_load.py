"""Edits made by a process of its own, and what of them can be waited for at the other end."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from ctypes import c_longlong
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from random import Random
from typing import Any

from bench.watched_edits import Edit, Kind, Pace

_LARGEST_BYTES = 4_096
_POOL = Random(7).randbytes(1 << 20)
_SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Load:
    """While it runs: `ended_ns[n]` (monotonic) says when edit n had ended, 0 = not yet; `mtime_ns[n]` what its file's time was then."""

    edits: Sequence[Edit]
    ended_ns: Any
    mtime_ns: Any
    process: BaseProcess

    @property
    def is_over(self) -> bool:
        return not self.process.is_alive()

    @property
    def last_ns(self) -> int:
        return int(max(self.ended_ns))

    def join(self) -> None:
        self.process.join()
        if self.process.exitcode:
            raise SystemExit(f"the edits failed: exit code {self.process.exitcode}")


def start_load(edits: Sequence[Edit], pace: Pace) -> Load:
    ended_ns, mtime_ns = (_SPAWN.Array(c_longlong, len(edits), lock=False) for _ in range(2))
    process = _SPAWN.Process(target=_carry_out, args=(edits, pace, ended_ns, mtime_ns))
    process.start()
    return Load(edits, ended_ns, mtime_ns, process)


def visible(edits: Sequence[Edit]) -> list[int]:
    """Numbers of the edits whose outcome no later edit changes: the others may never be seen at the other end. Pure."""
    later: set[bytes] = set()
    found = []
    for number in reversed(range(len(edits))):
        touched = set(edits[number].touched())
        if later.isdisjoint(touched):
            found.append(number)
        later |= touched
    return found[::-1]


def _carry_out(edits: Sequence[Edit], pace: Pace, ended_ns: Any, mtime_ns: Any) -> None:
    chance = Random(len(edits))
    began_s = time.monotonic()
    for number, edit in enumerate(edits):
        pace.wait_for(number, began_s)
        if edit.source is not None:
            os.rename(edit.source, edit.path)
            mtime_ns[number] = 0 if edit.kind is Kind.RENAME_FOLDER else os.lstat(edit.path).st_mtime_ns
        else:
            start, size = chance.randrange(len(_POOL) - _LARGEST_BYTES), chance.randint(1, _LARGEST_BYTES)
            with open(edit.path, "r+b" if edit.kind is Kind.WRITE else "xb", buffering=0) as file:
                file.write(_POOL[start : start + size])
                mtime_ns[number] = os.fstat(file.fileno()).st_mtime_ns
        ended_ns[number] = time.monotonic_ns()
