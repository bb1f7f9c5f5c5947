"""What a person reads in a cell that is refused, in the classic notebook."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest
from browser.page import CLASSIC, WHERE

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser


def lower(served: Served, person: str) -> None:
    """Have `person` be a viewer of the server and nothing else."""
    store = Store.open(f"sqlite:///{served.home / 'data' / 'authorization' / 'store.sqlite'}")
    with contextlib.closing(store):
        for grant in store.state().grants:
            if grant.principal == f"user:{person}":
                store.remove_grant(grant.id)
        store.add_grant(
            principal=f"user:{person}",
            level="viewer",
            resource="server:",
            granted_by="os:test",
            now=time.time(),
        )


def test_a_runners_edited_cell_is_refused_in_the_cell(served: Start, visit: Visit) -> None:
    notebook = visit(served("demo"), "rune", f"{WHERE[CLASSIC]}statistics.ipynb").classic()
    notebook.shows("Rain in a week")
    notebook.insert('print("made up")')
    notebook.run()
    notebook.prints("edited or is not saved")


def test_who_is_lowered_while_she_works_reads_so_at_her_next_run(
    served: Start, visit: Visit
) -> None:
    server = served("demo")
    notebook = visit(server, "edda", f"{WHERE[CLASSIC]}statistics.ipynb").classic()
    notebook.shows("Rain in a week")
    notebook.insert('print("a" + "b")')
    notebook.run()
    notebook.prints("ab")
    lower(server, "edda")
    visitor = server.visitor("edda")
    end = time.monotonic() + 60
    # What takes the level that she had.
    while visitor.status("POST", "/api/contents/statistics.ipynb/checkpoints", {}) != 403:
        assert time.monotonic() < end
        time.sleep(0.2)
    notebook.insert('print("c" + "d")')
    notebook.run()
    notebook.prints("You can watch this kernel but not run code in it.")
