"""Which file a grant was given on, moves that are under way, and orphans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the tables; what the grants stand on is noted at the next start."""
    op.create_table(
        "files",
        sa.Column("root", _ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("identity", _ID, nullable=False),
        sa.PrimaryKeyConstraint("root", "path", name=op.f("pk_files")),
    )
    op.create_table(
        "moves",
        sa.Column("id", _ID, nullable=False),
        sa.Column("root", _ID, nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text()),
        sa.Column("identity", _ID, nullable=False),
        sa.Column("begun", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    op.create_table(
        "orphans",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person", _NAME),
        sa.Column("group_name", _NAME),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("starts", sa.Double()),
        sa.Column("ends", sa.Double()),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("root", _ID, nullable=False),
        sa.Column("identity", _ID, nullable=False),
        sa.Column("lost", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_name"], ["groups.name"], name=op.f("fk_orphans_group_name"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_orphans_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphans")),
    )
    op.create_index(op.f("ix_orphans_group_name"), "orphans", ["group_name"])
    op.create_index(op.f("ix_orphans_person"), "orphans", ["person"])
