"""How large repositories were: for how they grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    size = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "repository_sizes",
        sa.Column("repository", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("points", size, nullable=False),
        sa.Column("points_bytes", size, nullable=False),
        sa.Column("unique_bytes", size, nullable=False),
        sa.Column("stored_bytes", size, nullable=False),
        sa.PrimaryKeyConstraint("repository", "at"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("repository_sizes")
