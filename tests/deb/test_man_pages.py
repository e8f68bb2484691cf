"""Manual pages and completions say what the commands say."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from deb.man_pages import completions, man_pages

PAGES = man_pages("1.2.3", "2026-05-01")


def _text(title: str) -> str:
    return gzip.decompress(PAGES[f"usr/share/man/man1/{title}.1.gz"]).decode()


def test_each_command_has_a_page_that_its_group_names() -> None:
    assert "holdfast\\-node\\-join" in _text("holdfast-node")
    assert "\\fB\\-\\-token\\fR \\fITOKEN\\fR" in _text("holdfast-node-join")
    assert "The one\\-time token" in _text("holdfast-node-join")
    assert "holdfast\\-repository\\-key\\-kit" in _text("holdfast-repository-key")


def test_the_pages_are_the_same_each_time() -> None:
    assert man_pages("1.2.3", "2026-05-01") == PAGES


def test_man_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    texts = "".join(gzip.decompress(page).decode() for page in PAGES.values())
    done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z"], input=texts, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_understand_their_completion(shell: str, tmp_path: Path) -> None:
    content = next(content for path, content in completions().items() if shell in path)
    assert b"_HOLDFAST_COMPLETE" in content
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_bytes(content)
    subprocess.run([shell, "-n", str(script)], check=True, timeout=20)
