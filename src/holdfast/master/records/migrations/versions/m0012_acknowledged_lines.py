"""Lines of the log by severity, and who has acknowledged them."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("severity", sa.Text(), nullable=False, server_default=""))
    op.add_column("events", sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("events", sa.Column("acknowledged_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("events", sa.Column("comment", sa.Text(), nullable=False, server_default=""))
    _tell_severities()
    op.create_index("events_by_severity", "events", ["severity", "number"])
    op.create_index("events_by_node", "events", ["node", "number"])


def _tell_severities() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT number, record FROM events"))
    found = [{"number": number, "severity": json.loads(record)["severity"]} for number, record in rows]
    if found:
        connection.execute(sa.text("UPDATE events SET severity = :severity WHERE number = :number"), found)


def downgrade() -> None:
    op.drop_index("events_by_node", "events")
    op.drop_index("events_by_severity", "events")
    for column in ("comment", "acknowledged_by", "acknowledged_at", "severity"):
        op.drop_column("events", column)
