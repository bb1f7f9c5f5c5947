"""Surface of jupyterlab, jupyterlab_server and the language servers they bring."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ... import mistakes
from ...errors import Nowhere
from ..wiring import wiring
from . import own
from . import places as at
from .choices import MOST
from .core import _STATIC, ADMIN, INSPECT, SHOWN_PAGE, ask, asks, to_guests
from .table import Asks, Public, Route, Unanswerable

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call

_LAB = "jupyterlab.handlers."
_SERVER = "jupyterlab_server."

_RECALL = ask("recall", "settings", at.own_settings)
_KEEP = ask("keep", "settings", at.own_settings)


def _of_plugin(call: Call) -> Resource:
    """The settings of whoever asks, of one plugin or of all.

    Upstream joins the name to its folders as it stands, and answers with whatever JSON is
    there; so an absolute one, or one with steps upwards, would be any file of the machine.

    Raises:
        Nowhere: no plugin can be called that.
        Unanswerable: there is too much to keep.
    """
    if len(call.request.body) > MOST:
        raise Unanswerable(413, mistakes.settings_long(str(MOST)))
    name = call.group("schema_name")
    is_plain = name.count(":") == 1 and not set(name) & {"\\", "\0"}
    if name and not (is_plain and {"", ".", ".."}.isdisjoint(re.split("[:/]", name))):
        msg = "the name is that of no plugin"
        raise Nowhere(msg)
    return at.own_settings(call)


def _licences(call: Call) -> Resource:
    """The server, of which the licences of some bundles are asked for.

    Raises:
        Unanswerable: they are named by any other pattern than how a name begins. Upstream
            tries it on each name in the server's one loop, and some are tried for ever.
    """
    if re.fullmatch(r"[\w@/.-]*(\.\*)?", call.query("bundles")) is None:
        raise Unanswerable(400, mistakes.BUNDLES)
    return at.SERVER


def _kept(own_arguments: object, *questions: object) -> Asks:
    return Asks(resource="settings", questions=questions, own=own_arguments)  # type: ignore[arg-type]  # why: shorthand


def _bare(call: Call) -> Resource | None:
    """The server, where language servers are in no sandbox."""
    return None if wiring(call.settings).languages else at.SERVER


_LANGUAGES = Asks(
    resource="lsp",
    questions=(
        replace(ask("administer", "server", _bare), bare="languages"),
        ask("launch", "kernelspecs", at.default_kernelspec),
    ),
    own=own.languages,
)

ROUTES: tuple[Route, ...] = (
    Route(
        handler="jupyter_server.base.handlers.FileFindHandler",
        patterns=(r"/lab/extensions/(.*)", r"/static/lab/(.*)"),
        methods={"GET": Public(reason=_STATIC)},
    ),
    Route(handler=_SERVER + "handlers.LabHandler", methods={"GET": SHOWN_PAGE}),
    Route(handler=_SERVER + "handlers.NotFoundHandler", methods={"GET": SHOWN_PAGE}),
    Route(
        handler=_SERVER + "settings_handler.SettingsHandler",
        methods={
            "GET": to_guests(_kept(own.settings, ask("recall", "settings", _of_plugin))),
            "PUT": _kept(own.settings, ask("keep", "settings", _of_plugin)),
        },
    ),
    Route(
        handler=_SERVER + "workspaces_handler.WorkspacesHandler",
        methods={
            "GET": to_guests(_kept(own.workspaces, _RECALL)),
            "PUT": _kept(own.workspaces, _KEEP),
            "DELETE": _kept(own.workspaces, _KEEP),
        },
    ),
    Route(
        handler=_SERVER + "translations_handler.TranslationsHandler", methods={"GET": SHOWN_PAGE}
    ),
    Route(handler=_SERVER + "listings_handler.ListingsHandler", methods={"GET": SHOWN_PAGE}),
    Route(handler=_SERVER + "themes_handler.ThemesHandler", methods={"GET": SHOWN_PAGE}),
    Route(
        handler=_SERVER + "licenses_handler.LicensesHandler",
        methods={"GET": asks("server", ask("inspect", "server", _licences))},
    ),
    # Each of these runs node or pip, or answers what they found, also for GET.
    Route(
        handler=_LAB + "build_handler.BuildHandler",
        methods={"GET": ADMIN, "POST": ADMIN, "DELETE": ADMIN},
    ),
    Route(
        handler=_LAB + "extension_manager_handler.ExtensionHandler",
        methods={"GET": ADMIN, "POST": ADMIN},
    ),
    Route(
        handler=_LAB + "plugin_manager_handler.PluginHandler",
        methods={
            "GET": _kept(own.plugins, _RECALL),
            "POST": _kept(
                own.plugins,
                ask("keep", "settings", own.settings_of),
                ask("administer", "server", own.settings_of_all),
            ),
        },
    ),
    Route(handler=_LAB + "announcements.CheckForUpdateHandler", methods={"GET": INSPECT}),
    Route(handler=_LAB + "announcements.NewsHandler", methods={"GET": INSPECT}),
    # A program that is started for who asks, and shown no file; see `doors.languages`.
    Route(handler="jupyter_lsp.handlers.LanguageServersHandler", methods={"GET": _LANGUAGES}),
    Route(
        handler="jupyter_lsp.handlers.LanguageServerWebSocketHandler", methods={"GET": _LANGUAGES}
    ),
)
