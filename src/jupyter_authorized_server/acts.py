"""What is recorded of each change: the same words, whichever way the change was made.

Each function names the kind of record and its fields, for `Audit.event`. Who filters
records by their kind must not have to know whether a command or a page was used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .audit import Value
    from .policy.model import Grant
    from .store import Link, LoginSession, Person, Token, Wish

    #: The kind of a record, and its fields.
    Act = tuple[str, dict[str, Value]]


def given(grant: Grant, *, uses: int | None = None, link: str | None = None) -> Act:
    """A grant was given.

    Args:
        grant: the grant.
        uses: how often it counts, where that is not for ever.
        link: the id of the link that gave it, if one did.
    """
    more: dict[str, Value] = {"uses": uses, "link": link}
    said = {name: value for name, value in more.items() if value is not None}
    return "grant", {**_grant(grant), **said}


def changed(grant: Grant, *, before: Grant) -> Act:
    """A grant has another level, end or note."""
    return "grant_changed", {**_grant(grant), "level_before": before.level}


def taken_back(grant: Grant) -> Act:
    """A grant was taken back, or left."""
    return "revoke", _grant(grant)


def _grant(grant: Grant) -> dict[str, Value]:
    return {
        "grant": grant.id,
        "grantee": grant.principal,
        "level": grant.level,
        "resource": grant.resource,
        "starts": grant.starts,
        "ends": grant.ends,
        "note": grant.note,
    }


def person_added(person: Person) -> Act:
    """A person, or a service, was added."""
    as_what: dict[str, Value] = {"service": True} if person.service else {}
    return "user_added", {"person": f"user:{person.name}", **as_what}


def person_renamed(name: str, display_name: str) -> Act:
    """A person is shown by another name."""
    return "user_renamed", {"person": f"user:{name}", "display_name": display_name}


def person_disabled(name: str, *, disabled: bool) -> Act:
    """A person was shut out, or let in again."""
    return "user_disabled" if disabled else "user_enabled", {"person": f"user:{name}"}


def person_removed(name: str, lost: Iterable[str]) -> Act:
    """A person was removed, and with them the grants whose ids are `lost`."""
    return "user_removed", {"person": f"user:{name}", "grants": [*lost]}


def group_added(name: str) -> Act:
    """A group was added."""
    return "group_added", {"group": f"group:{name}"}


def group_removed(name: str, lost: Iterable[str]) -> Act:
    """A group was removed, and with it the grants whose ids are `lost`."""
    return "group_removed", {"group": f"group:{name}", "grants": [*lost]}


def joined(group: str, member: str) -> Act:
    """A member, as written, was put into a group."""
    return "group_joined", {"group": f"group:{group}", "member": member}


def left(group: str, member: str) -> Act:
    """A member, as written, was taken out of a group."""
    return "group_left", {"group": f"group:{group}", "member": member}


def session_ended(session: LoginSession) -> Act:
    """A login session was ended by somebody; who signs out of their own has `logout`."""
    return "sessions_ended", {"person": f"user:{session.person}", "session": session.id}


def signed_out(name: str, sessions: int) -> Act:
    """All login sessions of a person were ended by somebody."""
    return "sessions_ended", {"person": f"user:{name}", "sessions": sessions}


def token_added(token: Token) -> Act:
    """A token was made. Of the record itself `token` is the one that it was asked with."""
    scope: list[str] = [f"{level} {on}" for level, on in token.scope or ()]
    return "token_added", {**_token(token), "expires": token.expires, "scope": scope}


def token_revoked(token: Token) -> Act:
    """A token was revoked."""
    return "token_revoked", _token(token)


def _token(token: Token) -> dict[str, Value]:
    return {"person": f"user:{token.person}", "of": token.id, "name": token.name}


def link_added(link: Link) -> Act:
    """A link was made, in the name of a person."""
    more: dict[str, Value] = {"expires": link.expires, "ends": link.grant_ends, "uses": link.uses}
    return "link_added", {**_link(link), "guests": link.guests, **more}


def link_removed(link: Link) -> Act:
    """A link was removed."""
    return "link_removed", _link(link)


def _link(link: Link) -> dict[str, Value]:
    return {
        "link": link.id,
        "person": f"user:{link.person}",
        "level": link.level,
        "resource": link.resource,
    }


def asked(wish: Wish) -> Act:
    """Somebody has asked for access."""
    return "access_requested", {"wish": wish.id, "level": wish.level, "resource": wish.resource}


def answered(wish: Wish, level: str | None) -> Act:
    """A request for access was answered; where it was approved, with what level."""
    approved: dict[str, Value] = {"grant": wish.grant_id, "level": level or wish.level}
    return "access_answered", {
        "wish": wish.id,
        "state": wish.state.value,
        "person": f"user:{wish.person}",
        **(approved if wish.grant_id else {}),
    }
