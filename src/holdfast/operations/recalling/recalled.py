"""When which path was recalled: its file is as old as ever, and an archive must not take it again with its next run."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.core.local_database import open_or_replace

_SCHEMA = "CREATE TABLE IF NOT EXISTS recalled (path BLOB PRIMARY KEY, at_ns INTEGER NOT NULL) WITHOUT ROWID"


class Recalled:
    """`HOME/recall.db`. Any thread. Where it is damaged it begins anew: at worst a file is archived early."""

    def __init__(self, home: Path) -> None:
        self._lock = threading.Lock()
        self._db, _ = open_or_replace(home / "recall.db", synchronous="NORMAL", schema=_SCHEMA)

    def note(self, path: bytes, at_ns: int) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO recalled VALUES (?, ?)", (path, at_ns))

    def at_ns(self, paths: Sequence[bytes]) -> Mapping[bytes, int]:
        """Of those of these paths that were, when; at most some hundred paths."""
        marks = ", ".join("?" * len(paths))
        with self._lock:
            return dict(self._db.execute(f"SELECT path, at_ns FROM recalled WHERE path IN ({marks})", tuple(paths)).fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()
