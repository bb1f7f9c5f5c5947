"""Syntax trees of rules: walked without recursion, and what the schema can tell apart of one.

Most rules of a large policy are alike but for whom and what they name, and to validate
one costs more than all else that is done with it; so of those alike one is validated.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .cedar import pst

if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(root: object) -> Iterator[object]:
    """Every node below `root`, without recursion."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(_below(node))


def shape(tree: pst.Template) -> tuple[object, ...]:
    """All of a rule but how it is called, and which entities are called how.

    The schema knows entities by their types, and actions alone by their ids. Beyond that
    the validator asks only whether two are the same, so each has the number of its first
    appearance here. Two rules of one shape are both valid, or neither is.
    """
    numbers: dict[pst.EntityUid, int] = {}
    found: list[object] = []
    stack: list[object] = [(tree.effect, tree.principal, tree.action, tree.resource, tree.clauses)]
    while stack:
        node = stack.pop()
        kind: Any = type(node)
        if isinstance(node, pst.EntityUid) and node.type.basename != "Action":
            found += (kind, node.type, numbers.setdefault(node, len(numbers)))
            continue
        below = _below(node)
        # Invariant: each node says how many are below it, so no two trees are written alike.
        found += (kind, len(below), tuple(node) if isinstance(node, dict) else None)
        if not below and not _names(kind):
            found.append(node)
        stack.extend(below)
    return tuple(found)


def _below(node: object) -> tuple[object, ...]:
    if isinstance(node, dict):
        return tuple(node.values())
    if isinstance(node, tuple):
        return node
    kind: Any = type(node)
    return tuple([getattr(node, name) for name in _names(kind)])


@lru_cache(maxsize=256)
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a kind of node; none of what is no node."""
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else ()
