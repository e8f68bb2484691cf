"""Requests for approval by a second person, and which acts need it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approvals_by_time", "approvals", ["asked_at"])
    op.create_index("approvals_by_state", "approvals", ["state"])
    op.create_table(
        "approval_rules",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("approval_rules")
    op.drop_index("approvals_by_state", "approvals")
    op.drop_index("approvals_by_time", "approvals")
    op.drop_table("approvals")
