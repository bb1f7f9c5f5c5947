"""Authorization for Jupyter: several people on one server, one policy under every handler.

The names below are all that others rely on. Importing this module loads no server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from .config import JupyterAuthorization
    from .server.doors.authorizer import HandlerMethodAuthorizer, PolicyAuthorizer
    from .server.doors.declared import authorized
    from .server.identity import LocalIdentityProvider

__version__ = "0.1.0"

__all__ = [
    "HandlerMethodAuthorizer",
    "JupyterAuthorization",
    "LocalIdentityProvider",
    "PolicyAuthorizer",
    "__version__",
    "authorized",
]

_LAZY = {
    "HandlerMethodAuthorizer": ".server.doors.authorizer",
    "JupyterAuthorization": ".config",
    "LocalIdentityProvider": ".server.identity",
    "PolicyAuthorizer": ".server.doors.authorizer",
    "authorized": ".server.doors.declared",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_LAZY[name], __name__), name)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Jupyter's hook: which modules of the package are server extensions."""
    from .ahead import begin  # noqa: PLC0415  # why: only where a server asks

    begin()
    return [{"module": "jupyter_authorized_server"}]


def _hook(name: str) -> Any:
    """The function `name` of the extension.

    Jupyter logs an extension that cannot be imported and starts without it, which here
    would be a server that is open: so that ends the process too.
    """
    import gc  # noqa: PLC0415  # why: only needed here

    from .ahead import end  # noqa: PLC0415  # why: only where a server asks

    end()
    # What is imported is kept, and looking through it for what is not takes a third of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        return getattr(import_module(".server.extension", __name__), name)
    except Exception as error:  # why: whatever keeps us from loading must end the process
        import logging  # noqa: PLC0415  # why: only needed on the way out

        logging.getLogger(__name__).critical(
            "not starting, since jupyter_authorized_server cannot be loaded and nothing "
            "could be enforced; mend or uninstall it",
            exc_info=error,
        )
        raise SystemExit(78) from error
    finally:
        if was_on:
            gc.enable()


def _link_jupyter_server_extension(app: ServerApp) -> None:
    """Jupyter's hook, called before the server makes its parts."""
    _hook("link")(app)


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Jupyter's hook, called before the server listens."""
    _hook("load")(app)


async def _start_jupyter_server_extension(app: ServerApp) -> None:
    """Jupyter's hook, called once the server's event loop runs."""
    await _hook("start")(app)
