"""The log of the capture state is carried over beside the runs, so that none of them waits for that.

It is what grows with the tree: of a million files each change touches pages of its own, and after some 1,500 changes the log has its
32 MiB. To carry it over took 1.3 s on a busy disk, in the midst of a small run.
"""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.core.local_database import carry_over
from holdfast.node.source.state_holder import StateHolder
from holdfast.node.workers.periodic import Periodic

_EVERY_S = 2.0


class StateLog(Periodic):
    """While the state is kept open, which is while something is followed."""

    def __init__(self, holder: StateHolder, path: Path) -> None:
        super().__init__("state-log", _EVERY_S)
        self._holder = holder
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._seen_ns = 0

    def look(self) -> None:
        if not self._holder.keeps_open:
            return
        try:
            changed_ns = os.stat(self._log).st_mtime_ns
        except OSError:
            return
        if changed_ns != self._seen_ns:
            self._seen_ns = changed_ns
            carry_over(self._path)
