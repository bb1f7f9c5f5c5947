"""Random policies, grants and access requests over a small world, for the laws.

Half of the rules and grants are drawn from the request itself; drawn apart, they
would hardly ever meet it and a broken index would pass.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from functools import lru_cache

import cedarpy
from hypothesis import strategies as st
from spec import AbstractRule, Scope

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy import cedar, vocabulary
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Context,
    Grant,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.rule import Rule, check
from jupyter_authorized_server.policy.statement import Statement

NOW = 1_000_000.0
PEOPLE = ("user:ada", "user:bob", "token:ci", "anonymous")
GROUPS = ("blue", "red", "sea")
PATHS = ("/", "/a", "/a/b", "/a/b/c.ipynb", "/ab", '/a b/é\n".txt')
FOLDERS = {"/a/b/c.ipynb": ("/a/b/c.ipynb", "/a/b", "/a", "/"), "/ab": ("/ab", "/")}
RESOURCES = (
    *(Resource(type="contents", id=path) for path in PATHS),
    *(
        Resource(type="kernels", id=id_, within=FOLDERS.get(path, ()), owner=owner)
        for id_, path, owner in (
            ("k1", "/a/b/c.ipynb", "user:ada"),
            ("k2", "/ab", "user:bob"),
            ("k3", "", None),
            ("", "", None),
        )
    ),
    Resource(type="kernelspecs", id="python3"),
    Resource(type="terminals", id="1", owner="user:ada"),
    Resource(type="server"),
)
LEVELS = tuple(level.word for level in vocabulary.Level)
GROUPS_OF_ACTIONS = ("read", "write", "execute", *LEVELS)
BIG = 9_223_372_036_854_775_807


def _overflow(asked: AccessRequest) -> bool:
    if BIG + asked.context.hour > BIG:
        raise OverflowError
    return True


def _attr(asked: AccessRequest, name: str) -> str:
    """An attribute of the resource, as strict Cedar knows it; LookupError where missing."""
    path = asked.resource.id
    return {"path": path, "name": path.rsplit("/", 1)[-1]}[name]


#: Conditions as Cedar and as Python. The last two fail on some requests.
CONDITIONS = {
    "when { true }": lambda _: True,
    "when { context has address }": lambda r: r.context.address is not None,
    "when { context.hour >= 12 }": lambda r: r.context.hour >= 12,
    "unless { context.hour >= 12 }": lambda r: r.context.hour < 12,
    'when { context.door == "http" }': lambda r: r.context.door == "http",
    "when { context.time < 1000000 }": lambda r: r.context.time < NOW,
    'when { context has address && context.address.isInRange(ip("10.0.0.0/8")) }': (
        lambda r: r.context.address is not None and r.context.address.startswith("10.")
    ),
    "when { resource has owner && resource.owner == principal }": (
        lambda r: r.resource.owner is not None and r.resource.owner == r.principal.name
    ),
    'when { resource has path && resource.path like "/a/*" }': (
        lambda r: r.resource.type == "contents" and r.resource.id.startswith("/a/")
    ),
    'when { principal in Jupyter::Group::"red" }': lambda r: "group:red" in r.principal.keys,
    'when { action in Jupyter::Action::"editor" }': (
        lambda r: vocabulary.ABILITY[r.resource.type, r.action].level <= 3
    ),
    'when { resource in Jupyter::Folder::"/a" } unless { context.weekday > 5 }': (
        lambda r: "contents:/a" in r.resource.chain and r.context.weekday <= 5
    ),
    f"when {{ {BIG} + context.hour > 0 }}": _overflow,
    f"when {{ context.weekday > 3 && {BIG} + context.hour > 0 }}": (
        lambda r: r.context.weekday > 3 and _overflow(r)
    ),
}


@dataclass(frozen=True)
class Drawn:
    """One rule, said twice."""

    abstract: AbstractRule
    text: str

    def rule(self, name: str) -> Rule:
        return replace(_checked(self.text), id=name)


@lru_cache(maxsize=20_000)
def _checked(text: str) -> Rule:
    statement = Statement(source="law.cedar", line=1, text=text)
    (found,) = cedar.with_room(lambda: check([statement]))
    if isinstance(found, InvalidName):
        raise found
    return found


def admitted(drawn: Drawn) -> bool:
    """Whether the checker admits the rule; one that could never apply it refuses."""
    try:
        _checked(drawn.text)
    except InvalidName:
        return False
    return True


def quoted(kind: str, id_: str) -> str:
    """A uid as policy text."""
    shown = id_.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'Jupyter::{kind}::"{shown}"'


CEDAR_KINDS = {"user": "User", "token": "Token", "anonymous": "Guest"}


def _principal_uid(name: str) -> str:
    if name in {"everyone", "anonymous"}:
        return quoted("Group" if name == "everyone" else "Guest", name)
    kind, _, id_ = name.partition(":")
    return quoted({**CEDAR_KINDS, "group": "Group"}[kind], id_)


def _resource_uid(name: str, *, as_file: bool) -> str:
    type_, _, id_ = name.partition(":")
    if type_ == "contents":
        return quoted("File" if as_file else "Folder", id_)
    if type_ == "server":
        return quoted("Server", "server")
    return quoted(vocabulary.TYPE[type_].cedar, id_ or "*")


def _scope(
    draw: st.DrawFn, word: str, kinds: tuple[tuple[str, str], ...], names: tuple[str, ...]
) -> tuple[Scope, str]:
    shape = draw(st.sampled_from(("any", "is", "==", "in", "in", "is in")))
    kind, cedar_kind = draw(st.sampled_from(kinds))
    name = draw(st.sampled_from(names))
    if word == "principal":
        alone = name.startswith(("user:", "token:", "anonymous"))
        uid = _principal_uid(name)
    else:
        as_file = shape == "==" or (name.startswith("contents:") and draw(st.booleans()))
        alone = as_file and name.startswith("contents:")
        uid = _resource_uid(name, as_file=as_file)
    return {
        "any": (Scope(), word),
        "is": (Scope(kind=kind), f"{word} is Jupyter::{cedar_kind}"),
        "==": (Scope(within=name, only=True), f"{word} == {uid}"),
        "in": (Scope(within=name, only=alone), f"{word} in {uid}"),
        "is in": (
            Scope(kind=kind, within=name, only=alone),
            f"{word} is Jupyter::{cedar_kind} in {uid}",
        ),
    }[shape]


def _action_scope(draw: st.DrawFn, actions: tuple[str, ...]) -> tuple[frozenset[str] | None, str]:
    shape = draw(st.sampled_from(("any", "==", "in", "list")))
    if shape == "any":
        return None, "action"
    if shape == "==":
        action = draw(st.sampled_from(actions))
        return frozenset({action}), f"action == {quoted('Action', action)}"
    pool = (*actions, *GROUPS_OF_ACTIONS)
    size = (1, 1) if shape == "in" else (1, 3)
    named = draw(st.lists(st.sampled_from(pool), min_size=size[0], max_size=size[1]))
    uids = ", ".join(quoted("Action", name) for name in named)
    covered = frozenset(
        ability.action
        for ability in vocabulary.ABILITIES
        if {ability.action, ability.word.value, *_levels(ability.level)} & set(named)
    )
    return covered, f"action in {uids}" if shape == "in" else f"action in [{uids}]"


def _levels(lowest: int) -> tuple[str, ...]:
    return LEVELS[lowest - 1 :]


def simple(principal: str, action: str, type_: str) -> AccessRequest:
    """A plain question on any resource of a type."""
    id_ = "/a" if type_ == "contents" else ""
    return AccessRequest(
        principal=Principal(name=principal),
        action=action,
        resource=Resource(type=type_, id=id_),
        context=Context(time=NOW, hour=12, weekday=1, door="http"),
    )


@st.composite
def a_request(draw: st.DrawFn) -> AccessRequest:
    name = draw(st.sampled_from(PEOPLE))
    groups = tuple(sorted(draw(st.sets(st.sampled_from(GROUPS)))))
    resource = draw(st.sampled_from(RESOURCES))
    actions = [ability.action for ability in vocabulary.ABILITIES if ability.type == resource.type]
    return AccessRequest(
        principal=Principal(name=name, groups=() if name == "anonymous" else groups),
        action=draw(st.sampled_from(actions)),
        resource=resource,
        context=Context(
            time=draw(st.sampled_from((NOW - 0.5, NOW, NOW + 0.5))),
            hour=draw(st.sampled_from((0, 11, 12, 23))),
            weekday=draw(st.sampled_from((1, 4, 7))),
            door=draw(st.sampled_from(("http", "cli"))),
            address=draw(st.sampled_from((None, "10.1.2.3", "192.0.2.1", "::1"))),
        ),
    )


@st.composite
def a_rule(
    draw: st.DrawFn,
    asked: AccessRequest,
    effect: str | None = None,
    condition: str | None = None,
) -> Drawn:
    """A rule said twice; one with a `condition` asked for always meets the request."""
    near = condition is not None or draw(st.booleans())
    people = ("everyone", *PEOPLE, *(f"group:{group}" for group in GROUPS))
    names = (*tuple(resource.name for resource in RESOURCES), "kernels:", "contents:/a/b")
    actions = vocabulary.ACTIONS
    kinds = tuple(CEDAR_KINDS.items())
    types = tuple((type_.word, type_.cedar) for type_ in vocabulary.TYPES)
    if near:
        people, names = asked.principal.keys, asked.resource.chain
        actions = (asked.action,)
        kinds = tuple(pair for pair in kinds if asked.principal.name.startswith(pair[0]))
        types = tuple(pair for pair in types if pair[0] == asked.resource.type)
    principal, principal_text = _scope(draw, "principal", kinds, people)
    covered, action_text = _action_scope(draw, actions)
    resource, resource_text = _scope(draw, "resource", types, names)
    condition = condition or draw(st.none() | st.sampled_from(sorted(CONDITIONS)))
    effect = effect or draw(st.sampled_from(("permit", "permit", "forbid")))
    text = f"{effect}({principal_text}, {action_text}, {resource_text}) {condition or ''};"
    return Drawn(
        AbstractRule(
            effect,
            principal,
            covered,
            resource,
            CONDITIONS[condition] if condition else None,
            looks_at_files="resource" in (condition or ""),
        ),
        text,
    )


def rules_for(asked: AccessRequest, most: int = 6) -> st.SearchStrategy[list[Drawn]]:
    """Rules the checker admits; half of them are made to meet the request."""
    return st.lists(a_rule(asked).filter(admitted), max_size=most)


@st.composite
def a_grant(draw: st.DrawFn, asked: AccessRequest, *, near: bool = False) -> Grant:
    """A grant; one that is `near` reaches the request's principal and resource."""
    near = near or draw(st.booleans())
    people = ("everyone", *PEOPLE, *(f"group:{group}" for group in GROUPS))
    names = tuple(resource.name for resource in RESOURCES)
    return Grant(
        id=f"g-{draw(st.integers(0, 2**40)):012x}",
        principal=draw(st.sampled_from(asked.principal.keys if near else people)),
        level=draw(st.sampled_from(LEVELS)),
        resource=draw(st.sampled_from(asked.resource.chain if near else names)),
        starts=draw(st.sampled_from((None, None, NOW - 1, NOW, NOW + 1))),
        ends=draw(st.sampled_from((None, None, NOW - 1, NOW, NOW + 1))),
    )


