"""What upstream keeps once for all users and we keep once a person.

The functions here replace the directory in a handler's arguments by one of the
principal's own, below the shared one.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..wiring import wiring

if TYPE_CHECKING:
    from .call import Call

#: Folder, below the shared one, that holds a folder a principal.
PEOPLE = "people"


def _folder(shared: str, call: Call) -> str:
    # Percent-encoding is injective and yields one component; a name of dots only
    # cannot come out, since the kind and its colon stand before it.
    people, name = Path(shared) / PEOPLE, quote(call.principal, safe="")
    since = wiring(call.settings).point.state.since(call.principal)
    if since is None:
        return str(people / name)
    # Who has the name of somebody removed has none of theirs.
    own = people / f"{name}@{since!r}"
    if not own.exists():
        # What an earlier version kept is of who is there now.
        with contextlib.suppress(OSError):
            (people / name).rename(own)
    return str(own)


def settings(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of jupyterlab_server's SettingsHandler with a directory of one's own."""
    return {**arguments, "settings_dir": _folder(arguments["settings_dir"], call)}


def languages(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of jupyter_lsp's handlers with servers of one's own, where they are confined."""
    found = wiring(call.settings).languages
    if found is None:
        return arguments
    return {**arguments, "manager": found.of(call.principal, arguments["manager"])}


def workspaces(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of jupyterlab_server's WorkspacesHandler with a directory of one's own."""
    manager = arguments["manager"]
    folder = _folder(str(manager.workspaces_dir), call)
    return {**arguments, "manager": type(manager)(folder)}
