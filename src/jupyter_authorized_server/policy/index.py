"""Grants by whom they name and by what they stand on; the next revision shares most of it.

Of a hundred thousand most are never looked at between one start and the next, so each
principal's are put in order when that principal first asks.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from .. import complaints, errors
from . import vocabulary
from .model import Determinant, Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .model import Grant


def _no_level(grant: Grant) -> errors.InvalidName:
    levels = ", ".join(f"`{level.word}`" for level in vocabulary.Level)
    return errors.InvalidName(complaints.grant_no_level(grant.id, grant.level[:60], levels))


_RANK = {word: int(level) for word, level in vocabulary.LEVEL.items()}


class Row:
    """One grant as it is looked at, with the determinants it makes.

    Args:
        grant: the grant, of a known level.
        order: its place among all grants.
    """

    __slots__ = ("_above", "_here", "ends", "grant", "level", "order", "starts")

    def __init__(self, grant: Grant, order: int = 0) -> None:
        self.grant = grant
        self.order = order
        self.level = _RANK[grant.level]
        self.starts = -math.inf if grant.starts is None else grant.starts
        self.ends = math.inf if grant.ends is None else grant.ends
        self._here: Determinant | None = None
        self._above: Determinant | None = None

    def here(self) -> Determinant:
        """This grant as a reason on the resource that it stands on."""
        if self._here is None:
            self._here = _determinant(self.grant)
        return self._here

    def above(self) -> Determinant:
        """This grant as a reason on what is below the resource that it stands on."""
        if self._above is None:
            self._above = _determinant(self.grant, self.grant.resource)
        return self._above


def _determinant(grant: Grant, inherited_from: str = "") -> Determinant:
    return Determinant(
        id=grant.id,
        kind="grant",
        effect=Effect.PERMIT,
        source=grant.source,
        scope=grant.principal,
        inherited_from=inherited_from,
        ends=grant.ends,
    )


#: A grant with its place among all grants.
_Numbered = tuple[int, "Grant"]
#: A place among all grants, with the grant before and the one now.
_Change = tuple[int, "Grant | None", "Grant | None"]
#: Parts of a map: with 10,000 keys some 40 a part.
_PARTS = 256
#: Resources that come and go at once, from which on all are sorted anew.
_MOST_MOVED = 64
V = TypeVar("V")
_NOTHING: Mapping[str, list[Row]] = {}


class Held:
    """What one principal was given: as it was read, until somebody looks at it by resource."""

    __slots__ = ("_held",)

    def __init__(self, held: list[_Numbered] | dict[str, list[Row]]) -> None:
        # One attribute, so that whoever looks meets the one or the other.
        self._held = held

    def table(self) -> dict[str, list[Row]]:
        """By resource, each in rising order."""
        held = self._held
        if isinstance(held, list):
            self._held = held = _by_resource(held)
        return held

    def resources(self) -> Iterable[str]:
        """What the grants stand on; one may come twice."""
        held = self._held
        return held if isinstance(held, dict) else (grant.resource for _, grant in held)

    def places(self, level: int, now: float) -> tuple[set[str], set[str]]:
        """What the grants stand on; and what those of `level` or more do that count now."""
        held = self._held
        if isinstance(held, dict):
            return set(held), {
                resource
                for resource, rows in held.items()
                for row in rows
                if row.level >= level and row.starts <= now < row.ends
            }
        enough = {word for word, rank in _RANK.items() if rank >= level}
        names, given = set(), set()
        # One pass, and `counts` written out: of 100,000 grants somebody has thousands.
        for _, grant in held:
            resource, starts, ends = grant.resource, grant.starts, grant.ends
            names.add(resource)
            if (
                (starts is None or starts <= now)
                and (ends is None or now < ends)
                and grant.level in enough
            ):
                given.add(resource)
        return names, given

    def turn(self, now: float) -> float:
        """When the next of them begins or ends after `now`; infinite if none does."""
        held = self._held
        if isinstance(held, dict):
            moments = [
                at for rows in held.values() for row in rows for at in (row.starts, row.ends)
            ]
        else:
            both = (at for _, grant in held for at in (grant.starts, grant.ends))
            moments = [at for at in both if at is not None]
        return min((at for at in moments if at > now), default=math.inf)

    def after(self, changes: Sequence[_Change]) -> Held | None:
        """What is held after `changes`; None where it is nothing."""
        held = self._held
        if isinstance(held, list):
            listed = _changed(held, changes)
            return Held(listed) if listed else None
        table = dict(held)
        copied: set[str] = set()
        for number, was, is_ in changes:
            for grant in (was, is_):
                if grant is not None and grant.resource not in copied:
                    copied.add(grant.resource)
                    table[grant.resource] = list(table.get(grant.resource, ()))
            if was is not None:
                rows = table[was.resource]
                del rows[next(at for at, row in enumerate(rows) if row.order == number)]
            if is_ is not None:
                insort(table[is_.resource], Row(is_, number), key=_order)
        for resource in copied:
            if not table[resource]:
                del table[resource]
        return Held(table) if table else None


def counts(grant: Grant, now: float) -> bool:
    """Whether it has begun and has not ended."""
    return (grant.starts is None or grant.starts <= now) and (
        grant.ends is None or now < grant.ends
    )


def _by_resource(held: list[_Numbered]) -> dict[str, list[Row]]:
    table: dict[str, list[Row]] = {}
    for number, grant in held:
        row = Row(grant, number)
        rows = table.get(grant.resource)
        if rows is None:
            table[grant.resource] = [row]
        else:
            rows.append(row)
    return table


class _Shared(Generic[V]):
    """A map in parts, of which the next one shares all that did not change.

    With 10,000 keys a copy of the whole was most of what a changed grant cost.
    """

    __slots__ = ("_parts",)

    def __init__(self, values: Mapping[str, V]) -> None:
        parts: list[dict[str, V]] = [{} for _ in range(_PARTS)]
        for key, value in values.items():
            parts[hash(key) % _PARTS][key] = value
        self._parts = parts

    def get(self, key: str) -> V | None:
        """What is at `key`, if anything."""
        return self._parts[hash(key) % _PARTS].get(key)

    def keys(self) -> Iterator[str]:
        """Every key, in no order."""
        return itertools.chain.from_iterable(self._parts)

    def after(self, changed: Mapping[str, V | None]) -> _Shared[V]:
        """The map with another value at each of these keys, or none."""
        following: _Shared[V] = _Shared({})
        parts = list(self._parts)
        for number in {hash(key) % _PARTS for key in changed}:
            parts[number] = dict(parts[number])
        for key, value in changed.items():
            part = parts[hash(key) % _PARTS]
            if value is None:
                part.pop(key, None)
            else:
                part[key] = value
        following._parts = parts
        return following


class Index:
    """Grants by principal and resource, and by resource; never changes.

    Args:
        rows: number and grant, in rising order.

    Raises:
        InvalidName: a grant has an unknown level.
    """

    __slots__ = ("__weakref__", "_by_principal", "_on", "_sorted")

    def __init__(self, rows: Iterable[_Numbered] = ()) -> None:
        by_principal: defaultdict[str, list[_Numbered]] = defaultdict(list)
        on: defaultdict[str, list[_Numbered]] = defaultdict(list)
        for row in rows:
            grant = row[1]
            if grant.level not in _RANK:
                raise _no_level(grant)
            by_principal[grant.principal].append(row)
            on[grant.resource].append(row)
        self._by_principal = _Shared({name: Held(held) for name, held in by_principal.items()})
        self._on = _Shared(on)
        #: The resources in order, once somebody has asked for them so.
        self._sorted: list[str] | None = None

    def principals(self) -> frozenset[str]:
        """Everybody whom a grant names."""
        return frozenset(self._by_principal.keys())

    def resources(self) -> frozenset[str]:
        """Everything that a grant stands on."""
        return frozenset(self._on.keys())

    def in_order(self) -> Sequence[str]:
        """Everything that a grant stands on, sorted; the next index needs not sort again."""
        if self._sorted is None:
            self._sorted = sorted(self._on.keys())
        return self._sorted

    def held_by(self, principal: str) -> Held | None:
        """What was given to `principal`; None where nothing was."""
        return self._by_principal.get(principal)

    def given_to(self, principal: str) -> Mapping[str, list[Row]]:
        """The grants that name `principal`, by resource, in the order of giving."""
        held = self.held_by(principal)
        return _NOTHING if held is None else held.table()

    def on(self, resource: str) -> Iterator[Grant]:
        """The grants that stand on `resource`, in the order of giving."""
        return (grant for _, grant in self._on.get(resource) or ())

    def after(self, changes: Iterable[_Change]) -> Index:
        """The index in which each grant that is no longer is gone and each new one is there.

        Raises:
            InvalidName: a grant has an unknown level.
        """
        changes = list(changes)
        for _, _, is_ in changes:
            if is_ is not None and is_.level not in _RANK:
                raise _no_level(is_)
        following = Index()
        following._by_principal = self._by_principal.after(
            {
                name: (self._by_principal.get(name) or Held([])).after(some)
                for name, some in _sorted_by(changes, _principal).items()
            }
        )
        following._on = self._on.after(
            {
                resource: _changed(self._on.get(resource) or [], some) or None
                for resource, some in _sorted_by(changes, _resource).items()
            }
        )
        following._sorted = self._sorted_after(following, changes)
        return following

    def _sorted_after(self, following: Index, changes: Sequence[_Change]) -> list[str] | None:
        """The resources of `following` in order; None where they are to be sorted anew."""
        if self._sorted is None:
            return None
        touched = {each.resource for _, *both in changes for each in both if each is not None}
        moved = [
            name
            for name in touched
            if (self._on.get(name) is None) != (following._on.get(name) is None)
        ]
        if len(moved) > _MOST_MOVED:
            return None
        found = list(self._sorted) if moved else self._sorted
        for name in moved:
            at = bisect_left(found, name)
            if self._on.get(name) is None:
                found.insert(at, name)
            else:
                del found[at]
        return found


def _sorted_by(
    changes: Iterable[_Change], key: Callable[[Grant], str]
) -> dict[str, list[_Change]]:
    """What changes for each key; a grant that gets another one goes here and comes there."""
    found: dict[str, list[_Change]] = {}
    for number, was, is_ in changes:
        if was is not None and is_ is not None and key(was) == key(is_):
            found.setdefault(key(was), []).append((number, was, is_))
            continue
        if was is not None:
            found.setdefault(key(was), []).append((number, was, None))
        if is_ is not None:
            found.setdefault(key(is_), []).append((number, None, is_))
    return found


def _changed(held: list[_Numbered], changes: Sequence[_Change]) -> list[_Numbered]:
    gone = {number for number, was, _ in changes if was is not None}
    listed = [each for each in held if each[0] not in gone]
    for number, _, is_ in changes:
        if is_ is not None:
            insort(listed, (number, is_), key=_number)
    return listed


def _principal(grant: Grant) -> str:
    return grant.principal


def _resource(grant: Grant) -> str:
    return grant.resource


def _order(row: Row) -> int:
    return row.order


def _number(numbered: _Numbered) -> int:
    return numbered[0]
