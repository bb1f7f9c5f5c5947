"""The handler that stands in while the guard finds out who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPHeaders

from ... import sentences
from ...errors import UnknownName

if TYPE_CHECKING:
    from jupyter_server.auth import User


class Gate(JupyterHandler):
    """Stands in for the handler while the identity provider finds out who asks."""

    def clear(self) -> None:
        """Begin with an answer that has no headers: a gate sends none."""
        self._headers = HTTPHeaders()
        self._write_buffer: list[bytes] = []
        self._status_code = 200
        self._reason = "OK"


#: Methods that change nothing, and whose answer a browser keeps from other sites itself.
_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(gate: Gate, user: User) -> None:
    """Raise unless what changes something, or opens a socket, comes from a page of this
    server, or from a program.

    A browser asks nobody before it opens a socket, or sends a form, for the page of
    another site, with the cookies of this one if that has the same host name; some
    handlers do not ask either.

    Raises:
        UnknownName: it is another site's page, which is nobody here.
    """
    request = gate.request
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    if not is_socket and request.method in _LOOKS:
        return
    gate.current_user = user
    if not gate.check_origin():
        msg = sentences.ANOTHER_SITE
        raise UnknownName(msg)
