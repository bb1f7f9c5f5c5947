"""All that is particular to SQLite: its file, its transactions, its errors. The choices:

- WAL, so that a reader never waits for the one writer, nor that one for readers.
- `BEGIN IMMEDIATE` for a change, so that two writers queue up at the start and
  none finds out at its end that what it read is stale.
- `synchronous = FULL`: what was acknowledged survives a power cut. With NORMAL the
  last transactions may vanish, and a revoked grant would be back.
- A new store is built in a file beside its place and put there whole, so that a
  file which is there and empty is a store that was lost, and is never begun anew.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ..errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection, Engine

_FAILURES = (SQLAlchemyError, sqlite3.Error, OSError)
_DAMAGED = (
    "it is damaged or no SQLite database: restore it from a backup, or move it away "
    "to begin a new store"
)
# Bytes in the smallest page, and so in the smallest database.
_SMALLEST = 512
#: Every whole database is a multiple of this long.
_SECTOR = 512
_LOCKED = "another process has it locked: wait for that one or end it, then try again"
_READ_ONLY = "it cannot be written: let the server's user write the file and its folder"
# What SQLite and the system say, in lower case, and what it means here.
_MEANINGS = (
    ("is locked", _LOCKED),
    ("readonly", _READ_ONLY),
    ("read-only", _READ_ONLY),
    ("permission denied", _READ_ONLY),
    ("unable to open", "it cannot be opened: see that it is a file the server's user may write"),
    ("not a directory", "its folder is a file: name another place in `store_url`"),
    ("file exists", "its folder is a file: name another place in `store_url`"),
    ("is full", "no space is left on its disk: free some, then try again"),
    ("no space left", "no space is left on its disk: free some, then try again"),
    ("no such table", _DAMAGED),
    ("no such column", _DAMAGED),
    ("malformed", _DAMAGED),
    ("not a database", _DAMAGED),
    ("could not decode", _DAMAGED),
)


#: SQLAlchemy 2.0, the newest for Python 3.10, hands a path over as it is written.
_HAS_DECODED = make_url("sqlite:///%41").database == "A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a store is.

    Args:
        url: for the driver, with an absolute path.
        path: the file.
    """

    url: URL
    path: Path


def locate(url: str) -> Location:
    """The file that `url` names.

    Raises:
        StoreUnavailable: no URL, not SQLite, or in memory, where no other process
            and not even the next connection would see it. The URL is not shown: it
            could hold a password.
    """
    try:
        parsed = _read(url)
    except (ArgumentError, ValueError, AttributeError):
        msg = "`store_url` is no database URL; write `sqlite:////absolute/path/store.sqlite`"
        raise StoreUnavailable(msg) from None
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        msg = (
            f"`store_url` names a `{parsed.drivername}` database; a store is kept in "
            "SQLite or PostgreSQL: write `sqlite:////absolute/path/store.sqlite`"
        )
        raise StoreUnavailable(msg)
    name = parsed.database or ""
    plain = name.removeprefix("file:")
    if plain in {"", ":memory:"} or parsed.query.get("mode") == "memory" or "\0" in plain:
        msg = "`store_url` names no file; write `sqlite:////absolute/path/store.sqlite`"
        raise StoreUnavailable(msg)
    path = Path(plain).absolute()
    scheme = "file:" if plain != name else ""
    return Location(url=parsed.set(database=f"{scheme}{path}"), path=path)


def _read(url: str) -> URL:
    parsed = make_url(url)
    if _HAS_DECODED or parsed.database is None:
        return parsed
    return parsed.set(database=unquote(parsed.database))


def file_of(url: str) -> Path | None:
    """The file of the store that `url` names; None where that is no file."""
    try:
        return locate(url).path
    except StoreUnavailable:
        return None


