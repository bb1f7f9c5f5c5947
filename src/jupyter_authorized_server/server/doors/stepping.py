"""A coroutine for those that wait and those that do not.

One description of what is asked serves managers whose methods are coroutines, and others.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class _Rest:
    """A coroutine that has run up to its first wait, to be waited for."""

    def __init__(self, step: Callable[..., Any], running: Any, waits_for: Any) -> None:
        self._step = step
        self._running = running
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001  # why: handed on to the coroutine
                step, value = self._running.throw, error
            else:
                step, value = self._running.send, sent
            try:
                waits_for = self._step(step, value)
            except StopIteration as end:
                return end.value


def now(running: Any) -> Any:
    """The answer of a coroutine that need not wait, else an awaitable of it.

    So one description of what is asked serves managers that wait and those that do not.
    It runs in a context of its own: where it has to wait, what it sets there must not
    hold for whatever its caller does meanwhile.
    """
    step = copy_context().run
    try:
        waits_for = step(running.send, None)
    except StopIteration as end:
        return end.value
    return _Rest(step, running, waits_for)
