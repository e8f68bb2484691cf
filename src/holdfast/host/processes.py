"""Whether a process of this machine still runs."""

from __future__ import annotations

import os
from pathlib import Path

# Fields of /proc/PID/stat (proc(5)) counted from the state, which follows the name in brackets.
_STATE, _THREADS = 0, 17


def is_alive(pid: int) -> bool:
    """Whether this process can still do anything: one that has ended and only waits for its parent to take notice cannot.

    In a container without an init of its own nobody takes notice, and such a process is there as long as the container. Of a process that
    this user may not look at, that it is there says that it is alive.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except ProcessLookupError:
        return False
    except OSError:
        return True
    # The first thread may have ended while others are still in a system call.
    return fields[_STATE] not in (b"Z", b"X") or int(fields[_THREADS]) > 1
