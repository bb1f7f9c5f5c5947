"""A policy test: circumstances, and who is expected to be allowed what.

Written in TOML and run by `jupyter authz policy test`, in a user's repository as in
ours. Every question of a matrix that is not listed as allowed is expected to be denied,
so that a right that slipped in fails the test.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import complaints
from ..errors import InvalidName
from . import paths, vocabulary
from .model import ANONYMOUS, Answer, Context, Grant, Resource, parse_name, parse_principal
from .roster import GroupEntry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Most questions of one case.
MAX_QUESTIONS = 1_000_000

_KEYS = {
    "shows": str,
    "now": object,
    "hour": int,
    "weekday": int,
    "door": str,
    "address": str,
    "policy": str,
    "groups": dict,
    "resources": dict,
    "grants": list,
    "decisions": str,
    "matrix": dict,
}
_MATRIX = {"principals": list, "actions": list, "resources": list, "allow": str}
_GRANT = {"principal", "level", "resource", "starts", "ends"}
_WORDS = {list: "a list", dict: "a table", str: "text", int: "a whole number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One question and the answer it should get."""

    principal: str
    action: str
    resource: Resource
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of expectations.

    Args:
        source: the file's name.
        shows: what the case is for, one sentence.
        context: the circumstances of every question.
        rules: Cedar text to add to the policy that is tested.
        groups: to add.
        grants: to add.
        expectations: in the order they are written.
    """

    source: str
    shows: str
    context: Context
    rules: str
    groups: tuple[GroupEntry, ...]
    grants: tuple[Grant, ...]
    expectations: tuple[Expectation, ...]


def read_case(source: str, text: str) -> Case:
    """The case that `text` describes.

    Raises:
        InvalidName: it is no case; says which file and what in it.
    """
    try:
        found = tomllib.loads(text)
        _check(found, _KEYS, "a case")
        return _case(source, found)
    except tomllib.TOMLDecodeError as error:
        raise InvalidName(complaints.no_toml(source, str(error))) from None
    except InvalidName as error:
        raise InvalidName(complaints.no_case(source, str(error))) from None


def _case(source: str, found: dict[str, Any]) -> Case:
    expectations = (*_lines(found), *_matrix(found))
    if not found.get("shows"):
        raise InvalidName(complaints.NO_SHOWS)
    if not expectations:
        raise InvalidName(complaints.EXPECTS_NOTHING)
    return Case(
        source=source,
        shows=found["shows"],
        context=_context(found),
        rules=found.get("policy", ""),
        groups=tuple(
            GroupEntry(
                name=parse_name(name, "group name"),
                members=tuple(parse_principal(member) for member in _list(members, name)),
                source=source,
                line=0,
            )
            for name, members in found.get("groups", {}).items()
        ),
        grants=tuple(
            _grant(source, number, entry)
            for number, entry in enumerate(found.get("grants", ()), start=1)
        ),
        expectations=expectations,
    )


def _context(found: dict[str, Any]) -> Context:
    now = found.get("now", 0)
    hour, weekday = 12, 1
    if hasattr(now, "timestamp"):
        if now.tzinfo is None:
            raise InvalidName(complaints.now_no_zone(str(now)))
        hour, weekday, now = now.hour, now.isoweekday(), now.timestamp()
    if isinstance(now, bool) or not isinstance(now, (int, float)):
        raise InvalidName(complaints.NOW_IS)
    door = found.get("door", "test")
    if door not in vocabulary.DOORS:
        doors = ", ".join(f"`{each}`" for each in vocabulary.DOORS)
        raise InvalidName(complaints.no_door(door, doors))
    numbers = {
        "hour": found.get("hour", hour),
        "weekday": found.get("weekday", weekday),
    }
    for name, possible in vocabulary.NUMBERS.items():
        if numbers[name] not in possible:
            first, last = str(possible[0]), str(possible[-1])
            raise InvalidName(complaints.number_never(name, first, last, str(numbers[name])))
    return Context(
        time=now,
        **numbers,
        door=door,
        address=found.get("address"),
    )


def _grant(source: str, number: int, entry: object) -> Grant:
    if not isinstance(entry, dict) or not set(entry) <= _GRANT or "principal" not in entry:
        known = ", ".join(f"`{key}`" for key in sorted(_GRANT))
        raise InvalidName(complaints.case_grant(str(number), known))
    for key in ("starts", "ends"):
        if hasattr(entry.get(key), "timestamp"):
            entry[key] = entry[key].timestamp()
    return Grant(
        id=f"g-{number}",
        principal=parse_principal(entry["principal"]),
        level=vocabulary.parse_level(entry.get("level")).word,
        resource=vocabulary.parse_resource(entry.get("resource")).name,
        starts=entry.get("starts"),
        ends=entry.get("ends"),
        source=source,
    )


def _lines(found: dict[str, Any]) -> Iterator[Expectation]:
    """Each line `PRINCIPALS ACTIONS RESOURCE = ANSWER`; commas stand for several lines."""
    for line in found.get("decisions", "").strip().splitlines():
        question, _, answer = line.rpartition("=")
        if answer.strip() not in {"allow", "deny"}:
            raise InvalidName(complaints.no_expectation(line[:80]))
        yield from _expand(found, question, Answer(answer.strip()))


def _expand(found: dict[str, Any], question: str, answer: Answer) -> Iterator[Expectation]:
    words = question.split(maxsplit=2)
    if len(words) != len(("principals", "actions", "resource")):
        raise InvalidName(complaints.no_question(question[:80]))
    resource = _resource(found.get("resources", {}), words[2].strip())
    for principal in words[0].split(","):
        for action in words[1].split(","):
            yield Expectation(
                principal=_principal(principal),
                action=vocabulary.parse_action(action, type=resource.type),
                resource=resource,
                answer=answer,
            )


def _matrix(found: dict[str, Any]) -> Iterator[Expectation]:
    matrix = found.get("matrix")
    if matrix is None:
        return
    _check(matrix, _MATRIX, "`[matrix]`")
    asked: dict[tuple[str, str, str], Expectation] = {}
    size = 1
    for key in ("principals", "actions", "resources"):
        size *= len(matrix.get(key, ()))
    if not 0 < size <= MAX_QUESTIONS:
        raise InvalidName(complaints.matrix_size(str(size), str(MAX_QUESTIONS)))
    for resource in matrix["resources"]:
        on = _resource(found.get("resources", {}), resource)
        for action in matrix["actions"]:
            word = vocabulary.parse_action(action, type=on.type)
            for principal in matrix["principals"]:
                each = Expectation(
                    principal=_principal(principal), action=word, resource=on, answer=Answer.DENY
                )
                asked[each.principal, word, on.name] = each
    for line in matrix.get("allow", "").strip().splitlines():
        for each in _expand(found, line, Answer.ALLOW):
            question = (each.principal, each.action, each.resource.name)
            if question not in asked:
                raise InvalidName(complaints.not_in_matrix(" ".join(question)))
            asked[question] = each
    yield from asked.values()


def _principal(text: object) -> str:
    name = parse_principal(text)
    if name != ANONYMOUS and not name.startswith(("user:", "token:")):
        raise InvalidName(complaints.names_many(name))
    return name


def _resource(about: Mapping[str, Any], name: object) -> Resource:
    plain = vocabulary.parse_resource(name)
    more = about.get(plain.name, about.get(str(name), {}))
    if not isinstance(more, dict) or not set(more) <= {"within", "owner"}:
        raise InvalidName(complaints.case_resource(f'[resources."{plain.name}"]'))
    within = paths.ancestors(paths.canonical(more["within"])) if "within" in more else ()
    owner = parse_principal(more["owner"]) if "owner" in more else None
    return Resource(type=plain.type, id=plain.id, within=within, owner=owner)


def _check(found: Mapping[str, Any], keys: Mapping[str, type], what: str) -> None:
    for key, value in found.items():
        if key not in keys:
            known = ", ".join(f"`{each}`" for each in keys)
            raise InvalidName(complaints.key_unknown(key[:60], what, known))
        if not isinstance(value, keys[key]) or (keys[key] is int and isinstance(value, bool)):
            raise InvalidName(complaints.key_is(key, _WORDS[keys[key]]))


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise InvalidName(complaints.members_list(name))
    return value
