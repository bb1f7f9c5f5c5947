"""A policy on trial: asked as the decision point would answer, with nobody bound by it.

For `policy test`, which asks it what a case expects, and `policy diff`, which asks two.
Nothing is recorded, and no door asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import InvalidName
from .policy import paths, vocabulary
from .policy.directory import Directory
from .policy.document import Document, PolicyFile
from .policy.engine import Snapshot, decide, load_policy
from .policy.model import ANONYMOUS, AccessRequest, Context, Principal, Resource
from .site_clock import SiteClock

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .policy.case import Case, Expectation
    from .policy.engine import CheckedPolicy
    from .policy.homes import Homes
    from .policy.model import Decision, Grant
    from .store import State

#: Types of which `diff` asks about all at once, by the type alone.
_WHOLE = ("server", "kernelspecs", "kernels", "terminals", "events")


class Trial:
    """One policy with people, groups and grants.

    Args:
        policy: the rules, and what the files say.
        context: the circumstances of every question.
        state: of a store; None for the files alone.
        groups: more groups.
        grants: more grants.
        homes: where homes are; None where nobody has one.
    """

    def __init__(
        self,
        policy: CheckedPolicy,
        *,
        context: Context,
        state: State | None = None,
        groups: Document | None = None,
        grants: Sequence[Grant] = (),
        homes: Homes | None = None,
    ) -> None:
        sources = [each for each in (state, policy.document, groups) if each is not None]
        self.directory = Directory.merge(*sources)
        self.rules = policy.rules
        stored = () if state is None else state.grants
        self.grants = (*stored, *policy.document.grants, *grants)
        revision = 0 if state is None else state.revision
        self._snapshot = Snapshot(policy, self.grants, revision, homes=homes)
        self.homes = homes
        self._context = context

    def decide(self, principal: str, action: str, resource: Resource) -> Decision:
        """The answer that `principal` (a person, a token or `anonymous`) would get."""
        groups = () if principal == ANONYMOUS else self.directory.groups_of(principal)
        request = AccessRequest(
            principal=Principal(name=principal, groups=groups),
            action=action,
            resource=resource,
            context=self._context,
        )
        return decide(self._snapshot, request)


def failures(
    case: Case, files: Sequence[PolicyFile], state: State | None = None
) -> Iterator[tuple[Expectation, Decision]]:
    """What `case` expects and the policy of `files` answers otherwise.

    Raises:
        PolicyError: the files and the case's own rules do not load together.
    """
    own = PolicyFile(source=f"{case.source}.cedar", text=case.rules)
    trial = Trial(
        load_policy([*files, own]),
        context=case.context,
        state=state,
        groups=Document(groups=case.groups),
        grants=case.grants,
    )
    for each in case.expectations:
        decision = trial.decide(each.principal, each.action, each.resource)
        if decision.answer is not each.answer:
            yield each, decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a policy gives to or takes from somebody, compared with another one.

    Args:
        principal: a person, a group or `everyone`: all in it gain or lose this.
        gains: whether the new policy allows what the old one denied.
        resources: written forms, sorted.
    """

    principal: str
    action: str
    gains: bool
    resources: tuple[str, ...]


def differences(old: Trial, new: Trial, files: Iterable[str]) -> list[Change]:
    """All that differs for the people of either policy.

    Args:
        old: what holds now.
        new: what would hold.
        files: canonical contents paths to ask about.
    """
    people = sorted(old.directory.people | new.directory.people)
    found: dict[str, set[tuple[str, bool, str]]] = {f"user:{name}": set() for name in people}
    for action, resource, same in _questions(old, new, files):
        for person, changed in found.items():
            before = old.decide(person, action, resource).allowed
            after = new.decide(person, action, resource).allowed
            if before != after:
                changed.update((action, after, name) for name in same)
    gathered: list[Change] = []
    for principal, members in _gatherings(new.directory, list(found)):
        shared = set.intersection(*(found[member] for member in members))
        gathered += _changes(principal, shared)
        for member in members:
            found[member] -= shared
    for person, changed in found.items():
        gathered += _changes(person, changed)
    return gathered


def _gatherings(directory: Directory, people: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Everyone, then each group, larger ones first, with the people in it."""
    if len(people) > 1:
        yield "everyone", tuple(people)
    groups = {
        f"group:{name}": tuple(each for each in directory.members_of(name) if each in people)
        for name in directory.groups
    }
    for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if members:
            yield name, members


def _changes(principal: str, changed: set[tuple[str, bool, str]]) -> Iterator[Change]:
    for action, gains in sorted({(action, gains) for action, gains, _ in changed}):
        names = sorted(name for word, up, name in changed if (word, up) == (action, gains))
        yield Change(principal=principal, action=action, gains=gains, resources=tuple(names))


def _questions(
    old: Trial, new: Trial, files: Iterable[str]
) -> Iterator[tuple[str, Resource, list[str]]]:
    """Each question worth asking: action, resource, and all resources it stands for.

    An answer about a file hangs on which of the names above it a rule or grant names,
    unless a rule has a condition, which may look at the file itself, or it is in a home.
    """
    named = {grant.resource for trial in (old, new) for grant in trial.grants}
    rules = [rule for trial in (old, new) for rule in trial.rules]
    named |= {rule.resource.name for rule in rules}
    each_file = any(rule.conditional and rule.resource.kind in {"", "contents"} for rule in rules)
    homes = [f"contents:{t.homes.folder}" for t in (old, new) if t.homes is not None]
    alike: dict[object, list[str]] = {}
    for path in files:
        chain = tuple(f"contents:{each}" for each in paths.ancestors(path))
        alone = each_file or any(home in chain for home in homes)
        key = chain[0] if alone else tuple(name for name in chain if name in named)
        alike.setdefault(key, []).append(chain[0])
    places = [*alike.values(), *([f"{type_}:"] for type_ in _WHOLE)]
    places += [[name] for name in sorted(named) if name.partition(":")[0] in _WHOLE[1:]]
    by_type: Mapping[str, list[str]] = _actions()
    for names in places:
        try:
            resource = vocabulary.parse_resource(names[0])
        except InvalidName:
            continue
        for action in by_type[resource.type]:
            yield action, resource, names


def _actions() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for ability in vocabulary.ABILITIES:
        found.setdefault(ability.type, []).append(ability.action)
    return found


def context_at(now: float, zone: zoneinfo.ZoneInfo | None) -> Context:
    """The circumstances of a request over HTTP at the moment `now`."""
    hour, weekday = SiteClock(zone)(now)
    return Context(time=now, hour=hour, weekday=weekday, door="http")
