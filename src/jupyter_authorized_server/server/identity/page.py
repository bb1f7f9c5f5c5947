"""Identity: the pages where people sign in and out, set up, and change their password."""

from __future__ import annotations

import math
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import template, web

from ... import mistakes, sentences
from ...account import accounted
from ...credentials import check_password_rules
from ...errors import DuplicateName, InvalidName, StoreError, UnknownName
from ...policy.model import parse_name
from ..origin import is_inside_a_page
from ..wiring import wiring
from . import words
from .setup_link import open_link
from .user import GuestUser, LocalUser

if TYPE_CHECKING:
    from ...account import Account
    from ...decision_point import DecisionPoint
    from .local import LocalIdentityProvider

_templates = template.Loader(str(Path(__file__).parent / "templates"))
_NOTHING = {"error": "", "info": "", "link": words.GO_ON}


class Page(JupyterHandler):
    """A page that works without scripts, in every front end, and that no cache keeps."""

    @property
    def provider(self) -> LocalIdentityProvider:
        """The identity provider that brings these pages."""
        return cast("LocalIdentityProvider", self.identity_provider)

    @property
    def point(self) -> DecisionPoint:
        """The decision point."""
        return wiring(self.settings).point

    @property
    def content_security_policy(self) -> str:
        """Upstream's, and: no script, nothing from elsewhere."""
        policy = super().content_security_policy
        if "Content-Security-Policy" in self.settings.get("headers", {}):
            return policy
        own = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'"
        return f"{policy}; {own}"

    def field(self, name: str) -> str:
        """What was typed into the field `name`, exactly; never from the URL."""
        given = self.request.body_arguments.get(name)
        try:
            return given[-1].decode("utf-8") if given else ""
        except UnicodeDecodeError:
            raise web.HTTPError(400, mistakes.FORM_NOT_UTF8) from None

    def see(self, account: Account) -> None:
        """Let the decisions know of a change, and the log of a record that waits."""
        self.point.refresh()
        if account.problem is not None:
            self.log.critical("a change cannot be recorded yet: %s", account.problem)

    def show(self, page: str, *, status: int = 200, **names: Any) -> None:
        """Answer with a template; whatever is put into one is escaped there."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        # The address of the set-up page holds its secret.
        self.set_header("Referrer-Policy", "same-origin")
        self.finish(
            _templates.load(f"{page}.html").generate(
                url=lambda path: url_path_join(self.base_url, path),
                xsrf=self.xsrf_form_html(),
                words=words,
                **{**_NOTHING, "action": self.request.path, **names},
            )
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A page of the same look; what went wrong inside goes to the log only."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        said = error.log_message if isinstance(error, web.HTTPError) else None
        if said and "_xsrf" in said:
            said = words.STALE
        reason = responses.get(status_code, "error")
        self.show("note", status=status_code, title=reason, error=sentence(said or reason))


def waiting(seconds: float) -> str:
    """What somebody reads who has to wait for `seconds`; never too short."""
    whole = math.ceil(seconds)
    if whole > 90:  # noqa: PLR2004  # why: where one starts to count in minutes
        return words.too_many(words.minutes(math.ceil(seconds / 60)))
    return words.too_many(words.seconds(whole))


def sentence(error: object) -> str:
    """A message of ours as a sentence for a page."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


