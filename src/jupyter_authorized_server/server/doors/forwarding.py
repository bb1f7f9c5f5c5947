"""Door: requests that are forwarded to somebody's program, and what it answers.

What goes through is the request and nothing that would let the program act here as
whoever asked; what comes back sets no cookie of ours and reaches for no other page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from jupyter_server.auth import PasswordIdentityProvider

from ..identity import LocalIdentityProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tornado.httputil import HTTPServerRequest

#: Headers of a request by which this server, or a proxy before it, knows who asks.
_SECRET = ("Authorization", "Proxy-Authorization", "X-XSRFToken", "X-CSRFToken")
#: Headers of an answer that would reach beyond the forwarded pages.
_FAR = {"service-worker-allowed", "clear-site-data"}
_PROTOCOLS = "Sec-WebSocket-Protocol"
#: Begins the subprotocol in which a socket brings a token.
_TOKEN_PROTOCOL = "v1.token.websocket.jupyter.org"  # noqa: S105  # why: no secret
_XSRF = "_xsrf"
#: Providers whose cookies are known by name.
_KNOWN = (LocalIdentityProvider, PasswordIdentityProvider)


def strip(request: HTTPServerRequest, settings: Mapping[str, Any], gate: object) -> None:
    """Take out of `request` what lets whoever has it act here as the person."""
    headers = request.headers
    for name in _SECRET:
        headers.pop(name, None)
    is_ours = _ours(settings, gate)
    kept = [
        each
        for line in headers.get_list("Cookie")
        for each in line.split(";")
        if each.strip() and not is_ours(each.partition("=")[0].strip())
    ]
    headers.pop("Cookie", None)
    if kept:
        headers["Cookie"] = ";".join(kept).strip()
    protocols = [each.strip() for each in headers.get(_PROTOCOLS, "").split(",") if each.strip()]
    headers.pop(_PROTOCOLS, None)
    others = [each for each in protocols if not each.startswith(_TOKEN_PROTOCOL)]
    if others:
        headers[_PROTOCOLS] = ", ".join(others)
    if "token=" in headers.get("Referer", ""):
        del headers["Referer"]
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if any(name == "token" for name, _ in pairs):
        request.query = urlencode([pair for pair in pairs if pair[0] != "token"])
        request.uri = request.path + (f"?{request.query}" if request.query else "")
        for arguments in (request.arguments, request.query_arguments):
            arguments.pop("token", None)


def fit(handler: Any) -> None:
    """Have `handler`, which forwards, send nothing of an answer that reaches beyond it."""
    is_ours = _ours(handler.settings, handler)

    def sending(send: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
        def checked(name: str, value: Any) -> None:
            lower = name.lower()
            cookie = lower == "set-cookie" and str(value).partition("=")[0].strip()
            if lower not in _FAR and not (cookie is not False and is_ours(str(cookie))):
                send(name, value)

        return checked

    handler.add_header = sending(handler.add_header)
    handler.set_header = sending(handler.set_header)


def _ours(settings: Mapping[str, Any], handler: Any) -> Callable[[str], bool]:
    """Tells which cookies say who somebody is; each, where only their provider knows."""
    provider = settings["identity_provider"]
    if type(provider) not in _KNOWN:
        return lambda _: True
    names = {_XSRF, provider.get_cookie_name(handler)}
    return lambda name: name in names or name.startswith("username-")
