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
from ...errors import Nowhere
from ...policy.model import MAX_ID, MAX_NAME
from ..wiring import wiring
from . import places as at
from .choices import MOST, Choices, OwnPlugins
from .table import Unanswerable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornado.httputil import HTTPServerRequest

    from ...policy.model import Resource
    from .call import Call

#: Folder, below the shared one, that holds a folder a principal.
PEOPLE = "people"


#: Most letters of a folder's name; file systems take 255.
_LONGEST = 200

_PASSES = "_jupyter_authorization_passes"


def pass_by(request: HTTPServerRequest) -> None:
    """Note that who asks was made up for `request`, and is another one in the next."""
    setattr(request, _PASSES, True)


def passes(request: HTTPServerRequest) -> bool:
    """Whether who asks was made up, as upstream's provider does for a program with its token.

    Whatever they kept would be nobody's; so they have what is the same for all.
    """
    return getattr(request, _PASSES, False)


def settings_of(call: Call) -> Resource | None:
    """The settings of whoever asks, where they can come back to them."""
    return None if passes(call.request) else at.own_settings(call)


def settings_of_section(call: Call) -> Resource | None:
    """As `settings_of`, where a section of the configuration is written.

    Raises:
        Nowhere: none can be called that.
        Unanswerable: it is no object, or there is too much of it.
    """
    if len(call.group("section_name").encode()) > MAX_NAME:
        msg = "no section of the configuration has such a name"
        raise Nowhere(msg)
    if len(call.request.body) > MOST:
        raise Unanswerable(413, mistakes.settings_long(str(MOST)))
    call.json()
    return settings_of(call)


def settings_of_all(call: Call) -> Resource | None:
    """The server, where what is kept is not of whoever asks."""
    return at.SERVER if passes(call.request) else None


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
    if passes(call.request):
        return arguments
    manager = OwnPlugins(arguments["manager"], choices(call.principal, call.settings))
    return {**arguments, "manager": manager}


def choices(name: str, settings: Mapping[str, Any]) -> Choices:
    """What `name` has chosen of the configuration of JupyterLab's and Notebook's pages."""
    return Choices(folder(str(Path(jupyter_config_dir()) / "labconfig"), name, settings))