class File:
    """An SQLite file that holds a store.

    Args:
        engine: see `connect`.
        path: the file, for messages and to notice when it is exchanged.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.name = str(path)
        self.reading = engine
        self.writing = writing(engine)
        self._path = path
        self._identity = identity(path)

    def check_place(self, *, probe: bool = False) -> None:  # noqa: ARG002  # why: a file answers
        """Notices a file that was exchanged or removed under a running server."""
        if identity(self._path) != self._identity:
            msg = f"the store `{self.name}` was exchanged for another file: restart the server"
            raise StoreUnavailable(msg)

    def announce(self, connection: Connection) -> None:
        """Nothing: a file tells nobody."""

    def listen(self, tell: Callable[[], None]) -> None:
        """Nothing, likewise."""

    def heard(self) -> None:
        """Nothing: a file always answers, if only that it is locked."""

    def translated(self) -> contextlib.AbstractContextManager[None]:
        """See the function of this name."""
        return translated(self._path)

    def watch(self) -> Any:
        """A connection that has a transaction only while a statement runs."""
        return self.reading.raw_connection()

    def close(self) -> None:
        """Ends all connections. The last one to a file also tidies its WAL away."""
        self.reading.dispose()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns what the driver, SQLAlchemy or the system raises into `StoreUnavailable`.

    The message names the file and the remedy; statements and their values stay out.
    """
    try:
        yield
    except _FAILURES as error:
        said = str(getattr(error, "orig", None) or error)
        for words, meaning in _MEANINGS:
            if words in said.lower():
                msg = f"the store `{path}` is unavailable: {meaning}"
                break
        else:
            msg = f"the store `{path}` is unavailable: {type(error).__name__}: {said[:200]}"
        raise StoreUnavailable(msg) from error


