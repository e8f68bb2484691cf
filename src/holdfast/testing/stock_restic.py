"""The real restic, as the oracle for repositories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StockRestic:
    """restic on one repository, without its cache, in UTC. `run` raises with restic's own words when it fails."""

    location: str
    password: str
    more: Mapping[str, str] = field(default_factory=dict)
    """Further variables, such as the keys of an object store."""

    @staticmethod
    def is_here() -> bool:
        return shutil.which("restic") is not None

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        known = {"PATH": os.defpath + ":/usr/local/bin", "HOME": "/nonexistent", "TZ": "UTC", "RESTIC_PASSWORD": self.password}
        known |= self.more
        done = subprocess.run(
            ("restic", "--no-cache", "-r", self.location, *arguments), env=known, cwd=cwd, capture_output=True, text=True, errors="replace"
        )
        if done.returncode:
            raise AssertionError(f"restic {' '.join(arguments)} gave {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def check(self, *, read_data: bool = True) -> None:
        """As at any moment: without a lock."""
        self.run("check", "--no-lock", *(("--read-data",) if read_data else ()))

    def restore(self, snapshot: str, target: Path) -> None:
        self.run("restore", snapshot, "--no-lock", "--target", str(target))
