"""The database: one engine, and transactions run off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from holdfast.master.records.engines import make_engine, typed_errors
from holdfast.master.records.forms import change_form, check_form, form_of, forms
from holdfast.master.records.group_commit import GroupCommit, WriteMany
from holdfast.master.records.happenings import LOG_SESSION
from holdfast.master.records.versions import VERSIONS, Versions

T = TypeVar("T")
KEPT = "kept"
"""In the `info` of a session: a dict that outlives it, for what is costly to decode. A transaction that is taken back takes nothing back of
it, so what is kept there must be named by its content."""


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class Database:
    """Transactions on the Master's records.

    `run` takes a function of one `Session`; what it does is one transaction, committed when it returns and rolled back when it
    raises. It runs on a thread of its own, one at a time: the records have one writer, and a function that reads and then writes
    needs no further lock. Raises `NotReachable` when the database server is away (whether a commit under way was made is then not
    known), `NoSpace`, and `Conflict` when another Master uses the same records. `beside`: for a short task beside a Master that runs.
    """

    def __init__(self, url: str, *, beside: bool = False) -> None:
        self._engine = make_engine(url, exclusive=not beside)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        self._group = GroupCommit(self.run)
        self._kept: dict[str, Any] = {}
        self._versions = None if beside else Versions(self._engine)
        self._info: dict[str, Any] = {KEPT: self._kept, VERSIONS: self._versions}

    def call_session(self, session: str) -> None:
        """What this Master itself writes into the log is of that session (`core.log_session`)."""
        self._info[LOG_SESSION] = session

    def migrate(self, form: str | None = None) -> None:
        """Bring the tables to the newest form; `form`: theirs, where it was asked for already. Safe to call again; called by `init_master`
        and at every start. Raises `Refused` where they are those of a newer version."""
        form = self.form() if form is None else form
        check_form(form)
        if form != forms()[-1]:
            self._change_form("upgrade", "head")

    def upgrade(self, form: str) -> None:
        """Up to a form that is not the newest: that of an export."""
        self._change_form("upgrade", form)

    def form(self) -> str:
        """The form the tables have now; empty = there are none."""
        return self.load(form_of)

    def load(self, work: Callable[[Connection], T]) -> T:
        """As `run_now`, of a bare connection: for tables of an older form."""
        with typed_errors(), self._engine.begin() as connection:
            return work(connection)

    def downgrade(self, form: str) -> None:
        """Back to an older form; what only the newer one can say is lost. `base` = no tables at all."""
        self._change_form("downgrade", form)

    def _change_form(self, direction: Literal["upgrade", "downgrade"], to: str) -> None:
        with typed_errors(), self._engine.begin() as connection:
            change_form(connection, direction, to)

    async def run(self, work: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.run_now, work)

    async def run_together(self, work: Callable[[Session], T]) -> T:
        """As `run`, for small writes that come by the hundred: it may share its transaction, and so its wait for the disk, with others.
        What `work` raises concerns it alone."""
        return await self._group.write(work)

    async def run_with_others(self, write: WriteMany[T], item: T) -> None:
        """As `run_together`, for what costs less together: `write` gets all items that came for it (`GroupCommit.write_many`)."""
        await self._group.write_many(write, item)

    def run_now(self, work: Callable[[Session], T]) -> T:
        """As `run`, on the calling thread: for start-up and tests."""
        try:
            with typed_errors(), Session(self._engine, expire_on_commit=False, info=self._info) as session, session.begin():
                done = work(session)
        except BaseException:
            if self._versions is not None:
                self._versions.taken_back()
            raise
        if self._versions is not None:
            self._versions.ended()
        return done

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._engine.dispose()
