"""Rules: what a Cedar statement of a policy file says, in this package's own words.

A statement becomes a rule only if the schema admits it and if it can mean what it
seems to: an id that no request can have, or a question Cedar would answer with a
silent no, would make a forbid void.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING

from .. import complaints
from ..errors import InvalidName
from . import asked, cedar, paths, vocabulary
from .cedar import pst
from .model import ANONYMOUS, EVERYONE, MAX_ID, Context, Effect, parse_name
from .tree import shape, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .statement import Statement

#: Statements that are kept checked; 500 policies are many.
_KEPT = 2048
#: Statements that are validated at once, while others of the server have their turn.
_TOGETHER = 64
#: Statements that are parsed at once, which holds up all else for so long.
_PARSED = 8
_KINDS = {"User": "user", "Token": "token", "Guest": ANONYMOUS, "Group": "group"}
_WORDS = {type_.cedar: type_.word for type_ in vocabulary.TYPES}
_GUEST = f'Jupyter::Guest::"{ANONYMOUS}"'


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

    def names(self, kind: str, id: str) -> bool:  # noqa: A002  # why: Cedar's word
        """Whether it speaks anywhere of the entity of this Cedar type and id by its name."""
        return (kind, id) in self.entities()

    def entities(self) -> Iterator[tuple[str, str]]:
        """The Cedar type and id of each entity that it speaks of."""
        for each in walk(self.tree):
            if isinstance(each, pst.EntityUid):
                yield each.type.basename, each.id

    def covers(self, type_: str, action: str) -> bool:
        """Whether it speaks of `action` on resources of `type_`, wherever they are."""
        return (self.actions is None or action in self.actions) and (
            self.resource.kind in {"", type_}
        )


# A text says the same wherever it stands: when one statement of many changes, or they all
# move, the others cost nothing. Of each, as it was placed last; what is refused is not kept.
_known: dict[str, Rule] = {}
#: Shapes of rules that the schema admits.
_valid: set[tuple[object, ...]] = set()


def check(statements: Sequence[Statement]) -> list[Rule | InvalidName]:
    """The rule that each of `statements` says, or why none.

    Cedar refuses a statement, or it could never mean what it seems to. Call it inside
    `cedar.with_room`, with statements that came through `split`.
    """
    texts = dict.fromkeys(each.text for each in statements)
    read: dict[str, Rule | InvalidName] = {each: _known[each] for each in texts if each in _known}
    read |= _read([each for each in texts if each not in read])
    found = [_placed(read[each.text], each.place) for each in statements]
    rules = {each.text: each for each in found if isinstance(each, Rule)}
    if len(_known) + len(rules) > _KEPT:
        _known.clear()
        _valid.clear()
    _known.update(rules)
    return found


def _placed(found: Rule | InvalidName, place: str) -> Rule | InvalidName:
    """What was found at the place where its text stands now."""
    if isinstance(found, InvalidName) or found.source == place:
        return found
    return replace(found, id=found.id if "id" in found.tree.annotations else place, source=place)


def _read(texts: Sequence[str]) -> dict[str, Rule | InvalidName]:
    """What each of `texts` says, nowhere yet."""
    trees: dict[str, pst.Template | InvalidName] = {}
    shapes: dict[str, tuple[object, ...]] = {}
    asked: dict[tuple[object, ...], str] = {}
    waiting = []
    for start in range(0, len(texts), _TOGETHER):
        some = texts[start : start + _TOGETHER]
        parts = (some[at : at + _PARSED] for at in range(0, len(some), _PARSED))
        read = dict(zip(some, (tree for part in parts for tree in _parsed(part)), strict=True))
        trees |= read
        new = []
        for text, tree in read.items():
            if isinstance(tree, InvalidName):
                continue
            found = shapes[text] = shape(tree)
            if found not in _valid and asked.setdefault(found, text) == text:
                new.append(text)
        if new:
            # The schema is asked while the next ones are parsed.
            waiting.append(cedar.begin(partial(_admitted, new)))
    admitted = frozenset().union(*(each() for each in waiting))
    _valid.update(found for found, text in asked.items() if text in admitted)
    return {
        text: _judged(tree, text, is_valid=shapes.get(text) in _valid)
        for text, tree in trees.items()
    }


def _parsed(texts: Sequence[str]) -> list[pst.Template | InvalidName]:
    """The syntax tree of each of `texts`, or why there is none."""
    try:
        found = cedar.parse("\n".join(texts))
        if found.templates:
            raise InvalidName(complaints.SLOT)
        if len(found.static_policies) != len(texts):
            raise InvalidName(complaints.NOT_ONE_RULE)
        # Invariant: each text is one statement, and Cedar numbers them as they follow.
        return [found.static_policies[f"policy{number}"] for number in range(len(texts))]
    except ValueError as error:
        refused = error if isinstance(error, InvalidName) else InvalidName(_one_line(str(error)))
    if len(texts) == 1:
        return [refused]
    return [tree for text in texts for tree in _parsed([text])]


def _judged(tree: pst.Template | InvalidName, text: str, *, is_valid: bool) -> Rule | InvalidName:
    if isinstance(tree, InvalidName):
        return tree
    try:
        return _rule(tree, text, is_valid=is_valid)
    except InvalidName as error:
        return error


def _rule(tree: pst.Template, text: str, *, is_valid: bool) -> Rule:
    """The rule that `text` says, which the schema is known to admit or not.

    Raises:
        InvalidName: it says none.
    """
    complaints = [] if is_valid else cedar.validate(text)
    if complaints:
        raise InvalidName(_validation(complaints))
    clauses = tuple(walk(tree.clauses))
    for node in (*walk((tree.principal, tree.action, tree.resource)), *clauses):
        if isinstance(node, pst.EntityUid):
            _check_uid(node)
        asked.check(node)
    reads = _reads(clauses)
    asked.check_clauses(tree.clauses, reads)
    return Rule(
        id=_rule_id(tree),
        effect=Effect(tree.effect),
        source="",
        text=text,
        principal=_scope(tree.principal, _principal_name),
        actions=_actions(tree.action),
        resource=_scope(tree.resource, _resource_name),
        conditional=bool(tree.clauses),
        reads=reads,
        circumstantial=_is_circumstantial(clauses),
        tree=tree,
    )


def _admitted(texts: Sequence[str]) -> frozenset[str]:
    """Those of `texts` that the schema surely admits; of the others each is to be asked.

    Cedar validates many together in half the time that each takes alone.
    """
    found: set[str] = set()
    for start in range(0, len(texts), _TOGETHER):
        some = texts[start : start + _TOGETHER]
        # Invariant: what is wrong with one of them is a complaint about all.
        if not cedar.validate("\n".join(some)):
            found.update(some)
    return frozenset(found)


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300].rstrip(".")


def _validation(messages: list[str]) -> str:
    found = [re.sub(r"^for policy `policy0`, ", "", message) for message in messages]
    precise = [m for m in found if not m.startswith("unable to find an applicable action")]
    first = (precise or found or [complaints.SCHEMA])[0]
    if first.startswith("unable to find"):
        first = complaints.NEVER
    more = len(precise) - 1
    return _one_line(first) + (complaints.and_more(str(more)) if more > 0 else "")


def _rule_id(tree: pst.Template) -> str:
    """Its `@id`; empty where it is to be called by its place."""
    id_ = tree.annotations.get("id")
    if id_ is None:
        return ""
    if id_.startswith("g-"):
        raise InvalidName(complaints.rule_as_grant(id_[:60]))
    return parse_name(id_, "rule name")


def _check_uid(uid: pst.EntityUid) -> None:
    """Refuse an id that no request can ever have: a forbid on it would be void."""
    kind, id_ = uid.type.basename, uid.id
    if kind == "Action":
        return
    if kind in {"File", "Folder"}:
        if paths.canonical(id_) != id_:
            canonical = f"{uid.type}::{json.dumps(paths.canonical(id_))}"
            raise InvalidName(complaints.canonical(str(uid), canonical))
    elif kind == "Server":
        if id_ != "server":
            raise InvalidName(complaints.ONE_SERVER)
    elif kind == "Guest":
        if id_ != ANONYMOUS:
            raise InvalidName(complaints.one_guest(_GUEST))
    elif kind in _KINDS:
        parse_name(id_, f"{_KINDS[kind]} name")
        if kind == "Group" and id_ == ANONYMOUS:
            raise InvalidName(complaints.guest_no_group(_GUEST))
    else:
        _check_id(_WORDS[kind], id_)


def _check_id(type_: str, id_: str) -> str:
    if not id_ or len(id_) > MAX_ID or not id_.isprintable():
        raise InvalidName(complaints.id_of(type_, str(MAX_ID)))
    return id_


def _reads(clauses: Sequence[object]) -> frozenset[str]:
    """The context attributes read; all of them where the context is used whole.

    Args:
        clauses: every node of them.
    """
    read: set[str] = set()
    named = whole = 0
    for node in clauses:
        if node == pst.Var("context"):
            whole += 1
        elif isinstance(node, pst.GetAttr) and node.base == pst.Var("context"):
            named += 1
            read.add(node.attr)
        elif isinstance(node, pst.HasAttr) and node.base == pst.Var("context"):
            named += 1
            read.add(node.attrs[0])
    known = frozenset(each.name for each in fields(Context))
    return known if whole > named else known & read


def _is_circumstantial(clauses: Sequence[object]) -> bool:
    """Whether clauses of these nodes mean the same for everybody and everything.

    One that names an entity does not: what Cedar knows of it comes with the request.
    """
    return all(
        node == pst.Var("context")
        for node in clauses
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
        raise InvalidName(complaints.scope_kind(type(constraint).__name__))
    uid = constraint.entity
    if not isinstance(uid, pst.EntityUid):
        raise InvalidName(complaints.NO_SLOT)
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
        raise InvalidName(complaints.action_kind(type(constraint).__name__))
    if not covered:
        raise InvalidName(complaints.COVERS_NOTHING)
    return covered
