"""The values the store gives out: person, group, token, login session, state.

All are frozen; no row of the database leaves the store. A secret is never one of
their fields: hashes are given out beside them, to those who ask for one.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from .. import mistakes
from ..errors import InvalidName
from ..policy.ledger import Ledger

if TYPE_CHECKING:
    from ..policy.model import Grant

MAX_DISPLAY_NAME = 256
MAX_NOTE = 1024
MAX_GIVER = 160
MAX_ADDRESS = 64
MAX_AGENT = 256

#: Seconds since the epoch that a calendar can show, in UTC: the first, and the first after.
_FIRST, _LAST = -62_135_596_800, 253_402_300_800
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH = re.compile(r"[!-~]{16,512}")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Overrides and isolates reorder the text around them, so that a name or a reason
# could be made to read as another.
_REORDERING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in, or did.

    Args:
        name: without `user:`; the person's name for good.
        display_name: what pages show; empty for the name itself.
        has_password: whether signing in with a password is possible at all.
        disabled: kept, but let in nowhere.
        created: seconds since the epoch.
        service: whether it is a program that is nobody's, and comes with tokens alone.
    """

    name: str
    display_name: str
    has_password: bool
    disabled: bool
    created: float
    service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Principals under one name.

    Args:
        name: without `group:`.
        members: written forms, `user:ada` or `group:sub`, sorted; direct ones only.
    """

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token: lets a program ask as a person.

    Args:
        id: the public first part of the secret.
        name: without `token:`; unique among the person's.
        person: whose it is, without `user:`.
        created: seconds since the epoch.
        expires: seconds since the epoch, exclusive; None is never.
        last_used: seconds since the epoch; None where it never was.
        scope: pairs of a level and a resource that it is limited to; None for a token
            that reaches all that the person may.
    """

    id: str
    name: str
    person: str
    created: float
    expires: float | None
    last_used: float | None
    scope: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Hands a level on a resource to whoever redeems it while it holds.

    Args:
        id: the public first part of the secret.
        person: who made it, without `user:`.
        level: a level's word.
        resource: written form.
        created: seconds since the epoch.
        expires: seconds since the epoch, exclusive.
        grant_ends: end of the grants it makes; None is without end.
        uses: how many people may redeem it; None is any number.
        used: how many have.
        note: why, in the maker's words.
        guests: whether it also opens to whoever has not signed in, where the rules let
            `anonymous` see what it is for.
    """

    id: str
    person: str
    level: str
    resource: str
    created: float
    expires: float
    grant_ends: float | None
    uses: int | None
    used: int
    note: str
    guests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A browser that has opened a link for guests.

    Args:
        id: the public first part of the secret.
        link: the id of the link.
        created: seconds since the epoch.
        expires: seconds since the epoch, exclusive.
        address: the client's IP address.
        agent: what the browser calls itself.
    """

    id: str
    link: str
    created: float
    expires: float
    address: str
    agent: str


