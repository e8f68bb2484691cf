"""A worker in a process of its own, spawned as the agent does it, so that it can be killed."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from holdfast.node.workers.link import decode_from_worker, encode_frame
from holdfast.node.workers.messages import FromWorker, StopWorker, ToWorker


class ProcessStore:
    """In place of a `StoreWorker`, or of a worker of another role. `start` returns when the process has said its first word."""

    def __init__(self, home: Path, heard: Callable[[FromWorker], None], role: str = "store") -> None:
        self._role = role
        self._home = home
        self._heard = heard
        self._spoke = threading.Event()

    def start(self) -> None:
        self._end, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            command = [
                sys.executable,
                "-m",
                "holdfast.node.processes.worker_main",
                self._role,
                "--home",
                str(self._home),
                "--fd",
                str(descriptor),
            ]
            self.process = subprocess.Popen(command, pass_fds=(descriptor,))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._spoke.wait(60)

    def handle(self, message: ToWorker) -> None:
        self._end.sendall(encode_frame(message))

    def kill(self) -> None:
        self.process.kill()
        self._ended()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.handle(StopWorker())
        self._ended()

    def _ended(self) -> None:
        self.process.wait(60)
        self._reader.join(100)
        self._end.close()

    def _read(self) -> None:
        stream = self._end.makefile("rb")
        with stream:
            while head := stream.read(4):
                (size,) = struct.unpack(">I", head)
                self._heard(decode_from_worker(stream.read(size)))
                self._spoke.set()
