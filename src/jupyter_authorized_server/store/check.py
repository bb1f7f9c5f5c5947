"""Whether tables and migrations agree: a developer's tool, which `make check` runs.

`python -m jupyter_authorized_server.store.check` fails where they differ, and names
the difference; `… check new MESSAGE` writes the migration that makes them agree.
"""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from . import migrating, sqlite
from .schema import HEAD, TRIGGERS, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection


def drift(connection: Connection) -> list[str]:
    """How the database at `connection` differs from the tables in `schema`."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    missing = sorted(TRIGGERS - triggers(connection))
    return [
        *(str(difference) for difference in compare_metadata(context, metadata)),
        *(f"the trigger `{name}` is missing" for name in missing),
    ]


def triggers(connection: Connection) -> set[str]:
    """Names of the triggers that are in the database."""
    on_sqlite = connection.dialect.name == "sqlite"
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if on_sqlite
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    return set(connection.exec_driver_sql(names).scalars())


def main(arguments: Sequence[str]) -> int:
    """Checks, or after `new` writes a migration; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        place = sqlite.locate(f"sqlite:///{folder}/store.sqlite")
        sqlite.create(place, migrating.build)
        engine = sqlite.connect(place.url, busy_timeout=5)
        try:
            with sqlite.writing(engine).begin() as connection:
                if arguments[:1] == ["new"]:
                    number = f"{int(HEAD) + 1:04d}"
                    config = migrating.config(connection)
                    message = " ".join(arguments[1:])
                    command.revision(config, message, autogenerate=True, rev_id=number)
                    return 0
                differences = drift(connection)
        finally:
            engine.dispose()
    if migrating.revisions()[-1] != HEAD:
        differences.append(f"HEAD is {HEAD}, the last migration {migrating.revisions()[-1]}")
    for difference in differences:
        sys.stderr.write(f"tables and migrations differ: {difference}\n")
    return 1 if differences else 0


if __name__ == "__main__":  # pragma: no cover  # why: a test runs it as a program
    sys.exit(main(sys.argv[1:]))
