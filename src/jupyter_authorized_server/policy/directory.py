"""Who is in which group, also through other groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from .model import ANONYMOUS, EVERYONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class _Named(Protocol):
    @property
    def name(self) -> str:
        """The name, without its kind."""


class _Grouped(_Named, Protocol):
    @property
    def members(self) -> tuple[str, ...]:
        """Direct members in written form."""


class Source(Protocol):
    """Whatever lists people and groups: the store's state, a policy document."""

    @property
    def people(self) -> Iterable[_Named]:
        """Everyone it knows."""

    @property
    def groups(self) -> Iterable[_Grouped]:
        """Each group with its direct members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """People and groups at one revision.

    Args:
        people: names of the people.
        groups: each group's direct members, in written form (`user:ada`,
            `group:sub`).
    """

    people: frozenset[str] = frozenset()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _above: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        above: dict[str, list[str]] = {}
        for group, members in self.groups.items():
            for member in members:
                above.setdefault(member, []).append(group)
        frozen = {member: tuple(groups) for member, groups in above.items()}
        groups = {group: tuple(sorted(set(members))) for group, members in self.groups.items()}
        object.__setattr__(self, "groups", MappingProxyType(groups))
        object.__setattr__(self, "_above", MappingProxyType(frozen))

    @classmethod
    def merge(cls, *sources: Source) -> Directory:
        """One directory from several sources; a group in two has the members of both."""
        united: dict[str, set[str]] = {}
        for source in sources:
            for group in source.groups:
                united.setdefault(group.name, set()).update(group.members)
        return cls(
            people=frozenset(person.name for source in sources for person in source.people),
            groups={name: tuple(sorted(members)) for name, members in united.items()},
        )

    def knows(self, principal: str) -> bool:
        """Whether the written form `principal` is a person or group here, or is no name."""
        kind, _, name = principal.partition(":")
        if kind == "user":
            return name in self.people
        if kind == "group":
            return name in self.groups
        return principal in {EVERYONE, ANONYMOUS}

    def groups_of(self, principal: str) -> tuple[str, ...]:
        """Bare names of every group `user:ada` or `group:sub` is in, sorted.

        A loop of groups ends: each is visited once.
        """
        found: set[str] = set()
        waiting = [principal]
        while waiting:
            for group in self._above.get(waiting.pop(), ()):
                if group not in found:
                    found.add(group)
                    waiting.append(f"group:{group}")
        return tuple(sorted(found))

    def members_of(self, group: str) -> tuple[str, ...]:
        """Written forms of everyone in `group`, also through other groups, sorted."""
        found: set[str] = set()
        seen = {group}
        waiting = [group]
        while waiting:
            for member in self.groups.get(waiting.pop(), ()):
                kind, _, name = member.partition(":")
                if kind != "group":
                    found.add(member)
                elif name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return tuple(sorted(found))
