"""Writes that are sent again: answered as the first time, and done once.

A program that got no answer sends its request again with the same `Idempotency-Key`.
Answers are kept in memory, for some minutes, and only for who asked; one may hold the
secret of what was made.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import DuplicateName, InvalidName

if TYPE_CHECKING:
    from tornado.web import Application

#: Seconds for which an answer is kept, how many there are at most, and of one person: who
#: sends many keys has none of another's forgotten, whose write would then happen twice.
KEPT, MOST, MOST_EACH = 600.0, 1024, 64
#: Longest key.
LONGEST = 128
KEY = "jupyter_authorization_replays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What was answered.

    Args:
        status: of HTTP.
        body: JSON.
        tag: the `ETag`; empty where there was none.
    """

    status: int
    body: str
    tag: str


@dataclass(slots=True)
class _Sent:
    """One request, however often it is sent."""

    digest: bytes
    since: float
    answered: Answered | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Replays:
    """What has been answered, by who asked, what for, and the key."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[object, ...], _Sent] = OrderedDict()

    def sent(self, asked: tuple[object, ...], key: str, body: bytes, *, now: float) -> _Sent:
        """The request that this is; hold its `lock` while it is answered.

        Args:
            asked: who, and what for; the person first.
            key: that the client chose.
            body: of the request.
            now: seconds of a clock that nobody sets.

        Raises:
            InvalidName: the key is none.
            DuplicateName: another request had that key.
        """
        if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
            msg = f"an `Idempotency-Key` has 1 to {LONGEST} printable ASCII characters"
            raise InvalidName(msg)
        known = (*asked, key)
        own = [each for each in self._sent if each[0] == asked[0]]
        if known not in self._sent and len(own) >= MOST_EACH:
            del self._sent[own[0]]
        while self._sent and (
            len(self._sent) > MOST or next(iter(self._sent.values())).since < now - KEPT
        ):
            self._sent.popitem(last=False)
        # Of the body itself nothing is kept: it may be as long as the server takes any.
        digest = hashlib.sha256(body).digest()
        found = self._sent.setdefault(known, _Sent(digest, now))
        if found.digest != digest:
            msg = "another request had this `Idempotency-Key`; choose a new one"
            raise DuplicateName(msg)
        return found


def install(application: Application) -> None:
    """Give `application` its memory."""
    application.settings[KEY] = Replays()
