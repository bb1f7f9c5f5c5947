"""Whether the conditions of a rule can be so at any hour of any day.

`context.hour > 22 && context.hour < 6` is a sentence that reads well and is never true. What
else a condition asks is taken for unknown here, so only what the clock alone makes void is
found.
"""

from __future__ import annotations

import operator
from itertools import product
from typing import TYPE_CHECKING

from .cedar import pst
from .vocabulary import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Value = bool | int | None

#: By Cedar's word for it.
COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "not_eq": operator.ne,
    "less": operator.lt,
    "less_eq": operator.le,
    "greater": operator.gt,
    "greater_eq": operator.ge,
}
_COUNTED: Mapping[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
}


def can_be(clauses: Iterable[object], reads: Iterable[str]) -> bool:
    """Whether a rule of these `when` and `unless` clauses can ever apply.

    Args:
        clauses: of a rule.
        reads: the circumstances that they read; more is slower and changes nothing.
    """
    names = sorted(NUMBERS.keys() & set(reads))
    every = [*clauses]
    return not names or any(
        _may_apply(every, dict(zip(names, at, strict=True)))
        for at in product(*(NUMBERS[name] for name in names))
    )


def _may_apply(clauses: Iterable[object], now: Mapping[str, int]) -> bool:
    for clause in clauses:
        if isinstance(clause, pst.When) and _value(clause.expr, now) is False:
            return False
        if isinstance(clause, pst.Unless) and _value(clause.expr, now) is True:
            return False
    return True


def _value(node: object, now: Mapping[str, int]) -> Value:
    """What `node` is `now`; None where that is not known here."""
    if isinstance(node, pst.LongLit):
        return int(node.value)
    if isinstance(node, pst.GetAttr) and node.base == pst.Var("context"):
        return now.get(node.attr)
    if isinstance(node, pst.UnaryOp) and node.op == "not":
        value = _value(node.arg, now)
        return None if value is None else not value
    if isinstance(node, pst.IfThenElse):
        return _chosen(node, now)
    if isinstance(node, pst.BinaryOp):
        return _joined(node, now) if node.op in {"and", "or"} else _compared(node, now)
    return None


def _chosen(node: pst.IfThenElse, now: Mapping[str, int]) -> Value:
    cond = _value(node.cond, now)
    if cond is not None:
        return _value(node.then_expr if cond else node.else_expr, now)
    then, other = _value(node.then_expr, now), _value(node.else_expr, now)
    return then if then == other else None


def _joined(node: pst.BinaryOp, now: Mapping[str, int]) -> Value:
    left, right = _value(node.left, now), _value(node.right, now)
    settles = node.op == "or"
    if settles in {left, right}:
        return settles
    return None if None in {left, right} else not settles


def _compared(node: pst.BinaryOp, now: Mapping[str, int]) -> Value:
    right = _value(node.right, now)
    if node.op == "contains" and isinstance(node.left, pst.Set):
        among = [_value(each, now) for each in node.left.elements]
        return None if right is None or None in among else right in among
    left = _value(node.left, now)
    if left is None or right is None:
        return None
    compare = COMPARED.get(node.op)
    if compare is not None:
        return compare(left, right)
    count = _COUNTED.get(node.op)
    return None if count is None else count(left, right)
