"""Door: who holds the login that a socket was opened with, or a download, and until when."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...errors import AuthorizationError, StoreError
from ...policy.model import ANONYMOUS, Principal
from .admission import admission

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.httputil import HTTPServerRequest

    from ...decision_point import DecisionPoint
    from ...store import LoginSession, Token

_log = logging.getLogger(__name__)


class Login(NamedTuple):
    """What somebody has signed in with.

    `name` is the written form of the person, `token` and `session` are ids; `local` says
    whether the person must be known to this server's own store.
    """

    name: str
    token: str | None
    session: str | None
    local: bool


class Holder(NamedTuple):
    """Who holds a login; nobody where it is over. `until` is in seconds since the epoch."""

    principal: Principal | None
    until: float


@dataclass(frozen=True, kw_only=True)
class _Kept:
    tokens: dict[str, Token]
    sessions: dict[str, LoginSession]


def holders(point: DecisionPoint, logins: Iterable[Login], now: float) -> dict[Login, Holder]:
    """Who holds each of `logins` at `now`.

    The store is asked once about all of them: hundreds of people may be connected when
    something changes, and until each is asked about, the server does nothing else.
    """
    wanted = set(logins)
    try:
        kept = _Kept(
            tokens=point.store.tokens_called(each.token for each in wanted if each.token),
            sessions=point.store.login_sessions_called(
                each.session for each in wanted if each.session
            ),
        )
    except StoreError:
        # Nobody is recognised while the store cannot be asked; soon asked again.
        _log.warning("the store could not be asked about open sockets, so they are refused")
        return dict.fromkeys(wanted, Holder(None, now))
    return {each: _holder(point, each, kept, now) for each in wanted}


def holds(point: DecisionPoint, request: HTTPServerRequest) -> bool:
    """Whether what `request` was asked with, a login session or a token, is not over by now.

    Of what nobody has asked, and of another provider's logins, nothing is known that is.
    """
    found = admission(request)
    if found is None or found.is_nobody:
        return True
    asked = found.principal.viewer or found.principal
    is_local = hasattr(found.user, "session_id")
    login = Login(asked.name, asked.token, asked.session, is_local)
    return holders(point, (login,), time.time())[login].principal is not None


def _holder(point: DecisionPoint, login: Login, kept: _Kept, now: float) -> Holder:
    if login.name == ANONYMOUS:
        return Holder(Principal(name=ANONYMOUS), math.inf)
    return _person(point, login, kept, now)


def _person(point: DecisionPoint, login: Login, kept: _Kept, now: float) -> Holder:
    until, token = math.inf, None
    if login.token is not None:
        token = kept.tokens.get(login.token)
        if token is None:
            return Holder(None, until)
        until = math.inf if token.expires is None else token.expires
    if login.session is not None:
        session = kept.sessions.get(login.session)
        if session is None:
            return Holder(None, math.inf)
        until = min(until, session.expires)
    if until <= now:
        return Holder(None, math.inf)
    try:
        principal = point.principal(
            login.name,
            token=login.token,
            session=login.session,
            must_exist=login.local,
            known=token,
        )
    except StoreError:
        _log.warning("the store could not be asked about an open socket, so it is refused")
        return Holder(None, now)
    except AuthorizationError:
        return Holder(None, math.inf)
    return Holder(principal, until)
