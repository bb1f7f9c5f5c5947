"""One revision of the policy, indexed: built once, asked by `decide` alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from .. import errors
from . import cedar, paths, vocabulary
from .document import Document, PolicyFile, read_document
from .model import (
    ANONYMOUS,
    Determinant,
    Effect,
    Grant,
    Principal,
    Resource,
    parse_name,
    parse_principal,
)
from .rule import Rule, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .homes import Homes

#: Principals whose grants are kept merged, and resources whose chains are kept.
_CACHED_PRINCIPALS = 1024
_CACHED_RESOURCES = 4096
#: Longest id whose chain is kept: a chain grows with the square of its length.
_CACHED_ID = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicy:
    """Policy files without a mistake: their rules with the built-in ones, and the rest."""

    rules: tuple[Rule, ...]
    document: Document


def load_policy(files: Sequence[PolicyFile]) -> CheckedPolicy:
    """The checked policy that `files` and the built-in rules make.

    Raises:
        PolicyError: with every mistake of every file.
    """
    builtin = resources.files(__package__).joinpath("builtin", "rules.cedar").read_text("utf-8")
    document, mistakes = read_document(
        [PolicyFile(source="<builtin>/rules.cedar", text=builtin), *files]
    )
    rules, wrong = cedar.with_room(lambda: _checked(document))
    mistakes += wrong
    if mistakes:
        order = {file.source: number for number, file in enumerate(files)}
        raise errors.PolicyError(
            sorted(mistakes, key=lambda each: (order.get(each.source, -1), each.line))
        )
    return CheckedPolicy(rules=tuple(rules), document=document)


def _checked(document: Document) -> tuple[list[Rule], list[errors.Mistake]]:
    rules: dict[str, Rule] = {}
    mistakes = []
    for statement in document.statements:
        message = ""
        try:
            rule = check(statement)
        except errors.InvalidName as error:
            message = str(error)
        else:
            first = rules.setdefault(rule.id, rule)
            if first is not rule:
                message = (
                    f"the rule name `{rule.id}` is also in {first.source}; rename one of them"
                )
        if message:
            mistakes.append(
                errors.Mistake(source=statement.source, line=statement.line, message=message)
            )
    return list(rules.values()), mistakes


def _no_level(grant: Grant) -> errors.InvalidName:
    levels = ", ".join(f"`{level.word}`" for level in vocabulary.Level)
    return errors.InvalidName(
        f"grant `{grant.id}` has the level `{grant.level[:60]}`, which is none of {levels}; "
        "revoke it and grant anew"
    )


def _no_ability(type_: str, action: str) -> errors.InvalidName:
    try:
        vocabulary.parse_resource(f"{type_}:")
        stands_for = vocabulary.parse_action(action, type=type_)
    except errors.InvalidName as error:
        return error
    return errors.InvalidName(f"`{action}` is a word; on `{type_}` ask for `{stands_for}`")


class Row:
    """One grant as the index holds it, with the determinants it makes."""

    __slots__ = ("above", "ends", "grant", "here", "level", "starts")

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        try:
            self.level = int(vocabulary.LEVEL[grant.level])
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
    """The policy as one principal meets it: their grants in one map, their rules by action."""

    __slots__ = ("keys", "kind", "plans", "rows")

    def __init__(self, keys: tuple[str, ...], rows: Mapping[str, list[Row]]) -> None:
        self.keys = keys
        self.kind = keys[0].partition(":")[0]
        self.rows = rows
        self.plans: dict[tuple[str, str], Plan] = {}


class Snapshot:
    """Policy and grants at one revision, indexed; never changes.

    Args:
        policy: the rules.
        grants: all there are, those of the policy files too.
        revision: number to show in decisions.
        homes: where homes are; None where nobody has one.

    Raises:
        InvalidName: a grant has an unknown level.
    """

    def __init__(
        self,
        policy: CheckedPolicy,
        grants: Iterable[Grant] = (),
        revision: int = 0,
        *,
        homes: Homes | None = None,
    ) -> None:
        self.policy = policy
        self.revision = revision
        self.grants = tuple(grants)
        self.homes = homes
        #: See `Homes.wall`; empty is the name of nothing.
        self.wall = "" if homes is None else homes.wall
        index: dict[str, dict[str, list[Row]]] = {}
        for grant in self.grants:
            by_resource = index.get(grant.principal)
            if by_resource is None:
                by_resource = index[grant.principal] = {}
            rows = by_resource.get(grant.resource)
            if rows is None:
                by_resource[grant.resource] = [Row(grant)]
            else:
                rows.append(Row(grant))
        self._index = index
        self._on: dict[str, list[Grant]] | None = None
        self.view = lru_cache(maxsize=_CACHED_PRINCIPALS)(self._make_view)

    def _make_view(self, name: str, groups: tuple[str, ...]) -> View:
        principal = Principal(name=parse_principal(name), groups=groups)
        if not name.startswith(("user:", "token:")) and name != ANONYMOUS:
            msg = f"`{name}` names many; a person, a token or `{ANONYMOUS}` asks"
            raise errors.InvalidName(msg)
        for group in groups:
            parse_name(group, "group name")
        found = [self._index[key] for key in principal.keys if key in self._index]
        merged: dict[str, list[Row]] = {}
        for by_resource in found:
            for resource, rows in by_resource.items():
                before = merged.get(resource)
                merged[resource] = rows if before is None else before + rows
        home = None if self.homes is None else self.homes.of(name)
        if home is not None:
            own = Grant(
                id="home",
                principal=name,
                level=vocabulary.Level.MANAGER.word,
                resource=f"contents:{home}",
                source="`JupyterAuthorization.home`",
            )
            merged[own.resource] = [*merged.get(own.resource, ()), Row(own)]
        return View(principal.keys, merged)

    def plan(self, view: View, type_: str, action: str) -> Plan:
        """The rules that may matter to `view` for `action` on resources of `type_`.

        Raises:
            InvalidName: unknown type or action.
        """
        ability = vocabulary.ABILITY.get((type_, action))
        if ability is None:
            raise _no_ability(type_, action)
        anywhere = []
        named: dict[str, tuple[Rule, ...]] = {}
        exact: dict[str, tuple[Rule, ...]] = {}
        for rule in self.policy.rules:
            scope = rule.resource
            if rule.covers(type_, action) and rule.principal.holds(view.kind, view.keys):
                if not scope.name:
                    anywhere.append(rule)
                else:
                    place = exact if scope.exact else named
                    place[scope.name] = (*place.get(scope.name, ()), rule)
        has_rules = bool(anywhere or named or exact)
        plan = Plan(int(ability.level), tuple(anywhere), named, exact, has_rules)
        view.plans[type_, action] = plan
        return plan

    def signposts(self, principal: Principal) -> frozenset[str]:
        """The contents paths that a grant to `principal`, or a rule on seeing, names.

        Whatever somebody may see at all is one of them or below one of them.
        """
        view = self.view(principal.name, principal.groups)
        names = set(view.rows)
        for action in ("list", "open"):
            plan = view.plans.get(("contents", action)) or self.plan(view, "contents", action)
            names.update(plan.named, plan.exact)
        names.update(name for _, name in principal.scope or ())
        return frozenset(
            name.removeprefix("contents:") for name in names if name.startswith("contents:")
        )

    def given_on(self, chain: tuple[str, ...], level: int) -> frozenset[str]:
        """Whom the grants of `level` or more on a resource and above name; owners of homes."""
        if self._on is None:
            self._on = {}
            for grant in self.grants:
                self._on.setdefault(grant.resource, []).append(grant)
        holders = {
            grant.principal
            for name in chain
            for grant in self._on.get(name, ())
            if vocabulary.LEVEL[grant.level] >= level
        }
        if self.homes is not None:
            inside = [name.removeprefix(f"{self.wall}/") for name in chain if name != self.wall]
            holders.update(f"user:{name}" for name in inside if name and "/" not in name)
        return frozenset(holders)

    def permitting(self, type_: str, action: str) -> tuple[Rule, ...]:
        """The rules that may permit `action` on some resource of `type_`."""
        return tuple(
            rule
            for rule in self.policy.rules
            if rule.effect is Effect.PERMIT and rule.covers(type_, action)
        )

    def ceiling(
        self, keys: tuple[str, ...], type_: str, action: str, chain: tuple[str, ...]
    ) -> Rule | None:
        """The rule that forbids `action` there to whom `keys` name, whatever the circumstances.

        Args:
            keys: written forms of a person or group and its groups, its own first.
            type_: of the resource.
            action: of the vocabulary.
            chain: of the resource.
        """
        for rule in self.policy.rules:
            if (
                rule.effect is Effect.FORBID
                and not rule.conditional
                and rule.covers(type_, action)
                and rule.principal.holds("user", keys)
                and (not rule.resource.name or rule.resource.holds(type_, chain))
            ):
                return rule
        return None

    def named(self, principal: Principal, type_: str, action: str) -> frozenset[str]:
        """What a grant to `principal`, or a rule that may matter for `action`, names."""
        view = self.view(principal.name, principal.groups)
        plan = view.plans.get((type_, action)) or self.plan(view, type_, action)
        return frozenset((*view.rows, *plan.named, *plan.exact))

    def is_even(self, principal: Principal, action: str, folder: str) -> bool:
        """Whether whoever may do `action` on a folder may do it on all that is below.

        Grants only ever add on the way down, except into homes; a rule may tell one
        file from the next.

        Args:
            folder: a canonical contents path.
        """
        if self.homes is not None and folder in paths.ancestors(self.homes.folder):
            return False
        if principal.scope is not None:
            return False
        view = self.view(principal.name, principal.groups)
        plan = view.plans.get(("contents", action)) or self.plan(view, "contents", action)
        if plan.anywhere:
            return False
        around = paths.ancestors(folder)
        for name in (*plan.named, *plan.exact):
            kind, _, path = name.partition(":")
            if kind != "contents" or path in around or folder in paths.ancestors(path):
                return False
        return True


def chain_of(resource: Resource) -> tuple[str, ...]:
    """The resource's checked written forms, its own first."""
    if not resource.within and len(resource.id) <= _CACHED_ID:
        return _plain_chain(resource.type, resource.id)
    return _checked_chain(resource)


@lru_cache(maxsize=_CACHED_RESOURCES)
def _plain_chain(type_: str, id_: str) -> tuple[str, ...]:
    return _checked_chain(Resource(type=type_, id=id_))


def _checked_chain(resource: Resource) -> tuple[str, ...]:
    name = f"{resource.type}:{resource.id}"
    # Invariant: `*` is how Cedar writes "every resource of the type"; nothing is called so.
    if resource.type != "contents" and (vocabulary.parse_resource(name).id == "*"):
        msg = f"`{name}` is no resource; `*` names none"
        raise errors.InvalidName(msg)
    if resource.type == "contents":
        return resource.chain
    for path in resource.within:
        if paths.canonical(path) != path:
            msg = f"a {resource.type} resource lies within canonical paths only"
            raise errors.InvalidName(msg)
    return tuple(dict.fromkeys(resource.chain))
