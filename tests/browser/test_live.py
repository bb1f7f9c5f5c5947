"""What a person reads in a cell that is refused, in the classic notebook."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from browser.page import CLASSIC, LAB, WHERE

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


def test_a_notebook_that_runs_in_an_administrators_kernel_gets_another_one(
    served: Start, visit: Visit
) -> None:
    server, name = served("demo"), "rain.ipynb"
    shutil.copy(server.home / "notebooks" / "statistics.ipynb", server.home / "notebooks" / name)
    body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    status, session = server.visitor("adam").ask("POST", "/api/sessions", body)
    assert 201 == status
    theirs = session["kernel"]["id"]
    # A runner may touch less than what that kernel shows.
    window = visit(server, "rune", f"{WHERE[LAB]}{name}")
    window.lab().ready()
    kernel, path = window.page.evaluate(
        "() => { const at = window.jupyterapp.shell.currentWidget.context; "
        "return [at.sessionContext.session.kernel.id, at.path]; }"
    )
    assert name == path
    assert kernel != theirs
    window = visit(server, "rune", f"{WHERE[CLASSIC]}{name}")
    connected = "Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected()"
    window.page.wait_for_function(connected)
    assert kernel == window.page.evaluate("Jupyter.notebook.kernel.id")
