"""`jupyter authorized-server`: a server with everything wired, JupyterLab by default."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from .. import __version__
from ..ahead import begin
from ..config import JupyterAuthorization
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_EXTENSION = "jupyter_authorized_server"
_DESCRIPTION = """A Jupyter Server that several people share, under one policy.

It serves JupyterLab where that is installed, and takes the options of `jupyter server`.
`jupyter authz` asks and changes the policy.
"""
_EXAMPLES = """
    jupyter authz users add ada --level admin
    jupyter authorized-server --ServerApp.root_dir=/srv/notebooks
"""


def _check(server: ServerApp) -> None:
    from .extension import CANNOT_ENFORCE, check_installed  # noqa: PLC0415  # why: see `main`

    try:
        check_installed(server.web_app)
    except ConfigurationError as error:
        server.log.critical("not starting: %s", error)
        raise SystemExit(CANNOT_ENFORCE) from error


def _lab() -> type[Any]:
    lab = import_module("jupyterlab.labapp").LabApp

    class AuthorizedLabApp(lab):  # type: ignore[misc, valid-type]  # why: chosen at run time
        """JupyterLab with this extension on, whatever the configuration says."""

        version = __version__
        description = _DESCRIPTION
        examples = _EXAMPLES
        classes = [*lab.classes, JupyterAuthorization]  # noqa: RUF012  # why: traitlets' own protocol

        @classmethod
        def get_extension_package(cls) -> str:
            """The package whose extension starts the server; not that of this class."""
            return "jupyterlab"

        @classmethod
        def make_serverapp(cls, **kwargs: Any) -> ServerApp:
            """A server app that cannot be told to leave this extension out."""
            on = {**kwargs.pop("jpserver_extensions", {}), _EXTENSION: True}
            return cast("ServerApp", super().make_serverapp(jpserver_extensions=on, **kwargs))

        @classmethod
        def initialize_server(cls, argv: list[str] | None = None, **kwargs: Any) -> ServerApp:
            """Initialize, and end the process unless the guard stands."""
            server = cast("ServerApp", super().initialize_server(argv=argv or [], **kwargs))
            _check(server)
            return server

    return AuthorizedLabApp


def _plain() -> type[Any]:
    from jupyter_server.serverapp import ServerApp  # noqa: PLC0415  # why: only without JupyterLab

    class AuthorizedServerApp(ServerApp):
        """Jupyter Server with this extension on, whatever the configuration says."""

        version = __version__
        description = _DESCRIPTION
        examples = _EXAMPLES
        classes = [*ServerApp.classes, JupyterAuthorization]  # noqa: RUF012  # why: as above

        def initialize(self, *args: Any, **kwargs: Any) -> None:
            self.jpserver_extensions = {**self.jpserver_extensions, _EXTENSION: True}
            super().initialize(*args, **kwargs)
            if not self._dispatching:
                _check(self)

    return AuthorizedServerApp


def main(argv: list[str] | None = None) -> None:
    """Start a server; ends the process with status 78 if it could not enforce."""
    import_module("jupyter_server.serverapp")
    begin()  # JupyterLab waits for Node as soon as it is imported.
    try:
        app = _lab()
    except ModuleNotFoundError:
        app = _plain()
    app.launch_instance(argv if argv is not None else sys.argv[1:])
