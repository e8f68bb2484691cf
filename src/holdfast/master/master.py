"""The Master as a value: its services, built on one foundation. Building starts nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from holdfast.master.answers.archives import ArchiveDesk
from holdfast.master.answers.queries import Queries
from holdfast.master.directories.directories import Directories
from holdfast.master.documents.edits import EnvironmentEdits
from holdfast.master.documents.environment import Environments
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.hub.past_runs import PastRuns
from holdfast.master.hub.witnesses import Witnesses
from holdfast.master.jobs.downloads import Downloads
from holdfast.master.jobs.history import History
from holdfast.master.jobs.restores import Restores
from holdfast.master.jobs.trials import Trials
from holdfast.master.jobs.triggers import Triggers
from holdfast.master.judging.node_parts import NodeParts
from holdfast.master.live.newsroom import Newsroom, end_task
from holdfast.master.membership.enrolment import Enrolment
from holdfast.master.membership.join_tokens import JoinTokens
from holdfast.master.membership.moving import Moving
from holdfast.master.membership.renaming import Renaming
from holdfast.master.membership.upgrading import Upgrading
from holdfast.master.monitor.monitor import Monitor
from holdfast.master.notifying.notifications import Notifications
from holdfast.master.people.access import Access
from holdfast.master.people.approvals import ApprovalDesk
from holdfast.master.people.audit import AuditLog
from holdfast.master.people.browser_sessions import BrowserSessions
from holdfast.master.people.login_requests import LoginRequests
from holdfast.master.people.permissions import Permissions
from holdfast.master.people.sign_in_links import SignInLinks
from holdfast.master.reports.posting import ReportPost
from holdfast.master.reports.reports import Reports
from holdfast.master.rules.activation import Activation
from holdfast.master.rules.in_force import RulesBook
from holdfast.master.rules.landscape import Landscapes
from holdfast.master.rules.protecting import Protecting
from holdfast.master.safety.backup import MasterBackup
from holdfast.master.safety.drawing import BackupDrawing
from holdfast.master.showing.anomalies import AnomalyDesk
from holdfast.master.showing.days import Days
from holdfast.master.showing.foreseeing import Foreseeing
from holdfast.master.showing.growth import Growth
from holdfast.master.showing.log_desk import LogDesk
from holdfast.master.showing.metrics import Metrics
from holdfast.master.showing.status import StatusBoard
from holdfast.master.showing.tailing import Tailing


@dataclass(frozen=True)
class Master:
    base: Foundation
    audit: AuditLog
    approvals: ApprovalDesk
    witnesses: Witnesses
    hub: Hub
    hub_port: int
    permissions: Permissions
    landscapes: Landscapes
    access: Access
    links: SignInLinks
    sessions: BrowserSessions
    directories: Directories
    login_requests: LoginRequests
    environment: Environments
    edits: EnvironmentEdits
    activation: Activation
    protecting: Protecting
    enrolment: Enrolment
    renaming: Renaming
    moving: Moving
    upgrading: Upgrading
    join_tokens: JoinTokens
    triggers: Triggers
    trials: Trials
    tailing: Tailing
    queries: Queries
    restores: Restores
    downloads: Downloads
    rules: RulesBook
    backup: MasterBackup
    drawing: BackupDrawing
    looks: Looks
    board: StatusBoard
    foreseeing: Foreseeing
    anomalies: AnomalyDesk
    archives: ArchiveDesk
    monitor: Monitor
    days: Days
    growth: Growth
    history: History
    newsroom: Newsroom
    notifications: Notifications
    metrics: Metrics
    reports: Reports
    post: ReportPost
    log: LogDesk
    names: tuple[str, ...] = ()
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def hub_address(self, host: str) -> str:
        """Where a node finds the hub that reached the API at `host`."""
        return f"[{host}]:{self.hub_port}" if ":" in host else f"{host}:{self.hub_port}"

    def api_url(self, host: str, port: int) -> str:
        """Where a machine that is to join finds the API, which somebody reached at `host`. Who sits at the Master itself said
        `localhost`; other machines need one of its names."""
        outside = (name for name in self.names if not is_loopback(name))
        found = next(outside, host) if is_loopback(host) else host
        return f"https://[{found}]:{port}" if ":" in found else f"https://{found}:{port}"

    async def start(self) -> None:
        """Take up what the records hold. To be called once, before the first session."""
        await self.audit.load()
        await self.approvals.resume()
        await self.hub.load()
        await self.activation.settle()
        await self.triggers.resume()
        self.tasks.append(asyncio.create_task(self.newsroom.run()))
        self.tasks.append(asyncio.create_task(self.growth.run()))
        self.tasks.append(asyncio.create_task(self.trials.run()))
        self.tasks.append(asyncio.create_task(self.notifications.run()))
        self.tasks.append(asyncio.create_task(self.post.run()))
        self.tasks.append(asyncio.create_task(self.backup.run()))
        self.tasks.append(asyncio.create_task(self.directories.run()))

    async def say_farewell(self) -> None:
        """Stop watching triggers, end live streams and the nodes' sessions. The records stay open for requests that are still running."""
        self.base.feed.close()
        while self.tasks:
            await end_task(self.tasks.pop())
        await self.triggers.close()
        await self.looks.close()
        self.directories.close()
        await self.hub.close()


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def build_master(base: Foundation, hub_port: int, names: tuple[str, ...] = ()) -> Master:
    """`names`: of this machine, where others may reach it; empty when it listens for itself alone."""
    hub = Hub(base, audit := AuditLog(base))
    access = Access(base, permissions := Permissions(base))
    links = SignInLinks(base, access)
    sessions = BrowserSessions(base, permissions, access, links)
    restores = Restores(base, hub, queries := Queries(base, hub), triggers := Triggers(base, hub))
    environment, activation = Environments(base), Activation(base, hub)
    board = StatusBoard(base, hub, looks := Looks(hub, PastRuns(base.database, hub), base.clock), parts := NodeParts())
    backup = MasterBackup(base, hub, looks, audit)
    board.of_master = backup.standing
    return Master(
        base=base,
        audit=audit,
        approvals=ApprovalDesk(base),
        witnesses=Witnesses(base, hub),
        hub=hub,
        hub_port=hub_port,
        permissions=permissions,
        landscapes=(landscapes := Landscapes(base)),
        access=access,
        links=links,
        sessions=sessions,
        directories=Directories(base, permissions, access, sessions),
        login_requests=LoginRequests(base, access),
        environment=environment,
        edits=EnvironmentEdits(environment),
        activation=activation,
        protecting=Protecting(base, environment, activation, looks),
        enrolment=Enrolment(base, hub),
        renaming=Renaming(base, hub, activation, landscapes),
        moving=Moving(base, JoinTokens(base)),
        upgrading=Upgrading(base, hub),
        join_tokens=JoinTokens(base),
        triggers=triggers,
        tailing=Tailing(base, hub),
        queries=queries,
        restores=restores,
        downloads=Downloads(base, hub, restores, names),
        rules=RulesBook(base, hub),
        backup=backup,
        drawing=BackupDrawing(base, hub, environment, activation),
        looks=looks,
        board=board,
        foreseeing=Foreseeing(base, board),
        anomalies=AnomalyDesk(base, hub, board),
        archives=ArchiveDesk(base, hub),
        monitor=Monitor(base, hub, looks, parts),
        days=Days(base, looks),
        growth=Growth(base, hub, looks),
        history=(history := History(base, hub, triggers)),
        trials=Trials(base, looks, restores, queries, triggers, history),
        newsroom=Newsroom(base, hub, activation),
        notifications=(notifications := Notifications(base, hub, looks)),
        metrics=Metrics(base, hub, looks),
        reports=(reports := Reports(base, hub, looks)),
        post=ReportPost(base, reports, notifications),
        log=LogDesk(base),
        names=names,
    )
