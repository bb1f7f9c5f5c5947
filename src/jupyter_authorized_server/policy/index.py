"""Grants by whom they name and by what they stand on; the next revision shares most of it."""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING

from .. import errors
from . import vocabulary
from .model import Determinant, Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .model import Grant


def _no_level(grant: Grant) -> errors.InvalidName:
    levels = ", ".join(f"`{level.word}`" for level in vocabulary.Level)
    return errors.InvalidName(
        f"grant `{grant.id}` has the level `{grant.level[:60]}`, which is none of {levels}; "
        "revoke it and grant anew"
    )


_RANK = {word: int(level) for word, level in vocabulary.LEVEL.items()}


class Row:
    """One grant as the index holds it, with the determinants it makes.

    Args:
        grant: the grant.
        order: its place among all grants.

    Raises:
        InvalidName: it has an unknown level.
    """

    __slots__ = ("above", "ends", "grant", "here", "level", "order", "starts")

    def __init__(self, grant: Grant, order: int = 0) -> None:
        self.grant = grant
        self.order = order
        try:
            self.level = _RANK[grant.level]
        except KeyError:
            raise _no_level(grant) from None
        self.starts = -math.inf if grant.starts is None else grant.starts
        self.ends = math.inf if grant.ends is None else grant.ends
        self.here: Determinant | None = None
        self.above: Determinant | None = None

    def determinant(self, *, above: bool) -> Determinant:
        """This grant as a reason; made once for each of the two places."""
        grant = self.grant
        made = Determinant(
            id=grant.id,
            kind="grant",
            effect=Effect.PERMIT,
            source=grant.source,
            scope=grant.principal,
            inherited_from=grant.resource if above else "",
            ends=grant.ends,
        )
        if above:
            self.above = made
        else:
            self.here = made
        return made


class Index:
    """Rows by principal and resource, and by resource; never changes.

    Args:
        rows: number and grant, in rising order.

    Raises:
        InvalidName: a grant has an unknown level.
    """

    __slots__ = ("by_principal", "on")

    def __init__(self, rows: Iterable[tuple[int, Grant]] = ()) -> None:
        by_principal: dict[str, dict[str, list[Row]]] = {}
        on: dict[str, list[Row]] = {}
        for number, grant in rows:
            row = Row(grant, number)
            resource = grant.resource
            by_resource = by_principal.get(grant.principal)
            if by_resource is None:
                by_resource = by_principal[grant.principal] = {}
            held = by_resource.get(resource)
            if held is None:
                by_resource[resource] = [row]
            else:
                held.append(row)
            there = on.get(resource)
            if there is None:
                on[resource] = [row]
            else:
                there.append(row)
        self.by_principal: Mapping[str, Mapping[str, list[Row]]] = by_principal
        self.on: Mapping[str, list[Row]] = on

    def after(self, changes: Iterable[tuple[int, Grant | None, Grant | None]]) -> Index:
        """The index in which each grant that is no longer is gone and each new one is there.

        Raises:
            InvalidName: a grant has an unknown level.
        """
        writing = _Writing(self)
        for number, was, is_ in changes:
            if was is not None:
                for rows in writing.lists(was):
                    del rows[_at(rows, number)]
            if is_ is not None:
                row = Row(is_, number)
                for rows in writing.lists(is_):
                    insort(rows, row, key=_order)
        return writing.index()


class _Writing:
    """A copy of an index, in which only what is written is really copied."""

    def __init__(self, index: Index) -> None:
        self._by_principal = dict(index.by_principal)
        self._on = dict(index.on)
        #: What is copied already: maps by principal; lists by principal, or "", and resource.
        self._maps: dict[str, dict[str, list[Row]]] = {}
        self._lists: set[tuple[str, str]] = set()

    def lists(self, grant: Grant) -> tuple[list[Row], list[Row]]:
        """The two lists that `grant` is in or belongs in; they may be written."""
        principal, resource = grant.principal, grant.resource
        table = self._maps.get(principal)
        if table is None:
            table = self._maps[principal] = dict(self._by_principal.get(principal, {}))
            self._by_principal[principal] = table
        for key, place in ((principal, table), ("", self._on)):
            if (key, resource) not in self._lists:
                self._lists.add((key, resource))
                place[resource] = list(place.get(resource, ()))
        return table[resource], self._on[resource]

    def index(self) -> Index:
        """What was written, without what is empty."""
        for key, resource in self._lists:
            table = self._maps[key] if key else self._on
            if not table[resource]:
                del table[resource]
        for principal, table in self._maps.items():
            if not table:
                del self._by_principal[principal]
        made = Index()
        made.by_principal, made.on = self._by_principal, self._on
        return made


def _order(row: Row) -> int:
    return row.order


def _at(rows: list[Row], number: int) -> int:
    return next(at for at, row in enumerate(rows) if row.order == number)
