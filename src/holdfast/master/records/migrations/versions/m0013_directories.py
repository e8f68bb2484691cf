"""Users whom a directory outside vouches for, and the grants that its groups brought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("directory", "subject"):
        op.add_column("users", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.add_column("users", sa.Column("vouched_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("grants", sa.Column("directory", sa.Text(), nullable=False, server_default=""))
    op.create_index("users_by_subject", "users", ["directory", "subject"])


def downgrade() -> None:
    op.drop_index("users_by_subject", "users")
    op.drop_column("grants", "directory")
    for column in ("vouched_at", "subject", "directory"):
        op.drop_column("users", column)
