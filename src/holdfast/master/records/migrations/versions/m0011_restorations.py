"""Masters that were made from an export."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "restorations",
        sa.Column("epoch", number, nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("export_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("audit_number", number, nullable=False),
        sa.Column("ahead_json", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("epoch"),
    )


def downgrade() -> None:
    op.drop_table("restorations")
