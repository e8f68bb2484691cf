"""Whether a process still runs: the living, the ended, and those that ended and were not cleared away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from holdfast.host.processes import is_alive

# Ends the first thread alone (exit(2), not exit_group(2)) while another waits for its standard input to close.
_FIRST_THREAD_ENDS = """
import ctypes, os, sys, threading
threading.Thread(target=lambda: os.read(0, 1)).start()
print(flush=True)
ctypes.CDLL(None).syscall(93 if os.uname().machine == "aarch64" else 60, 0)
"""


def _state(pid: int) -> bytes:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]


def test_a_process_that_runs() -> None:
    assert is_alive(os.getpid())
    assert is_alive(1)


def test_no_process_has_such_a_number() -> None:
    assert not is_alive(2**22 + 1)
    assert not is_alive(2**70)


def test_one_that_was_killed_is_gone_before_anybody_has_taken_notice() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert is_alive(child.pid)
    child.kill()
    # Waits for its end and leaves it uncleared.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    os.kill(child.pid, 0)
    assert not is_alive(child.pid)
    child.communicate()
    assert not is_alive(child.pid)


def test_one_whose_first_thread_has_ended_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", _FIRST_THREAD_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while _state(child.pid) != b"Z":
            os.sched_yield()
        assert is_alive(child.pid)
        child.communicate(b"x")
    assert not is_alive(child.pid)
