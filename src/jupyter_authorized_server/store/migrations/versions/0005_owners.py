"""Owners of what is running."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PRINCIPAL = sa.String(136).with_variant(sa.String(136, collation="C"), "postgresql")
_RESOURCE = sa.String(1040).with_variant(sa.String(1040, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "owners",
        sa.Column("resource", _RESOURCE, nullable=False),
        sa.Column("principal", _PRINCIPAL, nullable=False),
        sa.Column("path", sa.Text()),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_owners")),
    )
    op.create_index(op.f("ix_owners_principal"), "owners", ["principal"])
