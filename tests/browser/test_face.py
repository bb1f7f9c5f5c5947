"""What the extension of JupyterLab and Notebook 7 shows: who one is, what one may, why not."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from browser.accessible import out_of_reach, violations
from browser.page import CLASSIC, LAB, NOTEBOOK, WHERE
from playwright.sync_api import expect
from stores import store_url

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.page import Window
    from examples.serving import Served
    from playwright.sync_api import Locator, Page

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]
    Shoot = Callable[[Window, str], None]

pytestmark = pytest.mark.browser

NOTEBOOK_FILE = "team/plan.ipynb"
UNSAVED = "You can view team/plan.ipynb but not change it."
UNSTARTED = "You can view team/plan.ipynb but not start a kernel for it."


MAY_SAVE = (
    "async on => (await (await fetch(`/api/authz/me?resource=${on}`)).json())"
    ".resources[on].actions.save.allowed"
)


def regrant(served: Served, person: str, level: str, **more: str) -> None:
    """Have `person` hold `level` on the server, `more` in folders of it, and nothing else."""
    wanted = {"server:": level, **{f"contents:/{name}": each for name, each in more.items()}}
    store = Store.open(store_url(served.home))
    with contextlib.closing(store):
        now = time.time()
        before = [each.id for each in store.state().grants if each.principal == f"user:{person}"]
        # The new ones first: the server may look in between, and closes what nothing allows.
        for resource, each in wanted.items():
            if each:
                store.add_grant(
                    principal=f"user:{person}",
                    level=each,
                    resource=resource,
                    granted_by="policy",
                    now=now,
                )
        for id_ in before:
            store.remove_grant(id_)


def own_copy(served: Served) -> str:
    """A notebook that no other test, and no other try of this one, has touched; its name."""
    name = f"{secrets.token_hex(4)}.ipynb"
    shutil.copy(served.home / "notebooks" / "statistics.ipynb", served.root / name)
    return name


def put_away(dialog: Locator) -> None:
    """Answer a dialog of JupyterLab's own so that no other follows."""
    none = dialog.get_by_role("button", name="No Kernel", exact=True)
    (none if none.count() else dialog.get_by_role("button").last).click()


def ask_why(window: Window, shoot: Shoot) -> None:
    """From the front end's dialog about a refusal to the reason, and to asking for more."""
    page = window.page
    refused = page.locator(".jp-Dialog").filter(has_text="Error Starting Kernel")
    why = refused.get_by_role("button", name="Why can't I?")
    # By keyboard: upstream would take Enter for its own button.
    why.press("Enter")
    select = page.locator(".jp-Dialog").filter(has_text="Select Kernel")
    select.get_by_role("button", name="No Kernel").click()
    dialog = page.get_by_role("dialog", name="Why this is refused")
    expect(dialog).to_contain_text("You can view team/plan.ipynb but not start a kernel for it.")
    expect(dialog).to_contain_text("You tried to start a kernel for team/plan.ipynb.")
    expect(dialog).to_contain_text("The lowest level that can do this is runner.")
    dialog.get_by_text("Ask for access…").click()
    expect(dialog.get_by_label("Level")).to_have_value("runner")
    assert [] == violations(page, ".jp-Dialog")
    shoot(window, "lab-why-light")
    assert [] == out_of_reach(page, ".authz-Dialog")
    dialog.get_by_role("button", name="Close", exact=True).last.click()


