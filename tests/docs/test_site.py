"""The site: built without a warning, with every page in its list; and the quick start does what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.testing.stock_restic import StockRestic
from tests.ports import first_of_a_row

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
# Around each command in what the shell prints.
_BEGINS, _ENDS = "\x1e", "\x1f"


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    """Links and anchors that lead nowhere, and pages that are in no list, are warnings."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    assert "Dear Ada" in page
    assert not re.search(r'(?:src|rel="stylesheet" href)="https?:', page), "nothing is fetched from elsewhere"


@pytest.mark.e2e
@pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")
def test_the_quick_start_does_what_it_shows(tmp_path: Path) -> None:
    shown = _commands((ROOT / "docs" / "index.md").read_text())
    assert len(shown) > 12
    port = first_of_a_row()
    # Ports of this machine may be taken; all else is typed as it stands there.
    script = [f'holdfast() {{ if [ "$1" = up ]; then command holdfast "$@" --port {port}; else command holdfast "$@"; fi; }}']
    for command, _ in shown:
        script.append(f"printf '{_BEGINS}\\n'; {command}\nprintf '{_ENDS}%d\\n' $?")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "HOLDFAST_HOME": str(tmp_path / "home"),
    }
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
    finally:
        subprocess.run(["holdfast", "down"], env=environment, capture_output=True, timeout=60, check=False)
    told = re.findall(f"{_BEGINS}\n(.*?){_ENDS}(\\d+)\n", done.stdout, re.S)
    assert len(told) == len(shown), done.stdout
    for (command, expected), (output, code) in zip(shown, told, strict=True):
        assert code == "0", f"{command}\n{output}"
        assert re.fullmatch(expected, output), f"{command}\n{output}\ndoes not look like\n{expected}"


def _commands(page: str) -> list[tuple[str, str]]:
    """Each command, and what its output has to match. `…` stands for anything in a line, alone for any lines."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
                continue
            pattern = r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
            found[-1] = (found[-1][0], found[-1][1] + pattern)
    return found
