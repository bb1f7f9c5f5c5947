"""Changes a store from a process of its own; started by the tests.

    changing.py URL add PREFIX COUNT    adds COUNT people
    changing.py URL cycle               for each line on standard input: forks a
                                        child that makes `change` after `change` and
                                        writes each number, until it is killed
    changing.py URL create              the same, but the child opens the store and waits

The changes repeat in a cycle of `CYCLE`, after which the store is as before: what it
holds follows from its revision alone.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

HASH = "0" * 64
CROWD = 12


def _steps(store: Store) -> list[Callable[[], object]]:
    grant = partial(store.add_grant, level="viewer", now=1, granted_by="user:ada")
    session = partial(
        store.add_login_session, secret_hash=HASH, expires=9, address="", agent="", now=1
    )
    return [
        lambda: store.add_person("ada", now=1),
        lambda: store.add_group("team", now=1),
        lambda: store.add_member("team", "user:ada"),
        *(
            partial(grant, principal=principal, resource=f"contents:/{n}")
            for n in range(CROWD)
            for principal in ("user:ada", "group:team")
        ),
        lambda: store.add_token("t1", HASH, "ci", "ada", None, 1),
        *(partial(session, f"s{n}", person="ada") for n in range(CROWD)),
        lambda: store.set_password_hash("ada", "$argon2id$made-up"),
        *(partial(session, f"r{n}", person="ada") for n in range(CROWD)),
        lambda: store.set_disabled("ada", disabled=True),
        lambda: store.remove_person("ada"),
        lambda: store.remove_group("team"),
        lambda: store.set_setup_link(HASH, 9),
        lambda: store.complete_setup(
            HASH, name="eve", display_name="Eve", password_hash=HASH, now=1
        ),
        lambda: store.remove_person("eve"),
    ]


CYCLE = 3 + 2 * CROWD + 1 + CROWD + 1 + CROWD + 6


def change(store: Store, number: int) -> None:
    """Makes the change that takes the store to revision `number`."""
    _steps(store)[(number - 1) % CYCLE]()


def _cycle(url: str) -> None:
    with Store.open(url) as store:
        number = store.revision()
        while True:
            number += 1
            change(store, number)
            os.write(1, f"{number}\n".encode())


def main(url: str, verb: str, *rest: str) -> None:
    if verb == "add":
        prefix, count = rest
        with Store.open(url, busy_timeout=30) as store:
            for number in range(int(count)):
                store.add_person(f"{prefix}{number}", now=1)
        return
    if verb == "create":
        # The parent has Alembic loaded, so that a kill meets the work and not the import.
        importlib.import_module("jupyter_authorized_server.store.migrating")
        importlib.import_module("alembic.ddl.sqlite")
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            if verb == "cycle":
                _cycle(url)
            Store.open(url)
            os.write(1, b"0\n")
            signal.pause()
        os.write(1, f"pid {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
