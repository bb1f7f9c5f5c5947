"""A token says itself whether it is limited; grants that are used up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes column and table; a token with a scope is limited."""
    op.add_column(
        "tokens", sa.Column("limited", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    tokens = sa.table("tokens", sa.column("id"), sa.column("limited"))
    scopes = sa.table("token_scopes", sa.column("token"))
    op.execute(
        tokens.update().where(tokens.c.id.in_(sa.select(scopes.c.token))).values(limited=sa.true())
    )
    op.create_table(
        "grant_uses",
        sa.Column("grant_id", _ID, nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grant_uses")),
    )
