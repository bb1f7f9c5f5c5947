"""Surface of this package's own pages."""

from __future__ import annotations

from . import places as at
from .core import ask, asks
from .table import Public, Route

_PAGE = "jupyter_authorized_server.server.identity.page."
_IN = Public(reason="the way in")
_OUT = Public(reason="the way out")
_SETUP = Public(reason="opens only with the one-time set-up link, while nobody is in the store")
_SELF = asks("api", ask("identify", "server", at.server))

ROUTES: tuple[Route, ...] = (
    Route(handler=_PAGE + "LoginHandler", methods={"GET": _IN, "POST": _IN}),
    Route(handler=_PAGE + "LogoutHandler", methods={"GET": _OUT, "POST": _OUT}),
    Route(handler=_PAGE + "SetupHandler", methods={"GET": _SETUP, "POST": _SETUP}),
    Route(handler=_PAGE + "PasswordHandler", methods={"GET": _SELF, "POST": _SELF}),
)
