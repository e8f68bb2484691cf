"""Secrets as people give them: typed on a terminal, on standard input, or in a file. Never as an argument, which others can see."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from holdfast.core.errors import UsageError

_MAX_BYTES = 64 * 1024


def read_secret(words: str, file: Path | None, *, is_new: bool = False) -> str:
    """From `file` (`-` = standard input), else asked for by `words` on a terminal, else the first line of standard input.

    White space around it is cut off as stock restic does with a password file. Raises `UsageError` when there is nothing.
    """
    from holdfast.model.keys import SPACE

    return _read(words, file, lambda text: text.strip(SPACE), is_new=is_new)


def read_password(words: str, file: Path | None, *, is_new: bool = False) -> str:
    """The password of a user, as `read_secret`, but as it was given: the console takes spaces around it for a part of it, too. Only the end
    of the line is none."""
    return _read(words, file, lambda text: text.removesuffix("\n").removesuffix("\r"), is_new=is_new)


def _read(words: str, file: Path | None, cut: Callable[[str], str], *, is_new: bool) -> str:
    if file is None and sys.stdin.isatty():
        # As typed: what a file could not give back is for the owner to refuse.
        return str(typer.prompt(words, hide_input=True, err=True, confirmation_prompt=is_new))
    if file is None or str(file) == "-":
        text = cut(_decoded(sys.stdin.buffer.readline(_MAX_BYTES), "standard input"))
    else:
        text = cut(_of_file(file))
    if not text:
        raise UsageError(f"{words}: nothing was given", hint="type it on a terminal, or name a file with --password-file")
    return text


def read_line(words: str) -> str:
    """What is asked for and may be seen, on a terminal; else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(words, err=True))
    return _decoded(sys.stdin.buffer.readline(_MAX_BYTES), "standard input").strip()


def _of_file(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the password in {file}: {error.strerror or error}", hint="name a readable text file") from None
    if len(content) > _MAX_BYTES:
        raise UsageError(f"{file} is too large for a password", hint="name a text file with one line")
    return _decoded(content, str(file))


def _decoded(content: bytes, place: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"the password in {place} is not UTF-8 text", hint="write it as UTF-8") from None
