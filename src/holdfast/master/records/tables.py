"""The tables of the Master's records. Every change here needs a migration; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, String, Text, TypeDecorator, false
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also where the database (SQLite) drops the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # type: ignore[no-any-return]


class Table(DeclarativeBase):
    """Base. Columns named `record` or `..._json` hold the JSON of a msgspec value of `model`."""

    # SQLite counts a key up only where the column is called INTEGER, which holds 64 bits there anyway.
    type_annotation_map = {
        datetime: UtcTime(),
        str: Text(),
        bytes: LargeBinary(),
        int: BigInteger().with_variant(Integer(), "sqlite"),
    }


class EnvironmentRow(Table):
    """One row: who this Master is."""

    __tablename__ = "environment"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]


class RevisionRow(Table):
    __tablename__ = "revisions"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[datetime]
    comment: Mapped[str]


class ActiveFlowRow(Table):
    """`frozen_json` is the flow and all it named when it was activated: a flow means what its names meant then."""

    __tablename__ = "active_flows"

    flow: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    frozen_json: Mapped[bytes]
    activated_at: Mapped[datetime]


class UnsettledActivationRow(Table):
    """At most one row, `id` 1: an activation whose rules are out and of which it is not written down how it ended. `record` is a
    `master.records.documents.Unsettled`."""

    __tablename__ = "unsettled_activation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record: Mapped[bytes]


class PolicyIdRow(Table):
    """The id a policy keeps, whatever it is called later (docs/decisions/0002-derived-ids.md)."""

    __tablename__ = "policy_ids"

    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32))


class UsedRepositoryRow(Table):
    """A repository that was in an active flow once: its owner keeps it open for reading when no flow uses it any more."""

    __tablename__ = "used_repositories"

    name: Mapped[str] = mapped_column(primary_key=True)
    entry_json: Mapped[bytes]


class NodeRow(Table):
    """`generation` is the highest ever seen from or made for the node; `confirmed` the one in force there."""

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    key_id: Mapped[str]
    cert_serial: Mapped[str]
    address: Mapped[str]
    state: Mapped[str]
    joined_at: Mapped[datetime]
    last_seen: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(default=0)
    confirmed: Mapped[int] = mapped_column(default=0)
    version: Mapped[str] = mapped_column(default="")
    clock_offset_ms: Mapped[int | None]
    findings_json: Mapped[bytes] = mapped_column(default=b"[]")


class RevokedKeyRow(Table):
    """A key that once was a node's. It is refused for ever, whatever certificate it shows. `reason`: revoked or replaced."""

    __tablename__ = "revoked_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    revoked_at: Mapped[datetime]
    reason: Mapped[str]


class RulesRow(Table):
    """One set of rules made for a node. `content` is the digest without generation and time: equal means unchanged."""

    __tablename__ = "rules"

    node: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    content: Mapped[str]
    body: Mapped[bytes]
    signature: Mapped[bytes]
    state: Mapped[str]
    problems_json: Mapped[bytes] = mapped_column(default=b"[]")
    created_at: Mapped[datetime]


class JoinTokenRow(Table):
    """`hold`: who joins with it waits until somebody authorises it."""

    __tablename__ = "join_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    replace: Mapped[bool]
    hold: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class UserRow(Table):
    """`directory` empty = a local user, with a password. `subject` is what the directory calls them for ever, `vouched_at` when it last
    said that they are in order; null = it says so no more."""

    __tablename__ = "users"
    __table_args__ = (Index("users_by_subject", "directory", "subject"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    disabled: Mapped[bool] = mapped_column(server_default=false())
    directory: Mapped[str] = mapped_column(default="", server_default="")
    subject: Mapped[str] = mapped_column(default="", server_default="")
    vouched_at: Mapped[datetime | None]


class RoleRow(Table):
    """A role that somebody made; `record` is a `model.access.Role`."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(primary_key=True)
    record: Mapped[bytes]


class ResourceGroupRow(Table):
    """`record` is a `model.access.ResourceGroup`."""

    __tablename__ = "resource_groups"

    name: Mapped[str] = mapped_column(primary_key=True)
    record: Mapped[bytes]


class GrantRow(Table):
    """`role` may be a built-in one, which has no row; so may `resource_group`. `directory`: whose groups brought it."""

    __tablename__ = "grants"

    user: Mapped[str] = mapped_column(ForeignKey("users.name"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    resource_group: Mapped[str] = mapped_column(primary_key=True)
    directory: Mapped[str] = mapped_column(default="", server_default="")


class AccessVersionRow(Table):
    """One row: how often it was changed who may do what."""

    __tablename__ = "access_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]


class ApiTokenRow(Table):
    """`scope_json` is a `model.access.Scope`; null = all that its user may."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"))
    name: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    scope_json: Mapped[bytes | None]


