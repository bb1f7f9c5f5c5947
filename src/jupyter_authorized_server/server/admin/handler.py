"""The frame of every endpoint: who asks, what it takes, JSON, pages, tags, errors.

The guard has asked the surface table's questions before a handler here exists; what
depends on each item of an answer is asked here, of the same decision point.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import heapq
import json
import logging
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ...errors import (
    AuthorizationError,
    ConfigurationError,
    DuplicateName,
    InvalidName,
    LastKeeper,
    Nowhere,
    Outdated,
    StoreError,
    Unconfirmed,
    UnknownName,
)
from ...policy.model import Decision, Resource
from ..acting import ACTING, Acting
from ..surface.call import Call
from ..surface.table import Unanswerable
from ..surface.written import known, meant
from ..wiring import Wiring, wiring
from .operation import Operation, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ...decision_point import DecisionPoint
    from ...policy.model import Principal
    from ...store import Store

_log = logging.getLogger(__name__)

#: Items of a page, unless asked for fewer or more, and the most there can be.
PAGE, MOST = 100, 1000
#: Items looked at before others of the server get their turn.
_AT_ONCE = 500
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Outdated, 412),
    (Unconfirmed, 409),
    (DuplicateName, 409),
    (LastKeeper, 409),
    (Nowhere, 404),
    (InvalidName, 400),
    (UnknownName, 404),
    (StoreError, 503),
    (ConfigurationError, 500),
)
#: Query arguments of every list.
PAGING: Mapping[str, Mapping[str, Any]] = {
    "limit": {"type": "string", "pattern": "^[0-9]{1,4}$"},
    "after": {"type": "string", "maxLength": 4096},
}


class Refused(Exception):  # why: a decision on its way to the answer
    """The policy says no to something that only a handler can ask.

    Args:
        reason: a sentence for the person.
        decision: where the policy was asked.
        status: of the answer; None is that of every denial.
    """

    def __init__(
        self, reason: str, decision: Decision | None = None, status: int | None = None
    ) -> None:
        self.reason = reason
        self.decision = decision
        self.status = status
        super().__init__(reason)


def page_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list of `item`."""
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next": {"type": ["string", "null"]},
        },
    }


