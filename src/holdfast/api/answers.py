"""What routes answer where no service of the Master has a value of just that form.

Every struct here, and every value that a route names with `contract.answers`, is a component of the OpenAPI document under its class name:
to rename one is to break clients that are generated from it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from holdfast.compiler.diff import DocumentChange
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import NodeId
from holdfast.master.answers.found import Unreachable
from holdfast.master.documents.environment import EnvironmentView
from holdfast.master.hub.roll_call import NodeView
from holdfast.master.judging.following_rows import FollowingRow
from holdfast.master.live.deltas import NamedJob
from holdfast.master.membership.join_tokens import OpenToken
from holdfast.master.reports.posting import ReportScheduleView
from holdfast.master.rules.activation import FlowView
from holdfast.master.showing.log_desk import LogLine
from holdfast.master.showing.status import StatusTotals
from holdfast.model.anomalies import Anomaly
from holdfast.model.approvals import Approval, ApprovalAct
from holdfast.model.audit import AuditRecord, ChainFinding, StoredRecord
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Document
from holdfast.model.drills import DrillStatus
from holdfast.model.jobs import Finding, Progress
from holdfast.model.keep_preview import KeptPoint
from holdfast.model.node_status import Protection
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.sampling import SampleRow


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class ErrorAnswer(_Answer, frozen=True, kw_only=True):
    error: ErrorFacts


class ApprovalList(_Answer, frozen=True, kw_only=True):
    """Newest first."""

    approvals: tuple[Approval, ...]


class ApprovalActView(_Answer, frozen=True, kw_only=True):
    act: ApprovalAct
    meaning: str
    required: bool


class ApprovalRulesView(_Answer, frozen=True, kw_only=True):
    """`changed_at` null: nobody ever changed them, and nothing needs approval."""

    acts: tuple[ApprovalActView, ...]
    changed_by: str
    changed_at: datetime | None


class AuditPage(_Answer, frozen=True, kw_only=True):
    records: tuple[AuditRecord, ...]
    more: bool


class AuditLines(_Answer, frozen=True, kw_only=True):
    lines: tuple[StoredRecord, ...]
    next: int | None


class AuditVerification(_Answer, frozen=True, kw_only=True):
    """`witnesses`: how many digests each connected node keeps."""

    records: int
    findings: tuple[ChainFinding, ...]
    witnesses: dict[str, int]


class Health(_Answer, frozen=True, kw_only=True):
    ok: bool
    version: str
    environment: str


class AuthorityView(_Answer, frozen=True, kw_only=True):
    """`hub_address`: where nodes dial that reached the API by this host."""

    ca_pem: str
    fingerprint: str
    hub_address: str


class MasterExported(_Answer, frozen=True, kw_only=True):
    """`trigger`: the run of the flow that takes it to a repository; null where there is none."""

    made_at: datetime
    proven_at: datetime
    rows: int
    size_bytes: int
    trigger: str | None


class LoggedIn(_Answer, frozen=True, kw_only=True):
    token: str
    expires_at: datetime | None


class Deleted(_Answer, frozen=True, kw_only=True):
    deleted: str


class CallerView(_Answer, frozen=True, kw_only=True):
    """Who this call is made as. `idle_s`: a session that is not used for so long ends; null for a token."""

    user: str
    kind: Literal["token", "session", "approval"]
    id: str
    expires_at: datetime | None
    idle_s: float | None


class SignInLink(_Answer, frozen=True, kw_only=True):
    """`url` signs a browser in once, before `expires_at`; `code` is what it bears."""

    code: str
    url: str
    expires_at: datetime


class SessionView(_Answer, frozen=True, kw_only=True):
    """`current`: the one this call is made with. `used_at` is true to a minute."""

    id: str
    user: str
    peer: str
    agent: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool


class SessionList(_Answer, frozen=True, kw_only=True):
    sessions: tuple[SessionView, ...]


class EnvironmentText(EnvironmentView, frozen=True, kw_only=True):
    """One revision, its text byte for byte as it was applied."""

    text: str


class RevisionList(_Answer, frozen=True, kw_only=True):
    """Newest first."""

    revisions: tuple[EnvironmentView, ...]
    more: bool


class DocumentView(_Answer, frozen=True, kw_only=True):
    """`values` are the keys and values as written, `document` what they mean, defaults filled in. `places`: line and column."""

    revision: int
    values: dict[str, Any]
    document: Document | None
    places: dict[str, tuple[int, int]]
    diagnostics: tuple[Diagnostic, ...]


class EditedDocument(_Answer, frozen=True, kw_only=True):
    """`revision` is the new one; with `dry_run`, or when nothing changed, the one that was edited. `newest_revision` tells whether
    somebody else was faster. `valid`: the text can be applied; what is no document has no `values`. The rest as in `DocumentView`."""

    revision: int
    newest_revision: int
    text: str
    values: dict[str, Any]
    document: Document | None
    places: dict[str, tuple[int, int]]
    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    changes: tuple[DocumentChange, ...]


class FlowList(_Answer, frozen=True, kw_only=True):
    flows: tuple[FlowView, ...]


class TriggerStarted(_Answer, frozen=True, kw_only=True):
    trigger: str


class JobView(NamedJob, frozen=True, kw_only=True):
    """`progress` is its newest figure; null when its node told none, or it has ended."""

    progress: Progress | None


class JobList(_Answer, frozen=True, kw_only=True):
    """Newest first. `more`: ask again with the last one's id as `before`."""

    jobs: tuple[NamedJob, ...]
    more: bool


