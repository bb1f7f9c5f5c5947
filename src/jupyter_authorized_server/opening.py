"""Opens the decision point that the configuration describes."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .audit import Audit
from .decision_point import DecisionPoint
from .errors import AuthorizationError
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .audit import Record
    from .config import JupyterAuthorization


def open_decision_point(
    config: JupyterAuthorization, emit: Callable[[Record], None] | None = None
) -> DecisionPoint:
    """The decision point that `config` describes, over an opened store.

    Args:
        emit: also gets each audit record; the server's event bus.

    Raises:
        PolicyError, StoreError, ConfigurationError: it cannot be; the message says
            what to do. Nothing may be served then.
    """
    store = Store.open(config.store_url)
    try:
        return DecisionPoint(
            store,
            policy_dir=config.policy_folder(),
            audit=Audit(Path(config.audit_file), emit),
            timezone=config.zone,
            homes=config.homes,
            shadow=config.mode == "shadow",
            stale=config.stale_seconds,
            owner=config.owner,
        )
    except AuthorizationError:
        store.close()
        raise


@contextlib.contextmanager
def opened_aside(
    config: JupyterAuthorization, clock: Callable[[], float] = time.time
) -> Iterator[DecisionPoint]:
    """A decision point like the server's, that records nothing, for one process or thread.

    Raises:
        PolicyError, StoreError, ConfigurationError: nothing can be decided.
    """
    store = Store.open(config.store_url)
    try:
        yield DecisionPoint(
            store,
            policy_dir=config.policy_folder(),
            audit=Audit(None),
            clock=clock,
            timezone=config.zone,
            homes=config.homes,
            owner=config.owner,
        )
    finally:
        store.close()
