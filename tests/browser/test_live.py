"""What a person reads in a cell that is refused, in each front end."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import nbformat
import pytest
from browser.page import CLASSIC, LAB, NOTEBOOK, WHERE, Lab
from examples.serving import PASSWORD, run_in
from playwright.sync_api import expect
from stores import store_url

from jupyter_authorized_server.credentials import hash_password
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served
    from playwright.sync_api import Page

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser
#: Where each front end lists what runs.
LISTS = {CLASSIC: "/nbclassic/tree#running", LAB: "/lab", NOTEBOOK: "/tree"}
EVERY = pytest.mark.parametrize("front_end", [CLASSIC, LAB, NOTEBOOK])


def store_of(served: Served) -> Store:
    """The store of `served`, to be closed."""
    return Store.open(store_url(served.home))


def give(served: Served, person: str, level: str) -> None:
    """Have `person` hold `level` on the server and nothing else."""
    with contextlib.closing(store_of(served)) as store:
        before = [each.id for each in store.state().grants if each.principal == f"user:{person}"]
        # The new one first: the server may look in between, and closes what nothing allows.
        store.add_grant(
            principal=f"user:{person}",
            level=level,
            resource="server:",
            granted_by="os:test",
            now=time.time(),
        )
        for id_ in before:
            store.remove_grant(id_)


def shut_out(served: Served, person: str) -> None:
    """Have `person` hold nothing."""
    with contextlib.closing(store_of(served)) as store:
        for grant in store.state().grants:
            if grant.principal == f"user:{person}":
                store.remove_grant(grant.id)


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
    window = visit(server, "rune", f"{WHERE[front_end]}{name}")
    notebook = window.notebook(front_end)
    notebook.shows('x = "sa"')
    offers_a_runner_what_she_may_do(window.page, front_end)
    notebook.ready()
    # What a front end writes into a notebook that it opens is nothing of hers to save.
    expect(window.page.locator(".jp-mod-dirty")).to_have_count(0)
    notebook.run_all()
    notebook.prints("saved")
    notebook.prints("9")
    notebook.run_as("4 * 4")
    notebook.prints("edited or is not saved")


def offers_a_runner_what_she_may_do(page: Page, front_end: str) -> None:
    """See that what is refused to her is grey and says why, and nothing else is."""
    if front_end == CLASSIC:
        save = page.locator('[data-jupyter-action="jupyter-notebook:save-notebook"]')
        expect(save).to_have_attribute("aria-disabled", "true")
        expect(save).to_have_attribute("title", re.compile("^You can .* but not change it"))
        expect(save).to_have_accessible_name(re.compile("^Save"))
        for refused in ("#rename_notebook", "#copy_notebook", "#trust_notebook"):
            expect(page.locator(refused)).to_have_attribute("aria-disabled", "true")
        for allowed in ("#run_all_cells", "#menu-change-kernel", "#download_menu > li"):
            expect(page.locator(allowed).first).not_to_have_attribute("aria-disabled", "true")
        return
    # What asks for a kernel that would run what is typed there.
    page.wait_for_function(
        "() => { const { commands } = window.jupyterapp; "
        "const may = id => commands.hasCommand(id) && commands.isEnabled(id); "
        "return !['console:create', 'filemenu:shutdown', 'docmanager:rename', "
        "'notebook:delete-cell'].some(may) && ['notebook:run-cell', 'kernelmenu:interrupt', "
        "'kernelmenu:restart', 'runmenu:restart-and-run-all'].every(may); }"
    )
    card = "window.jupyterapp.commands.caption('console:create', {isLauncher: true})"
    shown = page.evaluate(card)
    assert shown == "You can start a kernel here, but not run in it what you type."


def hired(served: Served, name: str) -> str:
    """Have an editor of that name, and no more than that, and nobody before; the name."""
    with contextlib.closing(store_of(served)) as store:
        store.add_person(name, password_hash=hash_password(PASSWORD), now=time.time())
    give(served, name, "editor")
    return name


def until(expected: bool, served: Served, person: str, path: str) -> None:
    """Wait until `person` may change the notebook at `path`, or may not."""
    visitor, end = served.visitor(person), time.monotonic() + 60
    while (visitor.status("POST", f"/api/contents/{path}/checkpoints", {}) < 400) != expected:
        assert time.monotonic() < end
        time.sleep(0.2)


UNSTOPPED = "You can watch this kernel but not stop it."


def ends_no_kernel_of_anothers(page: Page, kernel: str) -> None:
    """See that in the list of what runs, what ends that kernel is grey and says why."""
    if "nbclassic" in page.url:
        end = page.locator("#running_list .btn-warning").last
        expect(end).to_have_attribute("aria-disabled", "true")
        expect(end).to_have_attribute("title", UNSTOPPED)
        return
    page.wait_for_function(
        "() => { const commands = window.jupyterapp?.commands; "
        "return commands?.hasCommand('kernelmenu:shutdownAll') && "
        "!commands.isEnabled('kernelmenu:shutdownAll'); }"
    )
    page.evaluate("void window.jupyterapp.commands.execute('running:show-panel')")
    for one in (f'[data-context="{kernel}"] > jp-button', ".jp-RunningSessions-shutdownAll"):
        found = (
            page.locator(".jp-RunningSessions")
            .locator(one)
            .and_(page.locator(f'[title="{UNSTOPPED}"]'))
        )
        expect(found).to_have_attribute("disabled", "")


def is_shut_out(served: Served, person: str, path: str, window: Window, front_end: str) -> None:
    """Take all from `person` and give it back; see what the page says of a cell that is run then.

    In Notebook 7 it has dropped its session when the right is back; in others it has not
    noticed yet that it was gone.
    """
    notebook = window.notebook(front_end)
    drops = front_end == NOTEBOOK
    if isinstance(notebook, Lab):
        notebook.keeps_its_session()
    window.holds_its_close()
    shut_out(served, person)
    notebook.prints("Your access to this kernel was taken back")
    # The server has said its last word and hears nothing more.
    notebook.run_as("8 * 8")
    if not drops:
        give(served, person, "editor")
        until(True, served, person, path)
    window.lets_it_close()
    notebook.prints("was taken back; what you ran goes on there without you. This was not run.")
    if drops and isinstance(notebook, Lab):
        notebook.says_why_it_left("Your access to this kernel was taken back")
        notebook.knows_of_no_access()
        notebook.drops_its_session()
        give(served, person, "editor")
        until(True, served, person, path)
    notebook.comes_back()


def keeps_what_it_greys_itself(page: Page) -> None:
    """See that nothing is offered again that cannot be done for another reason."""
    undo = page.locator("#undelete_cell")
    expect(undo).not_to_have_attribute("aria-disabled", "true")
    expect(undo).to_have_class(re.compile("disabled"))


@EVERY
def test_a_viewer_watches_and_who_is_lowered_or_shut_out_while_she_works_reads_so_and_comes_back(
    served: Start, visit: Visit, front_end: str
) -> None:
    server = served("demo")
    name = saved(server, f"live-{uuid.uuid4().hex[:6]}.ipynb", 'print("a" + "b")', "5 * 5")
    # In a kernel of another's, since her own would end with her right to what it shows.
    owner, person = (hired(server, f"{word}-{uuid.uuid4().hex[:6]}") for word in ("olga", "emmy"))
    body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    olga = server.visitor(owner)
    status, session = olga.ask("POST", "/api/sessions", body)
    assert 201 == status
    window = visit(server, person, f"{WHERE[front_end]}{name}")
    notebook = window.notebook(front_end)
    notebook.shows('print("a" + "b")')
    notebook.run_all()
    notebook.prints("ab")
    # The classic notebook asks for a session of one's own, which a viewer may not have.
    if front_end != CLASSIC:
        watched = visit(server, "vera", f"{WHERE[front_end]}{name}").notebook(front_end)
        watched.shows('print("a" + "b")')
        watched.ready()
        watched.run_as("6 * 6")
        watched.prints("You can watch this kernel but not run code in it.")
        bug = watched.page.locator(".jp-DebuggerBugButton")
        expect(bug).to_have_attribute("title", "You can watch this kernel but not debug it.")
        expect(bug).to_have_attribute("disabled", "")
    ends_no_kernel_of_anothers(
        visit(server, "vera", LISTS[front_end]).page, session["kernel"]["id"]
    )
    give(server, person, "viewer")
    until(False, server, person, name)
    notebook.run_as("7 * 7")
    notebook.prints("You can watch this kernel but not run code in it.")
    notebook.listen()
    # In a thread of its own, since the browser's has a loop already.
    with ThreadPoolExecutor(1) as apart:
        code = 'print("to who" + " watches")'
        apart.submit(run_in, olga, session["kernel"]["id"], code).result()
    window.hears("to who watches")
    give(server, person, "editor")
    until(True, server, person, name)
    end = f"while not os.path.exists('{name}.end'): time.sleep(0.1)"
    notebook.run_as(f"import os, time\nprint('be' + 'gun')\n{end}")
    notebook.prints("begun")
    if front_end == CLASSIC:
        keeps_what_it_greys_itself(window.page)
    is_shut_out(server, person, name, window, front_end)
    (server.root / f"{name}.end").touch()
    notebook.run_as("print('8 * 8 was', 'run' if '8 * 8' in In else 'left out')")
    notebook.prints("8 * 8 was left out")
    with contextlib.closing(store_of(server)) as store:
        store.set_disabled(person, disabled=True)
    window.stays_away()
    notebook.says_why_it_left("You are signed out.")
    assert 204 == olga.status("DELETE", f"/api/sessions/{session['id']}")


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
    connected = "window.Jupyter?.notebook?.kernel?.is_connected()"
    window.page.wait_for_function(connected)
    assert kernel == window.page.evaluate("Jupyter.notebook.kernel.id")
