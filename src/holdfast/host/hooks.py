"""Running a hook: a script that the machine's administrator put in the hooks directory. Blocking; called from worker threads."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from holdfast.core.clock import Clock
from holdfast.core.errors import HookFailed

OUTPUT_TAIL_BYTES = 64 * 1024

_GRACE_S = 0.5
"""How long output is still read after the script itself has ended, in case something it started keeps the pipe."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class HookResult:
    """`output` is the last 64 KiB of what the script wrote, both streams together."""

    output: str
    duration_s: float


def hook_environment(*, dataset: str, policy: str, node: str, phase: str) -> dict[str, str]:
    """All that a hook sees; `phase` is before or after."""
    return {"PATH": _PATH, "HOLDFAST_DATASET": dataset, "HOLDFAST_POLICY": policy, "HOLDFAST_NODE": node, "HOLDFAST_PHASE": phase}


def run_hook(script: Path, environment: Mapping[str, str], timeout_s: float, *, clock: Clock) -> HookResult:
    """Run the script to its end in a process group of its own; the group is killed at the timeout and when the script has ended.

    Raises `HookFailed` with the output's end when it cannot be started, exits other than 0 or takes too long.
    """
    started = clock.monotonic_s()
    try:
        process = subprocess.Popen(
            [script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise HookFailed(
            f"hook {script.name} cannot be started: {error.strerror}", hint="see that it is executable and names an interpreter"
        ) from error
    assert process.stdout is not None
    try:
        output, in_time = _collect(process, process.stdout, started + timeout_s, clock)
    finally:
        # Whatever the script left behind in its group goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    text = output.decode("utf-8", "replace")
    if not in_time:
        raise HookFailed(
            f"hook {script.name} took longer than {timeout_s:g} s and was killed", hint="raise the policy's hooks.timeout", output=text
        )
    if process.returncode != 0:
        said = f", saying: {last_line}" if (last_line := text.strip().rpartition("\n")[2].strip()[:300]) else ", saying nothing"
        raise HookFailed(f"hook {script.name} ended with {process.returncode}{said}", hint="mend what it says, or the script", output=text)
    return HookResult(output=text, duration_s=clock.monotonic_s() - started)


def _collect(process: subprocess.Popen[bytes], stream: IO[bytes], deadline_s: float, clock: Clock) -> tuple[bytes, bool]:
    """The output's tail, and whether the script ended before the deadline."""
    tail = bytearray()
    ended = False
    pidfd = os.pidfd_open(process.pid)
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        selector.register(pidfd, selectors.EVENT_READ)
        try:
            while selector.get_map() and (left_s := deadline_s - clock.monotonic_s()) > 0:
                for key, _ in selector.select(left_s):
                    if key.fd == pidfd:
                        ended = True
                        deadline_s = min(deadline_s, clock.monotonic_s() + _GRACE_S)
                        selector.unregister(pidfd)
                    elif chunk := os.read(key.fd, 65_536):
                        tail += chunk
                        del tail[:-OUTPUT_TAIL_BYTES]
                    else:
                        selector.unregister(stream)
        finally:
            os.close(pidfd)
    return bytes(tail), ended
