"""Door: whoever trusts a notebook trusts it for themselves.

Jupyter keeps one list of the notebooks whose scripts may run in a page, for all users of
a server. Here each signature in it is somebody's, so that one person's *Trust* runs
nothing in another's page, and that of a program with a token nothing in its owner's.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import HMAC
from typing import TYPE_CHECKING, Any

from ..acting import ACTING, SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbformat import NotebookNode

_MARK = "_jupyter_authorization_own"


def own_trust(manager: Any, since: Callable[[str], float | None]) -> None:
    """Have what `manager` signs, and what it finds signed, be of whoever acts; once.

    Args:
        manager: of contents.
        since: says when somebody came to be; who has their name later has not their trust.
    """
    notary = getattr(manager, "notary", None)
    if notary is None or hasattr(notary, _MARK):
        return
    kind: Any = type(notary)

    class OwnNotary(kind):  # type: ignore[misc]  # why: whichever notary is configured
        """A notary whose signatures are of one person each."""

        def compute_signature(self, nb: NotebookNode) -> str:
            """The signature of a notebook by whoever acts."""
            acting = ACTING.get()
            name = SERVER if acting is None else acting.principal.name
            whole = super().compute_signature(nb)
            said = f"{name}\0{since(name)}\0{whole}"
            token = None if acting is None else acting.principal.token
            if token is not None:
                # A program may less than its owner, whose page would run what it wrote.
                said += f"\0{token}"
            return HMAC(self.secret, said.encode(), sha256).hexdigest()

    notary.__class__ = OwnNotary
    setattr(notary, _MARK, True)
