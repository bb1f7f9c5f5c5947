"""Which grants changed at which revision, noted by the database itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NOTE = (
    "INSERT {ignore} INTO grant_changes (revision, serial) "
    "VALUES (COALESCE((SELECT number FROM revision), -1) + 1, {row}.serial){conflict}"
)
_ROWS = {"insert": ("NEW",), "update": ("OLD", "NEW"), "delete": ("OLD",)}


def upgrade() -> None:
    """Makes the table, and what writes it, whoever changes or deletes a grant."""
    op.create_table(
        "grant_changes",
        sa.Column("revision", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("serial", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("revision", "serial", name=op.f("pk_grant_changes")),
    )
    op.add_column("revision", sa.Column("noted", sa.Integer(), nullable=False, server_default="0"))
    table = sa.table("revision", sa.column("number"), sa.column("noted"))
    op.execute(table.update().values(noted=table.c.number))
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for what, rows in _ROWS.items():
        name = f"grants_noted_on_{what}"
        notes = "; ".join(
            _NOTE.format(
                ignore="OR IGNORE" if on_sqlite else "",
                conflict="" if on_sqlite else " ON CONFLICT DO NOTHING",
                row=row,
            )
            for row in rows
        )
        when = f"AFTER {what.upper()} ON grants FOR EACH ROW"
        if on_sqlite:
            op.execute(f"CREATE TRIGGER {name} {when} BEGIN {notes}; END")
            continue
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {notes}; RETURN NULL; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()")
