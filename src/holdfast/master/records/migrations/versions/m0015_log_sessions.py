"""In which session of its program a line of the log was written; reports that are sent by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("session", sa.Text(), nullable=False, server_default=""))
    op.create_index("events_by_session", "events", ["session", "number"])
    op.create_table(
        "report_schedules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("progress", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("report_schedules")
    op.drop_index("events_by_session", "events")
    op.drop_column("events", "session")
