"""Where the chains of audit records begin and end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "journals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start_number", sa.Integer(), nullable=False),
        sa.Column("start_hash", sa.Text(), nullable=False),
        sa.Column("head_number", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_journals")),
    )