@pytest.mark.parametrize("front_end", [LAB, NOTEBOOK])
def test_a_viewer_reads_that_she_is_viewing_and_why_she_cannot_save_or_run(
    served: Start, visit: Visit, shoot: Shoot, front_end: str
) -> None:
    server = served("demo")
    file = server.root / NOTEBOOK_FILE
    before = file.read_bytes()
    window = visit(server, "vera", f"{WHERE[front_end]}{NOTEBOOK_FILE}")
    notebook = window.lab()
    notebook.shows("Plan of the week")
    page = window.page
    failed = page.locator(".jp-Dialog").filter(has_text="Error Starting Kernel")
    expect(failed).to_contain_text("not start a kernel for it.")
    expect(failed.get_by_role("button", name="Why can't I?")).to_be_visible()
    if front_end == LAB:
        shoot(window, "viewer-lab")
        ask_why(window, shoot)
    else:
        notebook.no_kernel()
    expect(page.locator(".authz-Badge button")).to_have_text("Viewing")
    expect(page.locator(".jp-NotebookPanel.authz-mod-readOnly")).to_be_visible()
    expect(page.locator(".jp-Cell .cm-content").first).to_have_attribute("aria-readonly", "true")
    if front_end == LAB:
        expect(page.locator(".authz-Status button")).to_have_text("vera: can view")
        save = page.locator('[data-jp-item-name="save"] jp-button')
        expect(save).to_have_attribute("aria-disabled", "true")
        expect(save).to_have_attribute("title", re.compile(re.escape(UNSAVED)))
        # It has no words of its own: who hears the page finds it all the same.
        expect(page.get_by_role("button", name=re.compile("^Save"))).to_be_disabled()
        upload = page.locator('.jp-FileBrowser [data-jp-item-name="uploader"] jp-button')
        expect(upload).to_have_attribute("disabled", "")
    twin = "window.jupyterapp.commands.isEnabled('docmanager:duplicate')"
    assert page.evaluate(twin) is False
    if front_end == LAB:
        keys_that_are_refused_say_why(page)
    notebook.save()
    notebook.refuses(UNSAVED)
    assert file.read_bytes() == before
    page.click(".authz-Badge button")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("user:vera")
    expect(dialog).to_contain_text("viewer")
    expect(dialog.locator('[data-action="save"]')).to_contain_text(UNSAVED)
    leave = dialog.get_by_role("link", name="Log out")
    expect(leave).to_have_attribute("href", re.compile("/logout$"))
    assert [] == window.asked_twice()
    shoot(window, f"{front_end}-about-light")


def keys_that_are_refused_say_why(page: Page) -> None:
    """Press what a person knows by heart; to a viewer, each does nothing and says the reason."""
    cells = page.locator(".jp-NotebookPanel-notebook .jp-Cell")
    drawn = cells.count()
    cells.first.click()
    page.keyboard.press("Escape")
    for keys, reason in (
        ("ii", UNSTARTED),
        ("00", UNSTARTED),
        ("dd", UNSAVED),
        ("b", UNSAVED),
        ("x", UNSAVED),
    ):
        page.keyboard.type(keys)
        told = page.locator(".Toastify__toast").filter(has_text=reason)
        # Once, however often.
        expect(told).to_have_count(1)
        told.get_by_role("button", name="Hide notification").click()
        expect(told).to_have_count(0)
        cells.first.click()
        page.keyboard.press("Escape")
    assert drawn == cells.count()
    # And so nothing is there to be saved; upstream changes a notebook as it opens it.
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)


