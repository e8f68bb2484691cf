"""Where repositories of this machine have ever been: `HOME/repositories/NAME/places.json`, the folders, as given and with links resolved.

Rules that say nothing of a repository any more, or say that it is elsewhere, do not make its folder free for mirrors and restores: who
rules the Master could destroy locked points so. Only who has root here, or is the node's own user, takes a line out.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from holdfast.core.errors import LimitsRefused
from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE

_FILE = "places.json"


def remember_place(repository_home: Path, location: str) -> None:
    """On disk when this returns. What is no folder is nobody's to write into, and is not kept. Raises `LimitsRefused`, `OSError`."""
    if not location.startswith("/"):
        return
    known = _load(repository_home / _FILE)
    new = [place for place in dict.fromkeys((location, os.path.realpath(location))) if place not in known]
    if new:
        write_private(repository_home / _FILE, msgspec.json.encode([*known, *new]) + b"\n")


def known_places(home: Path) -> dict[str, tuple[str, ...]]:
    """By the repository's name. Raises `LimitsRefused` when one cannot be read: then nobody knows what must not be written."""
    try:
        names = sorted(entry.name for entry in os.scandir(home / "repositories") if entry.is_dir())
    except FileNotFoundError:
        return {}
    return {name: places for name in names if (places := _load(home / "repositories" / name / _FILE))}


def _load(path: Path) -> tuple[str, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[str, ...])
    except FileNotFoundError:
        return ()
    except UNREADABLE_FILE as error:
        raise LimitsRefused(
            f"{path} cannot be read: {error}",
            hint="write into it, as a JSON list of paths, where this repository is; until then this node does nothing new",
        ) from error