def connect(url: URL, *, busy_timeout: float, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions are SQLite's own.

    The driver's transaction control is switched off and `BEGIN` sent by us, as
    SQLAlchemy documents it for `pysqlite`.

    Args:
        url: of the file.
        busy_timeout: seconds to wait for another process's lock.
        foreign_keys: off only while migrating, where a table that is rebuilt must
            not take the rows that name its rows with it.
    """
    engine = create_engine(
        _existing(url),
        connect_args={"timeout": busy_timeout},
        hide_parameters=True,
        poolclass=QueuePool,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute("PRAGMA synchronous = FULL")
        # Else a large change puts pages of the store into a file of the temporary folder,
        # for each row: that was half the time that 100,000 grants take to be put in.
        connection.execute("PRAGMA temp_store = MEMORY")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("begin", "DEFERRED")
        if kind:  # empty: each statement by itself
            connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _existing(url: URL) -> URL:
    """`url`, so that a file which is not there is never made by being connected to.

    One that goes away between our look and SQLite's would leave an empty file in its
    place, for which SQLite throws away what waits beside the old one to be written.
    """
    name, query = url.database or "", {**url.query, "uri": "true"}
    if query.get("mode", "rwc") == "rwc":
        query["mode"] = "rw"
    place = name if name.startswith("file:") else Path(name).as_uri()
    return url.set(database=place, query=query)


def writing(engine: Engine) -> Engine:
    """`engine`, for transactions that change something; the pool is shared."""
    return engine.execution_options(begin="IMMEDIATE")


def create(location: Location, build: Callable[[URL], None]) -> None:
    """Puts a new store in its place, whole or not at all.

    Args:
        location: where; its folder is made when missing, for the owner only.
        build: fills the empty database at the URL it is given.

    Raises:
        StoreUnavailable: the remains of another store lie there.
    """
    path = location.path
    if location.url.query.get("mode", "rwc") != "rwc":
        msg = f"the store `{path}` does not exist, and `store_url` forbids to create it"
        raise StoreUnavailable(msg)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would replay the journal of a lost store into the new one.
    remains = [name for end in ("-wal", "-journal") if os.path.lexists(name := f"{path}{end}")]
    if remains and not path.exists():
        msg = (
            f"the store `{path}` is gone, but `{remains[0]}` is still there: restore the "
            "store from a backup, or remove that file to begin a new store"
        )
        raise StoreUnavailable(msg)
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}.new")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        build(URL.create("sqlite", database=str(new)))
        _place(new, path)
    finally:
        for end in ("", "-journal"):
            Path(f"{new}{end}").unlink(missing_ok=True)


def _place(new: Path, path: Path) -> None:
    """Gives the finished file its name, unless another process was faster."""
    try:
        os.link(new, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            new.rename(path)
    if os.name == "posix":  # pragma: no branch  # why: Windows opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def identity(path: Path) -> tuple[int, int]:
    """What stays the same while `path` is the same file.

    Raises:
        StoreUnavailable: it is gone or cannot be looked at.
    """
    try:
        status = path.stat()
    except OSError as error:
        msg = f"the store `{path}` is gone: restore it, then restart the server"
        raise StoreUnavailable(msg) from error
    return status.st_dev, status.st_ino


def check_file(path: Path) -> None:
    """Refuses what cannot be a store before SQLite sees it.

    Raises:
        StoreUnavailable: no file, or an empty or tiny one, which SQLite would take
            for a new database: the people in it would be gone without a word.
    """
    if not path.is_file():
        msg = f"the store `{path}` is no file: name another place in `store_url`"
        raise StoreUnavailable(msg)
    # Never opened here to look inside: closing it would drop the locks that another
    # connection of this process holds on it, as POSIX has it.
    size = path.stat().st_size
    if 0 < size < _SMALLEST or (size % _SECTOR and not _has_journal(path)):
        msg = f"the store `{path}` is unavailable: {_DAMAGED}"
        raise StoreUnavailable(msg)
    if size == 0:
        msg = (
            f"the store `{path}` is empty: restore it from a backup, or remove it to "
            "begin a new store"
        )
        raise StoreUnavailable(msg)


def _has_journal(path: Path) -> bool:
    """Whether changes are under way, or were cut off, that SQLite will complete."""
    for suffix in ("-wal", "-journal"):
        with contextlib.suppress(OSError):
            if path.with_name(path.name + suffix).stat().st_size:
                return True
    return False


def use_wal(engine: Engine, *, patience: float) -> None:
    """Switches the file to WAL, where the file system can have it.

    The switch needs the file for itself for a moment and does not wait for it, so
    the waiting is done here: two servers may start at once. Where WAL cannot be had
    SQLite keeps its rollback journal, which is as safe and lets readers wait.
    """
    deadline = time.monotonic() + patience
    while not _switched(engine, last=time.monotonic() >= deadline):
        time.sleep(0.02)


def _switched(engine: Engine, *, last: bool) -> bool:
    """Whether the file is in WAL now, or can't be; False if the switch should be tried again."""
    try:
        with engine.execution_options(begin="").connect() as connection:
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    except OperationalError as error:
        if last or "is locked" not in str(error.orig):
            raise
        return False
    return True


def check_content(connection: Connection, path: Path) -> None:
    """Refuses a database whose pages do not hang together.

    Audit records are not looked through: they are many, and no decision needs them.

    Raises:
        StoreUnavailable: it is damaged.
    """
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'records'"
    for name in connection.exec_driver_sql(names).scalars().all():
        quoted = name.replace("'", "''")
        if connection.exec_driver_sql(f"PRAGMA quick_check('{quoted}')").scalar() != "ok":
            msg = f"the store `{path}` is unavailable: {_DAMAGED}"
            raise StoreUnavailable(msg)


def check_writable(connection: Connection) -> None:
    """Fails as a change would where nothing can be written.

    `BEGIN IMMEDIATE` alone does not: on what is read-only it begins to read.
    """
    connection.exec_driver_sql("DELETE FROM revision WHERE 1 = 0")


def check_references(connection: Connection, path: Path) -> None:
    """Refuses a database in which a row names one that is not there.

    Raises:
        StoreUnavailable: it does.
    """
    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        msg = f"the store `{path}` is unavailable: {_DAMAGED}"
        raise StoreUnavailable(msg)
