"""The schema's revisions: brings a store to the newest.

Alembic is loaded only here and in `check`, and this module only for a store that is
new or old: a start with a current store does without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ..errors import StoreVersionError
from . import sqlite
from .schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for a migration on `connection`."""
    made = Config()
    folder = str(Path(__file__).with_name("migrations"))
    made.set_main_option("script_location", folder.replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def revisions() -> tuple[str, ...]:
    """Every schema revision this package knows, oldest first."""
    scripts = ScriptDirectory.from_config(config()).walk_revisions()
    return tuple(reversed([script.revision for script in scripts]))


def check_known(found: str, name: str) -> None:
    """Raise if a store is of a schema revision that this version does not know.

    Raises:
        StoreVersionError: it is.
    """
    if found not in revisions():
        msg = (
            f"the store `{name}` was written by a newer version of "
            f"jupyter-authorized-server (schema revision `{found[:40]}`; this version "
            f"knows up to `{HEAD}`): upgrade with `pip install --upgrade "
            "jupyter-authorized-server`, or restore a backup made with this version"
        )
        raise StoreVersionError(msg)


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Brings the schema to the revision `to`, inside the connection's transaction."""
    command.upgrade(config(connection), to)


def build(url: URL) -> None:
    """Fills the new, empty database at `url`."""
    engine = sqlite.connect(url, busy_timeout=5, foreign_keys=False)
    try:
        with sqlite.writing(engine).begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()
