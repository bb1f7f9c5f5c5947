"""Door: what one request asks, as the surface tables find it in the request."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, NamedTuple

from ...errors import Hidden, Nowhere, Unanswered
from ...policy.model import Resource
from ...policy.vocabulary import ABILITIES
from .declared import unnamed

if TYPE_CHECKING:
    from ..surface import Asks, Call
    from ..surface.table import Question
    from .routing import Target

#: Actions on contents whose refusal would tell that a file is there.
IS_ABOUT_A_FILE = frozenset(
    ability.action
    for ability in ABILITIES
    if ability.type == "contents" and ability.action != "launch"
)
#: What the functions of the surface tables find at once.
_FOUND = (tuple, Resource, type(None))


class Asked(NamedTuple):
    """One question of a request, with the resources it means.

    `named` tells a path that the request names from "all contents"; `seen` says that the
    disk had all of it when the path was resolved, or need not; `nowhere` says why the path
    leads to no file, for the audit file, and then the resources are the path as it was
    written; `silent` that it does so since the disk does not answer.
    """

    action: str
    resources: tuple[Resource, ...]
    walk: bool = False
    named: bool = False
    seen: bool = False
    nowhere: str = ""
    silent: bool = False


async def questions_of(
    entry: Asks | None, call: Call, target: Target, *, whole: bool
) -> list[Asked]:
    """The questions that arise: those about all that is in a folder, or the others.

    Raises:
        Unanswerable: the request cannot be judged.
        UnsafePath: a path in it is no path, whatever the disk has.
    """
    if entry is None:
        action, unknown = unnamed(target.handler, target.pattern)
        return [] if whole else [Asked(action, (unknown,))]
    found = [await _asked(each, call) for each in entry.questions if each.whole is whole]
    return [each for each in found if each is not None]


async def _asked(question: Question, call: Call) -> Asked | None:
    try:
        found = question.where(call)
        if not isinstance(found, _FOUND) and isawaitable(found):
            found = await found
    except Hidden:
        raise
    except Nowhere as error:
        # In its turn: what is refused before says nothing of the disk.
        written = (Resource(type="contents", id=error.path),) if error.path else ()
        silent = isinstance(error, Unanswered)
        return Asked(question.action, written, named=True, nowhere=str(error), silent=silent)
    if found is None:
        return None
    named = isinstance(found, tuple)
    resources = found if isinstance(found, tuple) else (found,)
    seen = question.absent or (named and call.present.issuperset([on.id for on in resources]))
    return Asked(question.action, resources, question.walk, named, seen)
