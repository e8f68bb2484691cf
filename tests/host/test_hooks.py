"""Hooks: environment, output, exit codes, time limits. Real scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import HookFailed
from holdfast.host.hooks import OUTPUT_TAIL_BYTES, HookResult, hook_environment, run_hook
from holdfast.testing.waiting import wait_for

ENVIRONMENT = hook_environment(dataset="files1/documents", policy="documents", node="files1", phase="before")


def run(folder: Path, text: str, timeout_s: float = 10) -> HookResult:
    script = folder / "hook"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return run_hook(script, ENVIRONMENT, timeout_s, clock=SystemClock())


def test_a_hook_sees_what_it_should_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    output = run(tmp_path, "env; pwd").output
    assert "HOLDFAST_DATASET=files1/documents" in output
    assert "HOLDFAST_POLICY=documents" in output
    assert "HOLDFAST_NODE=files1" in output
    assert "HOLDFAST_PHASE=before" in output
    assert "SECRET" not in output
    assert output.endswith("\n/\n")


def test_both_streams_are_kept_the_end_of_long_ones(tmp_path: Path) -> None:
    assert run(tmp_path, "echo out; echo err >&2").output == "out\nerr\n"
    output = run(tmp_path, "yes line | head -c 300000; echo last").output
    assert len(output) == OUTPUT_TAIL_BYTES
    assert output.endswith("last\n")


def test_a_failing_hook_says_its_code_and_last_words(tmp_path: Path) -> None:
    with pytest.raises(HookFailed, match="ended with 3") as caught:
        run(tmp_path, "echo database is locked; exit 3")
    assert caught.value.context["output"] == "database is locked\n"
    assert caught.value.code == "hook-failed"
    assert caught.value.message.endswith("ended with 3, saying: database is locked")
    with pytest.raises(HookFailed, match="ended with 1, saying nothing"):
        run(tmp_path, "echo; exit 1")


def test_a_slow_hook_is_killed_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(HookFailed, match="longer than"):
        run(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; wait", 0.3)
    pid = int((tmp_path / "pid").read_text())
    # The signal is sent when the hook fails; the kernel delivers it when the process is next on a processor.
    wait_for(lambda: _has_ended(pid))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def test_something_left_behind_does_not_hold_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, "sleep 60 & echo done")
    assert result.output == "done\n"
    assert result.duration_s < 5


def test_a_hook_that_cannot_start_is_a_failure_with_a_hint(tmp_path: Path) -> None:
    script = tmp_path / "hook"
    script.write_bytes(b"\x00")
    os.chmod(script, 0o755)
    with pytest.raises(HookFailed) as caught:
        run_hook(script, ENVIRONMENT, 1, clock=SystemClock())
    assert caught.value.hint
