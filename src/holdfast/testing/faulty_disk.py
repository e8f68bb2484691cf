"""A disk that fails at a step of the test's choosing: `with FaultyDisk(folder, plan)`, for all that is written below the folder.

A *step* is one call that changes what is on disk, or makes it durable: of Python's `os`, or of SQLite underneath its connections. Run
the work once to count the steps (`steps`), then once for each step and fault. `fired` proves that a planned fault happened.

A write that fails has written half of what it was to write. After `cut_at` nothing works any more, as when the process or the machine is
gone: leave the `with`, throw away all objects, and go on from what the folder holds. With `forgets=True` the disk also knows what was
never made durable, and `lose` takes it away: a power cut.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from holdfast.testing.disk_calls import Hooks
from holdfast.testing.power_loss import Volatile
from holdfast.testing.sqlite_calls import SqliteHooks

# Steps that a full disk refuses; removing, renaming and syncing still work.
NEEDS_ROOM = frozenset({"create", "write", "grow", "mkdir", "link", "make"})


class Step(NamedTuple):
    """`number` from 1. `verb`: create, write, grow, truncate, sync, sync-folder, sync-all, rename, link, mkdir, make, remove, rmdir, dress.
    `path` is relative to the watched folder."""

    number: int
    verb: str
    path: str


class PowerCut(BaseException):
    """Nothing after this instant happens; not an `Exception`, so that nothing handles it."""


class Gone(OSError):
    """For a process that is no more, but whose objects a test still has to close: EIO for all they try."""

    def __init__(self) -> None:
        super().__init__(errno.EIO, "nothing after this instant happens")


Plan = Callable[[Step], BaseException | None]
"""The error to raise in place of the step, or None. SQLite sees the disk as full where it is ENOSPC, and as broken otherwise."""


def no_faults(step: Step) -> None:
    del step


def once(number: int, code: int) -> Plan:
    """This step fails with this errno, all others work."""
    return lambda step: OSError(code, "planned") if step.number == number else None


def broken_from(number: int) -> Plan:
    """EIO for this step and all that follow."""
    return lambda step: OSError(errno.EIO, "planned") if step.number >= number else None


def full_from(number: int, code: int = errno.ENOSPC) -> Plan:
    """This errno for all steps from this one on that need room; EDQUOT: a quota is used up."""
    return lambda step: OSError(code, "planned") if step.number >= number and step.verb in NEEDS_ROOM else None


def cut_at(number: int, error: type[PowerCut] | type[Gone] = PowerCut) -> Plan:
    """Before this step the process dies."""
    return lambda step: error() if step.number >= number else None


def bursts(steps: Iterable[Step]) -> list[int]:
    """Numbers of the steps that differ from the one before in verb or path, and the last: every kind of moment, few of each."""
    numbers, last = [], ("", "")
    for step in (found := list(steps)):
        if (step.verb, step.path) != last:
            numbers.append(step.number)
        last = (step.verb, step.path)
    return sorted({*numbers, *(step.number for step in found[-1:])})


class Fault(StrEnum):
    """What happens at a step. KILL: the process dies. LOST, TORN: the power goes, and with it all, or some, of what was not synced.
    BROKEN: the disk refuses this step and all after it. HICCUP: this one only. FULL: there is no more room."""

    KILL = "kill"
    LOST = "lost"
    TORN = "torn"
    BROKEN = "broken"
    HICCUP = "hiccup"
    FULL = "full"

    @property
    def ends_all(self) -> bool:
        """Whether nothing of the process is left."""
        return self in (Fault.KILL, Fault.LOST, Fault.TORN)


def trials(steps: Sequence[Step], *, every: bool) -> list[tuple[int, Fault]]:
    """Which faults to try at which steps. `every`: all at all; else each step once, the faults in turn."""
    kinds, found = list(Fault), list[tuple[int, Fault]]()
    for step in steps:
        possible = [fault for fault in kinds if fault is not Fault.FULL or step.verb in NEEDS_ROOM]
        found += [(step.number, fault) for fault in (possible if every else possible[step.number % len(possible) :][:1])]
    return found


class FaultyDisk:
    """Watches the folder `root`, which must exist, in this process, for as long as the `with` lasts. One at a time.

    `parts`: names in it that are watched, the others not; empty = all.
    """

    def __init__(self, root: Path, plan: Plan = no_faults, *, forgets: bool = False, parts: Collection[str] = ()) -> None:
        self.root = root.resolve()
        self._parts = frozenset(parts)
        self.plan = plan
        self.steps: list[Step] = []
        self.fired: list[Step] = []
        self.volatile = Volatile(self.root, self._parts) if forgets else None
        self._loses: tuple[int | None, ...] = ()
        self._guard = threading.RLock()
        self._hooks = Hooks(self)
        self._sqlite = SqliteHooks(self)

    @classmethod
    def with_fault(
        cls, root: Path, number: int, fault: Fault, *, cut: type[PowerCut] | type[Gone] = PowerCut, parts: Collection[str] = ()
    ) -> FaultyDisk:
        """The fault at the n-th step; when the `with` is left, what it takes away is gone. `cut` as in `cut_at`."""
        plans = {Fault.BROKEN: broken_from(number), Fault.HICCUP: once(number, errno.EIO), Fault.FULL: full_from(number)}
        disk = cls(root, plans.get(fault) or cut_at(number, cut), forgets=fault in (Fault.LOST, Fault.TORN), parts=parts)
        disk._loses = {Fault.LOST: (None,), Fault.TORN: (number,)}.get(fault, ())
        return disk

    def __enter__(self) -> FaultyDisk:
        self._hooks.install()
        self._sqlite.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hooks.remove()
        self._sqlite.remove()
        for seed in self._loses if self.fired else ():
            self.lose(seed)

    def relative(self, path: str) -> str | None:
        """None = not watched."""
        root = str(self.root)
        if path != root and not path.startswith(root + "/"):
            return None
        found = path[len(root) + 1 :] or "."
        return None if self._parts and found.partition("/")[0] not in self._parts else found

    def fault(self, verb: str, relative: str) -> BaseException | None:
        """Counts the step; what is to be raised in its place."""
        with self._guard:
            step = Step(len(self.steps) + 1, verb, relative)
            self.steps.append(step)
            error = self.plan(step)
            if error is not None:
                self.fired.append(step)
            return error

    def lose(self, seed: int | None = None) -> None:
        """The power went when the `with` was left. None: all that was not durable is lost; else some of it, torn, by this seed."""
        assert self.volatile is not None
        self.volatile.lose(seed)
