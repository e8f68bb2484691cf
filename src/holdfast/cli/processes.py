"""Starting Holdfast's own processes and waiting until they answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.cli.output import print_error
from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.private_files import make_private_folder, open_to_append


class Child:
    """One process of ours, its output in a log file, in a session of its own so that signals meant for us do not reach it. `inside`: a
    command that becomes it, such as one that enters a network namespace."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, inside: Sequence[str] = ()) -> None:
        self.name, self.log = name, log
        self._arguments, self._inside = list(arguments), tuple(inside)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        make_private_folder(self.log.parent)
        command = [*self._inside, sys.executable, "-m", "holdfast.cli.main", *self._arguments]
        environment = {key: value for key, value in os.environ.items() if key != "HOLDFAST_HOME"}
        with open(open_to_append(self.log), "ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, patience_s: float = 10) -> None:
        """Ask, wait, then kill."""
        if self._process is None or self._process.poll() is not None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def stop_all(children: Sequence[Child]) -> None:
    """Ask all at once, so that they end side by side, then see each of them end."""
    for child in reversed(children):
        child.ask_to_stop()
    for child in reversed(children):
        child.stop()


def nothing_known() -> HoldfastError | None:
    """Of why it takes so long."""
    return None


def wait_until(
    ready: Callable[[], bool],
    what: str,
    children: Sequence[Child] = (),
    timeout_s: float = 60,
    usual_s: float = 10,
    obstacle: Callable[[], HoldfastError | None] = nothing_known,
) -> None:
    """Until `ready()`. A child that dies meanwhile, or the end of patience, is an error that shows its last words.

    `obstacle`: what is in the way, where that is known: it is the error then, the other is said before; and it is said when the wait takes
    longer than `usual_s`.
    """
    begun = time.monotonic()
    untold = True
    while not ready():
        waited_s = time.monotonic() - begun
        error = _in_vain(what, children, timeout_s, waited_s)
        if (error is not None or (untold and waited_s > usual_s)) and (known := obstacle()) is not None:
            print_error((error or known).facts())
            untold, error = False, known if error is not None else None
        if error is not None:
            raise error
        time.sleep(0.05)


def _in_vain(what: str, children: Sequence[Child], timeout_s: float, waited_s: float) -> HoldfastError | None:
    """Why there is nothing more to wait for; None = there is."""
    for child in children:
        if child.exit_code() is not None:
            return HoldfastError(
                f"{child.name} ended with exit code {child.exit_code()} before {what}:\n{child.last_words()}",
                hint=f"its log is {child.log}",
            )
    if waited_s <= timeout_s:
        return None
    words = "\n".join(child.last_words(4) for child in children)
    return NotReachable(f"waited {timeout_s:.0f} s in vain: {what}\n{words}".rstrip(), hint="see the logs in the home's log folder")


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on right now, consecutive ones where the system has them."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()


def is_port_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
