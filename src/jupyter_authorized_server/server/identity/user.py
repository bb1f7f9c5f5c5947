"""Identity: the user object that every handler sees as `current_user`."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_server.auth import User

from ...policy.model import GUEST


@dataclass
class LocalUser(User):
    """A person of the store, as one request found them.

    Not frozen, because upstream's `User` is not; made anew for each request, so what
    one handler does to it reaches no other.

    Args:
        groups: every group the person is in, also through other groups, sorted.
        token_id: id of the API token the request came with; None for a browser.
        session_id: id of the login session the request came with.
    """

    groups: list[str] = field(default_factory=list)
    token_id: str | None = None
    session_id: str | None = None


@dataclass
class GuestUser(User):
    """Whoever has opened a link for guests, and has not signed in: no person of the store.

    Args:
        link: id of the link.
        session_id: id of the guest.
    """

    link: str = ""
    session_id: str | None = None

    @classmethod
    def of(cls, link: str, session: str) -> GuestUser:
        """The guest `session` of `link`; a name that no person of the store stands for."""
        called = f"{GUEST}{link}"
        return cls(
            username=called, name="Guest", display_name="Guest", link=link, session_id=session
        )
