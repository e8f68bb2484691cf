"""Work in a child process that may be killed, or give up its rights: forked from a server without threads.

A plain fork of the test process may hang: it copies the locks of gRPC's threads, but not the threads that would let them go.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

_KILLED = 9
# To start a child is to look at all others, too, and an exit code is told to the first who looks.
_LOOKING = threading.Lock()
_PRELOADED = (
    "holdfast.mirror.mirror",
    "holdfast.testing.feeding",
    "holdfast.testing.tree_source",
    "hypothesis.strategies",
    # What a command imports, and what it imports to speak with the Master.
    "holdfast.cli.main",
    "holdfast.model.questions",
    "holdfast.node.local.client",
    "http.client",
    "ssl",
    # What a Master and a node import.
    "holdfast.api.serve",
    "holdfast.node.agent",
    "holdfast.node.source.worker",
    "holdfast.node.store.worker",
)


def start_in_child(work: Callable[..., object], *arguments: object) -> BaseProcess:
    """`work(*arguments)`, begun in a process of its own, which does not outlive this one. Both must be picklable."""
    context = multiprocessing.get_context("forkserver")
    # Heeded when the server starts: what it has imported, its children need not.
    context.set_forkserver_preload(["__main__", *_PRELOADED, work.__module__, "holdfast.testing.ready_to_fork"])
    child = context.Process(target=work, args=arguments, daemon=True)
    with _LOOKING:
        child.start()
    return child


def exit_code_of(child: BaseProcess, timeout_s: float | None = None) -> int | None:
    """Waits for its end; None when it has not come in time."""
    wait([child.sentinel], timeout_s)
    with _LOOKING:
        child.join(0)
        return child.exitcode


def run_in_child(work: Callable[..., object], *arguments: object) -> int:
    """The exit code of `work(*arguments)` in a process of its own: 0 when it returns, 1 when it raises."""
    child = start_in_child(_end_after, work, arguments)
    code = exit_code_of(child)
    assert code is not None
    return code


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