class WishState(str, Enum):
    """What became of a wish."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A person's request for access, which whoever manages the resource answers.

    Args:
        id: unique.
        person: who asks, without `user:`.
        level: a level's word.
        resource: written form.
        note: why, in their words.
        created: seconds since the epoch.
        state: what became of it.
        decided: seconds since the epoch; None while it is open.
        decided_by: written form of who answered; empty while it is open.
        answer: what they said.
        grant_id: the grant that was given; None where none was.
    """

    id: str
    person: str
    level: str
    resource: str
    note: str
    created: float
    state: WishState = WishState.OPEN
    decided: float | None = None
    decided_by: str = ""
    answer: str = ""
    grant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """One browser that is signed in.

    Args:
        id: the public first part of the cookie's secret.
        person: who signed in, without `user:`.
        created: seconds since the epoch.
        expires: seconds since the epoch, exclusive.
        last_seen: seconds since the epoch.
        address: the client's IP address at sign-in.
        agent: what the browser called itself at sign-in.
    """

    id: str
    person: str
    created: float
    expires: float
    last_seen: float
    address: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A file that is about to move or to be deleted, with the grants on it and in it.

    Args:
        id: of the note that was made of it.
        root: under which contents root.
        old: canonical contents path it is at.
        new: the one it is to be at; None where it is to be deleted.
        identity: which file it is; empty where the contents manager has no disk.
        begun: seconds since the epoch.
    """

    id: str
    root: str
    old: str
    new: str | None
    identity: str
    begun: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A grant whose file is gone; it counts for nothing.

    Args:
        grant: as it was.
        root: under which contents root the file was.
        identity: which file it was.
        lost: when that was noticed, seconds since the epoch.
    """

    grant: Grant
    root: str
    identity: str
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a running thing is.

    Args:
        resource: written form, such as `kernels:ID`.
        principal: written form of who started it.
        path: canonical contents path that it was started for; None where there was none.
        since: seconds since the epoch.
    """

    resource: str
    principal: str
    path: str | None
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A level that somebody is to be given, not checked yet; fields as for `add_grant`."""

    principal: str
    level: str
    resource: str
    starts: float | None = None
    ends: float | None = None
    note: str = ""
    uses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that decisions need, as it was at one revision."""

    revision: int
    people: tuple[Person, ...] = ()
    groups: tuple[Group, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All of them, in the order of giving."""
        return self.ledger.grants

    def since(self, principal: str) -> float | None:
        """When the person, as written, came to be; None of who is none of the store.

        Who has the name of somebody removed is another one.
        """
        name = principal.removeprefix("user:")
        # They come in the order of their names, and there can be thousands.
        at = bisect_left(self.people, name, key=lambda each: each.name)
        found = self.people[at] if at < len(self.people) else None
        return found.created if found is not None and found.name == name else None


def parse_time(value: object, what: str) -> float:
    """`value` as seconds since the epoch.

    Raises:
        InvalidName: not a number, or a moment that no calendar shows.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # Compared before it is converted: an int can be larger than any float. What could
        # not be shown would look like no end at all.
        if _FIRST <= value < _LAST:
            return float(value)
        raise InvalidName(mistakes.beyond_calendar(what))
    raise InvalidName(mistakes.not_seconds(what, type(value).__name__))


def parse_end(value: object, what: str, *, now: float) -> float | None:
    """`value` as a moment after `now`, or None for no end.

    Raises:
        InvalidName: not a time, or not after `now`.
    """
    if value is None:
        return None
    end = parse_time(value, what)
    if end <= now:
        raise InvalidName(mistakes.end_past(what))
    return end


def parse_text(text: object, what: str, *, longest: int) -> str:
    """`text` as one line to be shown to people; may be empty.

    Raises:
        InvalidName: not text, too long, or it holds a control character, a line
            break, a lone surrogate or a character that reorders its neighbours.
    """
    if not isinstance(text, str):
        raise InvalidName(mistakes.not_text(what, type(text).__name__))
    if len(text) > longest:
        raise InvalidName(mistakes.text_too_long(what, str(len(text)), str(longest)))
    for character in text:
        if unicodedata.category(character) in _UNSEEN or character in _REORDERING:
            raise InvalidName(mistakes.one_line(what, f"{ord(character):04X}"))
    return text


def is_id(text: object) -> bool:
    """Whether `text` can be the id of a token, login session or grant."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def parse_id(text: object, what: str) -> str:
    """`text` as the id of a `what`.

    Raises:
        InvalidName: the message does not show it, in case it is a whole secret.
    """
    if isinstance(text, str) and _ID.fullmatch(text):
        return text
    raise InvalidName(mistakes.not_an_id(what))


def parse_hash(text: object, what: str) -> str:
    """`text` as the hash of a secret.

    Raises:
        InvalidName: the message does not show it.
    """
    if isinstance(text, str) and _HASH.fullmatch(text):
        return text
    raise InvalidName(mistakes.not_a_hash(what))


def recorded(text: object, *, longest: int) -> str:
    """`text` from a client, cut and cleaned so that it can be kept and shown.

    What a browser calls itself decides nothing, so a hostile one is no reason to
    refuse its owner.
    """
    shown = text if isinstance(text, str) else ""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown[:longest])
