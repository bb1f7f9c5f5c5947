"""Door: the event stream, of which each listener hears what they may know of.

Upstream sends every event to every listener, and the private saves and renames of
others are among them. An event is asked about by what it is about; one of an unknown
kind is for whoever may hear everything.
"""

from __future__ import annotations

import asyncio
import json
from types import MethodType
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from ...audit import SCHEMA_ID
from ...errors import UnsafePath
from ...policy.model import Resource
from ...policy.vocabulary import Word
from ..acting import ACTING, SERVER
from ..surface import places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wiring import Wiring
    from .live import LiveDoor

_SOCKET = "jupyter_server.services.events.handlers.SubscribeWebsocket"
_EVENTS = "https://events.jupyter.org/jupyter_server/"
#: Names of an event's fields that hold contents paths, by schema.
PATHS = {_EVENTS + "contents_service/v1": ("path", "source_path")}
#: Names of an event's fields that hold a kernel's id, by schema.
KERNELS = {_EVENTS + "kernel_actions/v1": ("kernel_id",)}
#: Seconds for which a listener is asked about no event of a kind that is not for them. Each
#: record is one, and to tell the bus of it cost twice what it costs to write it.
REST = 10.0
#: Who caused an event; set by the server, whatever the event itself says.
ACTOR = "__actor__"


def fit(handler: Any, door: LiveDoor, wired: Wiring) -> None:
    """Have each event asked about before it goes to this listener."""
    if any(f"{kind.__module__}.{kind.__qualname__}" == _SOCKET for kind in type(handler).__mro__):
        # Upstream adds and removes this very attribute as its listener, which stays the
        # handler's own method: whoever looks for the sockets that listen finds them so.
        hear = _Listener(handler, door, wired).hear
        handler.event_listener = MethodType(hear, handler)


class _Listener:
    """One subscriber."""

    def __init__(self, handler: Any, door: LiveDoor, wired: Wiring) -> None:
        self._handler = handler
        self._door = door
        self._wired = wired
        self._resting: set[str] = set()
        # One that has to be waited for is asked before there is an event.
        self._is_configured()

    async def hear(
        self, handler: Any, logger: Any, schema_id: str, data: Mapping[str, Any]
    ) -> None:
        """Pass an event on, if this listener may know of it.

        It runs in the context of whoever caused the event: that names the actor, and
        must not answer for the listener.
        """
        acting = ACTING.get()
        if not self._may_hear(schema_id, data):
            if schema_id not in PATHS and schema_id not in KERNELS:
                self._rest(logger, schema_id)
            return
        told = {
            **data,
            "schema_id": schema_id,
            ACTOR: SERVER if acting is None else acting.principal.name,
        }
        try:
            handler.write_message(json.dumps(told))
        except WebSocketClosedError:
            logger.remove_listener(listener=handler.event_listener)

    def _rest(self, logger: Any, schema_id: str) -> None:
        """Listen to no event of this kind for a while, whatever it says."""
        if schema_id not in self._resting:
            self._resting.add(schema_id)
            logger.remove_listener(schema_id=schema_id, listener=self._handler.event_listener)
            asyncio.get_running_loop().call_later(REST, self._go_on, logger, schema_id)

    def _go_on(self, logger: Any, schema_id: str) -> None:
        self._resting.discard(schema_id)
        # One that was closed meanwhile stays away.
        if self._handler.ws_connection is not None:
            logger.add_listener(schema_id=schema_id, listener=self._handler.event_listener)

    def _may_hear(self, schema_id: str, data: Mapping[str, Any]) -> bool:
        live, door = self._wired.live, self._door
        if not live.current(door).allowed:
            return False
        if self._may("observe", Resource(type="events", id=schema_id)):
            return schema_id != SCHEMA_ID or self._is_configured()
        about = [data[name] for name in PATHS.get(schema_id, ()) if data.get(name) is not None]
        kernels = [data[name] for name in KERNELS.get(schema_id, ()) if data.get(name)]
        if not about and not kernels:
            return False
        return all(self._may_see(path) for path in about) and all(
            self._may("watch", places.kernel_of(self._wired.kernels, str(kernel_id)))
            for kernel_id in kernels
        )

    def _is_configured(self) -> bool:
        """Whether the configuration's own function lets this listener hear others' records.

        It is told of no kind of event, so it is asked as where records are read.
        """
        hook = self._door.hook
        return hook is None or hook.allows_now(Word.WRITE.value, places.SERVER.type)

    def _may_see(self, path: object) -> bool:
        try:
            found = places.place_of(self._handler.settings["contents_manager"], path)
        except UnsafePath:
            return False
        meant = places.resources(found)
        return all(self._may("open", each) for each in meant) or all(
            self._may("list", each) for each in meant
        )

    def _may(self, action: str, resource: Resource) -> bool:
        live, door = self._wired.live, self._door
        allowed: bool = live.ask(door, action, resource, door_name="events").allowed
        return allowed
