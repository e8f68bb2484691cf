"""Jobs by what they are about, and events by their code: for lists that are filtered, and for how each day went."""

from __future__ import annotations

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
    # Of jobs recorded before this, only the name of their rule is known.
    op.execute("INSERT INTO job_subjects (subject, created_at, job, state) SELECT rule, created_at, id, state FROM jobs")
    op.create_index("jobs_by_state", "jobs", ["state", "created_at"])
    op.create_index("jobs_by_node", "jobs", ["node", "created_at"])
    op.add_column("events", sa.Column("code", sa.Text(), nullable=False, server_default=""))
    op.create_index("events_by_code", "events", ["code", "time"])


def downgrade() -> None:
    op.drop_index("events_by_code", "events")
    op.drop_column("events", "code")
    op.drop_index("jobs_by_node", "jobs")
    op.drop_index("jobs_by_state", "jobs")
    op.drop_table("job_subjects")
