"""When a repository was last checked, and what came of it: kept in its owner's home, so that a restart does not forget it.

Never in the location: there is nothing but the restic format there. A new repository at the same place is another one by its config, and
what was found in the old one says nothing of it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.host.home_records import load_record, save_record

_FILE = "last-check.json"


class LastCheck(msgspec.Struct, frozen=True, kw_only=True):
    """`repository` is the id in the config. `ok` = no error was found. `read_data` = every byte was read."""

    repository: str
    at: datetime
    ok: bool
    read_data: bool


def load_last_check(home: Path, repository: str) -> LastCheck | None:
    """None when there was none of this repository."""
    found = load_record(home / _FILE, LastCheck)
    return found if found is not None and found.repository == repository else None


def save_last_check(home: Path, check: LastCheck) -> None:
    save_record(home / _FILE, check)
