"""The keys of an object store: a file of the owner's machine, never in documents, rules, logs or process arguments."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.core.errors import StoreDenied

_SHORT = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key", "aws_session_token": "session_token"}
_NEEDED = ("access_key_id", "secret_access_key")
_KNOWN = (*_NEEDED, "session_token", "endpoint")
_MOST_BYTES = 16 << 10
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]+)\s*=\s*(.*)")


@dataclass(frozen=True)
class Credentials:
    """`endpoint`, where given, is the only service these keys may be used with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    endpoint: str = ""


def read_credentials(paths: Iterable[Path]) -> Credentials:
    """Of the first file that is there. Raises `StoreDenied` when there is none, when others can read it, or when it is not understood."""
    tried = tuple(paths)
    for path in tried:
        try:
            # Not blocking: what lies there may be a pipe that nobody writes to.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreDenied(f"{path} cannot be read: {error.strerror}", hint="it must belong to the user Holdfast runs as") from error
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise StoreDenied(f"{path} is not a file", hint="write the keys into a file of this name, mode 0600")
            if facts.st_mode & 0o077:
                raise StoreDenied(f"{path} can be read by others", hint=f"make it private: chmod 600 {path}")
            return _parse(os.pread(descriptor, _MOST_BYTES + 1, 0), path)
        finally:
            os.close(descriptor)
    hint = "write access_key_id=... and secret_access_key=... into it, mode 0600"
    raise StoreDenied(f"no keys for the object store: {tried[0]} is not there", hint=hint)


def _parse(content: bytes, path: Path) -> Credentials:
    """JSON or lines of NAME=VALUE; the names Amazon's tools use are taken too. No part of the content gets into an error."""
    hint = "write two lines, access_key_id=... and secret_access_key=..., or the same as a JSON object"
    try:
        if len(content) > _MOST_BYTES:
            raise ValueError
        text = content.decode("utf-8").strip()
        found = _json(text) if text.startswith("{") else _lines(text)
    except ValueError:
        raise StoreDenied(f"{path} is not understood", hint=hint) from None
    unknown = sorted(set(found) - set(_KNOWN))
    if unknown:
        raise StoreDenied(f"{path}: there is no key {unknown[0][:40]!r}", hint=f"it has {', '.join(_KNOWN)}")
    for name in _NEEDED:
        if not found.get(name):
            raise StoreDenied(f"{path}: {name} is missing", hint=hint)
    return Credentials(**found)


def _json(text: str) -> dict[str, str]:
    # A JSON error repeats the text around it, so it is not passed on.
    try:
        tree = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError from None
    if not isinstance(tree, dict) or not all(isinstance(value, str) for value in tree.values()):
        raise ValueError
    return {_name(name): value for name, value in tree.items()}


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "[")):
            continue
        match = _LINE.fullmatch(line)
        if match is None or _name(match.group(1)) in found:
            raise ValueError
        value = match.group(2).strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[_name(match.group(1))] = value
    return found


def _name(text: str) -> str:
    return _SHORT.get(text.lower(), text.lower())
