"""The command line as a person types it, each command in a process of its own.

The processes are forked from one that has imported the program already, so that a test does not wait for Python to start: half a second
of the processor for each of a thousand commands. That `holdfast` starts as it is installed is shown by `e2e/test_up.py` and
`cli/test_manners_of_commands.py`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

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


def _become_command(words: tuple[str, ...], environment: Mapping[str, str], cwd: Path, place: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, (name, how) in enumerate((("in", os.O_RDONLY), ("out", writing), ("err", writing))):
        opened = os.open(place / name, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = ["holdfast", *words]
    from holdfast.cli.main import main

    main()
