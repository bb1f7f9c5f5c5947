"""Many grants at once: all of them or none, in one transaction and at one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from .. import mistakes
from ..errors import InvalidName, UnknownName
from .grants import READ, Grants, new_grant, row_of, rows_of
from .schema import grant_uses, grants, groups, people
from .transaction import in_pieces
from .uses import require_uses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection

    from ..policy.model import Grant
    from .model import Wanted

#: Most grants of one change: what a class or a department needs, in some seconds.
MOST = 100_000


class ManyGrants(Grants):
    """The operation on many grants."""

    def add_grants(
        self, wanted: Iterable[Wanted], *, now: float, granted_by: str
    ) -> tuple[tuple[Grant, ...], frozenset[str]]:
        """Hands out many levels at once, all or none.

        What a grant says already is given once, and so is what `wanted` says twice, unless
        it counts a number of times.

        Args:
            wanted: what is given.
            now: seconds since the epoch.
            granted_by: written form of the giver.

        Returns:
            The grant for each of `wanted`, in order, and the ids of those that are new.

        Raises:
            InvalidName: one of them cannot be; the message says which.
            UnknownName: there is no such principal; likewise.
        """
        asked = tuple(wanted)
        if not 0 < len(asked) <= MOST:
            raise InvalidName(mistakes.too_many_grants(str(MOST)))
        made = [
            _numbered(number, each, now=now, granted_by=granted_by)
            for number, each in enumerate(asked, start=1)
        ]
        with self._read() as connection:
            before = _said_already(connection, made)
        if all(each.uses is None and _said(one) in before
               for each, one in zip(asked, made, strict=True)):  # fmt: skip
            return tuple(before[_said(one)] for one in made), frozenset()
        with self._change(grants=True) as connection:
            _require_principals(connection, made)
            known = _said_already(connection, made)
            found: list[Grant] = []
            new: list[tuple[Grant, int | None]] = []
            for each, one in zip(asked, made, strict=True):
                given = one if each.uses is not None else known.setdefault(_said(one), one)
                if given is one:
                    new.append((one, each.uses))
                found.append(given)
            _insert(connection, new, now=now)
        return tuple(found), frozenset(one.id for one, _ in new)


def _numbered(number: int, wanted: Wanted, *, now: float, granted_by: str) -> Grant:
    try:
        if wanted.uses is not None:
            require_uses(wanted.level, wanted.uses)
        grant = new_grant(wanted, now=now, granted_by=granted_by)
        row_of(grant, now=now)
    except (InvalidName, UnknownName) as error:
        msg = mistakes.number(str(number), str(error))
        raise type(error)(msg) from None
    return grant


def _said(grant: Grant) -> tuple[object, ...]:
    """What a grant says; of two that say the same one is enough."""
    return (grant.principal, grant.level, grant.resource, grant.starts, grant.ends)


def _said_already(
    connection: Connection, wanted: Sequence[Grant]
) -> dict[tuple[object, ...], Grant]:
    """The grants of the store that say what some of `wanted` say."""
    counted = select(grant_uses.c.grant_id)
    found: dict[tuple[object, ...], Grant] = {}
    for some in in_pieces(each.resource for each in wanted):
        query = select(*READ).where(grants.c.resource.in_(some), grants.c.id.not_in(counted))
        for _, grant in rows_of(connection, query.order_by(grants.c.serial)):
            found.setdefault(_said(grant), grant)
    return found


def _require_principals(connection: Connection, wanted: Sequence[Grant]) -> None:
    """Sees that everybody whom `wanted` names exists.

    Raises:
        UnknownName: the first who does not.
    """
    for kind, column in (("user", people.c.name), ("group", groups.c.name)):
        named = [
            (number, each.principal.partition(":")[2])
            for number, each in enumerate(wanted, start=1)
            if each.principal.startswith(f"{kind}:")
        ]
        known: set[str] = set()
        for some in in_pieces(name for _, name in named):
            known.update(connection.execute(select(column).where(column.in_(some))).scalars())
        for number, name in named:
            if name not in known:
                raise UnknownName(mistakes.number_nobody(str(number), kind, name))


def _insert(
    connection: Connection, new: Sequence[tuple[Grant, int | None]], *, now: float
) -> None:
    if new:
        connection.execute(insert(grants), [row_of(each, now=now) for each, _ in new])
    limited = [
        {"grant_id": each.id, "uses": uses, "used": 0} for each, uses in new if uses is not None
    ]
    if limited:
        connection.execute(insert(grant_uses), limited)
