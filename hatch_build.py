"""Puts the built console into wheels and source archives.

A source archive carries it already. From a checkout it is built here; where there is no Node.js, one is asked for as a requirement of the
build. An editable install leaves it to `make console`, as does `HOLDFAST_BUILD_CONSOLE=no`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
    def dependencies(self) -> list[str]:
        return self._build("--wants").split() if self._is_wanted else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del build_data
        if self._is_wanted and version != "editable":
            self._build()

    @property
    def _is_wanted(self) -> bool:
        return os.environ.get("HOLDFAST_BUILD_CONSOLE") != "no"

    def _build(self, *arguments: str) -> str:
        script = Path(self.root) / "scripts/build-console"
        done = subprocess.run([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()
