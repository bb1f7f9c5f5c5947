"""Resources that a request writes out, as `contents:/team/a.ipynb` or `kernels:ID`.

The one way such a text becomes a resource in the server: a contents path becomes that
of the file behind it, a kernel gets its notebook and owner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import InvalidName, UnsafePath
from ...policy.model import Resource
from ...policy.vocabulary import ABILITY, TYPE, parse_resource
from . import places as at
from .table import Question, Unanswerable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .call import Call

#: Finds the written resources in a request.
Texts = Callable[["Call"], "Iterable[str]"]


def meant(call: Call, text: object) -> tuple[Resource, ...]:
    """What must be allowed for the resource written `text`: the named one first.

    Raises:
        UnsafePath: a contents path that can mean no file that may be judged.
        Unanswerable: no resource at all.
    """
    kind, colon, id_ = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind == "contents" and colon:
        return at.contents(call, id_)
    try:
        return (known(call, parse_resource(text)),)
    except UnsafePath:
        raise
    except InvalidName as error:
        raise Unanswerable(400, str(error)) from None


def known(call: Call, resource: Resource) -> Resource:
    """`resource` with what the server knows of it: what it is for, and an owner."""
    if resource.type == "kernels" and resource.id:
        return at.kernel(call, resource.id)
    if resource.type == "terminals" and resource.id:
        return at.terminal_of(call.settings, resource.id)
    if resource.type == "kernelspecs":
        return Resource(type="kernelspecs", id=resource.id.lower())
    if resource.type == "settings" and resource.id:
        return Resource(type="settings", id=resource.id, owner=resource.id)
    return resource


def in_query(name: str) -> Texts:
    """The query arguments called `name`."""

    def find(call: Call) -> list[str]:
        found = call.query(name)
        return [found] if found else []

    return find


def in_body(*names: str) -> Texts:
    """The text at `names` in the JSON body."""

    def find(call: Call) -> list[str]:
        found = call.text(*names)
        return [] if found is None else [found]

    return find


def questions(action: str, texts: Texts) -> tuple[Question, ...]:
    """May the principal do `action` on each resource that the request writes out?

    A type that does not have the action is the administrators'.

    Args:
        action: of the vocabulary.
        texts: finds them.
    """

    def resources(call: Call) -> list[Resource]:
        # Asked for once for each type that there is.
        if texts not in call.written:
            call.written[texts] = [one for text in texts(call) for one in meant(call, text)]
        return call.written[texts]

    able = [type_ for type_ in TYPE if (type_, action) in ABILITY]

    def of(type_: str) -> Any:
        def where(call: Call) -> tuple[Resource, ...] | None:
            return tuple(one for one in resources(call) if one.type == type_) or None

        return where

    def others(call: Call) -> Resource | None:
        return at.SERVER if {one.type for one in resources(call)} - set(able) else None

    return (
        *(Question(action=action, type=type_, where=of(type_)) for type_ in able),
        Question(action="administer", type="server", where=others),
    )
