"""Scopes of tokens, links, and what people have asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the three tables."""
    op.create_table(
        "token_scopes",
        sa.Column("token", _ID, nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token"], ["tokens.id"], name=op.f("fk_token_scopes_token"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token", "level", "resource", name=op.f("pk_token_scopes")),
    )
    op.create_table(
        "links",
        sa.Column("id", _ID, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("person", _NAME, nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("grant_ends", sa.Double()),
        sa.Column("uses", sa.Integer()),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_links_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_person"), "links", ["person"])
    op.create_table(
        "wishes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("person", _NAME, nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided", sa.Double()),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("grant_id", _ID),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_wishes_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wishes")),
    )
    op.create_index(op.f("ix_wishes_person"), "wishes", ["person"])
