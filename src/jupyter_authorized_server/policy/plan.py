"""What one principal has: its grants by resource, its rules by action."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        rows: by resource, those that are in one map.
        wide: by resource, those of each other key.
        merged: whether all that is worth it is in the one map.
    """

    __slots__ = ("asked", "groups", "is_merged", "keys", "kind", "name", "plans", "rows", "wide")

    def __init__(
        self,
        principal: Principal,
        rows: Mapping[str, list[Row]],
        wide: tuple[Mapping[str, list[Row]], ...] = (),
        *,
        merged: bool = False,
    ) -> None:
        self.asked = 0
        self.is_merged = merged
        self.name = principal.name
        self.groups = principal.groups
        self.keys = keys = principal.keys
        self.kind = keys[0].partition(":")[0]
        self.rows = rows
        self.wide = wide
        self.plans: dict[tuple[str, str], Plan] = {}

    def at(self, name: str) -> Sequence[Row]:
        """The grants that stand on the resource `name`."""
        found = self.rows.get(name, ())
        if not self.wide:
            return found
        return [*found, *(row for each in self.wide for row in each.get(name, ()))]

    def names(self) -> set[str]:
        """Every resource that a grant stands on."""
        return set(self.rows).union(*self.wide)
