"""A writer process of a restore: `python -m holdfast.operations.restore_writer TARGET FD MEMORY_FD FREED_FD`. See `restore_crew`."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress

from holdfast.operations.restore_crew import serve
from holdfast.wire.arena import Arena

# A work makes some thousands of objects and drops them all; there is nothing in them for the collector to find.
_NEW_OBJECTS = 100_000


def main(arguments: list[str]) -> int:
    """0 = the other end closed."""
    target, descriptor, memory_fd, freed_fd = arguments
    # Who started it decides when it ends, by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 100)
    arena = Arena(int(memory_fd), int(freed_fd))
    with socket.socket(fileno=int(descriptor)) as end, suppress(BrokenPipeError, ConnectionResetError):
        serve(end, arena, os.fsencode(target))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
