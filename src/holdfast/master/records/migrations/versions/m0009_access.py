"""Users that can be disabled, roles, resource groups, grants, scopes of tokens. Whoever is a user already may do everything, as before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("api_tokens", sa.Column("scope_json", sa.LargeBinary(), nullable=True))
    for table in ("roles", "resource_groups"):
        op.create_table(
            table,
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("record", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("name"),
        )
    op.create_table(
        "grants",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("resource_group", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"]),
        sa.PrimaryKeyConstraint("user", "role", "resource_group"),
    )
    op.create_table(
        "access_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO access_version (id, number) VALUES (1, 1)")
    op.execute("INSERT INTO grants (\"user\", role, resource_group) SELECT name, 'admin', 'everything' FROM users")


def downgrade() -> None:
    """The older form knows nobody who may less than everything: who does now, can log in no more, and has no token."""
    full = "SELECT \"user\" FROM grants WHERE role = 'admin' AND resource_group = 'everything'"
    op.execute("DELETE FROM browser_sessions")
    op.execute("DELETE FROM api_tokens WHERE scope_json IS NOT NULL")
    op.execute(f'DELETE FROM api_tokens WHERE "user" NOT IN ({full}) OR "user" IN (SELECT name FROM users WHERE disabled)')
    op.execute(f"UPDATE users SET password_hash = 'none' WHERE disabled OR name NOT IN ({full})")
    op.drop_table("access_version")
    op.drop_table("grants")
    op.drop_table("resource_groups")
    op.drop_table("roles")
    op.drop_column("api_tokens", "scope_json")
    op.drop_column("users", "disabled")
