"""Door: what a page says is for whoever asked for it, and no page holds the server's secret.

JupyterLab writes the path and the workspace that somebody opens into one set of data for
all its pages, which Notebook's pages, of whoever comes next, show too. Which plugins are
on is the same for all, but for what each has chosen (`surface.choices`). Each application's
pages hold the token of the identity provider; under a JupyterHub that is the one by which
the hub knows the server, and whoever sends it is the server's owner. No page needs it: its
browser has the cookie by which it was let in.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

from jupyter_server.base.handlers import JupyterHandler

from ..acting import ACTING
from ..surface import choices, own
from ..surface.places import SERVER
from ..wiring import wiring

#: Handlers whose pages tell their scripts what they need.
_KINDS = (
    ("jupyterlab_server.handlers", "LabHandler"),
    ("notebook.app", "NotebookBaseHandler"),
)


def keep_secret() -> None:
    """Have no page that is made from a template hold the provider's token; once."""
    kind: Any = JupyterHandler
    upstream = kind.template_namespace.fget
    if hasattr(upstream, "upstream"):
        return

    def template_namespace(self: Any) -> dict[str, Any]:
        return {**upstream(self), "token": ""}

    template_namespace.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    kind.template_namespace = property(template_namespace)


def install() -> None:
    """Have each page begin with the data of all, in the applications that are there; once."""
    choices.install(*(module for module, _ in _KINDS))
    for module, name in _KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and not hasattr(kind.get_page_config, "upstream"):
            _install(kind)


def _install(kind: Any) -> None:
    upstream = kind.get_page_config

    def get_page_config(self: Any) -> dict[str, Any]:
        """What the page of this request says, in a copy of its own."""
        with choices.shown(_chosen(self.settings)):
            found: dict[str, Any] = deepcopy(upstream(self))
        # A hub has put the token of whoever asks there, into the data of all.
        self.settings.get("page_config_data", {})["token"] = ""
        if found.get("token") == self.token:
            found["token"] = ""
        if found.get("buildCheck") and not _administers(self.settings):
            # Else each opening of JupyterLab asks what there is to build, and is refused that.
            found["buildCheck"] = False
        return found

    get_page_config.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    kind.get_page_config = get_page_config


def _administers(settings: Any) -> bool:
    """Whether whoever asks is told what there is to build."""
    acting = ACTING.get()
    return acting is None or (
        wiring(settings)
        .point.decide(acting.principal, "administer", SERVER, door="http", record=False)
        .allowed
    )


def _chosen(settings: Any) -> dict[str, bool]:
    """Which plugins whoever asks has turned off and on, where anything may be chosen."""
    acting = ACTING.get()
    apps = settings["serverapp"].extension_manager.extension_apps.values()
    is_locked = any(getattr(app, "lock_all_plugins", False) for each in apps for app in each)
    if acting is None or is_locked or own.passes(acting.request):
        return {}
    return own.choices(acting.principal.name, settings).plugins
