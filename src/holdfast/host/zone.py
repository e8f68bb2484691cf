"""The machine's time zone by its IANA name, by which keep rules cut days."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

_ZONES = "/zoneinfo/"


def zone_name(root: Path = Path("/")) -> str:
    """From where /etc/localtime points, else /etc/timezone; `UTC` when neither names a known zone."""
    for name in (_from_link(root), _from_file(root)):
        if name and _is_known(name):
            return name
    return "UTC"


def _from_link(root: Path) -> str:
    target = os.path.realpath(root / "etc" / "localtime")
    return target.partition(_ZONES)[2]


def _from_file(root: Path) -> str:
    try:
        return (root / "etc" / "timezone").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
