"""Identity: writes down that sessions and tokens are in use, beside what is being done.

A store that is locked keeps whoever writes waiting, and nobody's request has to wait for
a note. Of a server that is killed, the last ones are lost.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from ...errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class Notes:
    """Notes that wait for being written, of each session or token the last one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Callable[[str, float], object], float]] = {}
        self._thread: threading.Thread | None = None

    def add(self, touch: Callable[[str, float], object], id_: str, now: float) -> None:
        """Have `touch(id_, now)` called soon; that it fails refuses nobody."""
        with self._lock:
            self._waiting[id_] = (touch, now)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="notes", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return once all that was added is written, or has failed."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _write(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                id_ = next(iter(self._waiting))
                touch, now = self._waiting.pop(id_)
            try:
                touch(id_, now)
            except StoreError as error:
                _log.warning("the last use of `%s` could not be written down: %s", id_, error)
            except Exception:  # noqa: BLE001  # why: the next notes are to be written all the same
                _log.warning("the last use of `%s` could not be written down", id_, exc_info=True)
