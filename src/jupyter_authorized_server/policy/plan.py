"""What one principal has: its grants by resource, its rules by action."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .index import Row
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


class View:
    """The policy as one principal meets it: their grants, their rules by action.

    Args:
        principal: whose.
        tables: grants by resource, of each key that has any.
        merged: whether all that is worth it is in one table.
    """

    __slots__ = ("asked", "groups", "is_merged", "keys", "kind", "name", "plans", "tables")

    def __init__(
        self,
        principal: Principal,
        tables: tuple[Mapping[str, list[Row]], ...],
        *,
        merged: bool = False,
    ) -> None:
        self.asked = 0
        self.is_merged = merged or len(tables) <= 1
        self.name = principal.name
        self.groups = principal.groups
        self.keys = keys = principal.keys
        self.kind = keys[0].partition(":")[0]
        self.tables = tables
        self.plans: dict[tuple[str, str], Plan] = {}

    def at(self, name: str) -> list[Row]:
        """The grants that stand on the resource `name`."""
        return [row for table in self.tables for row in table.get(name, ())]

    def names(self) -> set[str]:
        """Every resource that a grant stands on."""
        return set().union(*self.tables)
