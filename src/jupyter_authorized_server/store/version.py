"""Which schema revision a database has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def schema_revision(connection: Connection, name: str) -> str | None:
    """The schema revision of the store in a database; None where nothing is in it.

    Raises:
        StoreUnavailable: it is a database of something else.
    """
    inside = set(connection.dialect.get_table_names(connection))
    if not inside:
        return None
    if {"alembic_version", "revision"} <= inside:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
        versions = list(found)
        if len(versions) == 1:
            return str(versions[0])
    msg = (
        f"`{name}` is a database, but no store of this package: name another one in "
        "`store_url`, or move it away to begin a new store"
    )
    raise StoreUnavailable(msg)
