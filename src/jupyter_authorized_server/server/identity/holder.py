"""Identity: who holds a secret, without asking the store at every request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from ...credentials import secret_matches, split_secret
from ...errors import UnknownName
from ...store import LoginSession, Token
from .note import Notes
from .user import GuestUser, LocalUser

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...decision_point import DecisionPoint
    from ...store import Person

#: Sessions and tokens kept of each sort; one costs some 500 bytes.
MOST = 4096
#: Seconds between two notes in the store that a session or token is in use.
NOTE_EVERY = 60.0
#: No secret of ours is longer; what is, is not looked at.
LONGEST_SECRET = 256

_Kept = TypeVar("_Kept", LoginSession, Token)


@dataclass(slots=True)
class _Entry(Generic[_Kept]):
    kept: _Kept
    hash: str
    noted: float


class _Shelf(Generic[_Kept]):
    """What the store said about some ids, for as long as its revision stays.

    Only what exists is kept: an id that the store does not know is asked for again,
    since another process may add it at any time.
    """

    def __init__(self) -> None:
        self._revision = -1
        self._entries: dict[str, _Entry[_Kept]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(
        self, text: str, *, revision: int, look_up: Callable[[str], tuple[_Kept, str] | None]
    ) -> _Entry[_Kept] | None:
        """The entry whose secret `text` is.

        Raises:
            StoreError: it had to be looked up and could not be.
        """
        id_ = split_secret(text) if len(text) <= LONGEST_SECRET else None
        if id_ is None:
            return None
        # Invariant: no entry outlives the revision it was read at, so that a session
        # or token that was ended is gone with the next look at the store.
        if revision != self._revision:
            self._entries.clear()
            self._revision = revision
        entry = self._entries.get(id_)
        if entry is None:
            found = look_up(id_)
            if found is None:
                return None
            entry = _Entry(found[0], found[1], float("-inf"))
            if len(self._entries) >= MOST:
                self._entries.clear()
            self._entries[id_] = entry
        return entry if secret_matches(text, entry.hash) else None


class Holders:
    """Finds the login session or API token that a secret opens.

    Args:
        point: whose store is asked, and whose revision says how long its answers hold.
    """

    def __init__(self, point: DecisionPoint) -> None:
        self._point = point
        self.notes = Notes()
        self._sessions: _Shelf[LoginSession] = _Shelf()
        self._tokens: _Shelf[Token] = _Shelf()
        self._people: tuple[int, dict[str, Person]] = (-1, {})

    def __len__(self) -> int:
        return len(self._sessions) + len(self._tokens)

    def session(self, text: str, *, now: float) -> LoginSession | None:
        """The login session that `text` is the secret of, unless it is over.

        Raises:
            StoreError: the store cannot be asked.
        """
        store = self._point.store
        entry = self._sessions.find(
            text, revision=self._point.revision, look_up=store.login_session
        )
        if entry is None or now >= entry.kept.expires:
            return None
        if now - max(entry.noted, entry.kept.last_seen) >= NOTE_EVERY:
            entry.noted = now
            entry.kept = replace(entry.kept, last_seen=now)
            self.notes.add(store.touch_login_session, entry.kept.id, now)
        return entry.kept

    def token(self, text: str, *, now: float) -> Token | None:
        """The API token that `text` is the secret of, unless it has expired.

        Raises:
            StoreError: the store cannot be asked.
        """
        store = self._point.store
        entry = self._tokens.find(text, revision=self._point.revision, look_up=store.token)
        if entry is None or (entry.kept.expires is not None and now >= entry.kept.expires):
            return None
        if now - max(entry.noted, entry.kept.last_used or float("-inf")) >= NOTE_EVERY:
            entry.noted = now
            entry.kept = replace(entry.kept, last_used=now)
            self.notes.add(store.touch_token, entry.kept.id, now)
        return entry.kept

    def guest(self, text: str, *, now: float) -> GuestUser | None:
        """The guest that `text` is the secret of, unless the time or the link is over.

        Raises:
            StoreError: the store cannot be asked.
        """
        point = self._point
        id_ = split_secret(text) if len(text) <= LONGEST_SECRET else None
        # Invariant: nothing is kept here, since no revision counts how guests come and go.
        kept = None if id_ is None else point.store.guest(id_)
        if kept is None or not secret_matches(text, kept[1]) or now >= kept[0].expires:
            return None
        found = GuestUser.of(kept[0].link, kept[0].id)
        try:
            point.principal(found.username, session=found.session_id)
        except UnknownName:
            return None
        return found

    def user(
        self, name: str, *, token: str | None = None, session: str | None = None
    ) -> LocalUser | None:
        """The person called `name` as handlers see one; None unless they may sign in."""
        point = self._point
        if self._people[0] != point.revision:
            self._people = (point.revision, {p.name: p for p in point.state.people})
        person = self._people[1].get(name)
        if person is None:
            return None
        try:
            principal = point.principal(f"user:{name}", token=token, session=session)
        except UnknownName:
            return None
        return LocalUser(
            username=name,
            name=person.display_name,
            display_name=person.display_name,
            groups=list(principal.groups),
            token_id=token,
            session_id=session,
        )
