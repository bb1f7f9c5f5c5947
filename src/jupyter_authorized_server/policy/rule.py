"""Rules: what a Cedar statement of a policy file says, in this package's own words.

A statement becomes a rule only if the schema admits it and if it can mean what it
seems to: an id that no request can have, or a question Cedar would answer with a
silent no, would make a forbid void.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import InvalidName
from . import cedar, paths, vocabulary
from .cedar import pst
from .model import ANONYMOUS, EVERYONE, MAX_ID, Context, Effect, parse_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .statement import Statement

#: Statements that are kept checked; 500 policies are many.
_KEPT = 2048
#: Statements that are validated at once.
_TOGETHER = 8
_KINDS = {"User": "user", "Token": "token", "Guest": ANONYMOUS, "Group": "group"}
_WORDS = {type_.cedar: type_.word for type_ in vocabulary.TYPES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whom or what a rule names.

    Args:
        kind: the principal kind or resource type it is limited to; empty for any.
        name: the written form it names; empty for any.
        exact: whether only `name` itself is meant, not what is in it or below it.
    """

    kind: str = ""
    name: str = ""
    exact: bool = False

    def holds(self, kind: str, chain: tuple[str, ...]) -> bool:
        """Whether it holds for a thing of `kind` whose own and outer names are `chain`."""
        if self.kind and self.kind != kind:
            return False
        if not self.name:
            return True
        return self.name == chain[0] if self.exact else self.name in chain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """One checked statement; two are the same only if they are one object.

    Args:
        id: its `@id`, else `FILE:LINE`.
        effect: permit or forbid.
        source: `FILE:LINE`.
        text: the statement.
        principal: whom it names.
        actions: the actions it covers; None for every one.
        resource: what it names.
        conditional: whether it has a `when` or `unless` clause.
        reads: the context attributes its clauses read.
        circumstantial: whether its clauses look at nothing but the context.
        tree: its syntax tree, to find it again in an answer.
    """

    id: str
    effect: Effect
    source: str
    text: str
    principal: Scope
    actions: frozenset[str] | None
    resource: Scope
    conditional: bool
    reads: frozenset[str]
    circumstantial: bool
    tree: pst.Template = field(repr=False)

    def covers(self, type_: str, action: str) -> bool:
        """Whether it speaks of `action` on resources of `type_`, wherever they are."""
        return (self.actions is None or action in self.actions) and (
            self.resource.kind in {"", type_}
        )


# A statement means the same wherever it is read again: when one file of many changes, the
# others cost nothing. What is refused is not kept.
_known: dict[Statement, Rule] = {}


def check(statements: Sequence[Statement]) -> list[Rule | InvalidName]:
    """The rule that each of `statements` says, or why none.

    Cedar refuses a statement, or it could never mean what it seems to. Call it inside
    `cedar.with_room`, with statements that came through `split`.
    """
    known = {each: _known[each] for each in statements if each in _known}
    valid = _admitted([each for each in statements if each not in known])
    found = [known.get(each) or _judged(each, is_valid=each in valid) for each in statements]
    rules = {s: each for s, each in zip(statements, found, strict=True) if isinstance(each, Rule)}
    if len(_known) + len(rules) > _KEPT:
        _known.clear()
    _known.update(rules)
    return found


def _judged(statement: Statement, *, is_valid: bool) -> Rule | InvalidName:
    try:
        return _rule(statement, is_valid=is_valid)
    except InvalidName as error:
        return error


