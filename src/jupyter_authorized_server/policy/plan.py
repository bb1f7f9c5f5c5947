"""What one principal has: its grants by resource, its rules by action."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .model import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .index import Held, Row
    from .model import Principal
    from .rule import Rule


class Plan(NamedTuple):
    """What there is to look at for one principal doing one action on one type."""

    level: int
    #: Rules whose principal, action and type hold and that name any resource.
    anywhere: tuple[Rule, ...]
    #: The others, by the resource they name; those that mean only that one, apart.
    named: Mapping[str, tuple[Rule, ...]]
    exact: Mapping[str, tuple[Rule, ...]]
    has_rules: bool

    def rules_on(self, chain: tuple[str, ...]) -> tuple[Rule, ...]:
        """Every rule whose scope holds for the resource with this chain."""
        found = self.anywhere
        if self.exact:
            found += self.exact.get(chain[0], ())
        if self.named:
            for name in chain:
                found += self.named.get(name, ())
        return found

    def forbids_in(self, folder: str) -> Iterator[Rule]:
        """The rules that forbid something of what is written `folder`, and not all of it."""
        below = folder.rstrip("/") + "/"
        return (
            rule
            for table in (self.named, self.exact)
            for name, rules in table.items()
            if (name.startswith(below) and name != folder)
            or (name == folder and table is self.exact)
            for rule in rules
            if rule.effect is Effect.FORBID
        )


class Parts(NamedTuple):
    """Rules by how they are decided, and what those with a condition read of the context.

    Of these, the ones that look at nothing else stand together: Cedar answers once for all.
    """

    plain: tuple[Rule, ...]
    conditional: tuple[tuple[Rule, ...], ...]
    reads: frozenset[str]


@lru_cache(maxsize=1024)
def parted(rules: tuple[Rule, ...]) -> Parts:
    """`rules` by how they are decided."""
    conditional = [rule for rule in rules if rule.conditional]
    parts = (
        tuple(rule for rule in conditional if rule.circumstantial is is_shared)
        for is_shared in (True, False)
    )
    return Parts(
        plain=tuple(rule for rule in rules if not rule.conditional),
        conditional=tuple(filter(None, parts)),
        reads=frozenset().union(*(rule.reads for rule in conditional)),
    )


class View:
    """The policy as one principal meets it: their grants, their rules by action.

    Args:
        principal: whose.
        held: what each key of theirs was given; of those that have anything.
        merged: whether all that is worth it is in one table.
    """

    __slots__ = (
        "_held",
        "asked",
        "groups",
        "is_merged",
        "keys",
        "kind",
        "name",
        "plans",
        "tables",
    )

    def __init__(
        self, principal: Principal, held: tuple[Held, ...], *, merged: bool = False
    ) -> None:
        self._held = held
        self.asked = 0
        self.is_merged = merged or len(held) <= 1
        self.name = principal.name
        self.groups = principal.groups
        self.keys = keys = principal.keys
        self.kind = keys[0].partition(":")[0]
        #: Grants by resource, as `look` finds them; empty before.
        self.tables: tuple[dict[str, list[Row]], ...] = ()
        self.plans: dict[tuple[str, str], Plan] = {}

    def look(self) -> tuple[dict[str, list[Row]], ...]:
        """The grants by resource; also kept in `tables`, since each decision asks."""
        if not self.tables and self._held:
            self.tables = tuple(each.table() for each in self._held)
        return self.tables

    def at(self, name: str) -> list[Row]:
        """The grants that stand on the resource `name`."""
        return [row for table in self.look() for row in table.get(name, ())]

    def names(self) -> set[str]:
        """Every resource that a grant stands on."""
        return set().union(*(each.resources() for each in self._held))

    def turn(self, now: float) -> float:
        """When the next of the grants begins or ends after `now`; infinite if none does."""
        return min((each.turn(now) for each in self._held), default=math.inf)

    def places(self, level: int, now: float) -> tuple[set[str], set[str]]:
        """As `Held.places`, of all that is held."""
        names, given = set[str](), set[str]()
        for each in self._held:
            some_names, some_given = each.places(level, now)
            names |= some_names
            given |= some_given
        return names, given
