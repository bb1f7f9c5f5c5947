"""Imports what takes long while Jupyter waits, before it asks for us.

Jupyter asks each extension what it is, and some wait then: JupyterLab for Node, which tells
it the registry, half a second. Meanwhile the half of our start that needs no Jupyter can be
imported. Only that half: two threads that import the same cycle of modules, of which
Jupyter Server has some, can see one that is not finished. And only meanwhile: two threads
that both work take turns, so that nothing would be won.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: In this order, each with all that it imports; none needs anything of Jupyter's, to which a
#: test holds them. In parts, since whoever needs us waits for the one that was begun.
MODULES = (
    "sqlalchemy",
    "cedarpy",
    "jupyter_authorized_server.policy.engine",
    "jupyter_authorized_server.opening",
    "jupyter_authorized_server.sandbox.probe",
)
#: Seconds between two looks whether the process works.
_LOOK_EVERY = 0.01
#: The part of that time in which it must have done nothing.
_IDLE = 0.8


class Ahead:
    """The imports of one process.

    Args:
        modules: to import, in this order.
        worked: tells the seconds of processor that the process has used.
    """

    def __init__(
        self, modules: tuple[str, ...], worked: Callable[[], float] = time.process_time
    ) -> None:
        self._modules = modules
        self._worked = worked
        self._needed = threading.Event()
        # Not a daemon: a process that ends in the midst of a compiled module would crash.
        self._thread = threading.Thread(target=self._import, name="jupyter-authorized-import")

    def begin(self) -> None:
        """Begin; a second time does nothing."""
        with contextlib.suppress(RuntimeError):  # it has begun
            self._thread.start()

    def end(self) -> None:
        """Begin no further import, and wait for the one that was begun."""
        self._needed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _import(self) -> None:
        for name in self._modules:
            while not self._is_idle():
                if self._needed.is_set() or not threading.main_thread().is_alive():
                    return
            # Whoever needs it imports it again, and fails there with all that is to be said.
            with contextlib.suppress(Exception):
                import_module(name)

    def _is_idle(self) -> bool:
        worked, began = self._worked(), time.monotonic()
        if self._needed.wait(_LOOK_EVERY):
            return False
        return self._worked() - worked < (time.monotonic() - began) * (1 - _IDLE)


_ahead = Ahead(MODULES)


def begin() -> None:
    """Begin, once in a process, where a server is being made; does not wait."""
    # `jupyter server extension list` asks what we are as well, and needs none of it.
    if "jupyter_server.serverapp" in sys.modules:
        _ahead.begin()


def end() -> None:
    """Leave the rest to whoever needs it; waits for what is being imported."""
    _ahead.end()
