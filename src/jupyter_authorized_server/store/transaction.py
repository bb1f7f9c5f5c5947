"""How the store reads and changes: each in one transaction, each change counted."""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import delete, literal_column, select, update

from .. import mistakes
from ..errors import Moved, StoreUnavailable, StoreVersionError, UnknownName
from . import schema
from .model import is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection, Engine

#: Revisions whose changed grants are noted at least; whoever is further behind reads all.
KEPT = 1000
#: Values of one query at most; databases limit how many it may have.
_BATCH = 500
#: Asked with the number of the last change: another version may have upgraded the store.
_VERSION = "(SELECT version_num FROM alembic_version)"
_NUMBER = "SELECT number, (SELECT version_num FROM alembic_version) FROM revision"
#: In a database with row locks this one makes writers queue up.
_LOCKED = select(schema.revision.c.number, literal_column(_VERSION)).with_for_update()


class Database(Protocol):
    """Where a store is: an SQLite file, or a PostgreSQL database."""

    name: str
    #: For transactions that see one state throughout, and for those that change something.
    reading: Engine
    writing: Engine

    def check_place(self, *, probe: bool = False) -> None:
        """Raise if another database has taken its place, or it is known not to answer.

        Args:
            probe: whether that is to be found out now.

        Raises:
            StoreUnavailable: open connections would keep to the old one, and a grant
                taken back in the new one would go on here.
        """

    def heard(self) -> None:
        """It has answered a probe."""

    def announce(self, connection: Connection) -> None:
        """Tells whoever listens that this transaction changes something, where it can."""

    def listen(self, tell: Callable[[], None]) -> None:
        """Has `tell` called, from a thread, after each change, where it can be told."""

    def translated(self) -> AbstractContextManager[None]:
        """Turns whatever the driver raises inside into `StoreUnavailable`."""

    def watch(self) -> Any:
        """A connection of the driver that is never in a transaction."""

    def close(self) -> None:
        """Ends all connections."""


#: See `judged_at`; None where a change is made whatever the revision is.
_JUDGED: ContextVar[int | None] = ContextVar("jupyter_authorization_judged", default=None)


class _Together:
    """Changes that are one transaction; see `Transactions.together`."""

    def __init__(self, store: Transactions, stack: contextlib.ExitStack) -> None:
        self.store = store
        self.stack = stack
        self.connection: Connection | None = None


#: What is changed together just now, if anything.
_TOGETHER: ContextVar[_Together | None] = ContextVar(
    "jupyter_authorization_together", default=None
)