class BrowserSessionRow(Table):
    """`hash` is of the secret in the browser's cookie."""

    __tablename__ = "browser_sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"))
    peer: Mapped[str]
    agent: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditRow(Table):
    """One record of the audit log (`model.audit`), never changed. `record` is its JSON as it was hashed; the other columns are to look
    for it."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_user", "user", "number"), Index("audit_by_activity", "activity", "number"))

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    user: Mapped[str]
    activity: Mapped[str]
    record: Mapped[bytes]
    digest: Mapped[str] = mapped_column(String(64))


class JobRow(Table):
    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_by_time", "created_at"),
        Index("jobs_by_trigger", "trigger"),
        Index("jobs_by_state", "state", "created_at"),
        Index("jobs_by_node", "node", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    node: Mapped[str] = mapped_column(String(32))
    rule: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    trigger: Mapped[str]
    record: Mapped[bytes]


class JobSubjectRow(Table):
    """What a job is about: its rule by name, and each of its datasets by label. `created_at` and `state` are the job's."""

    __tablename__ = "job_subjects"
    __table_args__ = (Index("job_subjects_by_job", "job"), {"sqlite_with_rowid": False})

    subject: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str]


class JobTagRow(Table):
    """A tag that a job inherited."""

    __tablename__ = "job_tags"
    __table_args__ = ({"sqlite_with_rowid": False},)

    tag: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(32), primary_key=True)


class EventRow(Table):
    """`digest` is of node and record: a report that comes twice, after a lost acknowledgement, leaves one line."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_time", "time"),
        Index("events_by_code", "code", "time"),
        Index("events_by_severity", "severity", "number"),
        Index("events_by_node", "node", "number"),
        Index("events_by_session", "session", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    node: Mapped[str] = mapped_column(String(32))
    time: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    code: Mapped[str] = mapped_column(server_default="")
    record: Mapped[bytes]
    severity: Mapped[str] = mapped_column(server_default="")
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(server_default="")
    comment: Mapped[str] = mapped_column(server_default="")
    session: Mapped[str] = mapped_column(server_default="")


class ReportScheduleRow(Table):
    """`record` is a `model.report_schedules.ReportSchedule`, `progress` says how far it has got."""

    __tablename__ = "report_schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    record: Mapped[bytes]
    progress: Mapped[bytes]


class RepositorySizeRow(Table):
    """What a repository held at a time, as its owner told it."""

    __tablename__ = "repository_sizes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    repository: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    points: Mapped[int]
    points_bytes: Mapped[int]
    unique_bytes: Mapped[int]
    stored_bytes: Mapped[int]


class TriggerRow(Table):
    """`record` is a `master.jobs.triggers.TriggerRecord`."""

    __tablename__ = "triggers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    flow: Mapped[str]
    created_at: Mapped[datetime]
    done: Mapped[bool]
    record: Mapped[bytes]


class ApprovalRow(Table):
    """A call that waits, or waited, for a second person. `record` is a `model.approvals.Approval`, `body` what the call said."""

    __tablename__ = "approvals"
    __table_args__ = (Index("approvals_by_time", "asked_at"), Index("approvals_by_state", "state"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str]
    asked_at: Mapped[datetime]
    record: Mapped[bytes]
    body: Mapped[bytes]


class ApprovalRulesRow(Table):
    """One row, `id` 1: which acts need a second person."""

    __tablename__ = "approval_rules"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record: Mapped[bytes]