class LoginHandler(Page, LoginFormHandler):
    """Sign in with user name and password."""

    def _render(self, message: dict[str, str] | None = None) -> None:
        self._form(error=(message or {}).get("error", ""))

    def _form(self, *, status: int = 200, error: str = "", name: str = "") -> None:
        info = ""
        if not self.point.state.people:
            info = words.NOBODY_YET
        self.show("login", status=status, error=error, info=info, name=name)

    def _redirect_safe(self, url: str, default: str | None = None) -> None:
        """Go on to `url` if it is on this server.

        Upstream takes what stands before any colon for a scheme, and writes `://` behind
        it. In an address that begins with a slash there is none, but names of files may hold
        one, and so does a resource behind `#`.
        """
        own = url.replace(":", "%3A") if url.startswith("/") else url
        try:
            super()._redirect_safe(own, default)  # type: ignore[no-untyped-call]  # why: upstream has no types here
        except ValueError:
            # No address, or none that a header can hold; whoever signed in is so all the same.
            self.redirect(default or self.base_url)

    @allow_unauthenticated
    def get(self) -> None:
        """The form; a guest has not signed in either, so is not led past it."""
        if isinstance(self.current_user, GuestUser):
            self._form()
        else:
            super().get()  # type: ignore[no-untyped-call]  # why: upstream has no types here

    @allow_unauthenticated
    async def post(self) -> None:
        """Check name and password, begin a login session, go on to `next`."""
        name = self.field("username")
        try:
            checked = await self.provider.check_password(
                self, name=name, password=self.field("password")
            )
            if checked.right:
                user = LocalUser(username=name)
                self.provider.set_login_cookie(self, user)
                self.current_user = user
        except UnknownName:
            self._form(status=401, error=words.WRONG, name=name)
        except (StoreError, OSError) as error:
            self.log.error("signing in failed: %s", error)  # noqa: TRY400  # why: no traceback that could show what was typed
            self._form(status=503, error=words.OUT_OF_REACH, name=name)
        else:
            if checked.right:
                self._redirect_safe(self.get_argument("next", default=self.base_url))
            elif checked.wait:
                self.set_header("Retry-After", str(math.ceil(checked.wait)))
                self._form(status=429, error=waiting(checked.wait), name=name)
            else:
                self._form(status=401, error=words.WRONG, name=name)


class LogoutHandler(Page):
    """Sign out here, or (by POST, from the password page) everywhere.

    A plain GET is enough to sign out, as with upstream's, where the browser opens the
    page: a link to it can do no more than make somebody sign in again.
    """

    @allow_unauthenticated
    def get(self) -> None:
        """End the login session of this browser."""
        if is_inside_a_page(self.request):
            # An image in a notebook would sign out each of its readers.
            raise web.HTTPError(403, sentences.BY_ADDRESS)
        self._leave(everywhere=False)

    @allow_unauthenticated
    def post(self) -> None:
        """End the login session of this browser, or with `everywhere=1` all."""
        self._leave(everywhere=self.get_argument("everywhere", default="") == "1")

    def _leave(self, *, everywhere: bool) -> None:
        try:
            self.provider.end_session(self, everywhere=everywhere)
        except StoreError as error:
            self.log.error("signing out failed: %s", error)  # noqa: TRY400  # why: the message says it all
            self.show(
                "note",
                status=503,
                title=words.OUT_HERE_ONLY,
                error=words.OUT_UNRECORDED,
            )
            return
        info = words.EVERYWHERE if everywhere else words.OF_THIS
        self.show("note", title=words.OUT, info=info, link=words.SIGN_IN_AGAIN)


