"""What stands on a path beside grants: links, scopes of tokens, open wishes.

They go where the file goes, like its grants, and end with it: another file of the same
name is nobody's because of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, literal, or_, select, update

from .model import WishState
from .schema import links, token_scopes, wishes
from .transaction import Transactions

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement
    from sqlalchemy.engine import Connection

_PREFIX = "contents:"
_GONE = "its file is gone"
_OPEN = wishes.c.state == WishState.OPEN.value


class Standing(Transactions):
    """The question which paths these are."""

    def standing(self) -> frozenset[str]:
        """The canonical contents paths that links, scopes or open wishes stand on."""
        with self._read() as connection:
            found = set(connection.execute(select(links.c.resource).distinct()).scalars())
            query = select(token_scopes.c.resource).distinct()
            found.update(connection.execute(query).scalars())
            query = select(wishes.c.resource).where(_OPEN).distinct()
            found.update(connection.execute(query).scalars())
        return frozenset(
            each.removeprefix(_PREFIX) for each in found if each.startswith(f"{_PREFIX}/")
        )


def within(column: Column[str], path: str, prefix: str = "") -> ColumnElement[bool]:
    """Whether the path in `column` is `path` or below it, letter by letter."""
    whole = f"{prefix}{path}"
    return or_(column == whole, func.substr(column, 1, len(whole) + 1) == f"{whole}/")


def at(column: Column[str], old: str, new: str, prefix: str = "") -> ColumnElement[str]:
    """The path in `column`, with `new` in the place of `old`."""
    rest = func.substr(column, len(prefix) + len(old) + 1)
    return literal(f"{prefix}{new}").concat(rest)


def move_standing(connection: Connection, old: str, new: str) -> None:
    """Takes what stands on `old`, and below it, to `new`."""
    for table in (links, wishes):
        moved = within(table.c.resource, old, _PREFIX)
        resource = at(table.c.resource, old, new, _PREFIX)
        connection.execute(update(table).where(moved).values(resource=resource))
    # A token may reach the new place already; that is one row.
    on = within(token_scopes.c.resource, old, _PREFIX)
    rows = connection.execute(select(token_scopes).where(on)).all()
    connection.execute(delete(token_scopes).where(on))
    for token, level, resource in rows:
        there = f"{_PREFIX}{new}{resource[len(_PREFIX) + len(old) :]}"
        row = {"token": token, "level": level, "resource": there}
        same = and_(*(token_scopes.c[name] == value for name, value in row.items()))
        if connection.execute(select(token_scopes).where(same)).first() is None:
            connection.execute(token_scopes.insert().values(row))


def drop_standing(connection: Connection, path: str, *, now: float, below: bool = False) -> None:
    """Ends what stands on `path`, whose file is gone; a token keeps being limited."""

    def on(column: Column[str]) -> ColumnElement[bool]:
        return within(column, path, _PREFIX) if below else column == f"{_PREFIX}{path}"

    connection.execute(delete(links).where(on(links.c.resource)))
    connection.execute(delete(token_scopes).where(on(token_scopes.c.resource)))
    closed = {
        "state": WishState.WITHDRAWN.value,
        "decided": now,
        "decided_by": "server",
        "answer": _GONE,
    }
    connection.execute(update(wishes).where(_OPEN, on(wishes.c.resource)).values(closed))
