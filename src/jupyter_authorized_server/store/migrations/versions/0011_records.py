"""The records of each chain, beside where it begins and ends."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
_SAY = "an audit record is never changed"


def upgrade() -> None:
    """Makes the table. Of chains that there are, the store has what follows from now on."""
    before = op.get_bind().execute(sa.text("SELECT * FROM journals")).mappings().all()
    op.drop_table("journals")
    journals = op.create_table(
        "journals",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start_number", sa.Integer(), nullable=False),
        sa.Column("start_hash", sa.Text(), nullable=False),
        sa.Column("since_number", sa.Integer(), nullable=False),
        sa.Column("since_hash", sa.Text(), nullable=False),
        sa.Column("head_number", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journals")),
        sa.UniqueConstraint("name", name=op.f("uq_journals_name")),
    )
    op.bulk_insert(
        journals,
        [
            {
                **row,
                "id": secrets.token_hex(8),
                # Where the head is not known, nothing of the chain is.
                "since_number": row["head_number"],
                "since_hash": row["head_hash"],
            }
            for row in before
        ],
    )
    op.create_table(
        "records",
        sa.Column("journal", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal"], ["journals.id"], name=op.f("fk_records_journal_journals")
        ),
        sa.PrimaryKeyConstraint("journal", "number", name=op.f("pk_records")),
    )
    when = "records_unchanged BEFORE UPDATE ON records FOR EACH ROW"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {when} BEGIN SELECT RAISE(ABORT, '{_SAY}'); END")
        return
    op.execute(
        "CREATE FUNCTION records_unchanged() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_SAY}'; END $$"
    )
    op.execute(f"CREATE TRIGGER {when} EXECUTE FUNCTION records_unchanged()")
