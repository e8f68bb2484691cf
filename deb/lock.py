"""Pins the wheels of the package: `python -m deb.lock` asks the package index and writes versions and hashes for every platform."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "deb/requirements.lock"

PYTHON = "3.11"
"""Of Debian 12."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What Debian calls an architecture, and what wheels call it."""
EXTRAS = ("postgresql", "s3-lock", "oidc", "ldap")
"""Optional parts of Holdfast that that the package has, too."""
_GLIBC = ("2_36", "2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17")


def wheel_choice(machine: str) -> list[str]:
    """Arguments for pip that choose the wheels of Debian 12 on this machine, wherever pip runs. No source is ever built."""
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in _GLIBC] + [f"--platform=manylinux2014_{machine}"]
    return [
        "--only-binary=:all:",
        f"--python-version={PYTHON}",
        "--implementation=cp",
        "--abi=cp311",
        "--abi=abi3",
        "--abi=none",
        *platforms,
    ]


def wanted() -> list[str]:
    """What `pyproject.toml` asks for, with the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return sorted({*project["dependencies"], *(each for extra in EXTRAS for each in extras.get(extra, ()))}, key=str.lower)


def lock_text(hashes: Mapping[str, set[str]]) -> str:
    """The lock file. `hashes`: `name==version` to the SHA-256 of its wheels."""
    lines = ["# Made by `python -m deb.lock`: what the Debian package contains, by name, version and SHA-256 of its wheels."]
    for pin in sorted(hashes):
        lines.append(" \\\n".join([pin, *(f"    --hash=sha256:{each}" for each in sorted(hashes[pin]))]))
    return "\n".join(lines) + "\n"


def _resolved(machine: str) -> list[tuple[str, str]]:
    command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--dry-run", "--ignore-installed"]
    command += ["--target=/nonexistent", "--report=-", *wheel_choice(machine), *wanted()]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [_pinned(each["metadata"], each["download_info"]) for each in report["install"]]


def _pinned(metadata: Mapping[str, Any], download: Mapping[str, Any]) -> tuple[str, str]:
    return f"{metadata['name'].lower().replace('_', '-')}=={metadata['version']}", download["archive_info"]["hashes"]["sha256"]


def main() -> None:
    hashes: dict[str, set[str]] = {}
    for machine in MACHINES.values():
        for pin, digest in _resolved(machine):
            hashes.setdefault(pin, set()).add(digest)
    LOCK.write_text(lock_text(hashes))
    print(f"{LOCK.relative_to(ROOT)}: {len(hashes)} packages")


if __name__ == "__main__":
    main()