def test_an_editor_is_told_at_once_what_she_lost_and_loses_no_text(
    served: Start, visit: Visit, shoot: Shoot
) -> None:
    server = served("demo")
    name, copy = own_copy(server), server.root / "own" / "copy.ipynb"
    copy.parent.mkdir(exist_ok=True)
    copy.unlink(missing_ok=True)
    regrant(server, "edda", "editor")
    window = visit(server, "edda", f"{WHERE[LAB]}{name}")
    notebook = window.lab()
    notebook.shows("Rain in a week")
    page = window.page
    badge = page.locator(".authz-Badge button")
    expect(badge).to_have_text("Editing")
    notebook.ready()
    # Somebody else looks at it, in the same kernel.
    watching = visit(server, "vera", f"{WHERE[NOTEBOOK]}{name}")
    watching.lab().ready()
    notebook.insert("# half a sentence")
    regrant(server, "edda", "viewer", own="contributor")
    # What was drawn while she could is grey now.
    save = page.locator('[data-jp-item-name="save"] jp-button')
    # Her kernel may end with what it may see; then JupyterLab asks which one she wants,
    # and what is offered to her must not wait for the answer.
    theirs = page.locator(".jp-Dialog").filter(has_not=page.locator(".authz-Dialog"))
    page.add_locator_handler(theirs, put_away, no_wait_after=True)
    expect(badge).to_have_text("Viewing")
    expect(save).to_have_attribute("aria-disabled", "true")
    toasts = page.locator(".Toastify__toast")
    expect(toasts.filter(has_text="is read-only for you now")).to_be_visible()
    # The kernel was hers and showed more than she may have now.
    expect(toasts.filter(has_text=f"The kernel of {name} was stopped")).to_be_visible()
    banner = page.get_by_role("region", name="Save a copy of your own")
    expect(banner).to_contain_text("What you typed is still here")
    shoot(window, "lab-lowered-light")
    expect(page.locator(".jp-NotebookPanel-notebook")).to_contain_text("# half a sentence")
    expect(page.locator(".jp-NotebookPanel.authz-mod-readOnly")).to_be_visible()
    banner.get_by_role("button", name="Save my copy…").click()
    assert [] == violations(page, ".authz-Banner")
    # A name that is taken is not written over, and where she may not is said.
    for path, said in (
        ("statistics.ipynb", "exists already"),
        ("copy.ipynb", "but not"),
        ("own/copy.ipynb", "Your copy is own/copy.ipynb"),
    ):
        banner.get_by_label("Where to save").fill(path)
        banner.get_by_role("button", name="Save", exact=True).click()
        expect(banner.locator(".authz-say")).to_contain_text(said)
    assert "# half a sentence" in copy.read_text("utf-8")
    # That its cells took nothing here is no part of what is hers.
    assert "editable" not in copy.read_text("utf-8")
    assert "# half a sentence" not in (server.root / name).read_text("utf-8")
    theirs_too = watching.page.locator(".Toastify__toast")
    expect(theirs_too.filter(has_text="its owner may have less now")).to_be_visible()
    regrant(server, "edda", "editor")
    expect(badge).to_have_text("Editing")
    expect(banner).to_be_hidden()
    expect(save).not_to_have_attribute("aria-disabled", "true")
    expect(page.locator(".jp-NotebookPanel.authz-mod-readOnly")).to_have_count(0)
    expect(page.locator(".jp-Cell .cm-content[aria-readonly]")).to_have_count(0)
    notebook.save()
    notebook.saved()
    assert "# half a sentence" in (server.root / name).read_text("utf-8")


def test_who_is_given_more_and_then_nothing_while_her_code_runs_is_told_and_keeps_her_page(
    served: Start, visit: Visit
) -> None:
    server = served("demo")
    regrant(server, "edda", "editor")
    name = own_copy(server)
    window = visit(server, "edda", f"{WHERE[LAB]}{name}")
    notebook = window.lab()
    notebook.shows("Rain in a week")
    notebook.insert("import time; print('be' + 'gun'); time.sleep(3600)")
    notebook.run()
    notebook.prints("begun")
    page = window.page
    # Of what she is given she is told, and nothing of hers is stopped for it.
    regrant(server, "edda", "manager")
    more = f"You may have more files now than the kernel of {name} sees. Restart it"
    expect(page.locator(".Toastify__toast").filter(has_text=more)).to_be_visible()
    expect(page.locator(".jp-NotebookPanel-notebook")).to_contain_text("begun")
    regrant(server, "edda", "")
    gone = page.locator(".Toastify__toast").filter(has_text="You have no access to")
    expect(gone).to_be_visible()
    expect(page.locator(".jp-NotebookPanel-notebook")).to_contain_text("time.sleep(3600)")
    regrant(server, "edda", "editor")


def test_a_name_that_is_html_is_shown_as_text(served: Start, visit: Visit) -> None:
    server = served("demo")
    name = "<img src=x onerror=document.title=1>'\"&\u202e.ipynb"
    (server.root / name).write_bytes((server.root / NOTEBOOK_FILE).read_bytes())
    window = visit(server, "vera", "/lab")
    page = window.page
    page.locator(".jp-DirListing-item").filter(has_text="onerror").dblclick()
    window.lab().shows("Plan of the week")
    window.lab().no_kernel()
    page.click(".authz-Badge button")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h3").first).to_have_text(f"In {name}")
    assert page.locator(".authz img").count() == 0