def grants_for(asked: AccessRequest, most: int = 4) -> st.SearchStrategy[list[Grant]]:
    """Grants with different ids."""
    return st.lists(a_grant(asked), max_size=most, unique_by=lambda grant: grant.id)


# ------------------------------------------------------------ Cedar as the oracle


@lru_cache(maxsize=1)
def _templates() -> str:
    from importlib import resources  # noqa: PLC0415  # why: only the oracle needs it

    builtin = resources.files("jupyter_authorized_server.policy") / "builtin"
    return (builtin / "levels.cedar").read_text("utf-8")


def _uid(text: str) -> dict[str, str]:
    """A uid written as text, as the type and id that Cedar's JSON wants."""
    kind, _, id_ = text.partition('::"')
    plain = id_[:-1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    return {"type": kind, "id": plain}


def _entity(text: str, parents: list[str], **attrs: object) -> dict[str, object]:
    return {"uid": _uid(text), "attrs": attrs, "parents": [_uid(parent) for parent in parents]}


def entities(asked: AccessRequest) -> list[dict[str, object]]:
    """The world as Cedar sees it, each thing in the next one up: not the engine's flat form."""
    name, server = asked.principal.name, quoted("Server", "server")
    inside = [_principal_uid(key) for key in asked.principal.keys[1:]]
    found = [_entity(_principal_uid(name), inside)]
    resource = asked.resource
    folders: dict[str, list[str]] = {}
    paths = resource.within
    if resource.type == "contents":
        paths = tuple(name.removeprefix("contents:") for name in resource.chain[:-1])
    for path, above in zip(paths, (*paths[1:], ""), strict=False):
        folders[quoted("Folder", path)] = [quoted("Folder", above)] if above else [server]
    own = _resource_uid(resource.name, as_file=True)
    if resource.type == "contents":
        last = paths[0].rsplit("/", 1)[-1]
        found.append(_entity(own, [next(iter(folders))], path=paths[0], name=last))
    elif resource.type == "server":
        found.append(_entity(own, []))
    else:
        everything = quoted(vocabulary.TYPE[resource.type].cedar, "*")
        parents = [*list(folders)[:1], server] + ([everything] if resource.id else [])
        attrs = (
            {"owner": {"__entity": _uid(_principal_uid(resource.owner))}} if resource.owner else {}
        )
        found.append(_entity(own, parents, **attrs))
        if resource.id:
            found.append(_entity(everything, [server]))
    found += [_entity(folder, parents) for folder, parents in folders.items()]
    ability = vocabulary.ABILITY[resource.type, asked.action]
    word, level = quoted("Action", ability.word.value), quoted("Action", ability.level.word)
    found.append(_entity(quoted("Action", asked.action), [word, level]))
    for lower, upper in itertools.pairwise(LEVELS):
        found.append(_entity(quoted("Action", lower), [quoted("Action", upper)]))
    return found


def cedar_answer(texts: list[str], grants: list[Grant], asked: AccessRequest) -> str:
    """What Cedar says over the whole set at once; an error it reports means deny."""
    links = [
        {
            "template_id": grant.level,
            "new_id": grant.id,
            "values": {
                "?principal": _uid(_principal_uid(grant.principal)),
                "?resource": _uid(_resource_uid(grant.resource, as_file=False)),
            },
        }
        for grant in grants
        if (grant.starts is None or grant.starts <= asked.context.time)
        and (grant.ends is None or asked.context.time < grant.ends)
    ]
    whole = cedarpy.PolicySet.from_str("\n".join([*texts, _templates()])).with_linked_batch(links)
    context = {
        "time": int(asked.context.time // 1),
        "hour": asked.context.hour,
        "weekday": asked.context.weekday,
        "door": asked.context.door,
    }
    if asked.context.address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": asked.context.address}}
    result = cedarpy.is_authorized(
        {
            "principal": _uid(_principal_uid(asked.principal.name)),
            "action": _uid(quoted("Action", asked.action)),
            "resource": _uid(_resource_uid(asked.resource.name, as_file=True)),
            "context": json.dumps(context),
        },
        whole,
        entities(asked),
    )
    return "allow" if result.allowed and not result.diagnostics.errors else "deny"
