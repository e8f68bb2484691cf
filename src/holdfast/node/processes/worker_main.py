"""Entry of a worker process, told `ROLE --home H --fd N`: forked by the fork server, or a program of its own (`python -m`)."""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.log import configure_logging
from holdfast.core.log_session import session_in
from holdfast.core.ready_types import make_types_ready
from holdfast.node.workers.link import WorkerLink

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_HEAP_BUFFER_BYTES, _KEPT_BYTES = 20 * 1024 * 1024, 4 * 1024 * 1024
_NEW_OBJECTS = 50_000
_TURN_S = 0.001

logger = logging.getLogger(__name__)


def die_with_parent() -> None:
    """The kernel kills this process when the thread that spawned it ends (prctl(2)).

    A parent that died before this call is noticed all the same: its end of the link is closed.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def bound_heap() -> None:
    """Tell the C library how to hold memory (mallopt(3)); other C libraries than glibc have no such call.

    By default each thread gets an arena of its own, which doubled what a first backup held; they share one. Buffers of a segment or a pack
    are made and dropped all the time: returned to the kernel each time, their pages are zeroed and mapped in again, an eighth of the CPU
    time of a receiver. So buffers up to that size come from the heap, and some of what is free there is kept.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _HEAP_BUFFER_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES)):
            libc.mallopt(option, value)


def spare_the_collector() -> None:
    """Look for cyclic garbage seldom: what a stream makes and drops has no cycles, and each look passes all of it that is alive.

    By default there is one at every 700 new objects; on a first backup they took a twelfth of the CPU time of both workers.
    """
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 100)


def take_turns_often() -> None:
    """Let another thread have the interpreter after a millisecond.

    By default it waits for 5 ms beside a thread that computes, each time it has read, hashed or asked the catalog: a commit of 60 changes
    does so hundreds of times, and took up to 2 s beside a sealing in place of 40 ms.
    """
    sys.setswitchinterval(_TURN_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until the agent says stop or closes the link. 0 = ended in order."""
    parser = argparse.ArgumentParser(prog="holdfast-worker")
    parser.add_argument("role", choices=("source", "store", "recall"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--credentials", type=Path)
    chosen = parser.parse_args(arguments)
    die_with_parent()
    bound_heap()
    spare_the_collector()
    take_turns_often()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    (chosen.home / "log").mkdir(parents=True, exist_ok=True)
    configure_logging(chosen.home / "log" / f"{chosen.role}.log", session=session_in(chosen.home))
    link = WorkerLink(socket.socket(fileno=chosen.fd))
    try:
        _run(chosen.role, chosen.home, link, chosen.credentials)
    except Exception:
        logger.exception("the worker failed", extra={"facts": {"worker": chosen.role}})
        raise
    finally:
        link.close()
    return 0


def _run(role: str, home: Path, link: WorkerLink, credentials: Path | None) -> None:
    # Each role loads only its own half of the package: a source worker never pays for the repository's imports.
    if role == "source":
        from holdfast.node.source.worker import SourceWorker

        make_types_ready()
        SourceWorker(home, link.send, clock=SystemClock(), entropy=SystemEntropy()).serve(link.receive)
    elif role == "recall":
        from holdfast.node.recalling.worker import RecallWorker

        make_types_ready()
        RecallWorker(home, link.send, clock=SystemClock()).serve(link.receive)
    else:
        from holdfast.node.store.worker import StoreWorker

        make_types_ready()
        StoreWorker(home, link.send, clock=SystemClock(), entropy=SystemEntropy(), credentials=credentials).serve(link.receive)


if __name__ == "__main__":
    sys.exit(main())
