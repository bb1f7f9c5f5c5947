"""One revision of the policy, indexed: built once, asked by `decide` alone."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from .. import complaints, errors
from . import cedar, paths, vocabulary
from .document import Document, PolicyFile, read_document
from .fault import line_of
from .index import Held, Index
from .ledger import Ledger, reading_many, set_aside
from .model import (
    ANONYMOUS,
    Effect,
    Grant,
    Principal,
    Resource,
    parse_name,
    parse_principal,
)
from .plan import Plan, View
from .rule import Rule, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .homes import Homes
    from .index import Row

#: Principals whose grants are kept merged, and resources whose chains are kept.
_CACHED_PRINCIPALS = 1024
_CACHED_RESOURCES = 4096
#: Places whose grants a view merges into one map; more would be copied for each principal.
_MERGED = 4096
#: Questions after which it is worth it: most that are asked about many come once.
_WORTH_MERGING = 4
#: Number of the first grant that is in no ledger, behind all that are.
_FIRST_FIXED = 2**63
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
    builtin = (resources.files(__package__) / "builtin" / "rules.cedar").read_text("utf-8")
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
    for statement, found in zip(document.statements, check(document.statements), strict=True):
        message, line = "", statement.line
        if isinstance(found, errors.InvalidName):
            message = str(found)
            line = line_of(statement, message)
        elif (first := rules.get(found.id)) is not None:
            message = complaints.rule_twice(found.id, first.source)
        else:
            rules[found.id] = found
        if message:
            mistakes.append(errors.Mistake(source=statement.source, line=line, message=message))
    return list(rules.values()), mistakes


def _no_ability(type_: str, action: str) -> errors.InvalidName:
    try:
        vocabulary.parse_resource(f"{type_}:")
        stands_for = vocabulary.parse_action(action, type=type_)
    except errors.InvalidName as error:
        return error
    return errors.InvalidName(complaints.is_a_word(action, type_, stands_for))


class Snapshot:
    """Policy and grants at one revision, indexed; never changes.

    Args:
        policy: the rules.
        grants: those that are in no ledger, such as those of the policy files.
        revision: number to show in decisions.
        homes: where homes are; None where nobody has one.
        ledger: the grants of the store; they come first.

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
        ledger: Ledger | None = None,
    ) -> None:
        self.policy = policy
        self.revision = revision
        self.homes = homes
        #: See `Homes.wall`; empty is the name of nothing.
        self.wall = "" if homes is None else homes.wall
        self.ledger = Ledger() if ledger is None else ledger
        self.fixed = tuple(grants)
        listed = ((_FIRST_FIXED + n, each) for n, each in self._listed())
        with reading_many():
            self.index = Index(itertools.chain(self.ledger.rows(), listed))
            set_aside(len(self.ledger))
        self.views: dict[tuple[str, tuple[str, ...]], View] = {}

    def _listed(self) -> Iterator[tuple[int, Grant]]:
        return enumerate(self.fixed)

    def after(
        self, policy: CheckedPolicy, grants: tuple[Grant, ...], revision: int, ledger: Ledger
    ) -> Snapshot:
        """What a snapshot of all this would be, made from this one: only what differs is built.

        Raises:
            InvalidName: a grant has an unknown level.
        """
        changes = list(ledger.changes(self.ledger))
        if grants is not self.fixed and grants != self.fixed:
            changes += ((_FIRST_FIXED + n, each, None) for n, each in self._listed())
            changes += ((_FIRST_FIXED + n, None, each) for n, each in enumerate(grants))
        following = copy.copy(self)
        following.policy, following.revision = policy, revision
        following.ledger, following.fixed = ledger, grants
        if changes:
            following.index = self.index.after(changes)
        touched = {each.principal for _, *pair in changes for each in pair if each is not None}
        # Invariant: a view is made of the rules, the homes and the grants to its keys, and
        # where none of these has changed it is the view of the next revision too.
        following.views = {
            key: view
            for key, view in dict(self.views).items()
            if policy is self.policy and touched.isdisjoint(view.keys)
        }
        return following

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All there are, those of the policy files too."""
        return (*self.ledger.grants, *self.fixed) if self.fixed else self.ledger.grants

    def grant(self, id: str) -> Grant | None:  # noqa: A002  # why: the field's word
        """The grant whose id this is, also one of a policy file."""
        found = self.ledger.grant(id)
        if found is not None:
            return found
        return next((each for each in self.fixed if each.id == id), None)

    def view(self, name: str, groups: tuple[str, ...]) -> View:
        """The policy as the principal `name` in these groups meets it.

        Raises:
            InvalidName: no such principal can ask.
        """
        found = self.views.get((name, groups))
        if found is None:
            found = self._keep(self._make_view(name, groups))
        elif not found.is_merged:
            found.asked += 1
            if found.asked == _WORTH_MERGING:
                found = self._keep(_merged(found))
        return found

    def _keep(self, view: View) -> View:
        if len(self.views) >= _CACHED_PRINCIPALS:
            self.views.clear()
        self.views[view.name, view.groups] = view
        return view

    def shows(self, view: View) -> bool:
        """Whether `view` is how this snapshot meets somebody."""
        return self.views.get((view.name, view.groups)) is view

    def _make_view(self, name: str, groups: tuple[str, ...]) -> View:
        principal = Principal(name=parse_principal(name), groups=groups)
        if not name.startswith(("user:", "token:")) and name != ANONYMOUS:
            raise errors.InvalidName(complaints.names_many(name))
        for group in groups:
            parse_name(group, "group name")
        given = (self.index.held_by(key) for key in principal.keys)
        held = tuple(each for each in given if each is not None)
        home = None if self.homes is None else self.homes.of(name)
        if home is not None:
            own = Grant(
                id="home",
                principal=name,
                level=vocabulary.Level.MANAGER.word,
                resource=f"contents:{home}",
                source="`JupyterAuthorization.home`",
            )
            held = (Held([(0, own)]), *held)
        return View(principal, held)

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
        names = view.names()
        for action in ("list", "open"):
            plan = view.plans.get(("contents", action)) or self.plan(view, "contents", action)
            names.update(plan.named, plan.exact)
        names.update(name for _, name in principal.scope or ())
        return frozenset(
            name.removeprefix("contents:") for name in names if name.startswith("contents:")
        )

    def given_on(self, chain: tuple[str, ...], level: int) -> frozenset[str]:
        """Whom the grants of `level` or more on a resource and above name; owners of homes."""
        holders = {
            grant.principal
            for name in chain
            for grant in self.index.on(name)
            if vocabulary.LEVEL[grant.level] >= level
        }
        if self.homes is not None:
            inside = [name.removeprefix(f"{self.wall}/") for name in chain if name != self.wall]
            holders.update(f"user:{name}" for name in inside if name and "/" not in name)
        return frozenset(holders)

    def grants_on(self, names: Iterable[str]) -> list[Grant]:
        """The grants on any of the resources `names`, whatever there is besides."""
        return [each for name in dict.fromkeys(names) for each in self.index.on(name)]

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
        return frozenset(view.names().union(plan.named, plan.exact))

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


def _merged(view: View) -> View:
    """The same view, quicker to ask: what stands on few places is in one table."""
    rows: dict[str, list[Row]] = {}
    wide = []
    room = _MERGED
    for by_resource in view.look():
        if len(by_resource) > room:
            wide.append(Held(by_resource))
            continue
        room -= len(by_resource)
        for resource, more in by_resource.items():
            before = rows.get(resource)
            rows[resource] = more if before is None else before + more
    principal = Principal(name=view.name, groups=view.groups)
    return View(principal, (Held(rows), *wide) if rows else tuple(wide), merged=True)


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
        raise errors.InvalidName(complaints.names_none(name))
    if resource.type == "contents":
        return resource.chain
    for path in resource.within:
        if paths.canonical(path) != path:
            raise errors.InvalidName(complaints.within(resource.type))
    return tuple(dict.fromkeys(resource.chain))
