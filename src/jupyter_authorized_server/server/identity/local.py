"""Identity: people of the store, by login session or API token."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth import IdentityProvider, User
from tornado import web
from traitlets import Bool, List, Unicode, default, validate

from ... import mistakes, sentences
from ...account import accounted, begun
from ...credentials import new_secret
from ...errors import ConfigurationError, StoreError, UnknownName
from ...policy.model import GUEST
from ..wiring import Wiring, wiring
from .holder import Holders
from .page import LoginHandler, LogoutHandler, PasswordHandler, SetupHandler
from .password import Checked, Passwords
from .setup_link import PATH as SETUP_PATH
from .user import GuestUser, LocalUser

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.httputil import HTTPServerRequest

    from ...store import Store

#: Path of the page where people change their password, below the base URL.
PASSWORD_PATH = "/authz/password"  # noqa: S105  # why: a path, not a password
#: Of what a client typed or calls itself, so much goes into records.
MOST_RECORDED = 128

#: Marks a handler of which nobody knows who asks, since the store could not be asked.
UNREACHABLE = "jupyter_authorized_server_unreachable"
#: And one with a token that is nobody's, or nobody's any more.
NO_TOKEN = "jupyter_authorized_server_no_token"  # noqa: S105  # why: a mark, not a token


class LocalIdentityProvider(IdentityProvider):
    """Who asks: a person of this server's own store.

    An `Authorization: token …` (or `bearer …`) header decides alone when there is one,
    however bad; otherwise the login cookie does. A websocket handshake may carry the
    token as `?token=`, since browsers can send no header with one; anywhere else that
    would end up in logs and histories, so it is not looked at.

    There is no token of the server: who knows one secret is not thereby somebody.
    """

    token = Unicode("", help="There is none in this mode; whatever is set here is ignored.").tag(
        config=True
    )
    token_generated = False
    need_token = Bool(default_value=False)
    updatable_fields = List(
        Unicode(), help="Nobody renames himself in this mode; whatever is set here is ignored."
    ).tag(config=True)

    #: Seconds since the epoch.
    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self, **kwargs: Any) -> None:
        self._warned: set[str] = set()
        self._unreachable = False
        self._point: object = None
        self._holders: Holders | None = None
        self._passwords: Passwords | None = None
        super().__init__(**kwargs)
        if os.environ.get("JUPYTER_TOKEN") or os.environ.get("JUPYTER_TOKEN_FILE"):
            self._warn_once("JUPYTER_TOKEN is ignored: people sign in as themselves")

    @validate("token")
    def _no_token(self, proposal: Any) -> str:
        if proposal["value"]:
            self._warn_once("the configured token is ignored: people sign in as themselves")
        return ""

    @validate("updatable_fields")
    def _validate_updatable_fields(self, proposal: Any) -> list[str]:
        if proposal["value"]:
            self._warn_once("`updatable_fields` is ignored: names are the administrator's to give")
        return []

    @default("login_handler_class")
    def _default_login_handler_class(self) -> type[web.RequestHandler]:
        return LoginHandler

    @default("logout_handler_class")
    def _default_logout_handler_class(self) -> type[web.RequestHandler]:
        return LogoutHandler

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self.log.warning(message)

    # Who asks

    def get_user(self, handler: web.RequestHandler) -> User | None:
        """Who sent this request; None for nobody, which also every failure means."""
        known = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return cast("User", known)
        try:
            user = self._identify(handler)
        except (StoreError, ConfigurationError) as error:
            if not self._unreachable:
                self.log.error("nobody is recognised until this is mended: %s", error)  # noqa: TRY400  # why: the message says it all
            self._unreachable = True
            setattr(handler, UNREACHABLE, True)
            return None
        self._unreachable = False
        return user

    def _identify(self, handler: web.RequestHandler) -> LocalUser | GuestUser | None:
        holders = self._open(handler)[0]
        now = self.clock()
        text = _explicit(handler.request)
        if text is not None:
            token = holders.token(text, now=now)
            user = holders.user(token.person, token=token.id) if token else None
            if user is not None:
                # Upstream's mark: no other site can make a browser send this.
                handler._token_authenticated = True  # type: ignore[attr-defined]  # noqa: SLF001  # why: upstream's protocol
            else:
                setattr(handler, NO_TOKEN, True)
            return user
        name = self.get_cookie_name(handler)
        if handler.get_cookie(name) is None:
            return None
        secret = self._cookie(handler, name)
        session = holders.session(secret, now=now)
        if session is None and (guest := holders.guest(secret, now=now)) is not None:
            return guest
        user = holders.user(session.person, session=session.id) if session else None
        if user is None and not _is_handshake(handler.request):
            self.clear_login_cookie(handler)
        return user

    def _cookie(self, handler: web.RequestHandler, name: str) -> str:
        """What the login cookie holds; empty for one that this server did not sign."""
        hours = wiring(handler.settings).config.session_hours
        # Tornado's own limit is 31 days; how long a session lasts, the store says.
        options = {"max_age_days": hours / 24 + 1, **self.get_secure_cookie_kwargs}
        try:
            return (handler.get_secure_cookie(name, **options) or b"").decode("ascii")
        except ValueError:
            return ""

    def identity_model(self, user: User) -> dict[str, Any]:
        """What `/api/me` says of `user`: also the groups, but no id of a credential."""
        model: dict[str, Any] = {
            field: getattr(user, field)
            for field in ("username", "name", "display_name", "initials", "avatar_url", "color")
        }
        if isinstance(user, LocalUser):
            model["groups"] = list(user.groups)
        return model

    def update_user(self, handler: web.RequestHandler, user_data: dict[Any, str]) -> User:  # noqa: ARG002  # why: upstream's signature
        """Refused: a person who could choose a name could choose another's."""
        raise web.HTTPError(403, sentences.NAMES_ARE_GIVEN)

    # Signing in and out; called by the pages

    def _open(self, handler: web.RequestHandler) -> tuple[Holders, Passwords, Wiring]:
        wired = wiring(handler.settings)
        if self._holders is None or self._passwords is None or self._point is not wired.point:
            self._point = wired.point
            self._holders = Holders(wired.point)
            self._passwords = Passwords(wired.point)
        return self._holders, self._passwords, wired

    def passwords(self, handler: web.RequestHandler) -> Passwords:
        """The one place where passwords are checked and made."""
        return self._open(handler)[1]

    async def check_password(
        self, handler: web.RequestHandler, *, name: str, password: str
    ) -> Checked:
        """Whether `password` is that of `name`; a wrong one is recorded.

        Raises:
            StoreError: it cannot be told.
            OSError: the failure could not be recorded.
        """
        _, passwords, wired = self._open(handler)
        address = address_of(handler)
        checked = await passwords.check(name, password, address=address, now=self.clock())
        if not checked.right and not checked.wait:
            fields = {"name": name[:MOST_RECORDED], "address": address}
            wired.point.audit.event("login_failed", actor="anonymous", fields=fields)
        return checked

    def process_login_form(self, handler: web.RequestHandler) -> User | None:  # noqa: ARG002  # why: upstream's signature
        """Nobody: only the login page of this package signs people in."""
        self.log.error("`login_handler_class` is not ours, so nobody can sign in with it")
        return None

    def set_login_cookie(self, handler: web.RequestHandler, user: User) -> None:
        """Begin a login session of `user` in this browser; see `begin_session`."""
        self.begin_session(handler, user)

    def begin_session(self, handler: web.RequestHandler, user: User) -> str:
        """Begin a login session of `user` in this browser, in place of an older one; its id.

        Raises:
            UnknownName: the person was removed or disabled meanwhile.
            StoreError: the session cannot be kept, so it does not begin.
            OSError: it cannot be recorded, so it does not begin.
        """
        holders, _, wired = self._open(handler)
        store, now, hours = wired.point.store, self.clock(), wired.config.session_hours
        wired.point.refresh()
        if holders.user(user.username) is None:
            raise UnknownName(mistakes.nobody_who_signs_in(user.username))
        secret = new_secret()
        store.remove_expired(now)
        address = address_of(handler)
        with begun(
            store, wired.point.audit, partial(store.end_login_session, secret.id)
        ) as account:
            store.add_login_session(
                secret.id,
                secret.hash,
                user.username,
                expires=now + hours * 3600,
                address=address,
                agent=handler.request.headers.get("User-Agent", ""),
                now=now,
            )
            fields = {"session": secret.id, "address": address}
            account.tell("login", actor=f"user:{user.username}", fields=fields)
        self._end_before(handler, store)
        wired.point.refresh()
        self._give_cookie(handler, secret.text, hours=hours)
        return secret.id

    def begin_guest(self, handler: web.RequestHandler, link: str) -> None:
        """Let this browser look at what the link for guests `link` is for.

        The secret is a new one each time, and takes the place of what the browser had.

        Raises:
            UnknownName: the link is over or used up.
            StoreError: the guest cannot be kept, so does not begin.
            OSError: it cannot be recorded, so the guest does not begin.
        """
        wired = self._open(handler)[2]
        store, now, hours = wired.point.store, self.clock(), wired.config.session_hours
        secret, address = new_secret(), address_of(handler)
        with begun(store, wired.point.audit, partial(store.end_guest, secret.id)) as account:
            store.open_link(
                link,
                id=secret.id,
                secret_hash=secret.hash,
                expires=now + hours * 3600,
                address=address,
                agent=handler.request.headers.get("User-Agent", ""),
                now=now,
            )
            fields = {"link": link, "session": secret.id, "address": address}
            account.tell("guest", actor=f"{GUEST}{link}", fields=fields)
        self._end_before(handler, store)
        wired.point.refresh()
        self._give_cookie(handler, secret.text, hours=hours)

    @staticmethod
    def _end_before(handler: web.RequestHandler, store: Store) -> None:
        """End what this browser was signed in with, or a guest of, until now."""
        before = getattr(handler, "current_user", None)
        if isinstance(before, LocalUser) and before.session_id is not None:
            store.end_login_session(before.session_id)
        elif isinstance(before, GuestUser):
            store.end_guest(before.session_id)

    def _give_cookie(self, handler: web.RequestHandler, secret: str, *, hours: float) -> None:
        options = {
            "httponly": True,
            "samesite": "Lax",
            "path": handler.base_url,  # type: ignore[attr-defined]  # why: a JupyterHandler
            "expires_days": hours / 24,
            **self.cookie_options,
        }
        secure = self.secure_cookie
        if handler.request.protocol == "https" if secure is None else secure:
            options.setdefault("secure", True)
        handler.set_secure_cookie(self.get_cookie_name(handler), secret, **options)

    def end_session(self, handler: web.RequestHandler, *, everywhere: bool = False) -> None:
        """End the login session of this request, or all of the same person's.

        Raises:
            StoreError: it could not be ended; the cookie is cleared all the same.
        """
        self.clear_login_cookie(handler)
        user = handler.current_user
        if not isinstance(user, (LocalUser, GuestUser)) or user.session_id is None:
            return
        point = self._open(handler)[2].point
        if isinstance(user, GuestUser):
            with accounted(point.store, point.audit) as account:
                point.store.end_guest(user.session_id)
                account.tell("logout", actor=user.username, fields={"session": user.session_id})
            point.refresh()
            return
        with accounted(point.store, point.audit) as account:
            if everywhere:
                point.store.end_login_sessions(user.username)
            else:
                point.store.end_login_session(user.session_id)
            fields: dict[str, str | bool] = {"session": user.session_id, "everywhere": everywhere}
            account.tell("logout", actor=f"user:{user.username}", fields=fields)
        point.refresh()

    # Upstream's questions

    @property
    def auth_enabled(self) -> bool:
        """Always: nobody is let in unnamed."""
        return True

    @property
    def login_available(self) -> bool:
        """Always."""
        return True

    @property
    def logout_available(self) -> bool:
        """Always."""
        return True

    def get_handlers(self) -> list[tuple[str, object]]:
        """The pages: sign in, sign out, set up, change the password."""
        return [
            (r"/login", self.login_handler_class),
            (r"/logout", self.logout_handler_class),
            (SETUP_PATH, SetupHandler),
            (PASSWORD_PATH, PasswordHandler),
        ]


def address_of(handler: web.RequestHandler) -> str:
    """The client's IP address, as Tornado tells it; empty on a Unix socket."""
    return handler.request.remote_ip or ""


def _is_handshake(request: HTTPServerRequest) -> bool:
    return request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"


def _explicit(request: HTTPServerRequest) -> str | None:
    """The API token that the request names; None where it names none."""
    scheme, *rest = request.headers.get("Authorization", "").split(None, 1) or [""]
    if scheme.lower() in ("token", "bearer"):
        return rest[0].strip() if rest else ""
    if _is_handshake(request):
        given = request.query_arguments.get("token", [])
        if given and given[-1]:
            # Invariant: a text that is not ASCII matches no secret.
            return given[-1].decode("latin-1")
    return None
