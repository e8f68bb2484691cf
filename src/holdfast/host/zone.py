"""The machine's time zone by its IANA name, by which keep rules cut days."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

_ZONES = "/zoneinfo/"


def zone_name() -> str:
    """From where /etc/localtime points, else /etc/timezone; `UTC` when neither names a known zone."""
    for name in (_from_link(), _from_file()):
        if name and _is_known(name):
            return name
    return "UTC"


def _from_link() -> str:
    return os.path.realpath("/etc/localtime").partition(_ZONES)[2]


def _from_file() -> str:
    try:
        return Path("/etc/timezone").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
