"""The demo's scratch folder. What has served its purpose is removed at once, by processes of their own beside the next step: most of it
then never reaches the disk, and the end does not wait for it."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Scratch:
    """A folder, and the removals under way in it."""

    folder: Path
    _removals: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def make(cls) -> Scratch:
        return cls(Path(tempfile.mkdtemp(prefix="holdfast-demo-")))

    def discard(self, path: Path) -> None:
        """Begin to remove a folder. Nobody may look at it any more."""
        self._removals.append(subprocess.Popen(["rm", "-rf", "--", str(path)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def settle(self) -> None:
        """Wait for the removals that were begun."""
        while self._removals:
            self._removals.pop().wait()

    def remove(self) -> None:
        """Remove all of it."""
        self.settle()
        self.discard(self.folder)
        self.settle()