class SetupHandler(Page):
    """Make the first administrator, with the one-time link the server has printed."""

    @allow_unauthenticated
    def get(self) -> None:
        """The form, when the link is good."""
        text = self.get_query_argument("token", default="")
        if self._hash(text) is not None:
            self._form(text)

    def _hash(self, text: str) -> str | None:
        """The hash of the link; None when the page for a dead link was shown."""
        try:
            hash_ = open_link(self.point, text, now=self.provider.clock())
        except StoreError as error:
            self.log.error("the set-up page failed: %s", error)  # noqa: TRY400  # why: the message says it all
            self.show("note", status=503, title=words.SET_UP, error=words.OUT_OF_REACH)
            return None
        if hash_ is None:
            self._dead()
        return hash_

    def _dead(self) -> None:
        self.show(
            "note",
            status=404,
            title=words.DEAD_LINK,
            error=words.DEAD_WHY,
        )

    def _form(self, text: str, *, error: str = "", status: int = 200) -> None:
        self.show(
            "setup",
            status=status,
            error=error,
            token=text,
            name=self.field("username"),
            display_name=self.field("display_name"),
        )

    @allow_unauthenticated
    async def post(self) -> None:
        """Make the person, sign them in."""
        text = self.field("token")
        hash_ = self._hash(text)
        if hash_ is None:
            return
        try:
            name = parse_name(self.field("username"), "user name")
            password = _new_password(self)
            made = await self.provider.passwords(self).hash(password)
            with accounted(self.point.store, self.point.audit) as account:
                self.point.store.complete_setup(
                    hash_,
                    name=name,
                    display_name=self.field("display_name"),
                    password_hash=made,
                    now=self.provider.clock(),
                )
                address = self.request.remote_ip or ""
                account.tell("setup", actor=f"user:{name}", fields={"address": address})
            self.see(account)
        except (InvalidName, DuplicateName) as error:
            self._form(text, status=400, error=sentence(error))
        except UnknownName:
            self._dead()
        except (StoreError, OSError) as error:
            self.log.error("setting up failed: %s", error)  # noqa: TRY400  # why: no traceback that could show what was typed
            self._form(text, status=503, error=words.OUT_OF_REACH)
        else:
            self._enter(name)

    def _enter(self, name: str) -> None:
        """Sign in who was made; where that cannot be, the next page asks them to."""
        try:
            self.provider.set_login_cookie(self, LocalUser(username=name))
        except (StoreError, OSError, UnknownName) as error:
            self.log.error("nobody is signed in after setting up: %s", error)  # noqa: TRY400  # why: the message says it all
        self.redirect(self.base_url)


class PasswordHandler(Page):
    """Change one's own password; every browser that is signed in is signed out."""

    def _person(self) -> LocalUser:
        user = self.current_user
        if not isinstance(user, LocalUser) or user.session_id is None:
            raise web.HTTPError(403, words.NOT_BY_PROGRAM)
        return user

    def _form(self, *, status: int = 200, error: str = "") -> None:
        self.show("password", status=status, error=error, name=self._person().username)

    @web.authenticated
    def get(self) -> None:
        """The form."""
        self._form()

    @web.authenticated
    async def post(self) -> None:
        """Check the old password, set the new one, sign this browser in anew."""
        user = self._person()
        try:
            password = _new_password(self)
            checked = await self.provider.check_password(
                self, name=user.username, password=self.field("old_password")
            )
            if checked.right:
                made = await self.provider.passwords(self).hash(password)
                # Where no login can be recorded, no password is changed either.
                session = self.provider.begin_session(self, user)
                self._set(user.username, made, but=session)
        except InvalidName as error:
            self._form(status=400, error=sentence(error))
        except UnknownName:
            raise web.HTTPError(403, words.NO_MORE) from None
        except (StoreError, OSError) as error:
            self.log.error("changing a password failed: %s", error)  # noqa: TRY400  # why: no traceback that could show what was typed
            self._form(status=503, error=words.OUT_OF_REACH)
        else:
            if checked.right:
                self.show(
                    "note",
                    title=words.CHANGED,
                    info=words.CHANGED_WHAT,
                )
            elif checked.wait:
                self.set_header("Retry-After", str(math.ceil(checked.wait)))
                self._form(status=429, error=waiting(checked.wait))
            else:
                self._form(status=403, error=words.OLD_WRONG)

    def _set(self, name: str, password_hash: str, *, but: str) -> None:
        """Set the password of `name`, and end all their login sessions but one."""
        with accounted(self.point.store, self.point.audit) as account:
            self.point.store.set_password_hash(name, password_hash, but=but)
            fields = {"address": self.request.remote_ip or ""}
            account.tell("password_set", actor=f"user:{name}", fields=fields)
        self.see(account)


def _new_password(page: Page) -> str:
    """The new password of a form that asks for it twice.

    Raises:
        InvalidName: it breaks a rule, or the two differ.
    """
    password = page.field("password")
    check_password_rules(password)
    if password != page.field("repeated"):
        raise InvalidName(words.DIFFER)
    return password
