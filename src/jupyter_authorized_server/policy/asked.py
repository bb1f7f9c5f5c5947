"""What a rule asks of a request, where Cedar would always answer the same without a word.

Its schema finds such a question only in the scope of a rule. In a condition it would make a
forbid void, so it is refused here.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from .. import complaints
from ..errors import InvalidName
from . import hours, paths, vocabulary
from .cedar import pst
from .model import Context

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PEOPLE = frozenset({"User", "Token", "Guest"})
_THINGS = frozenset(type_.cedar for type_ in vocabulary.TYPES)
#: What each part of a request can be, and what besides itself it can be in.
_IS = {"principal": _PEOPLE, "resource": _THINGS, "action": frozenset({"Action"})}
_IN = {
    "principal": _PEOPLE | {"Group"},
    "resource": (_THINGS | {"Folder"}) - {"File"},
    "action": frozenset({"Action"}),
}
_INSTEAD = {
    ("resource", "Folder"): complaints.INSTEAD_OF_FOLDER,
    ("resource", "File"): complaints.INSTEAD_OF_FILE,
    ("principal", "Group"): complaints.INSTEAD_OF_GROUP,
}

_PATH = pst.GetAttr(base=pst.Var("resource"), attr="path")
_NAME = pst.GetAttr(base=pst.Var("resource"), attr="name")
_DOOR = pst.GetAttr(base=pst.Var("context"), attr="door")
#: What each part of a request can have.
_HAS = {
    "principal": frozenset[str](),
    "resource": frozenset({"path", "name", "owner"}),
    "context": frozenset(each.name for each in fields(Context)),
}
#: What a comparison becomes when its two sides change places.
_TURNED = {
    "less": "greater",
    "less_eq": "greater_eq",
    "greater": "less",
    "greater_eq": "less_eq",
}
#: Steps that no path has.
_NO_STEPS = re.compile(r"//|/\.\.?(/|$)")


def check(node: object) -> None:
    """Refuse what is never so.

    Raises:
        InvalidName: `node` asks that.
    """
    if isinstance(node, (pst.ScopeIn, pst.ScopeIsIn)):
        # Cedar itself looks at all else in a scope.
        if _is_file(node.entity):
            raise InvalidName(_never("resource", "in", "File"))
    elif isinstance(node, pst.Is):
        _check_kinds(node.base, frozenset({node.entity_type.basename}))
        if node.in_expr is not None:
            _check_within(node.base, node.in_expr)
    elif isinstance(node, pst.HasAttr):
        _check_has(node)
    elif isinstance(node, pst.Like):
        _check_pattern(node)
    elif isinstance(node, pst.BinaryOp):
        _check_operator(node)


def check_clauses(clauses: Sequence[object], reads: Iterable[str]) -> None:
    """Refuse clauses of a rule that are never so, whatever the hour.

    Raises:
        InvalidName: they are not.
    """
    if not hours.can_be(clauses, reads):
        raise InvalidName(complaints.AT_NO_HOUR)


def _check_has(node: pst.HasAttr) -> None:
    if not isinstance(node.base, pst.Var) or node.base.name not in _HAS:
        return
    name, known = node.base.name, _HAS[node.base.name]
    if not known:
        raise InvalidName(complaints.no_attributes(name))
    if node.attrs[0] not in known:
        shown = ", ".join(f"`{each}`" for each in sorted(known))
        raise InvalidName(complaints.no_attribute(name, node.attrs[0], shown))


def _check_operator(node: pst.BinaryOp) -> None:
    if node.op == "in":
        _check_within(node.left, node.right)
    elif node.op in _TURNED:
        _check_compared(node.left, node.op, node.right)
        _check_compared(node.right, _TURNED[node.op], node.left)
    elif node.op in {"eq", "not_eq"}:
        _check_same(node.left, node.right)
        _check_same(node.right, node.left)
    elif node.op == "contains" and isinstance(node.left, pst.Set):
        for each in node.left.elements:
            _check_same(node.right, each)


def _check_within(asked: object, within: object) -> None:
    # Only these come with what they are in.
    if not isinstance(asked, pst.Var):
        raise InvalidName(complaints.WHAT_IS_IN)
    for each in within.elements if isinstance(within, pst.Set) else (within,):
        uid = _uid(each)
        if uid is not None and uid.type.basename not in _IN.get(asked.name, ()):
            raise InvalidName(_never(asked.name, "in", uid.type.basename))


def _check_same(asked: object, other: object) -> None:
    kinds, uid = _kinds(other), _uid(other)
    _check_kinds(asked, kinds)
    of_a_request = isinstance(asked, pst.Var) and asked.name == "action"
    if of_a_request and uid is not None and uid.id not in vocabulary.ACTIONS:
        raise InvalidName(complaints.no_action_itself(uid.id))
    if isinstance(asked, pst.GetAttr):
        _check_value(asked, other)


def _check_value(asked: pst.GetAttr, value: object) -> None:
    """Refuse a text or number that `asked` never is."""
    if isinstance(value, pst.StringLit):
        if asked == _PATH and paths.canonical(value.value) != value.value:
            raise InvalidName(complaints.no_path_so(value.value, paths.canonical(value.value)))
        if asked == _NAME and "/" in value.value:
            raise InvalidName(complaints.NAME_SLASH)
        if asked == _DOOR and value.value not in vocabulary.DOORS:
            raise InvalidName(complaints.no_door(value.value, _doors()))
    if isinstance(value, pst.LongLit) and asked.base == pst.Var("context"):
        possible = vocabulary.NUMBERS.get(asked.attr)
        if possible is not None and value.value not in possible:
            first, last = str(possible[0]), str(possible[-1])
            raise InvalidName(complaints.number_never(asked.attr, first, last, str(value.value)))


def _check_compared(asked: object, op: str, value: object) -> None:
    """Refuse a comparison that is true of no number that `asked` can be."""
    if not isinstance(asked, pst.GetAttr) or asked.base != pst.Var("context"):
        return
    possible = vocabulary.NUMBERS.get(asked.attr)
    if possible is None or not isinstance(value, pst.LongLit):
        return
    if not any(hours.COMPARED[op](each, value.value) for each in possible):
        first, last = str(possible[0]), str(possible[-1])
        raise InvalidName(complaints.compared_never(asked.attr, first, last, str(value.value)))


def _check_pattern(node: pst.Like) -> None:
    """Refuse a pattern that no path, name or door can fit."""
    first, slash = node.pattern[:1], pst.Char(value="/")
    if node.base == _PATH and first not in {(slash,), (pst.Wildcard(),)}:
        raise InvalidName(complaints.PATH_BEGINS)
    # What stands in the place of a wildcard cannot take away what is beside it.
    plain = "".join(each.value if isinstance(each, pst.Char) else "*" for each in node.pattern)
    if node.base == _PATH and (
        _NO_STEPS.search(plain) or (plain.endswith("/") and plain.strip("*") != "/")
    ):
        raise InvalidName(complaints.NO_PATH_LIKE)
    if node.base == _DOOR and not any(_fits(node.pattern, each) for each in vocabulary.DOORS):
        raise InvalidName(complaints.no_door(plain, _doors()))
    if node.base == _NAME and slash in node.pattern:
        raise InvalidName(complaints.NAME_SLASH)


def _fits(pattern: Iterable[object], text: str) -> bool:
    written = (re.escape(each.value) if isinstance(each, pst.Char) else ".*" for each in pattern)
    return re.fullmatch("".join(written), text) is not None


def _doors() -> str:
    return ", ".join(f"`{each}`" for each in vocabulary.DOORS)


def _check_kinds(asked: object, kinds: frozenset[str]) -> None:
    possible = _kinds(asked)
    if isinstance(asked, (pst.Var, pst.GetAttr)) and possible and kinds and not possible & kinds:
        name = asked.name if isinstance(asked, pst.Var) else f"resource.{asked.attr}"
        raise InvalidName(_never(name, "a", min(kinds)))


def _kinds(node: object) -> frozenset[str]:
    """The types that `node` can have; none where that is not known here."""
    if isinstance(node, pst.Var):
        return _IS.get(node.name, frozenset())
    if node == pst.GetAttr(base=pst.Var("resource"), attr="owner"):
        return frozenset({"User"})
    uid = _uid(node)
    return frozenset() if uid is None else frozenset({uid.type.basename})


def _uid(node: object) -> pst.EntityUid | None:
    return node.value if isinstance(node, pst.EntityLit) else None


def _is_file(entity: object) -> bool:
    return isinstance(entity, pst.EntityUid) and entity.type.basename == "File"


def _never(name: str, word: str, kind: str) -> str:
    instead = _INSTEAD.get((name, kind), complaints.INSTEAD_OF_IT)
    return complaints.never_so(name, word, kind, instead)
