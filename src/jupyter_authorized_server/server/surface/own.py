"""What upstream keeps once for all users and we keep once a person.

The functions here replace the directory in a handler's arguments by one of the
principal's own, below the shared one.
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_core.paths import jupyter_config_dir

from ... import mistakes
from ...policy.model import MAX_ID
from ..wiring import wiring
from .choices import Choices, OwnPlugins
from .table import Unanswerable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Call

#: Folder, below the shared one, that holds a folder a principal.
PEOPLE = "people"


#: Most letters of a folder's name; file systems take 255.
_LONGEST = 200


def folder(shared: str, name: str, settings: Mapping[str, Any]) -> str:
    """The folder, below `shared`, of who has `name` now.

    Args:
        settings: of the application.
    """
    # Percent-encoding is injective and yields one component; a name of dots only
    # cannot come out, since the kind and its colon stand before it.
    people, called = Path(shared) / PEOPLE, quote(name, safe="")
    if len(called) > _LONGEST:
        # No encoded name has an equals sign.
        called = f"{called[:100]}={sha256(name.encode()).hexdigest()}"
    since = wiring(settings).point.state.since(name)
    if since is None:
        return str(people / called)
    # Who has the name of somebody removed has none of theirs.
    own = people / f"{called}@{since!r}"
    if not own.exists():
        # What an earlier version kept is of who is there now.
        with contextlib.suppress(OSError):
            (people / called).rename(own)
    return str(own)


def _folder(shared: str, call: Call) -> str:
    return folder(shared, call.principal, call.settings)


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


def plugins(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of jupyterlab's PluginHandler with plugins that are on or off for oneself.

    Raises:
        Unanswerable: it is not said what becomes of which plugin.
    """
    if call.request.method == "POST":
        for name in ("cmd", "plugin_name"):
            if len(call.text(name) or "") > MAX_ID:
                raise Unanswerable(413, mistakes.settings_long(str(MAX_ID)))
            if call.text(name) is None:
                raise Unanswerable(400, mistakes.must_be_text_at(name))
    manager = OwnPlugins(arguments["manager"], choices(call.principal, call.settings))
    return {**arguments, "manager": manager}


def choices(name: str, settings: Mapping[str, Any]) -> Choices:
    """What `name` has chosen of the configuration of JupyterLab's and Notebook's pages."""
    return Choices(folder(str(Path(jupyter_config_dir()) / "labconfig"), name, settings))
