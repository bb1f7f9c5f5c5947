"""Composition: puts identity, guard, authorizer and audit into a Jupyter Server.

Jupyter logs an extension that raises and starts without it, which here would be a
server that is open. So whatever keeps us from enforcing ends the process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import weakref
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.auth import AllowAllAuthorizer, PasswordIdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from tornado.ioloop import PeriodicCallback

from .. import sentences
from ..audit import SCHEMA_ID
from ..config import JupyterAuthorization
from ..errors import AuthorizationError, ConfigurationError, UnsafePath
from ..opening import open_decision_point
from ..sandbox import probe
from . import ready_thread, scrubbing
from .admin import routes
from .confinement import Confinement
from .doors import (
    contents,
    downloads,
    elsewhere,
    exports,
    git,
    languages,
    lists,
    nbdime,
    own_config,
    own_pages,
    own_settings,
    resolving,
    rooms,
)
from .doors.authorizer import PolicyAuthorizer, check_authorizer
from .doors.channels import RefusedConnection, judged
from .doors.connection import JudgedConnection
from .doors.endings import Endings
from .doors.follow import SECONDS
from .doors.guard import GuardedApplication, install
from .doors.hook import allow_all
from .doors.live import LiveDoors
from .doors.recognised import Recognised
from .doors.trust import own_trust
from .identity import LocalIdentityProvider, setup_url
from .metrics import measure
from .policy_watch import watch
from .premises import own_of
from .record_keeping import RecordKeeping
from .store_watch import StoreWatch
from .surface.disk import disk_of
from .surface.git import keep_below
from .wiring import KEY, Wiring, wiring

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from tornado.web import Application

    from ..audit import Record

#: Exit status of a server that cannot enforce.
CANNOT_ENFORCE = 78  # EX_CONFIG of sysexits.h
_CONNECTION = "kernel_websocket_connection_class"
_SCHEMA = Path(__file__).parent / "event_schemas" / "audit" / "v1.yaml"


def link(app: ServerApp) -> None:
    """Choose the identity provider and the authorizer, before Jupyter makes them."""
    with _or_end(app):
        config = JupyterAuthorization.read(parent=app)
        _choose_classes(app)
        events = app.event_logger
        if events is None:
            msg = "this Jupyter Server has no event logger"
            raise ConfigurationError(msg)
        events.register_event_schema(_SCHEMA)
        rooms.keep_apart(app.config, Path(config.audit_file).absolute().parent)

        def emit(record: Record) -> None:
            # Listeners are tasks of the loop, in the context of what the record is about.
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                app.io_loop.add_callback(tell, record)
            else:
                tell(record)

        def tell(record: Record) -> None:
            at = record["time"]
            assert isinstance(at, (int, float))  # noqa: S101  # why: it has just been written
            when = datetime.fromtimestamp(at, tz=timezone.utc)
            events.emit(schema_id=SCHEMA_ID, data=record, timestamp_override=when)

        probing = None if config.sandbox == "off" else probe.begin(config.sandbox)
        point = open_decision_point(config, emit)
        app.tornado_settings[KEY] = Wiring(config=config, point=point, probing=probing)
        if not hasattr(JupyterHandler, "user_is_authorized"):
            JupyterHandler.user_is_authorized = allow_all  # type: ignore[attr-defined]  # why: the hook


def _choose_classes(app: ServerApp) -> None:
    chosen = app.authorizer_class
    explicit = "authorizer_class" in app.config.ServerApp
    if issubclass(chosen, AllowAllAuthorizer) and not explicit:
        app.authorizer_class = PolicyAuthorizer
    elif not issubclass(chosen, PolicyAuthorizer):
        msg = (
            f"`ServerApp.authorizer_class` is `{chosen.__qualname__}`, which does not ask the "
            "policy; unset it, or set "
            '`c.ServerApp.authorizer_class = "jupyter_authorized_server.PolicyAuthorizer"`'
        )
        raise ConfigurationError(msg)
    if (
        app.identity_provider_class is PasswordIdentityProvider
        and "identity_provider_class" not in app.config.ServerApp
    ):
        app.identity_provider_class = LocalIdentityProvider


def load(app: ServerApp) -> None:
    """Put the guard under the web application, before the server listens."""
    with _or_end(app):
        check_authorizer(app.authorizer)
        application = app.web_app
        wired = wiring(application.settings)
        wired.authorizer = app.authorizer
        wired.live = LiveDoors(wired)
        routes.install(application)
        install(application)
        own_pages.keep_secret()
        own_config.install(application.settings)
        scrubbing.install(app.extra_log_scrub_param_keys)
        endings = Endings(wired.point.audit, wired.config.max_message * 2**20)
        application.settings[_CONNECTION] = judged(
            application.settings[_CONNECTION], app.kernel_manager, app.contents_manager, endings
        )
        contents.install(app.contents_manager, wired)
        _keep_from_contents(app, wired)
        own_trust(app.contents_manager, lambda name: wired.point.state.since(name))  # noqa: PLW0108  # why: another state after each change
        keep_below(app.contents_manager)
        exports.install()
        downloads.install()
        resolving.install(app.kernel_manager, app.contents_manager, wired)
        elsewhere.install(application.settings, wired, endings)
        wired.kernels.attach(app.kernel_manager, wired.config.max_kernels)
        if issubclass(application.settings[_CONNECTION], RefusedConnection):
            wired.kernels.refuse(app.kernel_manager, sentences.UNJUDGED)
        else:
            endings.install(app.kernel_manager)
        wired.kernels.restore()
        lists.install(application.settings, wired)
        if not isinstance(app.identity_provider, LocalIdentityProvider):
            app.log.warning(
                "people are identified by %s; their names are taken as it gives them",
                type(app.identity_provider).__qualname__,
            )
        if wired.config.sandbox == "off":
            app.log.warning(
                "kernels and terminals are not confined: whoever may run code can read "
                "and change what this server's own account can"
            )
        else:
            wired.confinement = Confinement(app, wired)


def _keep_from_contents(app: ServerApp, wired: Wiring) -> None:
    """Have nobody reach through the contents what is the server's own.

    Whoever may write where its policy is read could give themselves any right.
    """
    disk = disk_of(app.contents_manager)
    if disk is None:
        return
    found = set()
    for each in own_of(app, wired):
        real = os.path.realpath(each)
        with contextlib.suppress(UnsafePath):
            found.add(disk.inside(real) + ("" if Path(real).is_file() else "/"))
    disk.own = tuple(sorted(found - {"//"}))
    if seen := [each for each in disk.own if "/." not in each]:
        app.log.warning(
            "in the contents root is what is the server's own, and not there for anybody: %s; "
            "keep it elsewhere, since no kernel is shown a folder that it is in",
            ", ".join(f"`{each}`" for each in seen),
        )


async def start(app: ServerApp) -> None:
    """Watch the store for changes; print the set-up link where nobody is in it yet."""
    with _or_end(app):
        application = app.web_app
        check_installed(application)
        check_authorizer(application.settings["authorizer"])
        contents.check_installed(application.settings["contents_manager"])
        check_connection(application.settings[_CONNECTION])
        wired = wiring(application.settings)
        if wired.confinement is not None:
            wired.confinement.check_installed()
            wired.confinement.confine_terminals(application.settings.get("terminal_manager"))
        # Extensions that load after this one are there only now.
        own_pages.install()
        own_settings.install()
        git.install(application.settings, wired)
        nbdime.install(application.settings, wired)
        languages.install(wired)
        wired.live.start()
        recognised = Recognised(application, wired.live)
        recognised.start()
        measure(wired)
        poll = StoreWatch(wired).callback
        await wired.follower.recover()
        await wired.follower.look()
        follow = PeriodicCallback(wired.follower.look_if_due, SECONDS * 1000)
        follow.start()
        keeping = RecordKeeping(wired)
        application.settings["jupyter_authorization_poll"] = [
            poll,
            follow,
            recognised,
            *watch(wired),
            keeping.callback,
        ]
        # Of a server that ended before its process does, nothing is held for it.
        atexit.register(_end, weakref.ref(keeping))
        application.settings["jupyter_authorization_thread"] = ready_thread.keep(after=1.0)
        if isinstance(app.identity_provider, LocalIdentityProvider):
            url = setup_url(wired.point, app.connection_url)
            if url is not None:
                app.log.critical(
                    "Nobody is known to this server yet. Make the first administrator at\n\n"
                    "    %s\n\nwithin 24 hours; the link works once.",
                    url,
                )


def check_installed(application: Application) -> None:
    """Raise unless the guard stands under `application`.

    Raises:
        ConfigurationError: it does not.
    """
    if not isinstance(application, GuardedApplication):
        msg = "the guard is not under the web application; another extension replaced it"
        raise ConfigurationError(msg)


def check_connection(kind: type) -> None:
    """Raise unless messages to kernels are judged.

    Raises:
        ConfigurationError: they are not.
    """
    if not issubclass(kind, (JudgedConnection, RefusedConnection)):
        msg = "kernel connections are not judged; another extension replaced their class"
        raise ConfigurationError(msg)


def _end(keeping: weakref.ref[RecordKeeping]) -> None:
    found = keeping()
    if found is not None:
        found.end()


class _or_end(contextlib.AbstractContextManager[None]):  # noqa: N801  # why: reads as a word
    """Ends the process, saying why, if what is inside fails."""

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if isinstance(error, AuthorizationError):
            self._app.log.critical("not starting, since nothing could be enforced: %s", error)
        else:
            self._app.log.critical("not starting, since nothing could be enforced", exc_info=error)
        raise SystemExit(CANNOT_ENFORCE) from error
