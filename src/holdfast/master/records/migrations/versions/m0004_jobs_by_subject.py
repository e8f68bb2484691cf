"""Jobs by what they are about, and events by their code: for lists that are filtered, and for how each day went."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_subjects",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "created_at", "job"),
        sqlite_with_rowid=False,
    )
    op.create_index("job_subjects_by_job", "job_subjects", ["job"])
    op.execute("INSERT INTO job_subjects (subject, created_at, job, state) SELECT rule, created_at, id, state FROM jobs")
    _tell_datasets()
    op.create_index("jobs_by_state", "jobs", ["state", "created_at"])
    op.create_index("jobs_by_node", "jobs", ["node", "created_at"])
    op.add_column("events", sa.Column("code", sa.Text(), nullable=False, server_default=""))
    _tell_codes()
    op.create_index("events_by_code", "events", ["code", "time"])


def _tell_datasets() -> None:
    """Jobs recorded before this say their datasets only in the name of their rule: `a/x, b/y`, or `a/x -> dr` for a cascade."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT rule, created_at, id, state FROM jobs WHERE rule LIKE '%, %' OR rule LIKE '% -> %'"))
    found = [
        {"subject": label, "created_at": created_at, "job": job, "state": state}
        for rule, created_at, job, state in rows
        for label in dict.fromkeys(rule.partition(" -> ")[0].split(", "))
    ]
    if found:
        put = "INSERT INTO job_subjects (subject, created_at, job, state) VALUES (:subject, :created_at, :job, :state)"
        connection.execute(sa.text(put), found)


def _tell_codes() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT number, record FROM events"))
    codes = [{"number": number, "code": json.loads(record)["code"]} for number, record in rows]
    if codes:
        connection.execute(sa.text("UPDATE events SET code = :code WHERE number = :number"), codes)


def downgrade() -> None:
    op.drop_index("events_by_code", "events")
    op.drop_column("events", "code")
    op.drop_index("jobs_by_node", "jobs")
    op.drop_index("jobs_by_state", "jobs")
    op.drop_table("job_subjects")
