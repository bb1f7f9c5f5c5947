"""Surface of jupyter_server itself."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from . import made, own, resolved
from . import places as at
from .posted import event_schema
from .table import Asks, Public, Question, Route

if TYPE_CHECKING:
    from ...policy.model import Resource
    from .call import Call

_S = "jupyter_server.services."
_STATIC = "static assets of the applications; the same for everybody, from installed packages"
_REDIRECT = "answers only with a redirect to a guarded address"


def ask(
    action: str, type_: str, where: object, *, walk: bool = False, whole: bool = False
) -> Question:
    """Shorthand of the tables."""
    return Question(action=action, type=type_, where=where, walk=walk, whole=whole)  # type: ignore[arg-type]  # why: a Where


def asks(resource: str, *questions: Question, inside: bool = False, service: bool = False) -> Asks:
    """Shorthand of the tables."""
    return Asks(resource=resource, questions=questions, inside=inside, service=service)


def to_guests(entry: Asks) -> Asks:
    """`entry`, asked for whoever has opened a link for guests too; see `policy.guest`."""
    return replace(entry, guests=True)


USE = ask("use", "server", at.server)
INSPECT = asks("server", ask("inspect", "server", at.server))
ADMIN = asks("server", ask("administer", "server", at.server))
PAGE = asks("server", USE)
SHOWN_PAGE = to_guests(PAGE)

# Upstream still takes the path of a session from three places.
_START = (
    ask("launch", "contents", at.session_path),
    ask("launch", "contents", at.body_path("notebook", "path")),
    ask("launch", "contents", at.body_path("notebook", "name")),
)


def _root_unless_named(call: object) -> object:
    found = call.text("path")  # type: ignore[attr-defined]  # why: a Call
    return at.contents(call, found or "")  # type: ignore[arg-type]  # why: a Call


def _kernelspec_told(call: Call) -> Resource | None:
    """The kernelspec in the URL, if the file that is asked for is the one that says all of it."""
    path = posixpath.normpath(call.group("path").replace("\\", "/"))
    return at.kernelspec_group(call) if path.lower().endswith("kernel.json") else None


_CONFIGURE = asks(
    "config",
    ask("keep", "settings", own.settings_of_section),
    ask("administer", "server", own.settings_of_all),
)


ROUTES: tuple[Route, ...] = (
    Route(
        handler="jupyter_server.base.handlers.FileFindHandler",
        patterns=(
            r"/(robots\.txt)",
            r"/(favicon\.ico)",
            r"/static/(.*)",
            r"/nbextensions/(.*)",
            r"/custom/(.*)",
        ),
        methods={"GET": Public(reason=_STATIC)},
    ),
    Route(
        handler="tornado.web.RedirectHandler",
        patterns=(
            r"/static/favicons/favicon.ico",
            r"/static/favicons/favicon-busy-1.ico",
            r"/static/favicons/favicon-busy-2.ico",
            r"/static/favicons/favicon-busy-3.ico",
            r"/static/favicons/favicon-file.ico",
            r"/static/favicons/favicon-notebook.ico",
            r"/static/favicons/favicon-terminal.ico",
            r"/static/logo/logo.png",
        ),
        methods={"GET": Public(reason=_STATIC)},
    ),
    Route(
        handler="jupyter_server.base.handlers.PublicStaticFileHandler",
        patterns=(r"/(robots\.txt|favicon\.ico)",),
        methods={"GET": Public(reason=_STATIC)},
    ),
    Route(
        handler="jupyter_server.auth.login.LoginFormHandler",
        methods={
            "GET": Public(reason="the way in"),
            "POST": Public(reason="the way in"),
        },
    ),
    Route(
        handler="jupyter_server.auth.login.LegacyLoginHandler",
        methods={
            "GET": Public(reason="the way in"),
            "POST": Public(reason="the way in"),
        },
    ),
    Route(
        handler="jupyter_server.auth.logout.LogoutHandler",
        methods={"GET": Public(reason="the way out")},
    ),
    Route(
        handler="jupyter_server.base.handlers.APIVersionHandler",
        methods={"GET": Public(reason="the version; clients ask before they sign in")},
    ),
    Route(
        handler="jupyter_server.base.handlers.TrailingSlashHandler",
        methods=dict.fromkeys(("GET", "POST", "PUT"), Public(reason=_REDIRECT)),
    ),
    Route(
        handler="jupyter_server.base.handlers.RedirectWithParams",
        patterns=("/?",),
        methods={"GET": Public(reason=_REDIRECT)},
    ),
    Route(
        handler="jupyter_server.services.contents.handlers.NotebooksRedirectHandler",
        methods=dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), Public(reason=_REDIRECT)),
    ),
    Route(
        handler="jupyter_server.base.handlers.Template404",
        methods=dict.fromkeys(
            ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
            Public(reason="says that nothing is here"),
        ),
    ),
    Route(
        handler="jupyter_server.base.handlers.MainHandler",
        methods={"GET": SHOWN_PAGE, "POST": PAGE, "PUT": PAGE},
    ),
    Route(
        handler="jupyter_server.base.handlers.PrometheusMetricsHandler",
        methods={"GET": asks("server", ask("monitor", "server", at.server))},
    ),
    Route(
        handler="jupyter_server.base.handlers.AuthenticatedFileHandler",
        patterns=("/files/(.*)",),
        methods={"GET": to_guests(asks("contents", ask("download", "contents", at.path(0))))},
    ),
    Route(
        handler="jupyter_server.files.handlers.FilesHandler",
        methods={"GET": to_guests(asks("contents", ask("download", "contents", at.path())))},
    ),
    Route(
        handler="jupyter_server.view.handlers.ViewHandler",
        methods={"GET": to_guests(asks("contents", ask("open", "contents", at.path())))},
    ),
    Route(
        handler=_S + "api.handlers.APISpecHandler",
        methods={"GET": asks("api", USE)},
    ),
    Route(handler=_S + "api.handlers.APIStatusHandler", methods={"GET": INSPECT}),
    Route(
        handler=_S + "api.handlers.IdentityHandler",
        methods={
            "GET": to_guests(asks("api", ask("identify", "server", at.server))),
            "PATCH": asks("api", ask("identify", "server", at.server)),
        },
    ),
    Route(
        handler=_S + "api.handlers.PathResolverHandler",
        methods={
            "GET": asks(
                "contents",
                replace(ask("open", "contents", resolved.by_contents), absent=True),
                ask("watch", "kernels", resolved.kernel),
                replace(ask("open", "contents", resolved.by_kernel), absent=True),
                ask("administer", "server", resolved.elsewhere),
            )
        },
    ),
    Route(
        handler=_S + "config.handlers.ConfigHandler",
        methods={
            # What is the same for all, and above it one's own; see `doors.own_config`.
            "GET": to_guests(asks("config", USE)),
            "PUT": _CONFIGURE,
            "PATCH": _CONFIGURE,
        },
    ),
    Route(
        handler=_S + "contents.handlers.ContentsHandler",
        methods={
            "GET": replace(
                asks(
                    "contents",
                    ask("list", "contents", at.listed(), walk=True),
                    ask("open", "contents", at.opened(), walk=True),
                ),
                guests=True,
                glances=True,
            ),
            "POST": asks(
                "contents",
                ask("create", "contents", made.made_in),
                ask("copy", "contents", made.copy_source),
            ),
            "PUT": asks(
                "contents",
                ask("save", "contents", made.existing_file),
                ask("create", "contents", made.new_file),
                ask("upload", "contents", made.uploaded),
                ask("copy", "contents", made.copy_source),
            ),
            "PATCH": asks(
                "contents",
                # Elsewhere other rules hold: nobody moves what they may not read.
                ask("open", "contents", at.path()),
                ask("rename", "contents", at.entry()),
                ask("create", "contents", at.body_path("path", moved=True)),
            ),
            "DELETE": asks("contents", ask("delete", "contents", at.entry())),
        },
    ),
    Route(
        handler=_S + "contents.handlers.CheckpointsHandler",
        methods={
            "GET": to_guests(asks("contents", ask("open", "contents", at.path()))),
            "POST": asks("contents", ask("checkpoint", "contents", at.path())),
        },
    ),
    Route(
        handler=_S + "contents.handlers.ModifyCheckpointsHandler",
        methods={
            "POST": asks("contents", ask("restore", "contents", at.path())),
            "DELETE": asks("contents", ask("checkpoint", "contents", at.path())),
        },
    ),
    Route(
        handler=_S + "contents.handlers.TrustNotebooksHandler",
        methods={"POST": asks("contents", ask("trust", "contents", at.path()))},
    ),
    Route(
        handler=_S + "kernels.handlers.MainKernelHandler",
        methods={
            # The list holds what may be watched; see `doors.lists`.
            "GET": to_guests(asks("kernels", USE)),
            "POST": asks(
                "kernels",
                ask("launch", "kernelspecs", at.kernelspec("name")),
                ask("launch", "contents", _root_unless_named),
                ask("administer", "server", at.server_if_kernel_id),
                ask("run", "kernels", at.kernel_in_body("kernel_id")),
            ),
        },
    ),
    Route(
        handler=_S + "kernels.handlers.KernelHandler",
        methods={
            "GET": asks("kernels", ask("watch", "kernels", at.kernel_group())),
            "DELETE": asks("kernels", ask("stop", "kernels", at.kernel_group())),
        },
    ),
    Route(
        handler=_S + "kernels.handlers.KernelActionHandler",
        methods={
            "POST": asks(
                "kernels",
                ask("interrupt", "kernels", at.if_action("interrupt")),
                ask("restart", "kernels", at.if_action("restart")),
            )
        },
    ),
    # What each message asks is in `messages`; a refused socket would hang pages.
    Route(
        handler=_S + "kernels.websocket.KernelWebsocketHandler",
        methods={"GET": asks("kernels", ask("watch", "kernels", at.kernel_group()), inside=True)},
    ),
    Route(
        handler="jupyter_server.kernelspecs.handlers.KernelSpecResourceHandler",
        methods={
            "GET": to_guests(
                asks(
                    "kernelspecs",
                    ask("list", "kernelspecs", at.kernelspec_group),
                    ask("launch", "kernelspecs", _kernelspec_told),
                )
            )
        },
    ),
    Route(
        handler=_S + "kernelspecs.handlers.MainKernelSpecHandler",
        methods={
            "GET": to_guests(
                asks("kernelspecs", ask("list", "kernelspecs", at.every("kernelspecs")))
            )
        },
    ),
    Route(
        handler=_S + "kernelspecs.handlers.KernelSpecHandler",
        methods={
            "GET": asks(
                "kernelspecs",
                ask("list", "kernelspecs", at.kernelspec_group),
                # It tells all of it; the list leaves out what is for who may start one.
                ask("launch", "kernelspecs", at.kernelspec_group),
            )
        },
    ),
    Route(
        handler="jupyter_server.nbconvert.handlers.NbconvertFileHandler",
        methods={"GET": asks("nbconvert", ask("export", "contents", at.path()))},
    ),
    Route(
        handler="jupyter_server.nbconvert.handlers.NbconvertPostHandler",
        methods={
            "POST": asks(
                "nbconvert", ask("export", "contents", lambda call: at.contents(call, ""))
            )
        },
    ),
    Route(
        handler=_S + "nbconvert.handlers.NbconvertRootHandler",
        methods={"GET": to_guests(asks("nbconvert", USE))},
    ),
    Route(
        handler=_S + "security.handlers.CSPReportHandler",
        methods={"POST": asks("csp", USE)},
    ),
    Route(
        handler=_S + "sessions.handlers.SessionRootHandler",
        methods={
            "GET": to_guests(asks("sessions", USE)),
            "POST": asks(
                "sessions",
                *_START,
                ask(
                    "launch",
                    "kernelspecs",
                    at.kernelspec_unless_attached,
                ),
                ask("administer", "server", at.server_if_free_id),
                ask("run", "kernels", at.kernel_in_body("kernel", "id")),
            ),
        },
    ),
    Route(
        handler=_S + "sessions.handlers.SessionHandler",
        methods={
            "GET": asks("sessions", ask("watch", "kernels", at.session_kernel)),
            # Another kernel in the body shuts the old one down.
            "PATCH": asks(
                "sessions",
                ask("stop", "kernels", at.session_kernel_to_replace),
                ask("run_saved", "kernels", at.session_kernel_to_keep),
                # First of the paths: the new kernel is recorded for it.
                ask("launch", "contents", at.session_notebook),
                *_START,
                ask("launch", "kernelspecs", at.kernelspec_if_named("kernel", "name")),
                ask("run", "kernels", at.kernel_in_body("kernel", "id")),
            ),
            "DELETE": asks("sessions", ask("stop", "kernels", at.session_kernel)),
        },
    ),
    Route(handler=_S + "shutdown.ShutdownHandler", methods={"POST": ADMIN}),
    Route(
        handler=_S + "events.handlers.EventHandler",
        methods={"POST": asks("events", ask("emit", "events", event_schema))},
    ),
    # Each event is asked about as it comes; see `doors.events`.
    Route(
        handler=_S + "events.handlers.SubscribeWebsocket",
        methods={
            "GET": asks("events", ask("subscribe", "events", at.every("events")), inside=True)
        },
    ),
)
