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
import time
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ... import mistakes
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
from ...moments import parse_moment
from ..surface.places import SERVER
from .asker import Asker, Refused
from .operation import Operation, check
from .replay import KEY, Answered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from .replay import Replays

_log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")

#: Items of a page, unless asked for fewer or more, and the most there can be.
PAGE, MOST = 100, 1000
#: Key of the lock, in the application's settings, of changes that depend on a tag.
CHANGING = "jupyter_authorization_changing"
#: Items looked at before others of the server get their turn; questions likewise, of which
#: each may look at the disk.
_AT_ONCE, _AT_A_TIME = 500, 20
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


class AdminHandler(Asker, APIHandler):
    """What every endpoint stands on. A method is made with `operation` and returns JSON."""

    body: Any = None

    # One request

    async def serve(
        self,
        described: Operation,
        method: Callable[..., Awaitable[object]],
        path: tuple[str, ...],
    ) -> None:
        """Check, answer, and say why not. Called by what `operation` makes."""
        try:
            await self.ask_ahead()
            self._require_wide(described)
            for name, schema in described.query.items():
                self._check_query(name, schema)
            for name in described.required:
                if self.query(name) is None:
                    raise InvalidName(mistakes.address_must_say(name))
            if described.body is not None:
                self.body = self._read_body()
                described.check_body(self.body)
            answered = await self._answer(described, method, path)
        except (AuthorizationError, Refused) as error:
            self._refuse(error)
            return
        self.set_status(answered.status)
        if answered.tag:
            self.set_header("ETag", answered.tag)
        self.finish(answered.body)

    async def _answer(
        self,
        described: Operation,
        method: Callable[..., Awaitable[object]],
        path: tuple[str, ...],
    ) -> Answered:
        """The answer, or the one that was given to the same request before."""
        key = None if described.safe else self.request.headers.get("Idempotency-Key")
        if key is None:
            return await self._act(described, method, path)
        who = self.principal
        replays: Replays = self.settings[KEY]
        sent = replays.sent(
            (who.name, who.token, who.session, self.request.method, self.request.uri),
            key,
            self.request.body,
            now=time.monotonic(),
        )
        # Of two that come at once, the second waits for the first one's answer.
        async with sent.lock:
            if sent.answered is None:
                sent.answered = await self._act(described, method, path)
            else:
                self.set_header("Idempotency-Replayed", "true")
        return sent.answered

    async def _act(
        self,
        described: Operation,
        method: Callable[..., Awaitable[object]],
        path: tuple[str, ...],
    ) -> Answered:
        self.set_status(described.status)
        if described.safe or "If-Match" not in self.request.headers:
            answer = await method(self, *path)
        else:
            # Nobody changes anything between the look at the tag and the change.
            async with self.settings[CHANGING]:
                self.point.refresh()
                answer = await method(self, *path)
        tag = self._headers.get("ETag", "")
        return Answered(status=self.get_status(), body=json.dumps(answer), tag=tag)

    def _require_wide(self, described: Operation) -> None:
        """Go on only if a token of a scope neither changes anything nor sees what is its owner's.

        Raises:
            Refused: it would.
        """
        if self.principal.scope is None or (described.safe and not described.personal):
            return
        reason = mistakes.SCOPE_CHANGES_NOTHING
        if described.safe:
            reason = mistakes.OWNERS_OWN
        raise Refused(reason, self.decide("administer", SERVER, record=True))

    def _check_query(self, name: str, schema: Mapping[str, Any]) -> None:
        given = self.get_query_arguments(name)
        if given:
            check(given if schema.get("type") == "array" else given[-1], schema, f"`{name}`")

    def _read_body(self) -> object:
        # As the surface has read it; see `Call.json`.
        try:
            return json.loads(self.request.body.strip().decode("utf-8"), parse_float=_number)
        except (ValueError, RecursionError):
            raise InvalidName(mistakes.NO_JSON) from None

    def query(self, name: str) -> str | None:
        """The last query argument `name`; None where there is none."""
        return self.get_query_argument(name, None) or None

    def moment(self, text: str | None, *, last: bool = False, past: bool = False) -> float | None:
        """A time that a request says, as seconds since the epoch; see `parse_moment`."""
        if text is None:
            return None
        zone = self.wired.config.zone
        return parse_moment(text, now=time.time(), zone=zone, last=last, past=past)

    def flag(self, name: str) -> bool:
        """Whether the query says `name=1`."""
        return self.query(name) in {"1", "true"}

    # Pages and tags

    @property
    def after(self) -> tuple[str, ...] | None:
        """Key of the last item of the page before, as the query says it; None for the first.

        Raises:
            InvalidName: it is none that was given out.
        """
        return key_of(self.query("after"), "after")

    async def each(self, asked: Iterable[T], answer: Callable[[T], R]) -> list[R]:
        """The answer to each of many questions; others of the server get their turn between."""
        found = []
        for number, one in enumerate(asked, start=1):
            found.append(answer(one))
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return found

    async def page(
        self,
        items: Iterable[Any],
        *,
        key: Callable[[Any], tuple[str, ...]],
        show: Callable[[Any], dict[str, Any]],
        visible: Callable[[Any], bool | Awaitable[bool]] = lambda _: True,
        in_order: bool = False,
    ) -> dict[str, Any]:
        """One page of those `items` that are visible, in the order of their keys.

        Args:
            items: what there is.
            key: of an item.
            show: an item as it is answered.
            visible: whether an item is shown.
            in_order: whether they come in the order of their keys; then no more of them
                are taken than are looked at.
        """
        limit = max(1, min(MOST, int(self.query("limit") or PAGE)))
        after = self.after
        waiting = (each for each in items if after is None or key(each) > after)
        found: list[Any] = []
        ordered = waiting if in_order else _in_order(list(waiting), key, few=limit + 1)
        for looked, each in enumerate(ordered, start=1):
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)
            sees = visible(each)
            if (await sees) if isawaitable(sees) else sees:
                found.append(each)
                if len(found) > limit:
                    break
        more = len(found) > limit
        found = found[:limit]
        return {
            "items": [show(each) for each in found],
            "next": cursor_of(key(found[-1])) if more else None,
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
            raise Outdated(mistakes.CHANGED_MEANWHILE)

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
        said = str(error)
        if isinstance(error, StoreError):
            # Where the store is and what is wrong with it is for whoever runs the server.
            self.log.warning("a request could not be answered: %s", error)
            said = mistakes.STORE_AWAY
        self._say(status, said, decision.id if decision is not None else "")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What went wrong inside goes to the log only."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        said = error.log_message if isinstance(error, web.HTTPError) else None
        self._say(status_code, said or mistakes.LOG_SAYS_WHY)

    def _say(self, status: int, reason: str, decision: str = "") -> None:
        text = sentence(reason)
        self.set_status(status)
        self.finish(json.dumps({"message": text, "reason": text, "decision_id": decision or None}))


def _number(text: str) -> float:
    """A number that is written with a point or an exponent; a whole one is one all the same."""
    found = float(text)
    return int(found) if found.is_integer() else found


def sentence(text: str) -> str:
    """A reason as a sentence for the person."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def tag_of(value: object) -> str:
    """A strong entity tag for a JSON value."""
    text = json.dumps(value, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def cursor_of(key: tuple[str, ...]) -> str:
    """What a client hands back to go on after the item with this `key`."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode("ascii")


def key_of(cursor: str | None, said: str) -> tuple[str, ...] | None:
    """The key in a `cursor` that a client hands back as `said`; None where there is none.

    Raises:
        InvalidName: it is none that was given out.
    """
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise InvalidName(mistakes.no_cursor(str(said)))
    return tuple(found)


def _in_order(
    items: list[Any], key: Callable[[Any], tuple[str, ...]], *, few: int
) -> Iterator[Any]:
    """`items` in the order of their keys; the first few at the price of looking at each once."""
    first = heapq.nsmallest(few, items, key=key)
    yield from first
    if len(items) > few:
        last = key(first[-1])
        yield from sorted((each for each in items if key(each) > last), key=key)