def test_the_access_page_is_a_tab_of_jupyterlab_and_its_launcher_tells_the_truth(
    served: Start, visit: Visit, shoot: Shoot
) -> None:
    window = visit(served("demo"), "vera", "/lab")
    page = window.page
    cards = page.locator(".jp-LauncherCard")
    notebooks = cards.and_(page.locator('[data-category="Notebook"]'))
    unmade = "You can view the top folder but not create"
    expect(notebooks.first).to_have_attribute("title", re.compile(unmade))
    expect(page.locator(".authz-Status button")).to_have_text("vera: can view")
    expect(cards.filter(has_text="Terminal")).to_have_attribute("aria-disabled", "true")
    expect(cards.filter(has_text="Contextual Help")).not_to_have_attribute("aria-disabled", "true")
    listed = page.locator(".jp-DirListing-item").filter(has_text="notes.txt")
    expect(listed.get_by_role("img", name="read-only for you")).to_have_attribute(
        "title", "You can view notes.txt but not change it."
    )
    # A menu says it as well, where one points at the words.
    page.locator(".jp-DirListing-item").filter(has_text="notes.txt").click(button="right")
    rename = page.get_by_role("menuitem", name="Rename")
    expect(rename).to_have_attribute("aria-disabled", "true")
    expect(rename).to_have_attribute("title", re.compile("^You can view notes.txt but not rename"))
    open_ = page.get_by_role("menuitem", name="Open", exact=True)
    expect(open_).not_to_have_attribute("title", re.compile("."))
    page.keyboard.press("Escape")
    shoot(window, "lab-launcher-light")
    # Grey for those who read it out as well, so that a click has to be forced.
    notebooks.first.click(force=True)
    toast = page.locator(".Toastify__toast").filter(has_text=unmade)
    toast.get_by_role("button", name="Why can't I?").click()
    dialog = page.get_by_role("dialog", name="Who you are here and what you can do")
    dialog.get_by_role("link", name="Access page").click()
    tab = page.locator(".authz-Page")
    expect(tab.get_by_role("tab", name="My access")).to_have_attribute("aria-selected", "true")
    tab.get_by_role("tab", name="Live doors").click()
    expect(tab.locator("tbody tr").first).to_contain_text("the events of this server")
    expect(tab.locator('[aria-busy="true"]')).to_have_count(0)
    assert [] == violations(page, ".authz-Page")
    shoot(window, "lab-access-light")
    # A text that could not be saved takes nothing.
    page.locator(".jp-DirListing-item").filter(has_text="notes.txt").dblclick()
    text = page.locator(".jp-FileEditor .cm-content")
    expect(text).to_have_attribute("aria-readonly", "true")
    # What was asked for the listing serves for the document as well.
    assert [] == window.asked_twice()


def test_the_classic_notebook_says_what_one_can_do_and_leads_to_sharing(
    served: Start, visit: Visit, shoot: Shoot
) -> None:
    server = served("demo")
    regrant(server, "edda", "editor")
    window = visit(server, "edda", f"{WHERE[CLASSIC]}{NOTEBOOK_FILE}")
    notebook = window.classic()
    notebook.shows("Plan of the week")
    page = window.page
    badge = page.locator("#maintoolbar-container .authz-link").first
    expect(badge).to_have_text("Editing")
    # With no run going on nothing else on this page would tell.
    notebook.ready()
    regrant(server, "edda", "viewer", own="contributor")
    expect(badge).to_have_text("Viewing")
    notices = page.locator("#header .authz-notice")
    expect(notices.filter(has_text="plan.ipynb is read-only for you now")).to_be_visible()
    stopped = notices.filter(has_text="The kernel of plan.ipynb was stopped")
    expect(stopped).to_be_visible()
    # A dialog about the dead kernel may come, or not yet.
    dead = page.locator(".modal.in").filter(has_not_text="Save As")
    # Its last button would start another kernel, which is refused in a dialog, and so on.
    page.add_locator_handler(dead, lambda found: found.locator(".close").click())
    shoot(window, "face-classic")
    notices.get_by_role("button", name="Save my copy…").click()
    asked = page.locator(".modal.in").filter(has_text="Save As")
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_have_count(0)
    regrant(server, "edda", "editor")
    expect(badge).to_have_text("Editing")
    given = notices.filter(has_text="You can change plan.ipynb again")
    given.get_by_role("button", name="Close").click()
    expect(notices).to_have_count(0)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Share…").click()
    shared = opened.value
    expect(shared.get_by_role("tab", name="Grants")).to_have_attribute("aria-selected", "true")
    expect(shared.locator("h3").first).to_have_text("Share team/plan.ipynb")
    expect(shared.locator(".authz-share tbody tr")).to_contain_text(["user:edda"])
    page.goto(f"{server.url}/nbclassic/tree")
    leads = page.get_by_role("link", name="Access page")
    expect(leads).to_have_attribute("href", "/authz")
    # Whole on a telephone, too.
    wide = page.viewport_size or {"width": 1100, "height": 680}
    page.set_viewport_size({"width": 320, "height": 680})
    expect(leads).to_be_in_viewport(ratio=1)
    page.set_viewport_size(wide)
    page.remove_locator_handler(dead)
    the_tree_greys_what_is_refused(page)
    refusals_lead_to_reasons(server, page)


