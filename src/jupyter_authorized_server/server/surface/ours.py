"""Surface of this package's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import places as at
from .core import ask, asks
from .table import Asks, Public, Question, Route
from .written import questions

if TYPE_CHECKING:
    from .call import Call

_ADMIN = "jupyter_authorized_server.server.admin."
_PAGE = "jupyter_authorized_server.server.identity.page."
_IN = Public(reason="the way in")
_OUT = Public(reason="the way out")
_SETUP = Public(reason="opens only with the one-time set-up link, while nobody is in the store")
_SELF = asks("api", ask("identify", "server", at.server))


def _others(call: Call) -> list[str]:
    """The resources that a batch asks about for somebody else."""
    asked = call.json().get("requests", [call.json()])
    if not isinstance(asked, list):
        return []
    return [
        each["resource"]
        for each in asked
        if isinstance(each, dict)
        and each.get("principal") not in (None, call.principal)
        and isinstance(each.get("resource"), str)
    ]


def _and(*more: Question) -> Asks:
    """What whoever is signed in is answered, if also `more` is allowed."""
    return asks("api", ask("identify", "server", at.server), *more)


ROUTES: tuple[Route, ...] = (
    Route(handler=_PAGE + "LoginHandler", methods={"GET": _IN, "POST": _IN}),
    Route(handler=_PAGE + "LogoutHandler", methods={"GET": _OUT, "POST": _OUT}),
    Route(handler=_PAGE + "SetupHandler", methods={"GET": _SETUP, "POST": _SETUP}),
    Route(handler=_PAGE + "PasswordHandler", methods={"GET": _SELF, "POST": _SELF}),
    Route(handler=_ADMIN + "me.MeHandler", methods={"GET": _SELF}),
    # About oneself everybody may ask, about others who may see or manage who has access.
    Route(
        handler=_ADMIN + "question.CheckHandler",
        methods={"POST": _and(*questions("review", _others))},
    ),
    Route(
        handler=_ADMIN + "question.ExplainHandler",
        methods={"POST": _and(*questions("share", _others))},
    ),
    # Each grant of a list is asked about by its handler.
    Route(handler=_ADMIN + "grant.GrantsHandler", methods={"GET": _SELF}),
)
