"""The hook `JupyterHandler.user_is_authorized`, as a configuration file may replace it."""

from __future__ import annotations

import asyncio
import logging
import time
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from ...policy.vocabulary import ABILITY

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from jupyter_server.auth import User
    from jupyter_server.base.handlers import JupyterHandler

    from ...policy.model import Resource
    from ..surface import Asks

_log = logging.getLogger(__name__)

#: Seconds for which an answer is taken on a socket, and for which it is while the next
#: one is waited for.
AGAIN, LATE = 0.5, 5.0
_IS_OURS = "allows_all"


def allow_all(self: JupyterHandler, user: object, action: str, resource: str) -> bool:  # noqa: ARG001  # why: the hook's signature
    """Whether `user` may do `action` on `resource`; replace it in a configuration file.

    It can take away from what the policy allows, and never adds to it.
    """
    return True


setattr(allow_all, _IS_OURS, True)


class _Said(NamedTuple):
    allowed: bool
    at: float


class Hook:
    """Asks it for one user.

    Only True lets through; an awaitable is awaited; whatever it raises refuses. In one
    request it is asked once for each pair of word and upstream resource, on a socket
    again and again.
    """

    def __init__(self, gate: JupyterHandler, user: User) -> None:
        self._gate = gate
        self._user = user
        self._said: dict[tuple[str, str], _Said] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}

    @property
    def is_replaced(self) -> bool:
        """Whether there is a hook that could refuse anything."""
        return not hasattr(type(self._gate).user_is_authorized, _IS_OURS)  # type: ignore[attr-defined]  # why: the hook

    async def allows_all(self, entry: Asks | None, questions: list[tuple[str, Resource]]) -> bool:
        """Whether it allows every question of a request."""
        if not self.is_replaced:
            return True
        for action, resource in questions:
            word = ABILITY[(resource.type, action)].word.value
            if not await self.ask(word, entry.resource if entry else resource.type):
                return False
        return True

    async def ask(self, word: str, resource: str) -> bool:
        """As asked before in this request, or now."""
        key = (word, resource)
        if key not in self._said:
            answer = self._call(word, resource)
            self._keep(key, await _awaited(answer) if isawaitable(answer) else answer)
        return self._said[key].allowed

    def has_refused(self, word: str, resource: str) -> bool:
        """Whether it was asked that in this request, and has said no."""
        said = self._said.get((word, resource))
        return said is not None and not said.allowed

    def allows(self, word: str, resource: str) -> bool:
        """As asked before in this request, or now, without waiting."""
        key = (word, resource)
        if key not in self._said:
            answer = self._call(word, resource)
            if iscoroutine(answer):
                answer.close()
            self._keep(key, answer)
        return self._said[key].allowed

    def allows_now(self, word: str, resource: str) -> bool:
        """As of half a second ago at most, for a socket; without waiting.

        One that has to be awaited is asked in the background, and its last answer
        holds until then, for seconds at most.
        """
        key, now = (word, resource), time.monotonic()
        said = self._said.get(key)
        if said is not None and now - said.at < AGAIN:
            return said.allowed
        if key not in self._waiting:
            answer = self._call(word, resource)
            if not isawaitable(answer):
                self._keep(key, answer)
                return self._said[key].allowed
            self._waiting[key] = asyncio.ensure_future(self._renew(key, answer))
        return said is not None and said.allowed and now - said.at < LATE

    def renew(self) -> None:
        """Ask anew what has been asked; called now and then, so that no answer is old."""
        for key in list(self._said):
            self.allows_now(*key)

    async def _renew(self, key: tuple[str, str], answer: Awaitable[object]) -> None:
        try:
            self._keep(key, await _awaited(answer))
        finally:
            self._waiting.pop(key, None)

    def _call(self, word: str, resource: str) -> Any:
        handler: Any = self._gate
        try:
            return handler.user_is_authorized(self._user, word, resource)
        except Exception:  # noqa: BLE001  # why: a hook that breaks denies
            _log.exception("user_is_authorized failed, so the answer is deny")
            return False

    def _keep(self, key: tuple[str, str], answer: object) -> None:
        if answer is not True and answer is not False:
            _log.error(
                "user_is_authorized answered a %s, not True or False, so the answer is deny",
                type(answer).__name__,
            )
        self._said[key] = _Said(answer is True, time.monotonic())


async def _awaited(answer: Awaitable[object]) -> object:
    try:
        return await answer
    except Exception:  # noqa: BLE001  # why: a hook that breaks denies
        _log.exception("user_is_authorized failed, so the answer is deny")
        return False
