"""`up`, `protect`, `trigger`, `restore`, `repository env`, `down`: the first ten minutes of a new user."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.host.compare import compare_trees
from tests.e2e.world import descendants, eventually
from tests.ports import first_of_a_row

pytestmark = pytest.mark.e2e


def _holdfast(home: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast.cli.main", *arguments]
    environment = {**os.environ, "HOLDFAST_HOME": str(home)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert result.returncode == expect, f"{arguments} -> {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def test_the_first_ten_minutes(tmp_path: Path) -> None:
    home, data, store = tmp_path / "home", tmp_path / "data", tmp_path / "store"
    data.mkdir()
    (data / "precious.txt").write_text("precious")
    _holdfast(home, "up", "--home", str(home), "--port", str(first_of_a_row()), "--name", "desk", "--detach")
    try:
        made = json.loads(_holdfast(home, "protect", str(data), "--to", str(store), "--every", "1h", "--json").stdout)
        repository = made["repository"]
        _holdfast(home, "protect", str(data), "--to", str(store), "--every", "1h")
        eventually(lambda: "precious.txt" in _holdfast(home, "find", "precious.txt").stdout, "the schedule makes the first point")
        flow = _holdfast(home, "export").stdout
        assert "protect-data" in flow
        _holdfast(home, "trigger", "protect-data", "--wait")
        point = _holdfast(home, "points", "--json").stdout
        assert '"operation": "backup"' in point
        _holdfast(home, "restore", "--dataset", "desk/data", "--to", str(tmp_path / "back"))
        assert list(compare_trees(os.fsencode(data), os.fsencode(tmp_path / "back" / str(data)[1:]))) == []
        script = f'eval "$({sys.executable} -m holdfast.cli.main repository env {repository})"; restic snapshots && restic check'
        environment = {**os.environ, "HOLDFAST_HOME": str(home), "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
        shown = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stdout + shown.stderr
        again = _holdfast(home, "up", "--home", str(home), "--detach")
        assert "already running" in again.stdout
    finally:
        _holdfast(home, "down", "--home", str(home))
    assert not _left_behind(home)
    assert "nothing was running" in _holdfast(home, "down", "--home", str(home)).stdout


def _left_behind(home: Path) -> list[int]:
    return [pid for pid in descendants(1) if str(home).encode() in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.big
def test_help_is_quick() -> None:
    """It waits for nothing, so what it takes is what it computes, however busy the machine is."""
    took = []
    for _ in range(5):
        began_s = _children_cpu_s()
        subprocess.run([sys.executable, "-m", "holdfast.cli.main", "--help"], capture_output=True, check=True)
        took.append(_children_cpu_s() - began_s)
    assert min(took) < 0.3, f"holdfast --help took {min(took):.2f} s"


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_demo_proves_itself(tmp_path: Path) -> None:
    data = tmp_path / "some data"
    (data / "deeper").mkdir(parents=True)
    for number in range(40):
        (data / "deeper" / f"{number}.txt").write_text(f"text {number}\n" * 100)
    result = subprocess.run(
        [sys.executable, "-m", "holdfast.cli.main", "demo", str(data)], capture_output=True, text=True, timeout=110, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All of it is proven equal" in result.stdout
