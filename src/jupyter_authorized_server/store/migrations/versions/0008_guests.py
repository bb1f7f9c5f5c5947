"""Links for guests, and the browsers that have opened one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes column and table; no link was for guests before."""
    op.add_column(
        "links", sa.Column("guests", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "guests",
        sa.Column("id", _ID, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("link", _ID, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["links.id"], name=op.f("fk_guests_link"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guests")),
    )
    op.create_index(op.f("ix_guests_link"), "guests", ["link"])
