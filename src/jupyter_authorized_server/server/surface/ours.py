"""Surface of this package's own pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ... import mistakes
from . import places as at
from .core import ask, asks, to_guests
from .table import Asks, Public, Question, Route, Unanswerable
from .written import in_body, in_query, questions

if TYPE_CHECKING:
    from collections.abc import Sized

    from ...policy.model import Resource
    from .call import Call

_ADMIN = "jupyter_authorized_server.server.admin."
_PAGE = "jupyter_authorized_server.server.identity.page."
_IN = Public(reason="the way in")
_OUT = Public(reason="the way out")
_SETUP = Public(reason="opens only with the one-time set-up link, while nobody is in the store")
#: Most bytes of a body, questions of a request, and grants that are given at once: all of
#: them are looked at before anybody else has their turn.
MOST_BYTES, MOST_QUESTIONS, MOST_GRANTS = 2**20, 1000, 200


def here(call: Call) -> Resource:
    """The server, of which something is asked that is not too long to be read.

    Raises:
        Unanswerable: it is.
    """
    if len(call.request.body) > MOST_BYTES:
        raise Unanswerable(413, mistakes.body_long(str(MOST_BYTES)))
    return at.server(call)


_SELF = asks("api", ask("identify", "server", here))
_ADMINISTERS = asks("server", ask("administer", "server", here))


def _others(call: Call) -> list[str]:
    """The resources that a batch asks about for somebody else."""
    asked = call.json().get("requests", [call.json()])
    if not isinstance(asked, list):
        return []
    _require_few(asked, "requests", MOST_QUESTIONS)
    return [
        each["resource"]
        for each in asked
        if isinstance(each, dict)
        and each.get("principal") not in (None, call.principal)
        and isinstance(each.get("resource"), str)
    ]


def _wanted(call: Call) -> list[str]:
    """The resources on which many levels are to be given, each once."""
    asked = call.json().get("grants")
    if not isinstance(asked, list):
        return []
    _require_few(asked, "grants", MOST_GRANTS)
    named = [each.get("resource") for each in asked if isinstance(each, dict)]
    return [*dict.fromkeys(each for each in named if isinstance(each, str))]


def _require_few(asked: Sized, name: str, most: int) -> None:
    if len(asked) > most:
        raise Unanswerable(400, mistakes.too_many(name, str(most), str(len(asked))))


def if_another(call: Call) -> Resource | None:
    """The server, if somebody else is asked about."""
    return None if call.query("principal", call.principal) == call.principal else at.SERVER


def _and(*more: Question) -> Asks:
    """What whoever is signed in is answered, if also `more` is allowed."""
    return asks("api", ask("identify", "server", here), *more)


#: What is asked of whoever sits there, also while they look around as somebody else.
_ONESELF = replace(_SELF, as_oneself=True)
#: AuthZEN: programs that ask for others, so decisions on everybody.
_EXPLAIN = replace(asks("api", ask("explain", "server", here)), unsigned=401)
_NAMED = replace(_SELF, unsigned=401)

ROUTES: tuple[Route, ...] = (
    Route(handler=_PAGE + "LoginHandler", methods={"GET": _IN, "POST": _IN}),
    Route(handler=_PAGE + "LogoutHandler", methods={"GET": _OUT, "POST": _OUT}),
    Route(handler=_PAGE + "SetupHandler", methods={"GET": _SETUP, "POST": _SETUP}),
    Route(handler=_PAGE + "PasswordHandler", methods={"GET": _SELF, "POST": _SELF}),
    # The page holds no data; what its script asks is asked of the policy by itself.
    Route(handler=_ADMIN + "page.PageHandler", methods={"GET": _SELF}),
    Route(handler=_ADMIN + "page.PartHandler", methods={"GET": _SELF}),
    Route(handler=_ADMIN + "me.MeHandler", methods={"GET": to_guests(_SELF)}),
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
    Route(
        handler=_ADMIN + "grant.GrantsHandler",
        methods={"GET": _SELF, "POST": _and(*questions("share", in_body("resource")))},
    ),
    Route(
        handler=_ADMIN + "grant_batch.GrantBatchHandler",
        methods={"POST": _and(*questions("share", _wanted))},
    ),
    # Of one grant, link or request the handler asks, so that none can be told from another.
    Route(
        handler=_ADMIN + "grant.GrantHandler",
        methods=dict.fromkeys(("GET", "PATCH", "DELETE"), _SELF),
    ),
    Route(
        handler=_ADMIN + "grant.LevelsHandler",
        methods={"GET": _and(*questions("share", in_query("resource")))},
    ),
    Route(
        handler=_ADMIN + "survey.WhoCanHandler",
        methods={"GET": _and(*questions("review", in_query("resource")))},
    ),
    Route(
        handler=_ADMIN + "survey.WhatCanHandler",
        methods={"GET": _and(ask("explain", "server", if_another))},
    ),
    Route(
        handler=_ADMIN + "reach.ReachHandler",
        methods={"GET": _and(ask("administer", "server", if_another))},
    ),
    # Names are for whoever may share something, which the handler asks.
    Route(handler=_ADMIN + "people.PeopleHandler", methods={"GET": _SELF, "POST": _ADMINISTERS}),
    Route(handler=_ADMIN + "people.GroupsHandler", methods={"GET": _SELF, "POST": _ADMINISTERS}),
    Route(
        handler=_ADMIN + "people.PersonHandler",
        methods={"GET": _ADMINISTERS, "PATCH": _ADMINISTERS, "DELETE": _ADMINISTERS},
    ),
    Route(
        handler=_ADMIN + "people.GroupHandler",
        methods={"GET": _ADMINISTERS, "PATCH": _ADMINISTERS, "DELETE": _ADMINISTERS},
    ),
    # One's own sockets; who may administer is asked about by the handler, for all others.
    Route(handler=_ADMIN + "live.DoorsHandler", methods={"GET": _SELF}),
    Route(handler=_ADMIN + "live.DoorHandler", methods={"DELETE": _SELF}),
    # One's own; who may administer is asked about by the handler, for all others.
    Route(handler=_ADMIN + "login.LoginsHandler", methods={"GET": _SELF}),
    Route(handler=_ADMIN + "login.LoginHandler", methods={"DELETE": _SELF}),
    Route(
        handler=_ADMIN + "authzen.EvaluationHandler",
        methods={"POST": _EXPLAIN},
    ),
    Route(
        handler=_ADMIN + "authzen.EvaluationsHandler",
        methods={"POST": _EXPLAIN},
    ),
    Route(handler=_ADMIN + "search.SubjectSearchHandler", methods={"POST": _EXPLAIN}),
    Route(handler=_ADMIN + "search.ResourceSearchHandler", methods={"POST": _EXPLAIN}),
    Route(handler=_ADMIN + "search.ActionSearchHandler", methods={"POST": _EXPLAIN}),
    Route(handler=_ADMIN + "authzen.ConfigurationHandler", methods={"GET": _NAMED}),
    # One's own records; who may administer is asked about by the handler, for all others.
    Route(handler=_ADMIN + "record.RecordsHandler", methods={"GET": _SELF}),
    Route(
        handler=_ADMIN + "record.VerifyHandler",
        methods={"GET": _ADMINISTERS},
    ),
    Route(
        handler=_ADMIN + "link.LinksHandler",
        methods={"GET": _SELF, "POST": _and(*questions("share", in_body("resource")))},
    ),
    Route(handler=_ADMIN + "link.LinkHandler", methods={"DELETE": _SELF}),
    Route(handler=_ADMIN + "link.RedeemHandler", methods={"POST": _SELF}),
    Route(handler=_ADMIN + "link_page.LinkPage", methods={"GET": _SELF, "POST": _SELF}),
    Route(
        handler=_ADMIN + "guest_page.GuestPage",
        methods=dict.fromkeys(("GET", "POST"), Public(reason="opens only with a link for guests")),
    ),
    Route(handler=_ADMIN + "wish.WishesHandler", methods={"GET": _SELF, "POST": _SELF}),
    Route(handler=_ADMIN + "wish.WishHandler", methods={"GET": _SELF, "PATCH": _SELF}),
    Route(handler=_ADMIN + "token.TokensHandler", methods={"GET": _SELF, "POST": _SELF}),
    Route(handler=_ADMIN + "token.TokenHandler", methods={"GET": _SELF, "DELETE": _SELF}),
    # Whose view it is, the handler asks.
    Route(
        handler=_ADMIN + "view.ViewsHandler",
        methods={
            "GET": _ONESELF,
            "POST": replace(_and(ask("view_as", "server", here)), as_oneself=True),
        },
    ),
    Route(handler=_ADMIN + "view.ViewHandler", methods={"DELETE": _ONESELF}),
    Route(handler=_ADMIN + "policy.PolicyHandler", methods={"GET": _ADMINISTERS}),
    Route(handler=_ADMIN + "changes.ChangesHandler", methods={"GET": to_guests(_SELF)}),
    Route(handler=_ADMIN + "routes.DocumentHandler", methods={"GET": _SELF}),
)
