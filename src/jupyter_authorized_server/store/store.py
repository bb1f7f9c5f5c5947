"""The store: opens it, and gives out its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ..errors import StoreUnavailable, StoreVersionError
from . import sqlite
from .files import Files
from .grants import Grants, read_grants
from .journals import Journals
from .links import Links
from .login_sessions import LoginSessions
from .model import State
from .owners import Owners
from .people import People, read_groups, read_people
from .schema import HEAD, revision
from .setup_link import SetupLink
from .tokens import Tokens
from .wishes import Wishes

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy.engine import Connection
    from typing_extensions import Self


class Store(
    People, Grants, Files, Tokens, Links, Wishes, LoginSessions, SetupLink, Journals, Owners
):
    """People, groups, grants, tokens, login sessions and owners, in one file.

    Every operation is one transaction, and each change adds one to the revision in
    it. Several processes may have the same store open: they see each other's changes
    at once. Times are given by the caller, in seconds since the epoch.
    """

    @classmethod
    def open(cls, url: str, *, busy_timeout: float = 5.0) -> Self:
        """Opens the store at `url`; makes a new one, and migrates an older one.

        Args:
            url: `sqlite:////absolute/path/store.sqlite`.
            busy_timeout: seconds to wait while another process changes it.

        Raises:
            StoreUnavailable: locked, read-only, damaged, or no store at all.
            StoreVersionError: of a version of this package newer than this one.
        """
        place = sqlite.locate(url)
        with sqlite.translated(place.path):
            if not place.path.exists():
                from .migrating import build  # noqa: PLC0415  # why: Alembic, only when needed

                sqlite.create(place, build)
            sqlite.check_file(place.path)
            engine = sqlite.connect(place.url, busy_timeout=busy_timeout)
            try:
                sqlite.use_wal(engine, patience=busy_timeout)
                with sqlite.writing(engine).begin() as connection:
                    sqlite.check_content(connection, place.path)
                    current = _schema_revision(connection, place) == HEAD
                    sqlite.check_writable(connection)
                if not current:
                    _migrate(place, busy_timeout=busy_timeout)
                return cls(engine, place.path)
            except BaseException:
                engine.dispose()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self._path}>"

    def state(self, known: State | None = None) -> State:
        """All that decisions need, as it is now.

        Args:
            known: an earlier state of this store; what did not change since is taken
                from it rather than read.
        """
        with self._read() as connection:
            row = connection.execute(
                select(revision.c.number, revision.c.people, revision.c.grants)
            ).first()
            if row is None:
                msg = f"the store `{self._path}` holds no revision: restore it from a backup"
                raise StoreUnavailable(msg)
            if known is None or known.revision > row.number:
                known = State(revision=-1)
            if known.revision == row.number:
                return known
            same_people = row.people <= known.revision
            same_grants = row.grants <= known.revision
            return State(
                revision=row.number,
                people=known.people if same_people else read_people(connection),
                groups=known.groups if same_people else read_groups(connection),
                grants=known.grants if same_grants else read_grants(connection),
            )


def _schema_revision(connection: Connection, place: sqlite.Location) -> str:
    """The schema revision of an existing store.

    Raises:
        StoreUnavailable: a database of something else.
    """
    has_table = connection.dialect.has_table
    if has_table(connection, "alembic_version") and has_table(connection, "revision"):
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
        versions = list(found)
        if len(versions) == 1:
            return str(versions[0])
    msg = (
        f"`{place.path}` is a database, but no store of this package: name another file in "
        "`store_url`, or move it away to begin a new store"
    )
    raise StoreUnavailable(msg)


def _migrate(place: sqlite.Location, *, busy_timeout: float) -> None:
    """Brings an older store to the newest schema revision, whole or not at all.

    Raises:
        StoreVersionError: it is newer.
    """
    from . import migrating  # noqa: PLC0415  # why: Alembic, only when needed

    engine = sqlite.connect(place.url, busy_timeout=busy_timeout, foreign_keys=False)
    try:
        with sqlite.writing(engine).begin() as connection:
            found = _schema_revision(connection, place)
            if found not in migrating.revisions():
                msg = (
                    f"the store `{place.path}` was written by a newer version of "
                    f"jupyter-authorized-server (schema revision `{found[:40]}`; this version "
                    f"knows up to `{HEAD}`): upgrade with `pip install --upgrade "
                    "jupyter-authorized-server`, or restore a backup made with this version"
                )
                raise StoreVersionError(msg)
            migrating.upgrade(connection)
            sqlite.check_references(connection, place.path)
    finally:
        engine.dispose()
