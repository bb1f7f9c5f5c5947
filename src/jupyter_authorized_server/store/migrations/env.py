"""What Alembic runs to migrate: always on a connection that `migrating` opened.

The transaction is the caller's, so that a migration happens whole or not at all.
"""

# ruff: noqa: INP001  # why: Alembic loads it as a script

from __future__ import annotations

from alembic import context

from jupyter_authorized_server.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
