"""Door: sockets of people whom somebody else recognises, such as a hub, asked about again.

What this server keeps itself, a login session or a token, ends its sockets as it ends. Of
another provider's logins nothing is heard here; so the provider is asked again now and then
whether whoever opened a socket is still somebody, as it was when the socket opened.
"""

from __future__ import annotations

import logging
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from tornado.ioloop import PeriodicCallback

from ... import sentences
from .admission import admission
from .gate import Gate
from .live import part

if TYPE_CHECKING:
    from tornado.web import Application
    from tornado.websocket import WebSocketHandler

    from .live import LiveDoors

_log = logging.getLogger(__name__)

#: Seconds between two questions; a hub's answers are kept for five minutes by its own part.
SECONDS = 60.0


class Recognised:
    """Asks the identity provider of `application` about the sockets in `live`."""

    def __init__(self, application: Application, live: LiveDoors) -> None:
        self._application = application
        self._live = live
        self._asks = PeriodicCallback(self.look, SECONDS * 1000)

    def start(self) -> None:
        """Ask from now on."""
        self._asks.start()

    async def look(self) -> None:
        """Sign out each socket that nobody has opened any more.

        A provider that cannot be asked has said nothing: a hub may be started anew while
        its servers go on.
        """
        for handler in self._live.of_others():
            found = admission(handler.request)
            if (
                found is None
                or found.is_nobody
                or (found.entry is not None and found.entry.forwards)
            ):
                # Nobody was recognised; or what said who asks is not forwarded, and so is not
                # there any more.
                continue
            try:
                known = await self._is_somebody(handler)
            except Exception as error:  # noqa: BLE001  # why: whatever a provider raises
                _log.warning("it could not be asked who has opened a socket: %s", error)
                continue
            if not known:
                part(handler, sentences.SIGNED_OUT)

    async def _is_somebody(self, handler: WebSocketHandler) -> bool:
        gate = Gate(self._application, handler.request)
        # Not the guard's own answer, which is that of the handshake.
        ask: Any = gate.identity_provider.get_user
        user = ask.original(gate)
        return (await user if isawaitable(user) else user) is not None
