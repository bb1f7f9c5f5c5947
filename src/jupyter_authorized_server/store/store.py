"""The store: opens it, and gives out its state."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from ..errors import StoreUnavailable
from . import postgres, sqlite
from .files import Files
from .guests import Guests
from .journals import Journals
from .kept_acts import KeptActs
from .ledger import read_ledger
from .links import Links
from .login_sessions import LoginSessions
from .many_grants import ManyGrants
from .model import State
from .owners import Owners
from .people import People, read_groups, read_people
from .schema import HEAD, revision
from .setup_link import SetupLink
from .standing import Standing
from .tokens import Tokens
from .transfer import Transfer
from .uses import Uses
from .version import schema_revision
from .wishes import Wishes

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy.engine import Connection
    from typing_extensions import Self


class Store(
    People,
    ManyGrants,
    Files,
    Tokens,
    Links,
    Guests,
    Wishes,
    LoginSessions,
    SetupLink,
    Journals,
    KeptActs,
    Owners,
    Standing,
    Uses,
    Transfer,
):
    """People, groups, grants, tokens, login sessions and owners, in one database.

    Every operation is one transaction, and each change adds one to the revision in
    it. Several processes may have the same store open: they see each other's changes
    at once. Times are given by the caller, in seconds since the epoch.
    """

    @staticmethod
    def is_there(url: str) -> bool:
        """Whether there is something at `url` that `open` would not make first."""
        return postgres.is_postgres(url) or sqlite.locate(url).path.exists()

    @classmethod
    def open(cls, url: str, *, busy_timeout: float = 5.0) -> Self:
        """Opens the store at `url`; a file is made where it is missing, and migrated.

        Args:
            url: `sqlite:////absolute/path/store.sqlite`, or
                `postgresql+psycopg://USER@HOST/DATABASE`, which is never migrated here.
            busy_timeout: seconds to wait while another process changes it.

        Raises:
            StoreUnavailable: locked, read-only, damaged, or no store at all.
            StoreVersionError: of a version of this package newer than this one; a shared
                one of an older version too.
        """
        if postgres.is_postgres(url):
            shared = postgres.Shared(url, busy_timeout=busy_timeout)
            try:
                shared.check()
                return cls(shared)
            except BaseException:  # why: raised again below
                shared.close()
                raise
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
                    current = _revision_of(connection, place) == HEAD
                    sqlite.check_writable(connection)
                if not current:
                    _migrate(place, busy_timeout=busy_timeout)
                return cls(sqlite.File(engine, place.path))
            except BaseException:  # why: raised again below
                engine.dispose()
                raise

    @staticmethod
    def upgrade(url: str) -> None:
        """Makes the store at `url` ready for this version: new, or migrated.

        Raises:
            StoreError: it cannot be.
        """
        if postgres.is_postgres(url):
            shared = postgres.Shared(url, busy_timeout=60)
            with contextlib.closing(shared):
                shared.upgrade()
        else:
            Store.open(url).close()

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
        return f"<Store {self._database.name}>"

    def state(self, known: State | None = None) -> State:
        """All that decisions need, as it is now.

        Args:
            known: an earlier state of this store; what did not change since is taken
                from it rather than read.
        """
        with self._read() as connection:
            row = connection.execute(
                select(revision.c.number, revision.c.people, revision.c.grants, revision.c.noted)
            ).first()
            if row is None:
                name = self._database.name
                msg = f"the store `{name}` holds no revision: restore it from a backup"
                raise StoreUnavailable(msg)
            if known is None or known.revision > row.number:
                known = State(revision=-1)
            if known.revision == row.number:
                return known
            same_people = row.people <= known.revision
            ledger = known.ledger
            if row.grants > known.revision:
                is_noted = known.revision >= row.noted
                ledger = read_ledger(connection, known if is_noted else None)
            return State(
                revision=row.number,
                people=known.people if same_people else read_people(connection),
                groups=known.groups if same_people else read_groups(connection),
                ledger=ledger,
            )


def _revision_of(connection: Connection, place: sqlite.Location) -> str:
    """The schema revision of an existing file.

    Raises:
        StoreUnavailable: a database of something else, or an empty one.
    """
    found = schema_revision(connection, str(place.path))
    if found is None:
        msg = (
            f"`{place.path}` is a database, but no store of this package: name another file in "
            "`store_url`, or move it away to begin a new store"
        )
        raise StoreUnavailable(msg)
    return found


def _migrate(place: sqlite.Location, *, busy_timeout: float) -> None:
    """Brings an older store to the newest schema revision, whole or not at all.

    Raises:
        StoreVersionError: it is newer.
    """
    from . import migrating  # noqa: PLC0415  # why: Alembic, only when needed

    engine = sqlite.connect(place.url, busy_timeout=busy_timeout, foreign_keys=False)
    try:
        with sqlite.writing(engine).begin() as connection:
            migrating.check_known(_revision_of(connection, place), str(place.path))
            migrating.upgrade(connection)
            sqlite.check_references(connection, place.path)
    finally:
        engine.dispose()
