"""The running Master's backup of itself: it writes exports as its records change, and says how it stands with them.

Where they go from there is an ordinary flow (`FLOW`) of the node on the Master's machine, like any other data. What changes what nodes do
(document, flows, nodes) is exported within seconds; history at most every `EVERY_S`, and never so often that exporting takes more than a
twentieth of the time.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from holdfast.core.errors import ErrorFacts, HoldfastError
from holdfast.core.ids import NodeId
from holdfast.core.units import format_utc
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.people.audit import AuditLog
from holdfast.master.periodic import repeat
from holdfast.master.records import inventory
from holdfast.master.records.restorations import Restoration
from holdfast.master.records.tables import ActiveFlowRow, RevisionRow
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.master.safety.exporting import FOLDER, ExportDone, write_export
from holdfast.master.safety.sealing import load_export_key
from holdfast.model.jobs import Finding, Severity
from holdfast.model.node_status import NodeStatus
from holdfast.model.rules import DatasetRule

FLOW = "holdfast-master"
FIRST_S, LOOK_EVERY_S = 5.0, 5.0
EVERY_S = 600.0
COST_SHARE = 20.0
OLD = timedelta(days=1)
"""A newest point older than that is told, whatever its flow promises."""
logger = logging.getLogger(__name__)


class KitMade(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was made; it opens the exports written since."""

    id: str
    made_at: datetime


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """`proven_at`: when every byte of it was read back and checked."""

    made_at: datetime
    proven_at: datetime
    rows: int
    size_bytes: int


class KeptView(msgspec.Struct, frozen=True, kw_only=True):
    """Where exports go: by which dataset to which repository on whose machine. `last_at`: when the newest point was captured; null = none
    was yet, or the node does not answer. `elsewhere`: the repository is on another machine than the Master's node."""

    dataset: str
    node: str
    repository: str
    repository_node: str
    elsewhere: bool
    last_at: datetime | None


class MasterBackupView(msgspec.Struct, frozen=True, kw_only=True):
    """`export` null: none was written since this Master started. `error`: why the last was not. `restoration`: what this Master was made
    from, if it was. `superseded`: the nodes follow another Master."""

    folder: str
    export: ExportView | None
    error: ErrorFacts | None
    kits: tuple[KitMade, ...]
    kept: tuple[KeptView, ...]
    restoration: Restoration | None
    superseded: bool
    findings: tuple[Finding, ...]


class MasterBackup:
    """`run` for as long as the Master lives."""

    def __init__(self, base: Foundation, hub: Hub, looks: Looks, audit: AuditLog) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
        self._audit = audit
        self._one = asyncio.Lock()
        self._last: ExportDone | None = None
        self._error: ErrorFacts | None = None
        self._exported: tuple[object, ...] = ()
        self._seen: tuple[object, ...] = ()
        self._ended_s = self._cost_s = 0.0
        self._captures: tuple[Deployment, tuple[tuple[NodeId, DatasetRule], ...]] | None = None

    @property
    def folder(self) -> str:
        return str(self._base.config.home / FOLDER)

    async def run(self) -> None:
        """Export until cancelled."""
        await repeat(self._export_due, LOOK_EVERY_S, logger, "the Master's records were not exported", first_s=FIRST_S)

    async def _export_due(self) -> None:
        if await self._is_due():
            await self.export()

    async def export(self) -> ExportDone:
        """Write one now. Raises as `write_export`; the one before is still there then."""
        base = self._base
        async with self._one:
            seen, vital = self._marks(), await base.database.run(_vital)
            began_s = base.clock.monotonic_s()
            try:
                self._last = await asyncio.to_thread(write_export, base.config, clock=base.clock, entropy=base.entropy)
            except HoldfastError as error:
                self._error = error.facts()
                raise
            finally:
                self._ended_s = base.clock.monotonic_s()
                self._cost_s = self._ended_s - began_s
            self._seen, self._exported, self._error = seen, vital, None
            return self._last

    async def view(self) -> MasterBackupView:
        kept, kits = await self._kept(await self._base.database.run(deployment)), await self._kits()
        export = None if self._last is None else _view(self._last)
        return MasterBackupView(
            folder=self.folder,
            export=export,
            error=self._error,
            kits=kits,
            kept=kept,
            restoration=self._base.restoration,
            superseded=bool(self._hub.superseded),
            findings=self._findings(kits, kept),
        )

    async def standing(self) -> tuple[Finding, ...]:
        """What the status of everything says of it: nothing before a flow is in force, when there is little to lose."""
        rolled_out = await self._base.database.run(deployment)
        if not rolled_out.rules:
            return ()
        kept = await self._kept(rolled_out)
        # Kits stand in a file, and nothing is said of them before there is a backup.
        return self._findings(await self._kits() if kept else (), kept)

    async def _kits(self) -> tuple[KitMade, ...]:
        key = await asyncio.to_thread(load_export_key, self._base.config.home, self._base.entropy)
        return tuple(KitMade(id=kit.id, made_at=datetime.fromisoformat(kit.made_at)) for kit in key.kits)

    def _findings(self, kits: tuple[KitMade, ...], kept: tuple[KeptView, ...]) -> tuple[Finding, ...]:
        return findings(self._error, kits, kept, self._base.now(), superseded=bool(self._hub.superseded))

    async def _is_due(self) -> bool:
        seen = self._marks()
        if self._last is not None and seen == self._seen:
            return False
        waited_s = self._base.clock.monotonic_s() - self._ended_s
        if waited_s < COST_SHARE * self._cost_s:
            return False
        if self._last is None or waited_s >= EVERY_S:
            return True
        return self._exported != await self._base.database.run(_vital)

    def _marks(self) -> tuple[object, ...]:
        """Differ when anything may have changed."""
        return self._base.news.count, self._audit.head

    def _captures_of(self, rolled_out: Deployment) -> tuple[tuple[NodeId, DatasetRule], ...]:
        """Those that hold the exports. Found once for what is rolled out: it is asked for with each status, and there may be thousands."""
        if self._captures is None or self._captures[0] is not rolled_out:
            folder = self.folder
            found = ((node, dataset) for node, rules in rolled_out.rules.items() for dataset in rules.datasets)
            self._captures = (rolled_out, tuple(each for each in found if folder in each[1].classification.paths))
        return self._captures[1]

    async def _kept(self, rolled_out: Deployment) -> tuple[KeptView, ...]:
        captures = self._captures_of(rolled_out)
        told = await self._looks.glance({node: None for node, _ in captures})
        return tuple(
            _kept_in(rolled_out, node, dataset, repository, told.get(node))
            for node, dataset in captures
            for repository in _repositories(rolled_out, dataset)
        )


