"""Hidden names, which may hold copies of what stands beside them.

A repository keeps what every file in its folder was, and so do checkpoints, trashes and the
files that editors keep beside those they change; which of them is a copy of which file
nobody can tell. So a right to see what is hidden reaches as far as one to all that is in the
folder around it: where something in there is kept back from somebody, what is hidden is too,
unless it was given by itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from . import paths
from .cedar import pst
from .model import Effect
from .tree import walk
from .vocabulary import ABILITY, Word

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from .homes import Homes
    from .model import Determinant, Resource
    from .plan import Plan
    from .rule import Rule

_CONTENTS = "contents:"
#: What a path with a hidden name in it has.
HIDDEN = "/."


def may_show(resource: Resource, action: str) -> bool:
    """Whether `action` on `resource` could show what was copied to a hidden place."""
    return (
        HIDDEN in resource.id
        and resource.type == "contents"
        and ABILITY[resource.type, action].word is Word.READ
    )


def left(
    plan: Plan,
    chain: tuple[str, ...],
    permits: Iterable[Determinant],
    *,
    homes: Homes | None,
    strong: Container[str],
) -> tuple[list[Determinant], tuple[Rule, ...]]:
    """Those of `permits` that reach what is hidden, and where none does the rules against it.

    Those are told where nothing permits it too: a token has its owner's permits, and rules
    may keep things back from the token alone.

    Args:
        plan: of who asks, for the action.
        chain: of a contents path that has a hidden name in it.
        permits: what allows it, if nothing is kept back.
        homes: where homes are, into which a grant does not reach.
        strong: the ids of the grants that do.
    """
    reaching: list[Determinant] = []
    against: dict[Rule, None] = {}
    rules = {rule.id: rule for rule in plan.rules_on(chain)}
    for each in permits:
        rule = rules.get(each.id) if each.kind == "rule" else None
        stands = each.inherited_from or chain[0] if rule is None else rule.resource.name
        folder = _around(chain[0], stands)
        if folder is None:
            reaching.append(each)
            continue
        found = tuple(_dividing(plan, folder))
        against.update(dict.fromkeys(found))
        is_even = rule is None or not _looks_at_files(rule)
        into_homes = rule is not None or each.id in strong or not _holds(folder, homes)
        if is_even and into_homes and not found:
            reaching.append(each)
    if reaching:
        return reaching, ()
    if not against and (folder := _around(chain[0], "")) is not None:
        against.update(dict.fromkeys(_dividing(plan, folder)))
    return reaching, tuple(against)


def _around(name: str, stands: str) -> str | None:
    """The folder around the first hidden name on the way from `stands` down to `name`."""
    above = stands.rstrip("/") if stands.startswith(_CONTENTS) else _CONTENTS
    at = name.find(HIDDEN, len(above))
    if at < 0:
        return None
    return name[:at] if at > len(_CONTENTS) else f"{_CONTENTS}/"


def _holds(folder: str, homes: Homes | None) -> bool:
    return homes is not None and folder.removeprefix(_CONTENTS) in paths.ancestors(homes.folder)


def _dividing(plan: Plan, folder: str) -> Iterable[Rule]:
    """The rules that may forbid one thing in `folder` and not the next."""
    yield from plan.forbids_in(folder)
    around = (_CONTENTS + path for path in paths.ancestors(folder.removeprefix(_CONTENTS)))
    for rule in plan.rules_on((*around, "server:")):
        if rule.effect is Effect.FORBID and _looks_at_files(rule):
            yield rule


@lru_cache(maxsize=1024)
def _looks_at_files(rule: Rule) -> bool:
    """Whether a clause of a rule can tell one file from the next."""
    return any(node == pst.Var("resource") for node in walk(rule.tree.clauses))
