"""Where in a request stands what it makes, copies or writes over: `where` functions.

Whether a request makes a file or changes one hangs on what is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_core.utils import ensure_async

from ..acting import as_server
from .places import UNKNOWN, contents, place

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call


def copy_source(call: Call) -> tuple[Resource, ...] | None:
    """What a new file is to be a copy of, if it is one."""
    found = call.text("copy_from")
    return contents(call, found) if found else None


def made_in(call: Call) -> tuple[Resource, ...]:
    """The folder in the URL, in which the request makes something of the body's kind."""
    _check_words(call)
    return contents(call, call.group("path"))


def _check_words(call: Call) -> None:
    # Upstream's handler breaks on these before its manager is asked, or takes them for none.
    for name in ("type", "format", "ext"):
        call.text(name)


async def existing_file(call: Call) -> tuple[Resource, ...] | None:
    """The URL's path, if a file is there to be overwritten."""
    return contents(call, call.group("path")) if await _overwrites(call) else None


async def new_file(call: Call) -> tuple[Resource, ...] | None:
    """The URL's path, if the request makes something that is not there yet."""
    return None if await _overwrites(call) else contents(call, call.group("path"))


async def uploaded(call: Call) -> tuple[Resource, ...] | None:
    """The URL's path, if the request brings what is to be in a new file."""
    if not is_upload(call.json(), is_there=await _overwrites(call)):
        return None
    return contents(call, call.group("path"))


def is_upload(model: object, *, is_there: bool) -> bool:
    """Whether somebody brings a new file that has something in it, or a part of a file.

    Args:
        is_there: whether there is such a file, which is only saved then.
    """
    if not isinstance(model, dict) or model.get("type") == "directory":
        return False
    return bool(model.get("content")) and (not is_there or model.get("chunk") is not None)


async def _overwrites(call: Call) -> bool:
    # Without a body upstream makes an untitled file *in* the path.
    if not call.json():
        return False
    _check_words(call)
    found = place(call, call.group("path"))
    if found.kind != UNKNOWN:
        return bool(found.kind == "file")
    manager = call.settings["contents_manager"]
    with as_server():
        return bool(await ensure_async(manager.file_exists(found.target.strip("/"))))
