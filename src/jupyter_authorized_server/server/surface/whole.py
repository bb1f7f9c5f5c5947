"""A folder with all that is in it, where one request reaches every file at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import Nowhere
from ...policy.model import Resource
from ..wiring import wiring
from .disk import disk_of
from .places import place, resources

if TYPE_CHECKING:
    from .call import Call
    from .disk import Disk

#: Most names in a folder that are asked about one by one.
MOST = 50_000


def everything(
    call: Call, path: str, actions: tuple[str, ...], *, follows: bool = True
) -> tuple[Resource, ...]:
    """The file or folder at `path`, and each file in it that a rule may divide.

    Args:
        actions: those that are asked; where all of them are even, the folder speaks for
            all that is in it.
        follows: whether links in it are followed.

    Raises:
        UnsafePath: it can mean no file that may be judged.
        Nowhere: what is in it cannot be told apart, or is too much.
    """
    disk = disk_of(call.settings["contents_manager"])
    if disk is None:
        msg = "only what is on a disk of this server can be judged with all that is in it"
        raise Nowhere(msg)
    found = place(call, path)
    own = resources(found)
    if found.kind == "folder" and (follows or not _even(call, found.target, actions)):
        key = (found.target, follows)
        if key not in call.inside:
            call.inside[key] = _inside(disk, found.target, follows=follows)
        return (*own, *call.inside[key])
    return own


def _even(call: Call, folder: str, actions: tuple[str, ...]) -> bool:
    point = wiring(call.settings).point
    if call.is_view:
        return False
    principal = point.principal(call.principal, must_exist=False)
    return all(point.is_even(principal, action, folder) for action in actions)


def _inside(disk: Disk, folder: str, *, follows: bool) -> tuple[Resource, ...]:
    found: dict[Resource, None] = {}
    if disk.holds_more(folder, MOST):
        msg = "there is too much in this folder to do this at once"
        raise Nowhere(msg)
    for name, inner in disk.below(folder):
        if inner is None or (inner.entry != inner.target and inner.kind == "folder"):
            if follows:
                msg = "a link in this folder leads to another folder, or nowhere"
                raise Nowhere(msg)
            found[Resource(type="contents", id=f"{folder.rstrip('/')}/{name}")] = None
        else:
            found.update(dict.fromkeys(resources(inner)))
    return tuple(found)


def plain(call: Call, path: str) -> str:
    """`path`, if it is written in the one way that every reader of it reads alike.

    For handlers that decode a path once more or hand it to the system as it came.

    Raises:
        Nowhere: it is not.
    """
    found = place(call, path)
    if path.strip("/") != found.target.strip("/") or "%" in path:
        msg = "the path is not in its one written form"
        raise Nowhere(msg)
    return found.target
