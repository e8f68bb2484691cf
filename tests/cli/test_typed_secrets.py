"""Passwords from a file and from standard input: read as stock restic reads them, and refused with words where they cannot be."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from holdfast.cli.typed_secrets import read_line, read_password, read_secret
from holdfast.core.errors import UsageError


def _typed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"\xef\xbb\xbfcorrect horse\r\n", b" \t correct horse \n\n"])
def test_a_password_file_gives_what_restic_takes_from_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    assert read_secret("password", file) == "correct horse"


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_a_password_of_a_user_is_taken_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_end: bytes) -> None:
    """The console takes spaces around it for a part of it, so the command must, too."""
    file = tmp_path / "password"
    file.write_bytes(b" correct horse \t" + line_end)
    assert read_password("password", file) == " correct horse \t"
    _typed(monkeypatch, b" correct horse \t" + line_end)
    assert read_password("password", Path("-")) == " correct horse \t"
    file.write_bytes(line_end)
    with pytest.raises(UsageError, match="nothing was given"):
        read_password("password", file)


def test_standard_input_gives_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (None, Path("-")):
        _typed(monkeypatch, b"correct horse\nnot this\n")
        assert read_secret("password", file) == "correct horse"
    _typed(monkeypatch, "größe \n".encode())
    assert read_line("group") == "größe"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "nothing was given"), (b"\n \n", "nothing was given"), (b"\xff\xfec", "not UTF-8"), (b"x" * 70_000, "too large")],
)
def test_what_is_no_password_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_secret("password", file)


def test_files_that_cannot_be_read_and_silence_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (tmp_path / "absent", tmp_path):
        with pytest.raises(UsageError, match="cannot read the password"):
            read_secret("password", place)
    _typed(monkeypatch, b"")
    with pytest.raises(UsageError, match="nothing was given"):
        read_secret("password", None)
    _typed(monkeypatch, b"\xff\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_line("group")
