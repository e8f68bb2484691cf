"""Work in a child process that may be killed, or give up its rights: forked from a server without threads.

A plain fork of the test process may hang: it copies the locks of gRPC's threads, but not the threads that would let them go.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence

_KILLED = 9
_PRELOADED = ("holdfast.mirror.mirror", "holdfast.testing.feeding", "holdfast.testing.tree_source", "hypothesis.strategies")


def run_in_child(work: Callable[..., object], *arguments: object) -> int:
    """The exit code of `work(*arguments)` in a process of its own: 0 when it returns, 1 when it raises. Both must be picklable."""
    context = multiprocessing.get_context("forkserver")
    # Heeded when the server starts: what it has imported, its children need not.
    context.set_forkserver_preload(["__main__", *_PRELOADED, work.__module__])
    child = context.Process(target=_end_after, args=(work, arguments))
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def run_until_killed(calls: Sequence[str], number: int, work: Callable[..., object], *arguments: object) -> bool:
    """Whether `work` came to its end in a process that dies, as by kill -9, at its n-th use (from 0) of one of these functions of `os`."""
    code = run_in_child(_with_deadly_calls, tuple(calls), number, work, arguments)
    assert code in (0, _KILLED), f"the child ended with {code}"
    return code == 0


def _end_after(work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    work(*arguments)
    os._exit(0)


def _with_deadly_calls(calls: tuple[str, ...], number: int, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    left = iter(range(number))

    def deadly(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*positional: object, **named: object) -> object:
            if next(left, None) is None:
                os._exit(_KILLED)
            return call(*positional, **named)

        return wrapped

    for name in calls:
        setattr(os, name, deadly(getattr(os, name)))
    work(*arguments)
