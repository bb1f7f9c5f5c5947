"""Which of the people are programs of nobody's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the column; nobody was a service before."""
    op.add_column(
        "people", sa.Column("service", sa.Boolean(), nullable=False, server_default=sa.false())
    )
