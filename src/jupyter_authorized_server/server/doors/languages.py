"""Door: language servers, a process of one's own for each socket, in a sandbox without files.

jupyter-lsp starts one process of each kind for everybody, of the server's own account. It
reads whatever a message names and what that names, runs what a folder's configuration
says, and tells each what it was told by the others. Here each socket has a process that
is shown nothing but itself: it knows the texts that its page sends, so whatever a message
names in it, no file is behind it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import string
import sys
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from ... import mistakes
from ...errors import AuthorizationError
from ...sandbox.room import Errand
from ...sandbox.talk import Talk
from .live import FINAL, POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wiring import Wiring

_log = logging.getLogger(__name__)

_MODULE = "jupyter_lsp.handlers"
_PACKAGE = "jupyter_lsp"
#: Of this release it is known what its handlers do with their manager; of another nobody
#: has looked.
_READ = "2.3."
#: Processes that one person has at once.
MOST = 8
#: Bytes of one message, and of what stands before it.
MOST_SAID, _MOST_BEFORE = 16 << 20, 8 << 10
#: Bytes that may stand in the closing of a socket.
_MOST_WHY = 120
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,9})[ \t]*\r?$")


def install(wired: Wiring) -> None:
    """Put this door under jupyter-lsp, if it is there and there is a sandbox.

    Elsewhere its routes are for administrators, see `surface.lab`.
    """
    confinement = wired.confinement
    if _MODULE not in sys.modules or confinement is None or confinement.launcher.backend is None:
        return
    version = str(getattr(sys.modules.get(_PACKAGE), "__version__", ""))
    if not version.startswith(_READ):
        _log.warning(
            "language servers run in no sandbox, so they are for administrators: "
            "jupyter-lsp %s is not the release that is known, %sx",
            version,
            _READ,
        )
        return
    wired.languages = Languages(wired)


class Languages:
    """The language servers of everybody."""

    def __init__(self, wired: Wiring) -> None:
        self._wired = wired
        self._open: dict[Any, _Connection] = {}

    def of(self, name: str, upstream: Any) -> _Own:
        """What jupyter-lsp's handlers have in the place of their manager for one person."""
        return _Own(self, name, upstream)

    def open_to(self, name: str) -> list[_Connection]:
        """The sockets of one person."""
        return [each for each in self._open.values() if each.owner == name]

    def begin(self, handler: Any, name: str, spec: Mapping[str, Any]) -> None:
        """Start a process for the socket of `handler`, unless that has closed meanwhile."""
        if handler.ws_connection is None:
            # Nobody would tell it to end, and it would count for its person for ever.
            return
        if len(self.open_to(name)) >= MOST:
            handler.close(POLICY, mistakes.LANGUAGE_SERVERS)
            return
        launcher = self._wired.confinement.launcher
        try:
            room = self._wired.confinement.room_for(Errand(folder=""))
        except AuthorizationError as error:
            handler.close(POLICY, _short(str(error)))
            return
        connection = self._open[handler] = _Connection(handler, name, spec)
        connection.begin(Talk(launcher, room, connection.hear))

    def end(self, handler: Any) -> None:
        """The socket of `handler` is closed."""
        connection = self._open.pop(handler, None)
        if connection is not None:
            connection.talk.stop("its page has gone")

    def tell(self, handler: Any, message: str | bytes) -> None:
        """Have the process of `handler` read `message`."""
        connection = self._open.get(handler)
        if connection is not None:
            connection.tell(message)