def _rule(statement: Statement, *, is_valid: bool) -> Rule:
    """The rule that `statement` says, which the schema is known to admit or not.

    Raises:
        InvalidName: it says none.
    """
    try:
        parsed = cedar.parse(statement.text)
    except ValueError as error:
        raise InvalidName(_one_line(str(error))) from None
    if parsed.templates:
        msg = "a slot such as `?principal` stands in no policy file; use a grant instead"
        raise InvalidName(msg)
    (tree,) = parsed.static_policies.values()
    complaints = [] if is_valid else cedar.validate(statement.text)
    if complaints:
        raise InvalidName(_validation(complaints))
    for node in _walk(tree):
        if isinstance(node, pst.EntityUid):
            _check_uid(node)
        _check_membership(node)
    return Rule(
        id=_rule_id(tree, statement),
        effect=Effect(tree.effect),
        source=statement.place,
        text=statement.text,
        principal=_scope(tree.principal, _principal_name),
        actions=_actions(tree.action),
        resource=_scope(tree.resource, _resource_name),
        conditional=bool(tree.clauses),
        reads=_reads(tree),
        circumstantial=_is_circumstantial(tree),
        tree=tree,
    )


def _admitted(statements: Sequence[Statement]) -> frozenset[Statement]:
    """Those of `statements` that the schema surely admits; of the others each is to be asked.

    Cedar validates some together in two thirds of the time that each takes alone, and
    holds up all else for so long; so it is asked about a few at once.
    """
    found: set[Statement] = set()
    for start in range(0, len(statements), _TOGETHER):
        some = statements[start : start + _TOGETHER]
        # Invariant: what is wrong with one of them is a complaint about all.
        if not cedar.validate("\n".join(each.text for each in some)):
            found.update(some)
    return frozenset(found)


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300].rstrip(".")


def _validation(messages: list[str]) -> str:
    found = [re.sub(r"^for policy `policy0`, ", "", message) for message in messages]
    precise = [m for m in found if not m.startswith("unable to find an applicable action")]
    first = (precise or found or ["refused by the schema"])[0]
    if first.startswith("unable to find"):
        first = "no action fits this principal and resource, so the rule could never apply"
    more = len(precise) - 1
    return _one_line(first) + (f" (and {more} more like it)" if more > 0 else "")


def _rule_id(tree: pst.Template, statement: Statement) -> str:
    id_ = tree.annotations.get("id")
    if id_ is None:
        return statement.place
    if id_.startswith("g-"):
        msg = f"the rule name `{id_[:60]}` starts with `g-`, as grants do; choose another"
        raise InvalidName(msg)
    return parse_name(id_, "rule name")


def _walk(root: object) -> Iterator[object]:
    """Every node below `root`, without recursion."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, tuple):
            stack.extend(node)
        elif is_dataclass(node):
            stack.extend([getattr(node, name) for name in _names(node.__class__)])


@lru_cache(maxsize=256)
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of node."""
    return tuple(each.name for each in fields(kind))


def _check_uid(uid: pst.EntityUid) -> None:
    """Refuse an id that no request can ever have: a forbid on it would be void."""
    kind, id_ = uid.type.basename, uid.id
    if kind == "Action":
        return
    if kind in {"File", "Folder"}:
        if paths.canonical(id_) != id_:
            msg = f"write `{uid}` as `{uid.type}::{json.dumps(paths.canonical(id_))}`"
            raise InvalidName(msg)
    elif kind == "Server":
        if id_ != "server":
            msg = 'there is one server, written `Jupyter::Server::"server"`'
            raise InvalidName(msg)
    elif kind == "Guest":
        if id_ != ANONYMOUS:
            msg = f'there is one guest, written `Jupyter::Guest::"{ANONYMOUS}"`'
            raise InvalidName(msg)
    elif kind in _KINDS:
        parse_name(id_, f"{_KINDS[kind]} name")
        if kind == "Group" and id_ == ANONYMOUS:
            msg = f'write `Jupyter::Guest::"{ANONYMOUS}"`; no group has that name'
            raise InvalidName(msg)
    else:
        _check_id(_WORDS[kind], id_)


def _check_id(type_: str, id_: str) -> str:
    if not id_ or len(id_) > MAX_ID or not id_.isprintable():
        msg = f"the id of a {type_} resource is 1 to {MAX_ID} printable characters"
        raise InvalidName(msg)
    return id_


