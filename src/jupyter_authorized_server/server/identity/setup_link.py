"""Identity: the one-time link by which the first administrator signs in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from ...credentials import new_secret, secret_matches

if TYPE_CHECKING:
    from ...decision_point import DecisionPoint

#: Path of the page, below the server's base URL.
PATH = "/authz/setup"
#: Seconds for which a link opens the page.
HOLDS = 24 * 3600.0


def setup_url(point: DecisionPoint, base: str, *, now: float | None = None) -> str | None:
    """A new set-up link below `base`; None where somebody is in the store already.

    The extension calls this at each start and prints the answer once. Only its hash
    is kept, and a new link takes the place of the last one.

    Args:
        point: whose store it is kept in.
        base: the address of the server with its base URL, such as
            `http://127.0.0.1:8888/`.
        now: seconds since the epoch; the clock's when not given.

    Raises:
        StoreError: the store cannot be written.
    """
    point.refresh()
    if point.state.people:
        return None
    secret = new_secret()
    moment = time.time() if now is None else now
    point.store.set_setup_link(secret.hash, expires=moment + HOLDS)
    # The parameter has this name because Jupyter's access log blanks what is called so.
    return f"{url_path_join(base, PATH)}?token={secret.text}"


def open_link(point: DecisionPoint, text: str, *, now: float) -> str | None:
    """The hash of the link whose secret is `text`; None unless it still opens the page.

    Raises:
        StoreError: the store cannot be read.
    """
    found = point.store.setup_link()
    if found is None:
        return None
    hash_, expires = found
    return hash_ if now < expires and secret_matches(text, hash_) else None
