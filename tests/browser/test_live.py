"""What a person reads in a cell that is refused, in each front end."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

import nbformat
import pytest
from browser.page import CLASSIC, LAB, NOTEBOOK, WHERE

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser
EVERY = pytest.mark.parametrize("front_end", [CLASSIC, LAB, NOTEBOOK])


def give(served: Served, person: str, level: str) -> None:
    """Have `person` hold `level` on the server and nothing else."""
    store = Store.open(f"sqlite:///{served.home / 'data' / 'authorization' / 'store.sqlite'}")
    with contextlib.closing(store):
        for grant in store.state().grants:
            if grant.principal == f"user:{person}":
                store.remove_grant(grant.id)
        store.add_grant(
            principal=f"user:{person}",
            level=level,
            resource="server:",
            granted_by="os:test",
            now=time.time(),
        )


def saved(served: Served, name: str, *cells: str) -> str:
    """Write a notebook with these cells; its name."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    # Without it, JupyterLab asks which kernel is meant.
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=spec), served.root / name)
    return name


@EVERY
def test_a_runner_runs_what_is_saved_and_reads_in_the_cell_why_not_what_was_edited(
    served: Start, visit: Visit, front_end: str
) -> None:
    server = served("demo")
    name = saved(server, f"saved-{front_end}.ipynb", 'x = "sa"', 'print(x + "ved")', "3 * 3")
    notebook = visit(server, "rune", f"{WHERE[front_end]}{name}").notebook(front_end)
    notebook.shows('x = "sa"')
    notebook.run_all()
    notebook.prints("saved")
    notebook.prints("9")
    notebook.run_as("4 * 4")
    notebook.prints("edited or is not saved")


def test_who_is_lowered_while_she_works_reads_so_at_her_next_run(
    served: Start, visit: Visit
) -> None:
    server = served("demo")
    give(server, "edda", "editor")
    name = saved(server, "live.ipynb", 'print("a" + "b")', "5 * 5")
    notebook = visit(server, "edda", f"{WHERE[CLASSIC]}{name}").classic()
    notebook.shows('print("a" + "b")')
    notebook.run_all()
    notebook.prints("ab")
    give(server, "edda", "viewer")
    visitor = server.visitor("edda")
    end = time.monotonic() + 60
    # What takes the level that she had.
    while visitor.status("POST", f"/api/contents/{name}/checkpoints", {}) != 403:
        assert time.monotonic() < end
        time.sleep(0.2)
    notebook.run_as("7 * 7")
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