def findings(
    error: ErrorFacts | None, kits: tuple[KitMade, ...], kept: tuple[KeptView, ...], now: datetime, *, superseded: bool
) -> tuple[Finding, ...]:
    """What is to be said of it until somebody does something about it."""
    found = []
    if superseded:
        message = "another Master, restored from a backup, has taken this one's place, and the nodes follow it"
        found.append(Finding(code="master-superseded", severity=Severity.ERROR, message=message, hint="stop this Master"))
    if error is not None:
        message = f"the Master's records were not exported: {error.message}"
        found.append(Finding(code="master-export-failed", severity=Severity.ERROR, message=message, hint=error.hint))
    if not kept:
        message = "the Master's own records are in no flow: if its machine is lost, document, users and history are gone"
        hint = "`holdfast master backup setup` draws one"
        found.append(Finding(code="master-backup-missing", severity=Severity.WARNING, message=message, hint=hint))
    elif not any(view.elsewhere for view in kept):
        message = f"the Master's records are kept on its own machine alone, in {kept[0].repository} on {kept[0].repository_node}"
        hint = "add a mover to a repository on another machine"
        found.append(Finding(code="master-backup-here", severity=Severity.WARNING, message=message, hint=hint))
    newest = max((view.last_at for view in kept if view.last_at is not None), default=None)
    if newest is not None and now - newest > OLD:
        message = f"the newest point of the Master's records is of {format_utc(newest)}"
        hint = "`holdfast master backup now` makes one, and says what is in the way"
        found.append(Finding(code="master-backup-old", severity=Severity.WARNING, message=message, hint=hint))
    if kept and not kits:
        message = "there is no kit that opens the Master's export: if its machine is lost, nobody can"
        hint = "`holdfast master backup kit` on the Master's machine makes one"
        found.append(Finding(code="master-kit-missing", severity=Severity.WARNING, message=message, hint=hint))
    return tuple(found)


def _view(done: ExportDone) -> ExportView:
    return ExportView(made_at=done.made_at, proven_at=done.proven_at, rows=done.rows, size_bytes=done.size_bytes)


def _vital(session: Session) -> tuple[object, ...]:
    """Changes with what nodes do, and who they are."""
    revision = session.scalar(select(func.max(RevisionRow.number)))
    flows = tuple(
        tuple(row) for row in session.execute(select(ActiveFlowRow.flow, ActiveFlowRow.activated_at).order_by(ActiveFlowRow.flow))
    )
    return revision, flows, tuple(inventory.node_states(session).items())


def _repositories(rolled_out: Deployment, dataset: DatasetRule) -> list[str]:
    """Names of those that a dataset goes to from its source."""
    return [
        repository.name
        for rules in rolled_out.rules.values()
        for receive in rules.receives
        if receive.dataset == dataset.id
        for repository in rules.repositories
        if repository.id in {getattr(action, "repository", "") for action in receive.actions}
    ]


def _kept_in(rolled_out: Deployment, node: str, dataset: DatasetRule, repository: str, told: object) -> KeptView:
    owner, _ = rolled_out.repository(repository)
    times = [
        protection.last_at
        for protection in (told.protections if isinstance(told, NodeStatus) else ())
        if protection.dataset_id == dataset.id and protection.last_at is not None and protection.receiver == owner.name
    ]
    return KeptView(
        dataset=dataset.label,
        node=dataset.label.partition("/")[0],
        repository=repository,
        repository_node=owner.name,
        elsewhere=owner.id != node,
        last_at=max(times, default=None),
    )