class _Connection:
    """One socket, and the process behind it."""

    def __init__(self, handler: Any, owner: str, spec: Mapping[str, Any]) -> None:
        self.owner = owner
        self.kind = str(handler.language_server)
        self.talk: Talk
        self._handler = handler
        self._spec = spec
        self._said = bytearray()
        self._lasting: asyncio.Task[None] | None = None

    def begin(self, talk: Talk) -> None:
        """Start `talk`, and close the socket when it ends."""
        self.talk = talk
        self._lasting = asyncio.ensure_future(self._last())

    async def _last(self) -> None:
        # What the operator's configuration says of variables tells nothing of the server's.
        known = {"PATH": os.defpath}
        variables = {
            name: string.Template(str(value)).safe_substitute(known)
            for name, value in dict(self._spec.get("env") or {}).items()
        }
        why = "the language server has ended"
        try:
            await self.talk.last([str(each) for each in self._spec["argv"]], variables)
        except AuthorizationError as error:
            why = str(error)
        except WebSocketClosedError:
            return
        except ValueError as error:
            why = f"the language server says what cannot be passed on: {error}"
        _log.info("a language server of %s, %s: %s", self.owner, self.kind, why)
        self._handler.close(FINAL, _short(why))

    async def hear(self, part: bytes) -> None:
        """Pass on each message that is whole with this part of what the process prints.

        Raises:
            ValueError: it is no message, or too much.
        """
        self._said += part
        for message in whole_messages(self._said):
            await self._handler.write_message(message)

    def tell(self, message: str | bytes) -> None:
        """Pass on what the page sends."""
        data = message.encode() if isinstance(message, str) else message
        if not self.talk.tell(b"Content-Length: %d\r\n\r\n%b" % (len(data), data)):
            self._handler.close(POLICY, mistakes.LANGUAGE_SERVER_SLOW)


def _short(why: str) -> str:
    """As much of `why` as fits into the closing of a socket."""
    return why.encode()[:_MOST_WHY].decode(errors="ignore")


def whole_messages(said: bytearray) -> list[str]:
    """The messages at the beginning of `said` that are whole; they are taken out of it.

    Raises:
        ValueError: there is no message, or one that is too long.
    """
    found: list[str] = []
    while True:
        before = said.find(b"\r\n\r\n", 0, _MOST_BEFORE)
        if before < 0:
            if len(said) >= _MOST_BEFORE:
                msg = "no message begins"
                raise ValueError(msg)
            return found
        length = _LENGTH.search(said[:before])
        if length is None or int(length[1]) > MOST_SAID:
            msg = "a message without a length, or one that is too long"
            raise ValueError(msg)
        begins = before + 4
        ends = begins + int(length[1])
        if len(said) < ends:
            return found
        found.append(said[begins:ends].decode())
        del said[:ends]


class _Own:
    """What a handler of jupyter-lsp asks of its manager, for one person."""

    def __init__(self, languages: Languages, name: str, upstream: Any) -> None:
        self._languages = languages
        self._name = name
        self._upstream = upstream

    async def ready(self) -> bool:
        """Wait until it is known which servers there are."""
        return bool(await self._upstream.ready())

    @property
    def all_language_servers(self) -> Any:
        """Those that are known, installed or not."""
        return self._upstream.all_language_servers

    @property
    def sessions(self) -> dict[str, _Session]:
        """Those that are installed, with what runs of each."""
        kinds = [each.kind for each in self._languages.open_to(self._name)]
        return {
            kind: _Session(session, kinds.count(kind))
            for kind, session in self._upstream.sessions.items()
        }

    def subscribe(self, handler: Any) -> None:
        """The socket of `handler` is open."""
        spec = self._upstream.language_servers.get(handler.language_server)
        if spec is None:
            handler.close(POLICY, mistakes.NO_LANGUAGE_SERVER)
            return
        self._languages.begin(handler, self._name, spec)

    async def on_client_message(self, message: str | bytes, handler: Any) -> None:
        """A page has sent something."""
        self._languages.tell(handler, message)

    def unsubscribe(self, handler: Any) -> None:
        """The socket of `handler` is closed."""
        self._languages.end(handler)


class _Session:
    """How many processes of one kind somebody has."""

    def __init__(self, upstream: Any, count: int) -> None:
        self._upstream = upstream
        self._count = count

    def to_json(self) -> dict[str, Any]:
        """As jupyter-lsp tells it."""
        return {
            **self._upstream.to_json(),
            "handler_count": self._count,
            "status": "started" if self._count else "not_started",
        }
