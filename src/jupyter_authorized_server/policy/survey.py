"""Many questions at once, as far as grants alone answer them.

Who may do something, and where somebody may, is a question for each person or place. Most
have a plain answer, since no rule speaks of them; that is found here by walking over the
grants once. What a rule may have a part in is left open, to be decided by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidName
from . import copies, vocabulary
from .engine import is_within
from .index import counts
from .model import EVERYONE, Effect, Principal, Resource
from .snapshot import chain_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Grant
    from .plan import Plan
    from .rule import Rule
    from .snapshot import Snapshot

_ADMIN, _MANAGER = vocabulary.Level.ADMIN, vocabulary.Level.MANAGER
#: A contents path in its canonical form, surely: one that is longer, or odd, is parsed.
_PART = r"(?!\.\.?(?:/|\Z))[^/\\\0:\ud800-\udfff]{1,63}"
_PLAIN = re.compile(rf"contents:/(?:{_PART}(?:/{_PART})*)?")
_LONGEST = 1000
#: Where all names are shorter and of ASCII, and none of these is in one, all are plain.
_SHORT = 255
_ODD = ("//", "/./", "/../", "/.\n", "/..\n", "\\", "\0")


class Places(NamedTuple):
    """Where somebody may do something, by their written forms."""

    #: Surely.
    allowed: frozenset[str]
    #: Perhaps.
    unsure: frozenset[str]


class Holders(NamedTuple):
    """Who may do something somewhere, by their written forms: people, groups, everyone."""

    #: Whom grants allow it.
    allowed: frozenset[str]
    #: Whom rules speak of, too: for these the grants do not settle it.
    unsure: frozenset[str]


def where(snapshot: Snapshot, principal: Principal, type_: str, action: str, now: float) -> Places:
    """Where `principal`, by itself, may do `action`: of the places that are named.

    Those are the ones that a grant to it, or a rule that may matter, names, and the whole.
    """
    view = snapshot.view(principal.name, principal.groups)
    plan = view.plans.get((type_, action)) or snapshot.plan(view, type_, action)
    prefix = f"{type_}:"
    names, given = view.places(plan.level, now)
    names.update(plan.named, plan.exact)
    names = {name for name in names if name.startswith(prefix)}
    names.add("contents:/" if type_ == "contents" else prefix)
    odd = _odd(names)
    if snapshot.homes is not None:
        # Into a home not every grant reaches.
        odd |= {name for name in names if name.startswith(f"{snapshot.wall}/")}
    # What is hidden may be kept back with what stands beside it.
    odd |= {name for name in names if "/." in name}
    names -= odd
    reached = _reached(names, given)
    if not plan.has_rules:
        return Places(frozenset(reached), frozenset(odd))
    verdicts = {name: _verdict(name in reached, _speaking(plan, name)) for name in names}
    return Places(
        frozenset(name for name, verdict in verdicts.items() if verdict),
        frozenset(odd.union(name for name, verdict in verdicts.items() if verdict is None)),
    )


def _odd(names: set[str]) -> set[str]:
    """Those that are no contents path, or perhaps not a canonical one."""
    text = "\n".join(names) + "\n"
    if (
        text.isascii()
        and max(map(len, names)) <= _SHORT
        and text.count("contents:/") == text.count(":") == text.count("\n") == len(names)
        and not any(part in text for part in _ODD)
        # Of all, only the root ends with a slash.
        and text.count("/\n") == ("contents:/" in names)
    ):
        return set()
    return {name for name in names if len(name) > _LONGEST or _PLAIN.fullmatch(name) is None}


def _above(name: str) -> str:
    """What a contents path, which is canonical, is directly in."""
    if name == "contents:/":
        return "server:"
    outer = name[: name.rindex("/")]
    return "contents:/" if outer == "contents:" else outer


def _reached(names: set[str], given: set[str]) -> set[str]:
    """Those of `names` on which, or above which, a grant stands."""
    reached, settled = names & given, given | {"server:"}
    for name in names - given:
        passed, here = [name], _above(name)
        while here not in settled:
            passed.append(here)
            here = _above(here)
        if here in given:
            reached.add(name)
        else:
            settled.update(passed)
    return reached


def _speaking(plan: Plan, name: str) -> tuple[Rule, ...]:
    """The rules whose scope holds for the contents path `name`."""
    if not plan.named:
        return (*plan.anywhere, *plan.exact.get(name, ()))
    chain = [name]
    while chain[-1] != "server:":
        chain.append(_above(chain[-1]))
    return plan.rules_on(tuple(chain))


def _verdict(is_given: bool, rules: tuple[Rule, ...]) -> bool | None:
    """What the grants and `rules` come to; None where that depends."""
    permits = [rule for rule in rules if rule.effect is Effect.PERMIT]
    if not is_given and not permits:
        # Whatever else applies only forbids.
        return False
    if any(rule.conditional for rule in rules):
        return None
    return len(permits) == len(rules)


def who(snapshot: Snapshot, action: str, resource: Resource, now: float) -> Holders:
    """Who, each person by themselves, may do `action` on `resource`."""
    level = vocabulary.ABILITY[resource.type, action].level
    try:
        chain = chain_of(resource)
    except InvalidName:
        return Holders(frozenset(), frozenset({EVERYONE}))
    allowed = {grant.principal for grant in _given(snapshot, chain, level, now)}
    home = _home_of(snapshot, chain) if level <= _MANAGER else None
    if home is not None:
        allowed.add(home)
    speaking = [
        rule
        for rule in snapshot.policy.rules
        if rule.covers(resource.type, action) and rule.resource.holds(resource.type, chain)
    ]
    unsure = {rule.principal.name or EVERYONE for rule in speaking}
    if copies.may_show(resource, action):
        unsure |= allowed
    return Holders(frozenset(allowed), frozenset(unsure))


def _given(
    snapshot: Snapshot, chain: tuple[str, ...], level: vocabulary.Level, now: float
) -> Iterator[Grant]:
    """The grants of `level` that count on the way up."""
    for name in chain:
        if name == snapshot.wall and is_within(chain, name):
            level = _ADMIN
        for grant in snapshot.index.on(name):
            if vocabulary.LEVEL[grant.level] >= level and counts(grant, now):
                yield grant


def _home_of(snapshot: Snapshot, chain: tuple[str, ...]) -> str | None:
    """Whose home is on the way up, if it is one."""
    homes = snapshot.homes
    if homes is None or snapshot.wall not in chain or not is_within(chain, snapshot.wall):
        return None
    home = chain[chain.index(snapshot.wall) - 1].removeprefix("contents:")
    owner = f"user:{home.rpartition('/')[2]}"
    return owner if homes.of(owner) == home else None
