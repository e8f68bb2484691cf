"""The service: makes each report of what is on record, a dataset or repository at a time, so that others are let in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from holdfast.core.errors import HoldfastError, UsageError
from holdfast.core.units import format_size
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.records import daily, sizes
from holdfast.master.records.inventory import Node
from holdfast.master.reports import tables
from holdfast.master.reports.coverage import folder_cover
from holdfast.master.reports.promises import judge
from holdfast.master.reports.tables import Row
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.forecast import LEAST_DAYS, LEAST_SAMPLES
from holdfast.model.reports import EnvironmentReport, Kind, Table
from holdfast.model.sampling import AskFolders, Folders
from holdfast.model.schedule import share_of

MOST_DAYS = 3_660
_MOST_NODES, _MOST_MISSES = 200, 1_000
_ASK_TIMEOUT_S = 5.0
_Made = tuple[str, tuple[Table, ...]]
"""One sentence, and the tables."""
_TITLES: dict[Kind, str] = {
    "rpo": "Recovery point objectives met",
    "coverage": "What is in no flow",
    "capacity": "Capacity and forecast",
    "transfers": "Transfers",
    "drills": "Drills",
}


class Reports:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks

    async def make(self, kind: Kind, since: datetime) -> EnvironmentReport:
        """From `since` to now. Raises `UsageError` for a time that makes no sense."""
        until = self._base.now()
        if not timedelta() < until - since <= timedelta(days=MOST_DAYS):
            raise UsageError("a report begins in the past, at most ten years ago", hint="write it like --since 30d")
        makers: dict[Kind, Callable[[datetime, datetime], Awaitable[_Made]]] = {
            "rpo": self._rpo,
            "coverage": self._coverage,
            "capacity": self._capacity,
            "transfers": self._transfers,
            "drills": self._drills,
        }
        summary, made = await makers[kind](since, until)
        return EnvironmentReport(
            kind=kind, title=_TITLES[kind], environment=self._base.environment.name, since=since, until=until, summary=summary, tables=made
        )

    async def _rpo(self, since: datetime, until: datetime) -> _Made:
        rolled_out = await self._base.database.run(deployment)
        rows: list[Row] = []
        misses: list[Row] = []
        ratios: list[float | None] = []
        for dataset, receivers in tables.promised(rolled_out):
            kept = await self._base.database.run(partial(tables.kept_runs, label=dataset.label, since=since))
            for rule, receiver in receivers:
                found = await asyncio.to_thread(judge, rule, kept.get((rule.name, receiver), ()), since, until, share_of(dataset.id))
                ratios.append(found.ratio)
                spans = [(miss.since, miss.until, (miss.until - miss.since).total_seconds()) for miss in found.misses]
                lengths_s = [span[2] for span in spans]
                of = (dataset.label, rule.name, receiver)
                rows.append((*of, rule.every_s, found.ratio, len(spans), sum(lengths_s), max(lengths_s, default=0.0)))
                misses += [(*of, *span) for span in spans]
        known = [ratio for ratio in ratios if ratio is not None]
        summary = f"{sum(ratio >= 1 for ratio in known)} of {len(ratios)} promises were kept all the time"
        unknown = len(ratios) - len(known)
        summary += f"; of {unknown} there is no run on record." if unknown else "."
        newest = sorted(misses, key=lambda row: str(row[3]), reverse=True)[:_MOST_MISSES]
        note = "" if len(misses) <= _MOST_MISSES else f"The newest {_MOST_MISSES} of {len(misses)}."
        numbers = (("RPO", "duration"), ("Met", "ratio"), ("Misses", "count"), ("Missed for", "duration"), ("Longest", "duration"))
        of_misses = (("From", "time"), ("To", "time"), ("For", "duration"))
        judged = "Judged as nodes judge what is overdue, with the same grace."
        return summary, (
            tables.table("Promises", ("Dataset", "Operation", "Receiver", *numbers), rows, judged),
            tables.table("Misses", ("Dataset", "Operation", "Receiver", *of_misses), newest, note),
        )

    async def _coverage(self, since: datetime, until: datetime) -> _Made:
        presence = self._hub.presence()
        rolled_out, document, active = await self._base.database.run(tables.environment)
        idle = [node for node in rolled_out.nodes.values() if not tables.captures(rolled_out, node.id)]
        in_force = {dataset.policy for rules in rolled_out.rules.values() for dataset in rules.datasets}
        policies = [(policy.name,) for policy in document.policies if policy.name not in in_force] if document is not None else []
        flows = [(flow.name,) for flow in document.flows if flow.name not in active] if document is not None else []
        asked = [node for node in rolled_out.nodes.values() if node.id in presence.online][:_MOST_NODES]
        folders = [row for rows in await asyncio.gather(*(self._folders(rolled_out, node) for node in asked)) for row in rows]
        bare_folders = sum(row[2] == "no" for row in folders)
        summary = f"{len(idle)} nodes, {len(policies)} policies and {bare_folders} folders are in no flow that is active."
        note = f"The folders at the root of {len(asked)} connected nodes, without those of the system."
        rows = [(node.name, presence.word(node.id)) for node in idle]
        return summary, (
            tables.table("Nodes that protect nothing of their own", ("Node", "State"), rows),
            tables.table("Policies in no active flow", ("Policy",), policies),
            tables.table("Flows that are not active", ("Flow",), flows),
            tables.table("Folders", ("Node", "Folder", "Protected"), folders, note),
        )

    async def _folders(self, rolled_out: Deployment, node: Node) -> list[Row]:
        try:
            told = await self._hub.ask_for(node.id, AskFolders(path=b"/"), Folders, _ASK_TIMEOUT_S)
        except HoldfastError as error:
            return [(node.name, "-", f"not known: {error.message}")]
        rules = rolled_out.rules.get(node.id)
        paths = [path for dataset in (rules.datasets if rules else ()) for path in dataset.classification.paths]
        return [(node.name, row.folder, row.protected) for row in folder_cover((folder.path for folder in told.folders), paths)]

    async def _capacity(self, since: datetime, until: datetime) -> _Made:
        rolled_out = await self._base.database.run(deployment)
        rows = []
        for node, repository in rolled_out.repositories():
            found = await self._base.database.run(partial(sizes.sizes_since, repository=repository.id, since=since))
            rows.append(tables.size_row(repository.name, node.name, found, until))
        ahead = [(f"{days} d {word}", "bytes") for days in tables.HORIZONS_DAYS for word in ("low", "expected", "high")]
        first = ("Repository", "Node", ("Stored", "bytes"), ("Samples", "count"), "Forecast", ("A day", "bytes"), ("+/-", "bytes"))
        stored = format_size(sum(row[2] for row in rows if isinstance(row[2], int)))
        short = sum(row[4] != "linear" for row in rows)
        unmeasured = sum(row[2] is None for row in rows)
        summary = f"{len(rows) - unmeasured} of {len(rows)} repositories have been measured, and hold {stored}."
        summary += f" Of {short} there is too little history for a forecast." if short else ""
        note = "A straight line through what was stored; low to high holds 95 % if it goes on so. "
        note += f"It takes {LEAST_SAMPLES} samples over {LEAST_DAYS:g} days."
        return summary, (tables.table("Repositories", (*first, *ahead), rows, note),)

    async def _transfers(self, since: datetime, until: datetime) -> _Made:
        rolled_out = await self._base.database.run(deployment)
        rows: list[Row] = []
        for label in sorted({dataset.label for rules in rolled_out.rules.values() for dataset in rules.datasets}):
            rows += await self._base.database.run(partial(tables.moved, label=label, since=since))
        numbers = (("Read", "bytes"), ("Sent", "bytes"), ("Stored", "bytes"))
        columns = ("Dataset", "Receiver", ("Runs", "count"), ("Failed", "count"), *numbers, ("Time", "duration"), ("Mean rate", "rate"))
        sent = format_size(sum(row[5] for row in rows if isinstance(row[5], int)))
        return f"{sent} were sent to {len({row[1] for row in rows})} receivers.", (tables.table("By mover", columns, rows),)

    async def _drills(self, since: datetime, until: datetime) -> _Made:
        rolled_out = await self._base.database.run(deployment)
        await self._looks.glance(rolled_out.rules.keys() & self._hub.online())
        known = [(node, told) for node in rolled_out.rules if (told := self._looks.last_known(node)) is not None]
        rows = [row for node, told in known for row in tables.drilled(rolled_out.name(node), told)]
        proven = await self._base.database.run(lambda s: daily.events_of_code(s, "drill-proven", since))
        failed = await self._base.database.run(lambda s: daily.events_of_code(s, "drill-failed", since))
        times = (("Last drill", "time"), ("Last proven", "time"), ("Files", "count"), ("Next due", "time"))
        lines = [(event.time, rolled_out.name(event.node), event.message) for event in reversed(failed)]
        overdue = sum(row[7] == "yes" for row in rows)
        return f"{len(proven)} drills proved something, {len(failed)} did not; {overdue} are overdue.", (
            tables.table("Datasets", ("Dataset", "Repository", "Node", *times, "Overdue", "Problem"), rows),
            tables.table("Drills that proved nothing", (("At", "time"), "Node", "What"), lines),
        )
