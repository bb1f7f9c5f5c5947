"""Read and write without execute: whoever has signed in may save, and nothing runs."""

from jupyter_server.base.handlers import JupyterHandler


def user_is_authorized(self, user, action, resource):
    # Not any "write": on "server" it would install extensions, which runs code.
    return action == "read" or (action == "write" and resource in {"contents", "settings"})


JupyterHandler.user_is_authorized = user_is_authorized
c.ServerApp.authorizer_class = "jupyter_authorized_server.HandlerMethodAuthorizer"
