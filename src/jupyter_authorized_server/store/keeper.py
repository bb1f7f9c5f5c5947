"""Keepers: somebody must remain who can say who may use a resource."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from .. import mistakes
from ..errors import LastKeeper
from ..policy.model import EVERYONE
from ..policy.vocabulary import LEVEL, Level, parse_resource
from .schema import grants, group_groups, group_people, people

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

    from ..policy.model import Grant


def require_keeper(
    connection: Connection, changed: Grant, *, now: float, others: Iterable[Grant] = ()
) -> None:
    """Sees that after a change of the grant `changed` its resource still has a keeper.

    A keeper is somebody who is not disabled and has a level that may share, without an
    end, on the resource or above: `admin` for the server, else `manager`. Called in the
    transaction of the change, so that two who remove each other cannot both succeed.

    Raises:
        LastKeeper: it has none, and `changed` was the grant of one.
    """
    least = _least(changed.resource)
    if LEVEL[changed.level] < least or changed.ends is not None:
        return
    if not has_keeper(connection, changed.resource, now=now, others=others):
        raise LastKeeper(mistakes.last_manager(changed.resource, least.word))


@contextlib.contextmanager
def keeping_administrator(
    connection: Connection, *, now: float, others: Iterable[Grant] | None
) -> Iterator[None]:
    """Sees that what is done inside leaves the server an administrator, if it had one.

    Args:
        connection: in the transaction of the change.
        now: seconds since the epoch.
        others: grants that count beside those of the store; None asks for nothing.

    Raises:
        LastKeeper: nobody would administer the server any more.
    """
    had = others is not None and has_keeper(connection, "server:", now=now, others=others)
    yield
    if had and not has_keeper(connection, "server:", now=now, others=others or ()):
        raise LastKeeper(mistakes.LAST_ADMINISTRATOR)


def has_keeper(
    connection: Connection, resource: str, *, now: float, others: Iterable[Grant] = ()
) -> bool:
    """Whether somebody who is not disabled may share `resource` for good."""
    chain = parse_resource(resource).chain
    words = [level.word for level in Level if level >= _least(resource)]
    enabled = select(people.c.name).where(people.c.disabled.is_(False))
    names = set(connection.execute(enabled).scalars())
    query = (
        select(grants.c.person, grants.c.group_name)
        .where(grants.c.resource.in_(chain), grants.c.level.in_(words), grants.c.ends.is_(None))
        .where((grants.c.starts.is_(None)) | (grants.c.starts <= now))
    )
    holders = {
        f"user:{person}" if person else f"group:{group}" if group else EVERYONE
        for person, group in connection.execute(query)
    }
    holders.update(
        each.principal
        for each in others
        if each.resource in chain
        and each.level in words
        and each.ends is None
        and (each.starts is None or each.starts <= now)
    )
    return any(names & _people(connection, holder, names) for holder in holders)


def _least(resource: str) -> Level:
    return Level.ADMIN if resource == "server:" else Level.MANAGER


def _people(connection: Connection, holder: str, enabled: set[str]) -> set[str]:
    """The names of the people that a principal means."""
    kind, _, name = holder.partition(":")
    if kind != "group":
        return enabled if holder == EVERYONE else {name}
    found: set[str] = set()
    seen, waiting = {name}, [name]
    while waiting:
        group = waiting.pop()
        members = select(group_people.c.person).where(group_people.c.group_name == group)
        found.update(connection.execute(members).scalars())
        inner = select(group_groups.c.member).where(group_groups.c.group_name == group)
        for each in connection.execute(inner).scalars():
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    return found
