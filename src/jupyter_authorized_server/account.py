"""A change of the store and the record of it: both, or neither.

The record goes into the store in the transaction of the change, and from there into the
chain. Whoever dies on the way, the server, a command or the database, leaves it in the
store, and whoever looks after the chain puts it there.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from .chain import Once
from .store import KeptAct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .audit import Audit, Record, Value
    from .store import Store

#: Seconds for which a record is seen to wait in the store before somebody else than who made
#: the change puts it into the chain, and an age at which nobody is waited for.
PATIENCE, OLD = 5.0, 60.0


class Account:
    """What is told of a change while it is made.

    Args:
        audit: writes the records.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._made: list[Record] = []
        #: Why a record is not in the chain yet, after the change; it waits in the store.
        self.problem: OSError | None = None

    def tell(self, kind: str, *, actor: str, fields: Mapping[str, Value]) -> None:
        """Have it recorded that `actor` makes a change of `kind`."""
        self._made.append(self._audit.made(kind, actor=actor, fields=fields))

    def keep(self, store: Store, behind: int) -> None:
        """Put what was told beside the change."""
        path = self._audit.path
        if path is not None and self._made:
            store.keep_acts(
                path,
                [KeptAct(id=str(each["id"]), behind=behind, record=each) for each in self._made],
            )

    def take_back(self, store: Store) -> None:
        """Keep nothing of what was told, where that is undone since it cannot be recorded."""
        store.drop_acts({str(each["id"]) for each in self._made})

    def settle(self, behind: int) -> None:
        """Put what was told into the chain, where nobody else has who took it for left behind."""
        once = Once((str(each["id"]) for each in self._made), behind)
        try:
            for record in self._made:
                self._audit.write(record, once=once)
        except OSError as error:
            self.problem = error


@contextlib.contextmanager
def accounted(store: Store, audit: Audit) -> Iterator[Account]:
    """Inside, what is changed in the store is one transaction, with the record of it.

    What is raised inside undoes it all, and nothing is recorded.

    Raises:
        StoreUnavailable: nothing was changed, or the store went away at that very moment and
            nobody knows; what was changed is recorded then, once it is back.
    """
    account, behind = Account(audit), 0
    with contextlib.suppress(OSError):  # What cannot be read is looked through later.
        behind = audit.last()
    with store.together():
        yield account
        account.keep(store, behind)
    account.settle(behind)


@contextlib.contextmanager
def begun(store: Store, audit: Audit, end: Callable[[], object]) -> Iterator[Account]:
    """As `accounted`, for what must not go on where the chain cannot take its record.

    Whoever is killed between the two leaves both: what has begun, and the record that waits.

    Args:
        store: where it begins.
        audit: writes the record.
        end: ends it again.

    Raises:
        OSError: it cannot be recorded, and has ended.
        StoreUnavailable: see `accounted`.
    """
    with accounted(store, audit) as account:
        yield account
    if account.problem is not None:
        with store.together():
            end()
            account.take_back(store)
        raise account.problem


class Remainders:
    """Records that wait in the store for their chain, though who made the change is gone.

    Args:
        store: where they wait.
        audit: writes them.
        steady: seconds of a clock that nobody sets.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        audit: Audit,
        *,
        steady: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._audit = audit
        self._steady = steady
        self._clock = clock
        #: When each that waits was first seen.
        self._seen: dict[str, float] = {}

    def look(self) -> int:
        """Put into the chain what has waited too long; returns how many.

        Raises:
            StoreError, OSError: not all of them, or the store still has what the chain has.
        """
        path = self._audit.path
        if path is None:
            return 0
        waiting = self._store.kept_acts(path)
        now, before = self._steady(), self._seen
        self._seen = {each.id: before.get(each.id, now) for each in waiting}
        old = self._clock() - OLD
        if not waiting:
            return 0
        once = Once(self._seen, min(each.behind for each in waiting))
        once.look(path, self._audit.last(), "")
        late = set()
        for each in waiting:
            is_due = now >= self._seen[each.id] + PATIENCE or each.time < old
            if is_due and each.id not in once.found:
                self._audit.write(dict(each.record), once=once)
                late.add(each.id)
        self._store.drop_acts(once.found | late)
        return len(late - once.found)
