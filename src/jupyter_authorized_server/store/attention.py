"""Whether a PostgreSQL that does not answer is busy or gone.

A process that was stopped, or a machine behind a cut network, takes a question and never
answers it, and who asked would wait for ever. So who waits looks up now and then, and
knocks: a database that is only busy, or keeps us waiting for a lock, lets a new connection
in at once. One that does not is taken for silent, and then nobody waits for it any more,
until it has answered a probe.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

#: Seconds without an answer after which a database is knocked at.
DOUBT = 1.0
#: Seconds for it to open then; the driver takes no fewer.
KNOCK = 2
SILENT = "it accepts connections, or did, and does not answer"


class Attention:
    """Knows whether one database answers.

    Args:
        knock: opens a connection to it and closes that; raises what the driver raises.
    """

    def __init__(self, knock: Callable[[], None]) -> None:
        self.silent = False
        self._knock = knock

    def lost(self) -> bool:
        """Whether to wait no longer; called by who has waited for a while."""
        import psycopg  # noqa: PLC0415  # why: an extra

        if not self.silent:
            try:
                self._knock()
            except psycopg.errors.ConnectionTimeout:
                self.silent = True
            except psycopg.Error:
                # That it wants nobody else is an answer too.
                return False
        return self.silent


@lru_cache(maxsize=1)
def attentive() -> Any:
    """The driver's class of connections, of a kind that does not wait for what is silent."""
    import psycopg  # noqa: PLC0415  # why: an extra

    class Attentive(psycopg.Connection[Any]):
        """Waits as long as `attention`, once it is set, has not lost the database."""

        attention: Attention | None = None

        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
            """As the driver's, of which everything that is asked goes through here."""
            if self.attention is None:
                return super().wait(gen, *args, **kwargs)
            try:
                return super().wait(_attended(gen, self.attention), *args, **kwargs)
            except _Lost as error:
                # Nobody may be given the answer to another's question.
                self.pgconn.finish()
                raise psycopg.OperationalError(SILENT) from error

    return Attentive


class _Lost(Exception):  # why: goes from the waiting to the connection, and no further
    """The database has not answered, nor opened."""


def _attended(asking: Any, attention: Attention) -> Generator[Any, Any, Any]:
    """The driver's `asking`, which is told what is ready, or nothing now and then."""
    look = time.monotonic() + DOUBT
    try:
        wanted = next(asking)
        while True:
            ready = yield wanted
            if ready:
                look = time.monotonic() + DOUBT
            elif time.monotonic() >= look:
                if attention.lost():
                    raise _Lost
                look = time.monotonic() + DOUBT
            wanted = asking.send(ready)
    except StopIteration as done:
        return done.value