class Transactions:
    """What every part of the store stands on.

    Safe to use from several threads; each operation is a transaction of its own.

    Args:
        database: at the newest schema revision.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watch: Any = None
        self._watch_lock = threading.Lock()

    def close(self) -> None:
        """Ends all connections. The last one to a file also tidies its WAL away."""
        with self._watch_lock:
            self._drop_watch()
        self._database.close()

    def listen(self, tell: Callable[[], None]) -> None:
        """Has `tell` called after changes, from a thread, where the database can tell.

        Not after each for certain: whoever wants to miss none also asks for the `revision`.
        """
        self._database.listen(tell)

    def revision(self, *, probe: bool = False) -> int:
        """The number of the last change.

        Asked all the time, so it goes past SQLAlchemy, to a connection of its own that
        never has a transaction open.

        Args:
            probe: ask also a database that did not answer when last asked.
        """
        self._database.check_place(probe=probe)
        with self._watch_lock, self._database.translated():
            # Meanwhile another thread may have found out that nobody answers.
            self._database.check_place(probe=probe)
            try:
                if self._watch is None:
                    self._watch = self._database.watch()
                cursor = self._watch.cursor()
                cursor.execute(_NUMBER)
                found = cursor.fetchone()
                cursor.close()
            except BaseException:  # why: raised again below
                self._drop_watch()
                raise
            self._database.heard()
        return _number(found, self._database.name)

    def _drop_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            with contextlib.suppress(Exception):  # why: it is given up; the first error counts
                watch.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Has all that is changed within this be one transaction, begun by the first change.

        What fails by itself is undone by itself; what is raised through here undoes all.
        """
        with contextlib.ExitStack() as stack:
            token = _TOGETHER.set(_Together(self, stack))
            try:
                yield
            finally:
                _TOGETHER.reset(token)

    def _shared(self) -> _Together | None:
        """What this is done together with, if anything."""
        found = _TOGETHER.get()
        return found if found is not None and found.store is self else None

    @contextlib.contextmanager
    def _read(self) -> Iterator[Connection]:
        """A transaction that sees one state throughout."""
        shared = self._shared()
        if shared is not None and shared.connection is not None:
            with self._database.translated():
                yield shared.connection
            return
        self._database.check_place()
        with self._database.translated(), self._database.reading.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction in which nobody else changes anything; not counted."""
        shared = self._shared()
        if shared is None:
            with self._begun() as connection:
                yield connection
            return
        if shared.connection is None:
            shared.connection = shared.stack.enter_context(self._begun())
        with self._database.translated(), shared.connection.begin_nested():
            yield shared.connection

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Connection]:
        self._database.check_place()
        with self._database.translated(), self._database.writing.begin() as connection:
            _number(connection.execute(_LOCKED).first(), self._database.name)
            yield connection

    @contextlib.contextmanager
    def _change(self, *, people: bool = False, grants: bool = False) -> Iterator[Connection]:
        """One change: adds one to the revision in the same transaction.

        Args:
            people: whether people or groups change.
            grants: whether grants change.
        """
        with self._write() as connection:
            judged = _JUDGED.get()
            if judged is not None:
                number = connection.execute(select(schema.revision.c.number)).scalar()
                if number != judged:
                    msg = f"revision {number} has followed {judged}; judge it again"
                    raise Moved(msg)
            yield connection
            _count(connection, people=people, grants=grants)
            self._database.announce(connection)

    @staticmethod
    @contextlib.contextmanager
    def judged_at(revision: int) -> Iterator[None]:
        """Has what is changed within this changed only while `revision` is the last one.

        Between the judgement that somebody may change something and the change itself,
        that right may be taken back.

        Raises:
            Moved: it is not, and nothing was changed.
        """
        token = _JUDGED.set(revision)
        try:
            yield
        finally:
            _JUDGED.reset(token)

    def count_policy_change(self) -> None:
        """Adds one to the revision for a change outside the store: of the policy files."""
        with self._change():
            pass

    @contextlib.contextmanager
    def _change_if_any(self) -> Iterator[_Removal]:
        """As `_change`, for a removal that may find nothing and is then not counted."""
        with self._write() as connection:
            removal = _Removal(connection)
            yield removal
            if removal.count:
                _count(connection, people=False, grants=False)
                self._database.announce(connection)


class _Removal:
    """A transaction and how many rows it removed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.count = 0


def _count(connection: Connection, *, people: bool, grants: bool) -> None:
    following = schema.revision.c.number + 1
    values = {"number": following}
    if people:
        values["people"] = following
    if grants:
        values["grants"] = following
    connection.execute(update(schema.revision).values(values))
    if grants:
        _trim(connection)


def _trim(connection: Connection) -> None:
    """Drops old notes of changed grants, now and then."""
    row = schema.revision.c
    number, noted = connection.execute(select(row.number, row.noted)).one()
    if number - noted > 2 * KEPT:
        oldest = number - KEPT
        changes = schema.grant_changes
        connection.execute(delete(changes).where(changes.c.revision <= oldest))
        connection.execute(update(schema.revision).values(noted=oldest))


def _number(found: Sequence[Any] | None, name: str) -> int:
    """The number of the last change, of a store that is still of this version.

    Raises:
        StoreUnavailable: it holds none.
        StoreVersionError: what it holds may mean less, or more, than this version knows.
    """
    number, version = found or (None, None)
    if not isinstance(number, int):
        msg = f"the store `{name}` holds no revision: restore it from a backup"
        raise StoreUnavailable(msg)
    if version != schema.HEAD:
        msg = (
            f"the store `{name}` has another version than when it was opened (schema revision "
            f"`{str(version)[:40]}`; this version needs `{schema.HEAD}`): start this server anew "
            "with the version of jupyter-authorized-server that upgraded the store"
        )
        raise StoreVersionError(msg)
    return number


def require_person(connection: Connection, name: str) -> None:
    """Sees that the person exists.

    Raises:
        UnknownName: not here.
    """
    query = select(schema.people.c.name).where(schema.people.c.name == name)
    if connection.execute(query).first() is None:
        raise UnknownName(mistakes.no_person(name))


def require_group(connection: Connection, name: str) -> None:
    """Sees that the group exists.

    Raises:
        UnknownName: not here.
    """
    query = select(schema.groups.c.name).where(schema.groups.c.name == name)
    if connection.execute(query).first() is None:
        raise UnknownName(mistakes.no_group(name))


def in_batches(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Those of `ids` that can be ids, each once, as many as one query takes."""
    return in_pieces(filter(is_id, ids))


def in_pieces(values: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """`values`, each once, as many as one query takes."""
    found = iter(dict.fromkeys(values))
    while some := tuple(islice(found, _BATCH)):
        yield some
