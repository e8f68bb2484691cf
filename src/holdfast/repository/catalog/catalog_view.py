"""Reading the catalog beside everybody: connections of their own that see it as it was when they began, and hold nobody up."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from holdfast.repository.catalog.database import Catalog, CatalogRows

_MOST_KEPT = 4


class CatalogViews:
    """The catalog's readers; idle connections are kept for the next. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._guard = threading.Lock()
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._closed = False

    @contextmanager
    def view(self) -> Iterator[CatalogRows]:
        """For one question, by one thread: nothing that others write meanwhile is seen. Raises `StoreError` when the file fails."""
        file, connection = self._take()
        try:
            yield CatalogRows(connection, self._catalog.translated)
        except BaseException:
            connection.close()
            raise
        # A read left open would keep the log from being cleared away.
        connection.rollback()
        self._give_back(file, connection)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> tuple[int, sqlite3.Connection]:
        try:
            file, connection = self._kept() or self._connected()
            connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise self._catalog.translated(error) from error
        return file, connection

    def _kept(self) -> tuple[int, sqlite3.Connection] | None:
        while True:
            with self._guard:
                kept = self._idle.pop() if self._idle else None
            if kept is None or kept[0] == self._catalog.file_number:
                return kept
            # Another catalog has taken the place of the one it reads.
            kept[1].close()

    def _give_back(self, file: int, connection: sqlite3.Connection) -> None:
        with self._guard:
            if not self._closed and len(self._idle) < _MOST_KEPT and file == self._catalog.file_number:
                self._idle.append((file, connection))
                return
        connection.close()

    def _connected(self) -> tuple[int, sqlite3.Connection]:
        with self._catalog.exchange:
            file, connection = self._catalog.file_number, self._connect()
            # A file is opened when it is first read.
            connection.execute("SELECT value FROM meta LIMIT 1").fetchone()
            return file, connection

    def _connect(self) -> sqlite3.Connection:
        location = f"file:{quote(os.fsencode(self._catalog.path))}?mode=ro"
        connection = sqlite3.connect(location, uri=True, isolation_level=None, check_same_thread=False, timeout=30, cached_statements=256)
        try:
            for pragma in ("cache_size = -16000", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection
