"""A script of the Master's machine as a channel: `script://NAME` is a file in `scripts` beside the Master's records.

Only the machine's root, or the Master's own user, puts one there: who administers the Master chooses among them and can write none. It gets
the text of the message on its standard input and nothing as an argument. Blocks; runs on a thread.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

from holdfast.core.errors import NotReachable, UsageError
from holdfast.master.notifying.wording import Message

SERVICE = "script"
FOLDER = "scripts"
TIMEOUT_S = 50.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST_REASON = 200


def script_at(home: Path, url: str) -> Path:
    """The script that an address means. Raises `UsageError` unless it is one that nobody else could have written."""
    name = url.partition("://")[2]
    if not _NAME.fullmatch(name):
        raise UsageError("a script is named by its file name alone", hint=f"script://NAME, for a file in {home / FOLDER}")
    script = home / FOLDER / name
    try:
        facts = script.lstat()
        # Whoever writes the folder can put another script in the place of the one that is looked at here.
        is_ours = _is_ours(facts) and _is_ours(script.parent.stat())
    except OSError:
        raise UsageError(f"there is no script {name!r} in {script.parent}", hint="put it there, executable") from None
    if not stat.S_ISREG(facts.st_mode) or not facts.st_mode & 0o111:
        raise UsageError(f"{script} is not an executable file", hint="make it a plain file with chmod +x")
    if not is_ours:
        raise UsageError(f"{script} could have been written by others", hint="chown it and its folder to root, and chmod go-w both")
    return script


def run_script(script: Path, message: Message) -> None:
    """Raises `NotReachable` when it cannot be started, ends with anything but 0 or takes too long; what it started goes with it."""
    with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as said:
        text.write(message.body.encode("utf-8", "replace") + b"\n")
        text.seek(0)
        try:
            process = subprocess.Popen(
                [script],
                stdin=text,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": _PATH,
                    "HOLDFAST_TITLE": message.title.replace("\0", ""),
                    "HOLDFAST_SEVERITY": "over" if message.severity is None else message.severity.value,
                },
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise NotReachable(f"{script.name} cannot be started: {error.strerror}", hint="see that it names an interpreter") from error
        try:
            is_over = _ends(process.pid)
        finally:
            # While it is not waited for, its number is nobody else's.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        if not is_over:
            raise NotReachable(f"{script.name} took longer than {TIMEOUT_S:.0f} s and was killed", hint="it is tried again")
        if code:
            raise NotReachable(f"{script.name} ended with {code}{_last_line(said.fileno())}", hint="it is tried again")


def _ends(pid: int) -> bool:
    """Whether it does so in time."""
    pidfd = os.pidfd_open(pid)
    try:
        return bool(select.select([pidfd], [], [], TIMEOUT_S)[0])
    finally:
        os.close(pidfd)


def _last_line(fd: int) -> str:
    size = os.fstat(fd).st_size
    text = os.pread(fd, 4_096, max(0, size - 4_096)).decode("utf-8", "replace").strip()
    return f": {text.rpartition(chr(10))[2].strip()[:_LONGEST_REASON]}" if text else ", saying nothing"


def _is_ours(facts: os.stat_result) -> bool:
    return facts.st_uid in (0, os.getuid()) and not facts.st_mode & 0o022
