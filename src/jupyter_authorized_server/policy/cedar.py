"""Cedar: the only module that imports cedarpy.

Parses and validates statements, and evaluates the few rules whose scope
holds and that have a condition. Everything is judged by what Cedar answered: an error
it reports is never an allow. Names go in as type and id, never as text.
"""

from __future__ import annotations

import json
import math
import re
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import cedarpy
from cedarpy import pst as pst  # noqa: PLC0414  # why: `rule` reads its trees from here

from . import vocabulary
from .model import ANONYMOUS, EVERYONE, Context

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NAMESPACE = "Jupyter"
_KINDS = {"user": "User", "token": "Token", "group": "Group"}
_GROUPS = {
    ability.action: (
        ability.word.value,
        *(level.word for level in vocabulary.Level if level >= ability.level),
    )
    for ability in vocabulary.ABILITIES
}
#: What the id `*` of a type stands for: every resource of it.
ALL = "*"
#: Room for Cedar's recursive parser, whatever the stack of the calling thread is.
_STACK_BYTES = 64 * 2**20
#: Longest resource chain whose entities are kept for the next question.
_CACHED_CHAIN = 64
#: Where the times that Cedar took begin in its answer.
_TIMES = ',"metrics":'
#: Longest answer of Cedar that is kept; one with errors can be long.
_CACHED_ANSWER = 1000
_stack_lock = threading.Lock()


class Evaluable(Protocol):
    """What `evaluate` needs of a rule. Two are the same only if they are one object."""

    @property
    def id(self) -> str:
        """Its name, for messages."""

    @property
    def text(self) -> str:
        """The statement."""

    @property
    def tree(self) -> pst.Template:
        """Its syntax tree, to prove that Cedar's answer means this rule."""

    @property
    def reads(self) -> frozenset[str]:
        """The context attributes its clauses read."""

    @property
    def circumstantial(self) -> bool:
        """Whether its clauses look at nothing but the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What Cedar answered about some rules: which of them decided, which failed."""

    allowed: bool
    determining: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    errors: tuple[str, ...] = ()


#: What Cedar answered about circumstantial rules, by the context's text.
_shared: dict[tuple[tuple[Evaluable, ...], str], Evaluation] = {}
_MOST_SHARED = 1024


def with_room(work: Callable[[], T]) -> T:
    """`work()` on a thread of its own whose stack is large enough for Cedar's parser."""
    return begin(work)()