def the_tree_greys_what_is_refused(page: Page) -> None:
    """In the classic tree, to an editor: what is grey says why, and leads to the reason."""
    leave = page.locator("#shutdown")
    expect(leave).to_have_attribute("aria-disabled", "true")
    expect(leave).to_have_attribute("title", re.compile("but not administer it"))
    # The list is drawn anew once it is known what runs, so both in one go.
    page.wait_for_function(
        "() => { const rows = [...document.querySelectorAll('#notebook_list .list_item')]; "
        "const row = rows.find(each => each.textContent.includes('notes.txt')); "
        "const box = row?.querySelector('input[type=checkbox]'); "
        "if (!box?.checked) { box?.click(); return false; } "
        "const button = document.querySelector('.delete-button[aria-disabled=true]'); "
        "if (!button?.checkVisibility()) { return false; } button.click(); return true; }"
    )
    for refused in (".delete-button", ".rename-button", "#upload_span", "#new-terminal"):
        expect(page.locator(refused)).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".download-button")).not_to_have_attribute("aria-disabled", "true")
    told = page.locator("#header .authz-notice").filter(has_text="but not delete it")
    told.get_by_role("button", name="Why can't I?").click()
    why = page.get_by_role("dialog", name="Why this is refused")
    expect(why).to_contain_text("The lowest level that can do this is manager.")
    why.get_by_role("button", name="Close", exact=True).click()
    expect(why).to_have_count(0)
    told.get_by_role("button", name="Close").click()


def refusals_lead_to_reasons(server: Served, page: Page) -> None:
    """From the classic tree and editor, to whoever is refused there."""
    # As on a page that has not heard yet that it is refused: else it is grey.
    page.evaluate("require(['jquery'], found => found('#new-folder').triggerHandler('click'))")
    failed = page.locator(".modal.in").filter(has_text="Creating Folder Failed")
    failed.get_by_role("button", name="Why can't I?").click()
    why = page.get_by_role("dialog", name="Why this is refused")
    expect(why).to_contain_text("The lowest level that can do this is contributor.")
    # Of a refused save the editor itself tells nobody.
    page.goto(f"{server.url}/nbclassic/edit/notes.txt")
    editor = page.locator(".CodeMirror textarea")
    expect(page.locator(".CodeMirror-code")).to_contain_text("Sample notes.")
    # The part that tells of refusals comes after the text.
    expect(page.get_by_role("link", name="Access page")).to_be_visible()
    regrant(server, "edda", "viewer")
    # The page's own wait takes the promise of an answer for a yes.
    while page.evaluate(MAY_SAVE, "contents:/notes.txt"):
        page.wait_for_timeout(50)
    # It takes no more text then, and says so.
    expect(page.locator(".authz-link").first).to_have_text("Viewing")
    editor.press("End")
    page.keyboard.type("more")
    expect(page.locator(".CodeMirror-code")).not_to_contain_text("more")
    page.keyboard.press("Control+s")
    unsaved = "You can view notes.txt but not change it."
    refused = page.locator("#header .authz-notice").filter(has_text=unsaved)
    page.keyboard.press("Control+s")
    expect(refused).to_have_count(1)
    refused.get_by_role("button", name="Why can't I?").click()
    expect(why).to_contain_text("The lowest level that can do this is editor.")
    why.get_by_role("button", name="Close", exact=True).click()
    expect(why).to_have_count(0)
    refused.get_by_role("button", name="Close").click()
    expect(refused).to_have_count(0)
    regrant(server, "edda", "editor")
