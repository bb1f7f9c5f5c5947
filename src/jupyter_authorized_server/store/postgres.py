"""All that is particular to PostgreSQL: its connections, its transactions, its errors.

For several servers that share one store. The choices:

- A reader sees one state throughout (`REPEATABLE READ`), a writer sees what others have
  committed while it waited for its turn (`READ COMMITTED`).
- Nobody migrates a shared store by starting: it is older servers' store too, until an
  administrator says otherwise with `jupyter authz store upgrade`.
- A change is told to whoever listens, so that other servers need not ask first.
- One that does not answer is waited for no longer than it takes to find that out.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..errors import StoreUnavailable, StoreVersionError
from .attention import KNOCK, SILENT, Attention, attentive
from .listening import Ear, announce
from .schema import HEAD
from .version import schema_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import URL, Connection, Engine

_NAMES = ("postgresql", "postgresql+psycopg")
#: Seconds for a connection to be made.
_CONNECT = 5
#: A number nobody else uses: two who migrate at once take turns.
_LOCK = 4_711_001
_MISSING = (
    "`store_url` names a PostgreSQL database, for which `psycopg` is missing: "
    "`pip install 'jupyter-authorized-server[postgres]'`"
)
# What PostgreSQL and its driver say, in lower case, and what it means here.
_MEANINGS = (
    ("password authentication failed", "it does not take that name and password"),
    ("connection refused", "nothing listens there: start it, or mend `store_url`"),
    ("could not translate host", "there is no such host: mend `store_url`"),
    ("resolve host", "there is no such host: mend `store_url`"),
    ("does not exist", "there is no such database: create it, or mend `store_url`"),
    ("lock timeout", "another process has it locked: wait for that one or end it"),
    ("read-only transaction", "it cannot be written: name the primary in `store_url`"),
    ("no space left", "no space is left on its disk: free some, then try again"),
    (SILENT, f"{SILENT}: see that its processes run, or end them"),
    ("connection", "the connection broke: see that it runs and can be reached"),
)


def is_postgres(url: object) -> bool:
    """Whether `url` names a PostgreSQL database."""
    return isinstance(url, str) and url.partition(":")[0] in _NAMES


class Shared:
    """A PostgreSQL database that holds a store, or is to.

    Args:
        url: `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`.
        busy_timeout: seconds to wait for another writer.

    Raises:
        StoreUnavailable: no such URL, or its driver is missing.
    """

    def __init__(self, url: str, *, busy_timeout: float) -> None:
        place = _parsed(url)
        self.name = f"{place.host or 'localhost'}/{place.database or ''}"
        options = f"-c lock_timeout={int(busy_timeout * 1000)} -c timezone=UTC"
        self._attention = Attention(self._knock)
        self._ears: list[Ear] = []
        try:
            self._engine = create_engine(
                place,
                connect_args={"connect_timeout": _CONNECT, "options": options},
                hide_parameters=True,
                # A database that was restarted is found again, not given up.
                pool_pre_ping=True,
            )
        except ModuleNotFoundError as error:
            raise StoreUnavailable(_MISSING) from error
        event.listen(self._engine, "do_connect", self._for_pool)
        arguments, named = self._engine.dialect.create_connect_args(place)
        self._where = (arguments, {**named, "connect_timeout": _CONNECT, "options": options})
        self.reading: Engine = self._engine.execution_options(isolation_level="REPEATABLE READ")
        self.writing: Engine = self._engine.execution_options(isolation_level="READ COMMITTED")

    def close(self) -> None:
        """End all connections."""
        for each in self._ears:
            each.close()
        self._engine.dispose()

    def announce(self, connection: Connection) -> None:
        """Tell whoever listens that this transaction has changed something."""
        announce(connection)

    def listen(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from a thread, after each change."""
        self._ears.append(Ear(self._where, tell))

    def check_place(self, *, probe: bool = False) -> None:
        """Raise while the database is silent; it is not exchanged behind open connections."""
        if self._attention.silent and not probe:
            msg = f"the store `{self.name}` is unavailable: {SILENT}"
            raise StoreUnavailable(msg)

    def heard(self) -> None:
        """It has answered, so whoever asks may wait for it again."""
        self._attention.silent = False

    def watch(self) -> Any:
        """A connection of the driver that is never in a transaction."""
        arguments, named = self._where
        return self._connect(arguments, {**named, "autocommit": True})

    def _for_pool(self, _dialect: Any, _record: Any, arguments: Any, named: Any) -> Any:
        with self.translated():
            self.check_place()
        return self._connect(arguments, named)

    def _connect(self, arguments: Any, named: Any) -> Any:
        made = attentive().connect(*arguments, **named)
        made.attention = self._attention
        return made

    def _knock(self) -> None:
        arguments, named = self._where
        attentive().connect(*arguments, **{**named, "connect_timeout": KNOCK}).close()

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what the driver or SQLAlchemy raises into `StoreUnavailable`.

        The message names the database and the remedy; statements, values and passwords
        stay out.
        """
        try:
            yield
        except _failures() as error:
            said = str(getattr(error, "orig", None) or error)
            known = (meaning for words, meaning in _MEANINGS if words in said.lower())
            meaning = next(known, f"{type(error).__name__}: {said[:200]}")
            msg = f"the store `{self.name}` is unavailable: {meaning}"
            raise StoreUnavailable(msg) from error

    def check(self) -> None:
        """Raise unless a store of this version is here.

        Raises:
            StoreVersionError: none yet, or of another version.
            StoreUnavailable: it cannot be reached, or something else is in it.
        """
        with self.translated(), self.reading.begin() as connection:
            found = schema_revision(connection, self.name)
        if found is None:
            msg = (
                f"the store `{self.name}` is empty: make it ready with `jupyter authz store "
                "upgrade`"
            )
            raise StoreVersionError(msg)
        if found != HEAD:
            _check_known(found, self.name)
            msg = (
                f"the store `{self.name}` is of an earlier version (schema revision `{found}`; "
                f"this version needs `{HEAD}`): make a backup, then `jupyter authz store upgrade`"
            )
            raise StoreVersionError(msg)

    def upgrade(self) -> None:
        """Brings the store to the newest schema revision, whole or not at all.

        Raises:
            StoreVersionError: it is newer.
        """
        from . import migrating  # noqa: PLC0415  # why: Alembic, only when needed

        with self.translated(), self.writing.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            found = schema_revision(connection, self.name)
            if found is not None:
                _check_known(found, self.name)
            migrating.upgrade(connection)


def _check_known(found: str, name: str) -> None:
    from . import migrating  # noqa: PLC0415  # why: Alembic, only when needed

    migrating.check_known(found, name)


def _parsed(url: str) -> URL:
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        msg = "`store_url` is no database URL; write `postgresql+psycopg://USER@HOST/DATABASE`"
        raise StoreUnavailable(msg) from None
    return place.set(drivername="postgresql+psycopg")


def _failures() -> tuple[type[Exception], ...]:
    try:
        import psycopg  # noqa: PLC0415  # why: an extra; the watching connection raises its own
    except ModuleNotFoundError:  # pragma: no cover  # why: without it there is no connection
        return (SQLAlchemyError, OSError)
    return (SQLAlchemyError, OSError, psycopg.Error)