def begin(work: Callable[[], T]) -> Callable[[], T]:
    """Begin what `with_room` does; what this returns waits for the outcome."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  # why: raised again by the caller
            failure.append(error)

    with _stack_lock:
        before = threading.stack_size(_STACK_BYTES)
        try:
            thread = threading.Thread(target=run, name="cedar")
            thread.start()
        finally:
            threading.stack_size(before)

    def ended() -> T:
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    return ended


def action_groups(action: str) -> tuple[str, ...]:
    """The word and the levels, lowest first, that an action belongs to."""
    return _GROUPS[action]


@lru_cache(maxsize=1)
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(vocabulary.cedar_schema())


def parse(text: str) -> pst.PolicySet:
    """The syntax tree of `text`, which must have come through `statement.split`.

    Raises:
        ValueError: it is not Cedar.
    """
    return cedarpy.policies_to_pst(text)


def validate(text: str) -> list[str]:
    """What the strict validator says against `text`; empty if nothing.

    Other threads run meanwhile.
    """
    answer = cedarpy.validate_policies(text, _schema(), release_gil=True)
    if answer.validation_passed:
        return []
    return sorted(error.error for error in answer.errors) or ["refused by the schema"]


def evaluate(
    rules: tuple[Evaluable, ...],
    *,
    keys: tuple[str, ...],
    action: str,
    chain: tuple[str, ...],
    owner: str | None,
    context: Context,
) -> Evaluation:
    """What Cedar says of `rules`, whose scopes all hold, and of nothing else.

    Args:
        rules: conditional rules.
        keys: the principal's written forms, its own first.
        action: the action asked.
        chain: the resource's written forms, its own first.
        owner: written form of the resource's owner.
        context: the circumstances; only what the rules read is handed on.

    Raises:
        ValueError: Cedar could not read a name or the context (its own error, or
            UnicodeEncodeError).
    """
    together = _together(rules)
    text = _context_text(together.reads, context)
    # Invariant: their scopes hold, so what is left is the same for everybody and everything.
    if together.is_shared and (known := _shared.get((rules, text))) is not None:
        return known
    if len(chain) <= _CACHED_CHAIN:
        asked, entities = _question(keys, action, chain, owner)
    else:
        asked, entities = _question.__wrapped__(keys, action, chain, owner)
    answer = _ask({**asked, "context": text}, together.policies(), entities)
    # The times that Cedar took end its answer; without them the next one is often the same.
    head, has_times, _ = answer.partition(_TIMES)
    if has_times and len(head) <= _CACHED_ANSWER:
        found = _understood(head)
    else:
        found = _understood.__wrapped__(answer, "")
    if together.is_shared and not found.errors:
        if len(_shared) >= _MOST_SHARED:
            _shared.clear()
        _shared[rules, text] = found
    return found


class _Together:
    """Some rules that Cedar is asked about at once, and what need not be found out again."""

    __slots__ = ("_policies", "_rules", "is_shared", "reads")

    def __init__(self, rules: tuple[Evaluable, ...]) -> None:
        self._rules = rules
        self._policies: cedarpy.PolicySet | None = None
        #: The context attributes that any of them reads, in order.
        self.reads = tuple(sorted(frozenset().union(*(rule.reads for rule in rules))))
        #: Whether they all look at the context alone.
        self.is_shared = all(rule.circumstantial for rule in rules)

    def policies(self) -> cedarpy.PolicySet:
        """The handle for them, in which `policyN` is proved to be the N-th."""
        if self._policies is None:
            self._policies = _policy_set(self._rules)
        return self._policies


_together = lru_cache(maxsize=256)(_Together)


@lru_cache(maxsize=1024)
def _understood(text: str, end: str = "}") -> Evaluation:
    """What Cedar's answer says.

    Args:
        text: the answer, or all of it that comes before its times.
        end: what was left out.

    Raises:
        ValueError, KeyError: it is none.
    """
    answer = json.loads(text + end)
    diagnostics = answer["diagnostics"]
    errors = tuple(str(error) for error in diagnostics["errors"])
    if answer["decision"] not in {"Allow", "Deny"} or errors:
        # Cedar names its reasons and errors in no fixed order.
        failed = (re.search(r"`policy(\d+)`", error) for error in errors)
        return Evaluation(
            allowed=False,
            failed=tuple(sorted(int(match.group(1)) for match in failed if match)),
            errors=tuple(sorted(errors)) or (f"Cedar answered {answer['decision']}",),
        )
    return Evaluation(
        allowed=answer["decision"] == "Allow",
        determining=tuple(
            sorted(int(id_.removeprefix("policy")) for id_ in diagnostics["reason"])
        ),
    )


def _ask(request: dict[str, Any], policies: cedarpy.PolicySet, entities: Any) -> str:
    """Cedar's answer as JSON: the one use of cedarpy's private call, which is faster."""
    direct = getattr(cedarpy._internal, "is_authorized", None)  # noqa: SLF001  # why: half the time
    try:
        if direct is not None:
            return str(direct(request, policies, entities._inner, None, False))  # noqa: SLF001, FBT003  # why: the private call's signature
        answer = cedarpy.is_authorized(request, policies, entities)
    except BaseException as error:  # why: a panic is no Exception; all else is raised again
        # Invariant: a panic in Cedar denies like any error; it is no Exception in Python.
        if type(error).__name__ == "PanicException":
            msg = f"Cedar broke off: {error}"
            raise ValueError(msg) from None
        raise
    found = answer.diagnostics
    return json.dumps(
        {
            "decision": answer.decision.value,
            "diagnostics": {"reason": found.reasons, "errors": found.errors},
        }
    )


def _policy_set(rules: tuple[Evaluable, ...]) -> cedarpy.PolicySet:
    def build() -> cedarpy.PolicySet:
        handle = cedarpy.PolicySet.from_str("\n".join(rule.text for rule in rules))
        trees = handle.to_pst().static_policies
        for number, rule in enumerate(rules):
            found = trees[f"policy{number}"]
            if replace(found, id=rule.tree.id) != rule.tree:
                msg = f"rule `{rule.id}` changed its place among {len(rules)} rules"
                raise ValueError(msg)
        return handle

    return with_room(build)


def _uid(kind: str, id_: str) -> dict[str, str]:
    return {"type": f"{_NAMESPACE}::{kind}", "id": id_}


def _principal_uid(name: str) -> dict[str, str]:
    if name in {ANONYMOUS, EVERYONE}:
        return _uid("Guest" if name == ANONYMOUS else "Group", name)
    kind, _, id_ = name.partition(":")
    return _uid(_KINDS[kind], id_)


def _resource_uid(name: str, *, outer: bool = False) -> dict[str, str]:
    type_, _, id_ = name.partition(":")
    if type_ == "server":
        return _uid("Server", "server")
    if type_ == "contents":
        return _uid("Folder" if outer else "File", id_)
    return _uid(vocabulary.TYPE[type_].cedar, id_ or ALL)


@lru_cache(maxsize=1024)
def _question(
    keys: tuple[str, ...], action: str, chain: tuple[str, ...], owner: str | None
) -> tuple[dict[str, dict[str, str]], cedarpy.Entities]:
    """A request without its context, and its three entities, each with everything it is
    in as direct parents.
    """
    attrs: dict[str, Any] = {}
    above = list(chain[1:])
    if chain[0].startswith("contents:"):
        path = chain[0].removeprefix("contents:")
        attrs = {"path": path, "name": path.rpartition("/")[2]}
        above.insert(0, chain[0])
    elif owner is not None and owner.startswith("user:") and chain[0] != "server:":
        attrs = {"owner": {"__entity": _principal_uid(owner)}}
    resource = {
        "uid": _resource_uid(chain[0]),
        "attrs": attrs,
        "parents": [_resource_uid(name, outer=True) for name in above],
    }
    asked = {
        "principal": _principal_uid(keys[0]),
        "action": _uid("Action", action),
        "resource": _resource_uid(chain[0]),
    }
    return asked, _base(keys, action).with_added_json_str(json.dumps([resource]))


@lru_cache(maxsize=1024)
def _base(keys: tuple[str, ...], action: str) -> cedarpy.Entities:
    # Invariant: the action is among the entities, or `action in …` in a condition
    # would be a silent no.
    entities = [
        {
            "uid": _principal_uid(keys[0]),
            "attrs": {},
            "parents": [_principal_uid(key) for key in keys[1:]],
        },
        {
            "uid": _uid("Action", action),
            "attrs": {},
            "parents": [_uid("Action", group) for group in action_groups(action)],
        },
    ]
    return cedarpy.Entities.from_json_str(json.dumps(entities))


def _context_text(reads: tuple[str, ...], context: Context) -> str:
    if not reads:
        return "{}"
    values = [
        math.floor(context.time) if name == "time" else getattr(context, name) for name in reads
    ]
    return _written(reads, *values)


# Typed, since 1 and 1.0 and True are the same key otherwise, and mean different things.
@lru_cache(maxsize=1024, typed=True)
def _written(names: tuple[str, ...], *values: Any) -> str:
    """The context that has these values, as JSON."""
    context = dict(zip(names, values, strict=True))
    address = context.pop("address", None)
    if address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": address}}
    return json.dumps(context)
