"""How often each table was written to, so that what is read of it can be kept until it is written to again.

The records have one writer, this process, and every statement of it goes through one engine: what is kept by the number of a table is as
good as what would be read now. A task beside a Master (`Database(beside=True)`) keeps nothing, and may not write to tables of which the
Master keeps something: nodes, rules, revisions, active flows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import DeclarativeBase, Session

T = TypeVar("T")
VERSIONS = "versions"
"""In the `info` of a session: its `Versions`, or None where nothing is kept."""
_READING = frozenset({"SELECT", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "SHOW", "EXPLAIN"})


class Versions:
    """Of one engine. What was read inside a transaction that is then taken back is void: `taken_back` gives all it wrote to new numbers."""

    def __init__(self, engine: Engine) -> None:
        self._of_table: Counter[str] = Counter()
        self._of_all = 0
        self._written: set[str | None] = set()
        self._kept: dict[str, tuple[tuple[int, ...], Any]] = {}
        event.listen(engine, "after_cursor_execute", self._executed)
        event.listen(engine, "rollback_savepoint", self._savepoint_taken_back)

    def stamp(self, *tables: type[DeclarativeBase]) -> tuple[int, ...]:
        """Another one after every write to one of these tables."""
        return (self._of_all, *(self._of_table[table.__tablename__] for table in tables))

    def keep(self, name: str, tables: tuple[type[DeclarativeBase], ...], read: Callable[[], T]) -> T:
        stamp = self.stamp(*tables)
        known = self._kept.get(name)
        if known is None or known[0] != stamp:
            known = self._kept[name] = (stamp, read())
        found: T = known[1]
        return found

    def ended(self) -> None:
        """A transaction is committed."""
        self._written.clear()

    def taken_back(self) -> None:
        """A transaction, or what followed a savepoint of it, was taken back; or nobody knows whether it was."""
        for table in self._written:
            self._count(table)

    def _savepoint_taken_back(self, *_: object) -> None:
        self.taken_back()

    def _count(self, table: str | None) -> None:
        if table is None:
            self._of_all += 1
        else:
            self._of_table[table] += 1

    def _executed(self, _c: Connection, _k: Any, statement: str, _p: Any, context: Any, _many: bool) -> None:
        is_write = context.isinsert or context.isupdate or context.isdelete
        if not is_write and statement.lstrip()[:12].split(None, 1)[0].upper() in _READING:
            return
        # What writes in words of its own may have written to anything.
        meant = getattr(getattr(context.compiled, "statement", None), "table", None)
        name = getattr(meant, "name", None)
        self._written.add(name)
        self._count(name)


def kept(session: Session, name: str, tables: tuple[type[DeclarativeBase], ...], read: Callable[[], T]) -> T:
    """What `read` reads of these tables and of nothing else, kept under `name` until one of them is written to. To be left as it is."""
    versions: Versions | None = session.info.get(VERSIONS)
    if versions is None:
        return read()
    session.flush()
    return versions.keep(name, tables, read)