class AdminHandler(APIHandler):
    """What every endpoint stands on. A method is made with `operation` and returns JSON."""

    body: Any = None

    # Who asks, and of whom

    @property
    def wired(self) -> Wiring:
        """What the parts of the server share."""
        return wiring(self.settings)

    @property
    def point(self) -> DecisionPoint:
        """The decision point."""
        return self.wired.point

    @property
    def principal(self) -> Principal:
        """Who asks, as the guard has judged them."""
        return self._acting.principal

    @property
    def _acting(self) -> Acting:
        acting = ACTING.get()
        if acting is None:
            msg = "the guard has not judged this request"
            raise Refused(msg)
        return acting

    def admitted(self, action: str) -> tuple[Resource, ...]:
        """The resources on which the guard has let this request do `action`.

        What is changed is changed on these, so nothing is looked up a second time.
        """
        return tuple(on for asked, on in self._acting.questions if asked == action)

    @property
    def address(self) -> str | None:
        """The client's IP address."""
        return self.request.remote_ip

    def decide(
        self,
        action: str,
        resource: Resource,
        who: Principal | None = None,
        *,
        record: bool = False,
    ) -> Decision:
        """The decision for whoever asks, or for `who`."""
        if who is None:
            found: object = self.wired.authorizer.answer(
                self.principal,
                action,
                resource,
                door="http",
                address=self.address,
                request=f"{self.request.method} {self.request.path}",
                record=record,
            )
            if isinstance(found, Decision):
                return found
            msg = "this could not be decided, so it is refused"
            raise Refused(msg)
        return self.point.decide(who, action, resource, door="http", record=record)

    def allows(self, action: str, *resources: Resource) -> bool:
        """Whether whoever asks may do `action` on all of these; not recorded."""
        return all(self.decide(action, each).allowed for each in resources)

    def require(self, action: str, *resources: Resource) -> None:
        """Go on only if whoever asks may do `action` on all of these.

        Raises:
            Refused: they may not; it is recorded.
        """
        for each in resources:
            decision = self.decide(action, each, record=True)
            if not decision.allowed:
                raise Refused(decision.reason_user, decision)

    def meant(self, text: object) -> tuple[Resource, ...]:
        """What the resource written `text` means here.

        Raises:
            InvalidName: none.
        """
        try:
            return meant(self._call, text)
        except Unanswerable as error:
            raise InvalidName(str(error)) from None

    def known(self, resource: Resource) -> Resource:
        """`resource` with what the server knows of it."""
        return known(self._call, resource)

    @property
    def _call(self) -> Call:
        return Call(self.request, self.settings, [], {})

    # One request

    async def serve(
        self,
        described: Operation,
        method: Callable[..., Awaitable[object]],
        path: tuple[str, ...],
    ) -> None:
        """Check, answer, and say why not. Called by what `operation` makes."""
        try:
            for name, schema in described.query.items():
                self._check_query(name, schema)
            for name in described.required:
                if self.query(name) is None:
                    msg = f"the address must say `{name}`"
                    raise InvalidName(msg)
            if described.body is not None:
                self.body = self._read_body()
                described.check_body(self.body)
            self.set_status(described.status)
            answer = await method(self, *path)
        except (AuthorizationError, Refused) as error:
            self._refuse(error)
            return
        self.finish(json.dumps(answer))

    def _check_query(self, name: str, schema: Mapping[str, Any]) -> None:
        given = self.get_query_arguments(name)
        if given:
            check(given if schema.get("type") == "array" else given[-1], schema, f"`{name}`")

    def _read_body(self) -> object:
        # As the surface has read it; see `Call.json`.
        try:
            return json.loads(self.request.body.strip().decode("utf-8"))
        except (ValueError, RecursionError):
            msg = "the body of the request is no JSON"
            raise InvalidName(msg) from None

    def query(self, name: str) -> str | None:
        """The last query argument `name`; None where there is none."""
        return self.get_query_argument(name, None) or None

    def flag(self, name: str) -> bool:
        """Whether the query says `name=1`."""
        return self.query(name) in {"1", "true"}

    async def change(self, act: Callable[[Store], Any]) -> Any:
        """Change the store, off the event loop, and let the decisions know at once.

        Raises:
            StoreError, AuthorizationError: nothing was changed.
        """
        done = await asyncio.to_thread(act, self.point.store)
        self.point.refresh()
        return done

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Record that whoever asks has done something of `kind`.

        Raises:
            ConfigurationError: it is done, but could not be recorded.
        """
        try:
            self.point.audit.event(
                kind,
                actor=self.principal.name,
                fields={"token": self.principal.token, "address": self.address, **fields},
            )
        except OSError as error:
            msg = "this was done, but could not be recorded"
            raise ConfigurationError(msg) from error

    # Pages and tags

    async def page(
        self,
        items: Iterable[Any],
        *,
        key: Callable[[Any], tuple[str, ...]],
        show: Callable[[Any], dict[str, Any]],
        visible: Callable[[Any], bool | Awaitable[bool]] = lambda _: True,
    ) -> dict[str, Any]:
        """One page of those `items` that are visible, in the order of their keys."""
        limit = max(1, min(MOST, int(self.query("limit") or PAGE)))
        after = _key(self.query("after"))
        waiting = [(key(each), number, each) for number, each in enumerate(items)]
        heapq.heapify(waiting)
        found: list[Any] = []
        looked = 0
        while waiting and len(found) <= limit:
            its, _, each = heapq.heappop(waiting)
            if after is not None and its <= after:
                continue
            looked += 1
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)
            sees = visible(each)
            if (await sees) if isawaitable(sees) else sees:
                found.append(each)
        more = len(found) > limit
        found = found[:limit]
        return {
            "items": [show(each) for each in found],
            "next": _cursor(key(found[-1])) if more else None,
        }

    def tag(self, value: object) -> None:
        """Give the answer the tag of `value`."""
        self.set_header("ETag", tag_of(value))

    def check_tag(self, value: object) -> None:
        """Raise unless the request was made knowing `value`, if it says what it knew.

        Raises:
            Outdated: somebody has changed it since.
        """
        wanted = self.request.headers.get("If-Match")
        if wanted is None or wanted.strip() == "*":
            return
        if tag_of(value) not in {each.strip() for each in wanted.split(",")}:
            msg = "somebody else has changed this meanwhile; look at it again, then decide"
            raise Outdated(msg)

    def compute_etag(self) -> str | None:
        """None by itself: a tag here is for a change, not for a cache."""
        return None

    def set_default_headers(self) -> None:
        """Upstream's, and: no cache keeps what a person may do."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    # Why not

    def _refuse(self, error: Exception) -> None:
        decision = error.decision if isinstance(error, Refused) else None
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 400)
        if isinstance(error, Refused):
            status = error.status or self.wired.config.denied_status
        self._say(status, str(error), decision.id if decision is not None else "")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What went wrong inside goes to the log only."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        said = error.log_message if isinstance(error, web.HTTPError) else None
        self._say(status_code, said or "this could not be done; the server's log says why")

    def _say(self, status: int, reason: str, decision: str = "") -> None:
        text = sentence(reason)
        self.set_status(status)
        self.finish(json.dumps({"message": text, "reason": text, "decision_id": decision or None}))


def sentence(text: str) -> str:
    """A reason as a sentence for the person."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def tag_of(value: object) -> str:
    """A strong entity tag for a JSON value."""
    text = json.dumps(value, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _cursor(key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode("ascii")


def _key(cursor: str | None) -> tuple[str, ...] | None:
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        msg = "`after` is no cursor of this list; take the `next` of a page"
        raise InvalidName(msg)
    return tuple(found)
