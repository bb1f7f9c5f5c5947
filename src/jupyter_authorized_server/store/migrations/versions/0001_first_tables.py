"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Makes every table, and the row that counts the changes."""
    op.create_table(
        "groups",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "people",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people")),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("grants", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_revision_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "setup_link",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_setup_link_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_link")),
    )
    op.create_table(
        "grants",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("person", _NAME),
        sa.Column("group_name", _NAME),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("starts", sa.Double()),
        sa.Column("ends", sa.Double()),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "person IS NULL OR group_name IS NULL", name=op.f("ck_grants_one_principal")
        ),
        sa.ForeignKeyConstraint(
            ["group_name"], ["groups.name"], name=op.f("fk_grants_group_name"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_grants_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_grants")),
        sa.UniqueConstraint("id", name=op.f("uq_grants_id")),
    )
    op.create_index(op.f("ix_grants_group_name"), "grants", ["group_name"])
    op.create_index(op.f("ix_grants_person"), "grants", ["person"])
    op.create_table(
        "group_groups",
        sa.Column("group_name", _NAME, nullable=False),
        sa.Column("member", _NAME, nullable=False),
        sa.CheckConstraint("group_name <> member", name=op.f("ck_group_groups_not_itself")),
        sa.ForeignKeyConstraint(
            ["group_name"],
            ["groups.name"],
            name=op.f("fk_group_groups_group_name"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member"], ["groups.name"], name=op.f("fk_group_groups_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_name", "member", name=op.f("pk_group_groups")),
    )
    op.create_index(op.f("ix_group_groups_member"), "group_groups", ["member"])
    op.create_table(
        "group_people",
        sa.Column("group_name", _NAME, nullable=False),
        sa.Column("person", _NAME, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_name"],
            ["groups.name"],
            name=op.f("fk_group_people_group_name"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_group_people_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_name", "person", name=op.f("pk_group_people")),
    )
    op.create_index(op.f("ix_group_people_person"), "group_people", ["person"])
    op.create_table(
        "login_sessions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("person", _NAME, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("last_seen", sa.Double(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_login_sessions_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
    )
    op.create_index(op.f("ix_login_sessions_person"), "login_sessions", ["person"])
    op.create_table(
        "tokens",
        sa.Column("id", _ID, nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("person", _NAME, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double()),
        sa.Column("last_used", sa.Double()),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name=op.f("fk_tokens_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("person", "name", name=op.f("uq_tokens_person")),
    )
    row = sa.table("revision", *map(sa.column, ("id", "number", "people", "grants")))
    op.execute(row.insert().values(id=1, number=0, people=0, grants=0))
