"""Read-only: whoever has signed in may look at everything and change nothing."""

from jupyter_server.base.handlers import JupyterHandler


def user_is_authorized(self, user, action, resource):
    # Pages keep each person's own layout and settings apart; they are no files of yours.
    return action == "read" or (action, resource) == ("write", "settings")


JupyterHandler.user_is_authorized = user_is_authorized
c.ServerApp.authorizer_class = "jupyter_authorized_server.HandlerMethodAuthorizer"
