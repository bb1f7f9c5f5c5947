"""Being told by PostgreSQL that something has changed, beside asking now and then.

A change says so as it is committed (`NOTIFY`), and a thread of each server waits for
that. It is a shortcut only: whoever hears nothing still finds out by asking, so a
connection that breaks costs time and never a change.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

_log = logging.getLogger(__name__)

#: What a change is announced as; the number of the revision is not told, but asked for.
_CHANNEL = "jupyter_authorized_server"
#: Seconds between two looks whether anybody still listens.
_TURN = 0.5
#: Seconds after which a connection that broke is made anew.
_PAUSE = 5.0


def announce(connection: Connection) -> None:
    """Have it told that something has changed, once this transaction is committed."""
    connection.execute(text(f"NOTIFY {_CHANNEL}"))


class Ear:
    """Listens on a connection of its own, in a thread that keeps nobody from ending.

    Args:
        where: how to connect, as the driver takes it.
        tell: called from the thread after each change, and once it begins to listen.
    """

    def __init__(
        self, where: tuple[Sequence[Any], Mapping[str, Any]], tell: Callable[[], None]
    ) -> None:
        self._where = where
        self._tell = tell
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._ended.set()
        self._thread.join(2 * _TURN)

    def _listen(self) -> None:
        while not self._ended.is_set():
            why = self._until_it_breaks()
            if why:
                _log.info("changes of the store are not told, but asked for: %s", why)
                self._ended.wait(_PAUSE)

    def _until_it_breaks(self) -> str:
        """Listen, until nobody wants to know any more; or what has gone wrong."""
        import psycopg  # noqa: PLC0415  # why: an extra

        arguments, named = self._where
        try:
            with psycopg.connect(*arguments, **{**named, "autocommit": True}) as connection:
                connection.execute(f"LISTEN {_CHANNEL}".encode())
                # What changed before was heard by nobody.
                self._tell()
                while not self._ended.is_set():
                    for _ in connection.notifies(timeout=_TURN, stop_after=1):
                        self._tell()
        except psycopg.Error as error:
            return type(error).__name__
        return ""
