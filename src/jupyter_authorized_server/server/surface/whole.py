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
    from .disk import Disk, Place

#: Most names in a folder that are asked about one by one.
MOST = 50_000


def everything(call: Call, path: str, actions: tuple[str, ...]) -> tuple[Resource, ...]:
    """The file or folder at `path`, and each file in it that a rule may divide.

    Args:
        actions: those that are asked; where all of them are even, the folder speaks for
            all that is in it.

    Raises:
        UnsafePath: it can mean no file that may be judged.
        Nowhere: what is in it cannot be told apart, or is too much.
    """
    disk, found = _disk(call), place(call, path)
    if found.kind != "folder" or _even(call, found.target, actions):
        return resources(found)
    return (*resources(found), *_kept(call, disk, found.target, follows=False))


def all_in(call: Call, path: str, *, follows: bool) -> tuple[Resource, ...]:
    """The file or folder at `path`, and each file in it.

    Args:
        follows: whether links to folders are followed, each once on a way.

    Raises:
        UnsafePath: it can mean no file that may be judged.
        Nowhere: what is in it cannot be told apart, leads nowhere, or is too much.
    """
    disk, found = _disk(call), place(call, path)
    if found.kind != "folder":
        return resources(found)
    return (*resources(found), *_kept(call, disk, found.target, follows=follows))


def _disk(call: Call) -> Disk:
    disk = disk_of(call.settings["contents_manager"])
    if disk is None:
        msg = "only what is on a disk of this server can be judged with all that is in it"
        raise Nowhere(msg)
    return disk


def _kept(call: Call, disk: Disk, folder: str, *, follows: bool) -> tuple[Resource, ...]:
    key = (folder, follows)
    if key not in call.inside:
        call.inside[key] = _inside(disk, folder, follows=follows)
    return call.inside[key]


def _even(call: Call, folder: str, actions: tuple[str, ...]) -> bool:
    point = wiring(call.settings).point
    if call.is_view:
        return False
    principal = point.principal(call.principal, must_exist=False)
    return all(point.is_even(principal, action, folder) for action in actions)


def _inside(disk: Disk, folder: str, *, follows: bool) -> tuple[Resource, ...]:
    found: dict[Resource, None] = {}
    passed = 0
    listed: dict[str, list[tuple[str, Place | None]]] = {}
    # Each folder with those on the way to it: a link that leads back to one is passed over.
    waiting = [(folder, frozenset({folder}))]
    while waiting:
        here, way = waiting.pop()
        if here not in listed:
            _check_size(passed, more=disk.holds_more(here, MOST - passed))
            listed[here] = list(disk.below(here))
        passed += len(listed[here])
        _check_size(passed)
        for name, inner in listed[here]:
            is_link = inner is None or (inner.entry != inner.target and inner.kind == "folder")
            if is_link and not follows:
                found[Resource(type="contents", id=f"{here.rstrip('/')}/{name}")] = None
                continue
            if inner is None:
                msg = "a link in this folder leads nowhere"
                raise Nowhere(msg)
            found.update(dict.fromkeys(resources(inner)))
            if is_link and inner.target not in way:
                waiting.append((inner.target, way | {inner.target}))
    return tuple(found)


def _check_size(passed: int, *, more: bool = False) -> None:
    if more or passed > MOST:
        msg = "there is too much in this folder to do this at once"
        raise Nowhere(msg)


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