class LogLines(_Answer, frozen=True, kw_only=True):
    """Newest first. `next`: give it as `before` for those that follow; null = there are no more."""

    events: tuple[LogLine, ...]
    next: int | None


class Acknowledged(_Answer, frozen=True, kw_only=True):
    """How many lines were acknowledged by this call."""

    acknowledged: int


class ReportScheduleList(_Answer, frozen=True, kw_only=True):
    """By name."""

    schedules: tuple[ReportScheduleView, ...]


class ChannelTested(_Answer, frozen=True, kw_only=True):
    """Its service took the message."""

    channel: str
    sent: Literal[True] = True


class NodeList(_Answer, frozen=True, kw_only=True):
    """By name. `next`: give it as `after` for those that follow; null = there are no more."""

    nodes: tuple[NodeView, ...]
    next: str | None


class RevokedNode(_Answer, frozen=True, kw_only=True):
    id: NodeId
    name: str
    state: Literal["revoked"] = "revoked"


class AuthorisedNode(_Answer, frozen=True, kw_only=True):
    """It is in; whether it is online, `GET /nodes` tells."""

    id: NodeId
    name: str
    state: Literal["authorised"] = "authorised"


class JoinTokenList(_Answer, frozen=True, kw_only=True):
    """Those that are open, oldest first."""

    tokens: tuple[OpenToken, ...]


class SampleView(_Answer, frozen=True, kw_only=True):
    """`valid` false: the classification cannot be read, see `diagnostics`; nothing was looked at. The rest as `model.questions.Sample`."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    chosen: tuple[SampleRow, ...] = ()
    left_out: tuple[SampleRow, ...] = ()
    chosen_total: int = 0
    chosen_bytes: int = 0
    left_out_total: int = 0
    complete: bool = False
    findings: tuple[Finding, ...] = ()


class KeepPreviewView(_Answer, frozen=True, kw_only=True):
    """`valid` false: keep rules or schedule cannot be read, see `diagnostics`; nothing was reckoned, and nothing is in the rest.

    `kept` is newest first, the newest 2,000 of `kept_total`. `from` to `to` is what was looked at; `truncated`: `from` is later than
    was asked, because the schedule takes more than 50,000 points in that time.
    """

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    taken_total: int = 0
    kept: tuple[KeptPoint, ...] = ()
    kept_total: int = 0
    from_: datetime = msgspec.field(name="from")
    to: datetime
    truncated: bool = False


class RepositoryRow(RepositoryStatus, frozen=True, kw_only=True):
    node: str


class RepositoryList(_Answer, frozen=True, kw_only=True):
    repositories: tuple[RepositoryRow, ...]
    unreachable: tuple[Unreachable, ...]


class AnomalyRow(Anomaly, frozen=True, kw_only=True):
    """As its owner tells it."""


class AnomalyList(_Answer, frozen=True, kw_only=True):
    anomalies: tuple[AnomalyRow, ...]
    unreachable: tuple[Unreachable, ...]


class DrillRow(DrillStatus, frozen=True, kw_only=True):
    node: str
    repository: str


class DrillList(_Answer, frozen=True, kw_only=True):
    drills: tuple[DrillRow, ...]
    unreachable: tuple[Unreachable, ...]


class FindingRow(Finding, frozen=True, kw_only=True):
    node: str


class StatusView(_Answer, frozen=True, kw_only=True):
    """`verdict` is one sentence. `datasets` counts those of the rules in force, each of which is one of `protected`, `failed`, `overdue`,
    `unknown` (its node does not answer) and `fresh` (it has not run yet). `following`: those that are followed as they change.
    `unacknowledged`: errors in the log of the last 30 days that nobody has acknowledged. With `limit` each list has at most so many rows,
    the worst first; `totals` counts all of them."""

    ok: bool
    verdict: str
    datasets: int
    protected: int
    protections: tuple[Protection, ...]
    nodes: tuple[NodeView, ...]
    repositories: tuple[RepositoryRow, ...]
    unreachable: tuple[Unreachable, ...]
    findings: tuple[FindingRow, ...]
    overdue: int
    failed: int
    unknown: int
    fresh: int
    following: tuple[FollowingRow, ...]
    unacknowledged: int
    totals: StatusTotals
