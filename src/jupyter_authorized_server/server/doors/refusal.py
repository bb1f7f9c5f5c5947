"""The answer to whoever is not let through: a sentence, in the form the client reads."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError

from ... import sentences
from ..identity import words
from ..identity.user import GuestUser
from ..request_id import return_request_id
from . import preflight
from .admission import carry_cookies

if TYPE_CHECKING:
    from jupyter_server.auth import User
    from tornado.httputil import HTTPServerRequest
    from tornado.web import RequestHandler

    from ...policy.model import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a request is not let through.

    Args:
        status: HTTP status.
        message: one sentence for the person.
        decision: what decided, where the policy was asked.
        record: id of the audit record, where there is one without a decision.
        sign_in: nobody is signed in; pages lead to the log-in page.
        gate: who stood in for the handler; may hold cookies to be cleared.
        user: who is signed in.
        asks: whether the person was led here, and may go on if that is what they want.
    """

    status: int
    message: str
    decision: Decision | None = None
    record: str = ""
    sign_in: bool = False
    gate: JupyterHandler | None = None
    user: User | None = None
    asks: bool = False

    @property
    def reference(self) -> str:
        """Id by which an administrator finds the refusal in the audit file."""
        return self.decision.id if self.decision is not None else self.record


def _is_api(request: HTTPServerRequest, target: type[RequestHandler] | None) -> bool:
    is_page = target is not None and issubclass(target, JupyterHandler)
    return (
        (target is not None and issubclass(target, APIHandler))
        or ("/api/" in request.path and not is_page)
        or request.headers.get("Upgrade", "").lower() == "websocket"
        or request.headers.get("X-Requested-With", "") == "XMLHttpRequest"
    )


def _takes_json(request: HTTPServerRequest, target: type[RequestHandler] | None) -> bool:
    """Whether a refusal is read by a program.

    Some handlers of an API are no `APIHandler`; who is not signed in is led to the log-in page
    there, as upstream does, and a browser that opens such an address wants a page.
    """
    opens = "text/html" in request.headers.get("Accept", "")
    return _is_api(request, target) or ("/api/" in request.path and not opens)


def leads_to_log_in(request: HTTPServerRequest, target: type[RequestHandler] | None) -> bool:
    """Whether somebody who is not signed in is led to the log-in page, not refused."""
    return request.method in {"GET", "HEAD"} and not _is_api(request, target)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem;
  margin: 12vh auto; padding: 0 1rem; }}
h1 {{ font-size: 1.25rem; }} p.small {{ font-size: .875rem; opacity: .75; }}
</style></head><body><main><h1>{title}</h1>
<p class="message">{message}</p>
<p class="small">{who} {reference}</p>
<p>{explain}<a href="{home}">{start}</a></p></main></body></html>
"""


class Refusal(JupyterHandler):
    """Answers in place of the handler that was asked for.

    JSON for an API, an HTML page without token or user data for a page, a redirect to
    the log-in page where nobody is signed in and a page was asked for.
    """

    def initialize(
        self, why: Why | None = None, target: type[RequestHandler] | None = None
    ) -> None:
        """Take the reason; without one, nothing was found."""
        self.why = why or Why(status=404, message=sentences.NOTHING)
        self.target = target
        self.is_api = not self.why.asks and _takes_json(self.request, target)

    async def prepare(self) -> None:  # type: ignore[override]  # why: identity is known already
        """Answer; no method of a handler is reached."""
        why = self.why
        self.current_user = self._jupyter_current_user = why.user
        self.set_cors_headers()
        self.set_header("Cache-Control", "no-store")
        url = ""
        if why.sign_in and leads_to_log_in(self.request, self.target):
            # The provider may have told the gate where to (a hub does, with a cookie).
            url = self.get_login_url() if why.gate is None else why.gate.get_login_url()
            if "?" not in url:
                # As `tornado.web.authenticated`: another address knows its way back.
                url += "?" + urlencode({"next": self.request.uri or "/"})
        if why.gate is not None:
            carry_cookies(why.gate, self)
        if url:
            self.redirect(url)
            return
        raise HTTPError(why.status)

    def log_exception(self, *_: Any) -> None:
        """Log nothing more: a refusal is in the audit file."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """The sentence, as JSON or as a page."""
        why = self.why
        if why.status == HTTPStatus.METHOD_NOT_ALLOWED and self.target is not None:
            self.set_header("Allow", ", ".join(preflight.methods(self.target)))
        return_request_id(self)
        if why.sign_in and why.status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", "Bearer")  # RFC 9110, 11.6.1
        if self.is_api:
            self.set_header("Content-Type", "application/json")
            self.finish(
                json.dumps(
                    {
                        "message": why.message,
                        "reason": why.message,
                        "decision_id": why.reference or None,
                    }
                )
            )
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        explain = ""
        who = sentences.signed_in_as(why.user.display_name) if why.user is not None else ""
        if why.user is not None and why.decision is not None:
            at = html.escape(url_path_join(self.base_url, "authz") + f"#explain/{why.reference}")
            explain = f'<a href="{at}">{sentences.WHY}</a> · '
        if why.asks:
            # The same address again, of which this page says then that it led there.
            self.set_header("Referrer-Policy", "same-origin")
            explain = f'<a href="">{sentences.OPEN_IT}</a> · '
        if isinstance(why.user, GuestUser):
            # Whose records and reasons are not theirs to see; who signs in may come back here.
            back = urlencode({"next": self.request.uri or "/"})
            at = html.escape(url_path_join(self.base_url, f"login?{back}"))
            who, explain = "", f'<a href="{at}">{words.SIGN_IN}</a> · '
        self.finish(
            _PAGE.format(
                title=sentences.TITLES.get(str(status_code), sentences.NOT_POSSIBLE),
                message=html.escape(why.message),
                who=html.escape(who),
                reference=sentences.reference(why.reference) if why.reference else "",
                explain=explain,
                home=html.escape(self.base_url),
                start=sentences.TO_START,
            )
        )

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Finish without counting the refusal as activity."""
        return super(JupyterHandler, self).finish(*args, **kwargs)
