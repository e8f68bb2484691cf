"""The command line as a person types it, each command in a process of its own; and Masters and nodes.

The processes are forked from one that has imported the program already, so that a test does not wait for Python to start: half a second
of the processor for each of a thousand commands. That `holdfast` starts as it is installed is shown by `e2e/test_up.py` and
`cli/test_manners_of_commands.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

from holdfast.cli.processes import Child
from holdfast.core.private_files import make_private_folder, open_to_append
from holdfast.testing.child import exit_code_of, start_in_child

_TIMEOUT_S = 110


def typed(words: tuple[str, ...], home: Path, *, cwd: Path | None = None, given: str = "") -> CompletedProcess[str]:
    """What `holdfast WORDS` says and ends with, in the folder `cwd`, with `given` on its standard input."""
    with tempfile.TemporaryDirectory(prefix="typed-") as name:
        place = Path(name)
        (place / "in").write_text(given)
        environment = {**os.environ, "HOLDFAST_HOME": str(home)}
        child = start_in_child(_become_command, words, environment, cwd or Path.cwd(), place)
        code = exit_code_of(child, _TIMEOUT_S)
        if code is None:
            child.kill()
            exit_code_of(child)
            raise TimeoutExpired(words, _TIMEOUT_S, (place / "out").read_bytes(), (place / "err").read_bytes())
        return CompletedProcess(words, code, (place / "out").read_text(), (place / "err").read_text())


class ForkedChild(Child):
    """A Master or a node that runs on, as `Child`."""

    def start(self) -> None:
        if self._inside:
            super().start()
            return
        make_private_folder(self.log.parent)
        os.close(open_to_append(self.log))
        environment = {key: value for key, value in os.environ.items() if key != "HOLDFAST_HOME"}
        process: Any = _Running(start_in_child(_become_machine, tuple(self._arguments), environment, self.log))
        self._process = process


class _Running:
    """A forked process as `Popen`, what `Child` needs of it."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid = process.pid or 0

    def poll(self) -> int | None:
        return exit_code_of(self._process, 0)

    def wait(self, timeout: float | None = None) -> int:
        code = exit_code_of(self._process, timeout)
        if code is None:
            raise TimeoutExpired("holdfast", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become_machine(words: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
    os.setsid()
    _become(words, environment, (Path(os.devnull), log, log))


def _become_command(words: tuple[str, ...], environment: Mapping[str, str], cwd: Path, place: Path) -> None:
    os.chdir(cwd)
    _become(words, environment, (place / "in", place / "out", place / "err"))


def _become(words: tuple[str, ...], environment: Mapping[str, str], streams: tuple[Path, Path, Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, (path, how) in enumerate(zip(streams, (os.O_RDONLY, writing, writing), strict=True)):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = ["holdfast", *words]
    from holdfast.cli.main import main

    main()