def _check_membership(node: object) -> None:
    """Refuse to ask what something else than the request is in.

    Only the principal, the action and the resource come with what they are in;
    of anything else Cedar would answer a silent no.
    """
    asked = None
    if isinstance(node, pst.BinaryOp) and node.op == "in":
        asked = node.left
    elif isinstance(node, pst.Is) and node.in_expr is not None:
        asked = node.base
    if asked is not None and not isinstance(asked, pst.Var):
        msg = "only of `principal`, `action` and `resource` can a rule ask what they are `in`"
        raise InvalidName(msg)


def _reads(tree: pst.Template) -> frozenset[str]:
    """The context attributes read; all of them where the context is used whole."""
    read: set[str] = set()
    named = whole = 0
    for node in _walk(tree.clauses):
        if node == pst.Var("context"):
            whole += 1
        elif isinstance(node, pst.GetAttr) and node.base == pst.Var("context"):
            named += 1
            read.add(node.attr)
        elif isinstance(node, pst.HasAttr) and node.base == pst.Var("context"):
            named += 1
            read.add(node.attrs[0])
    known = frozenset(each.name for each in fields(Context))
    # Of an attribute that no context has, `has` is a plain no and needs nothing.
    return known if whole > named else known & read


def _is_circumstantial(tree: pst.Template) -> bool:
    """Whether the clauses mean the same for everybody and everything.

    One that names an entity does not: what Cedar knows of it comes with the request.
    """
    return all(
        node == pst.Var("context")
        for node in _walk(tree.clauses)
        if isinstance(node, (pst.Var, pst.EntityUid, pst.Slot))
    )


def _scope(constraint: object, name: Callable[[pst.EntityUid], tuple[str, bool]]) -> Scope:
    if isinstance(constraint, pst.ScopeAny):
        return Scope()
    kind = ""
    if isinstance(constraint, (pst.ScopeIs, pst.ScopeIsIn)):
        type_ = constraint.entity_type.basename
        kind = _KINDS.get(type_) or _WORDS.get(type_) or type_
    if isinstance(constraint, pst.ScopeIs):
        return Scope(kind=kind)
    if not isinstance(constraint, (pst.ScopeEq, pst.ScopeIn, pst.ScopeIsIn)):
        msg = f"a scope of the kind {type(constraint).__name__} is not known"
        raise InvalidName(msg)
    uid = constraint.entity
    if not isinstance(uid, pst.EntityUid):
        msg = "a slot stands in no policy file"
        raise InvalidName(msg)
    written, alone = name(uid)
    return Scope(kind=kind, name=written, exact=alone or isinstance(constraint, pst.ScopeEq))


def _principal_name(uid: pst.EntityUid) -> tuple[str, bool]:
    kind = _KINDS[uid.type.basename]
    if kind == ANONYMOUS:
        return ANONYMOUS, True
    if kind == "group":
        return (EVERYONE if uid.id == EVERYONE else f"group:{uid.id}"), False
    return f"{kind}:{uid.id}", True


def _resource_name(uid: pst.EntityUid) -> tuple[str, bool]:
    kind = uid.type.basename
    if kind == "Server":
        return "server:", False
    if kind in {"File", "Folder"}:
        return f"contents:{uid.id}", kind == "File"
    return f"{_WORDS[kind]}:{'' if uid.id == cedar.ALL else uid.id}", False


def _actions(constraint: object) -> frozenset[str] | None:
    if isinstance(constraint, pst.ScopeAny):
        return None
    if isinstance(constraint, pst.ActionEq):
        covered = frozenset({constraint.entity.id}) & frozenset(vocabulary.ACTIONS)
    elif isinstance(constraint, pst.ActionIn):
        named = {uid.id for uid in constraint.entities}
        covered = frozenset(
            action
            for action in vocabulary.ACTIONS
            if named & {action, *cedar.action_groups(action)}
        )
    else:
        msg = f"an action scope of the kind {type(constraint).__name__} is not known"
        raise InvalidName(msg)
    if not covered:
        msg = "no action is covered; of a word or level write `action in`, not `action ==`"
        raise InvalidName(msg)
    return covered
