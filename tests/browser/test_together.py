"""One notebook in the pages of several people, with what jupyter-collaboration adds to them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser.page import LAB, WHERE
from browser.test_face import own_copy, regrant
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from browser.page import Window
    from examples.serving import Served
    from playwright.sync_api import Locator, Page, WebSocket

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]

pytestmark = pytest.mark.browser

#: Where `make check` puts the packages of the others, jupyter-collaboration among them.
OTHERS = Path(sys.prefix) / "others"
PANELS = OTHERS / "share" / "jupyter" / "labextensions" / "@jupyter"
EXTENSIONS = ("collaboration-extension", "docprovider-extension")
#: In the output of an editor's cell: a page that trusts it says that it did.
SCRIPT = (
    "<b>an output</b><script>window.hurt = true</script><img src=x onerror='window.hurt=true'>"
)
ROOM = "/api/collaboration/room/json"
#: First bytes of a message in a room that says what a page has, or has that is new.
EDIT = (b"\x00\x01", b"\x00\x02")


@pytest.fixture(scope="module")
def server(served: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Where documents are edited together."""
    if not all((PANELS / name).is_dir() for name in EXTENSIONS):
        missing = "the pages of jupyter-collaboration are not installed; `make check` does it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(missing)
        pytest.skip(missing)  # why: in CI it fails, above
    # Each of the others changes every page; these alone are meant.
    shown: Path = tmp_path_factory.mktemp("pages")
    (shown / "@jupyter").mkdir()
    for name in EXTENSIONS:
        (shown / "@jupyter" / name).symlink_to(PANELS / name)
    with pytest.MonkeyPatch.context() as patched:
        known = filter(None, (os.environ.get("PYTHONPATH"), str(OTHERS)))
        patched.setenv("PYTHONPATH", os.pathsep.join(known))
        yield served(
            "demo",
            "",
            f"--LabApp.extra_labextensions_path={shown}",
            '--ServerApp.jpserver_extensions={"jupyter_server_ydoc": True, '
            '"jupyter_server_fileid": True}',
            "--YDocExtension.document_save_delay=0.1",
        )


class Edits:
    """What a page sends into the room of its document, of what it has and who sees."""

    def __init__(self, page: Page) -> None:
        self.sent: list[bytes] = []
        page.on("websocket", self._note)

    def _note(self, socket: WebSocket) -> None:
        if ROOM in socket.url:
            socket.on("framesent", self._keep)

    def _keep(self, frame: bytes | str) -> None:
        if isinstance(frame, bytes) and frame[:2] in EDIT:
            self.sent.append(frame)


def cell(window: Window, number: int) -> Locator:
    return window.page.locator(".jp-NotebookPanel .jp-Cell").nth(number)


def texts(window: Window) -> str:
    """What the cells say, as the page has them."""
    return str(
        window.page.evaluate(
            "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells"
            ".map(each => each.getSource()).join('\\n')"
        )
    )


def writes(window: Window, text: str) -> None:
    """Put `text` at the end of the second cell, as its editor does with what is typed.

    Not with the keyboard: a kernel may end meanwhile, and JupyterLab then has a dialog
    that takes what is typed.
    """
    window.page.evaluate(
        """text => {
          const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells;
          const { length } = cells[1].getSource();
          cells[1].updateSource(length, length, `\\n${text}`);
        }""",
        text,
    )


def has(window: Window, text: str) -> None:
    """Wait until the page has `text` in its cells."""
    window.page.wait_for_function(
        "text => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells"
        ".some(each => each.getSource().includes(text))",
        arg=text,
    )


def refused(server: Served, person: str, name: str) -> list[tuple[str, str]]:
    """What the records say that `person` tried to do with the file `name` and could not."""
    asked = f"/api/authz/audit?person={person}&outcome=deny&q={name}"
    status, found = server.visitor("adam").ask("GET", asked)
    assert status == 200, found
    return [(each["action"], each["request"]) for each in found["items"]]


def test_a_viewer_reads_what_an_editor_types_and_sends_nothing_herself(
    server: Served, visit: Visit
) -> None:
    regrant(server, "edda", "editor")
    name = own_copy(server)
    at = f"{WHERE[LAB]}{name}"
    edda = visit(server, "edda", at)
    vera = visit(server, "vera", "/api")
    edits = Edits(vera.page)
    # Else hers would be the first that asks for a kernel, and have a dialog about that.
    edda.lab().ready()
    vera.go(at)
    for window in (edda, vera):
        window.lab().shows("Rain in a week")
    badge = vera.page.locator(".authz-Badge button")
    expect(badge).to_have_text("Viewing")
    expect(edda.page.locator(".authz-Badge button")).to_have_text("Editing")
    edda.lab().insert("# by an editor")
    has(vera, "# by an editor")
    expect(vera.page.locator(".jp-Cell .cm-content").nth(1)).to_have_attribute(
        "aria-readonly", "true"
    )
    # Nor is she asked at the end whether to keep what another has typed.
    expect(vera.page.locator(".jp-mod-dirty")).to_have_count(0)
    before, edits.sent = texts(vera), []
    cell(vera, 1).locator(".cm-content").click()
    vera.page.keyboard.insert_text("by a viewer")
    vera.page.keyboard.press("Escape")
    for key in ("b", "m", "d", "d"):
        vera.page.keyboard.press(key)
    # Whatever would be sent is by then.
    vera.page.wait_for_timeout(500)
    assert (before, []) == (texts(vera), edits.sent)
    # An editor sees who else may use it, and is not told that she does not.
    edda.page.get_by_role("button", name="Share…").first.click()
    shares = edda.page.get_by_role("dialog")
    expect(shares).to_contain_text("user:vera")
    expect(shares).not_to_contain_text("You see what reaches yourself")
    # Whoever opens a document tries nothing, whatever her page makes of it.
    assert refused(server, "vera", name) == []
    # That the viewer looks on is in no cell either.
    assert "editable" not in (server.root / name).read_text("utf-8")


def test_who_is_lowered_as_she_types_loses_nothing_and_who_is_shut_out_keeps_what_she_sees(
    server: Served, visit: Visit
) -> None:
    regrant(server, "edda", "editor")
    name = own_copy(server)
    edda, adam = (visit(server, who, f"{WHERE[LAB]}{name}") for who in ("edda", "adam"))
    for window in (edda, adam):
        window.lab().shows("Rain in a week")
    badge = edda.page.locator(".authz-Badge button")
    expect(badge).to_have_text("Editing")
    writes(edda, "# kept")
    has(adam, "# kept")
    regrant(server, "edda", "viewer")
    expect(badge).to_have_text("Viewing")
    # As what was typed in the moment before the page was told.
    writes(edda, "# unsaved")
    banner = edda.page.get_by_role("region", name="Save a copy of your own")
    expect(banner).to_contain_text("What you typed is still here")
    # The room goes on without her, and she with it.
    writes(adam, "# by another")
    has(edda, "# by another")
    assert "# unsaved" in texts(edda)
    assert "# unsaved" not in texts(adam)
    regrant(server, "edda", "editor")
    expect(badge).to_have_text("Editing")
    writes(edda, "# at last")
    has(adam, "# at last")
    assert "# unsaved" in texts(adam)
    assert texts(edda) == texts(adam)
    rooms: list[str] = []
    edda.page.on("websocket", lambda socket: rooms.append(socket.url))
    regrant(server, "edda", "")
    expect(badge).to_have_text("No access")
    gone = edda.page.locator(".Toastify__toast").filter(has_text="You have no access to")
    expect(gone).to_be_visible()
    writes(adam, "# unheard")
    adam.page.wait_for_timeout(500)
    assert "# at last" in texts(edda)
    assert "# unheard" not in texts(edda)
    # Nor does her page go on asking for what she was told that she has not.
    assert [url for url in rooms if ROOM in url] == []
    regrant(server, "edda", "editor")
    # Without a reload.
    has(edda, "# unheard")


def put_out(window: Window, html: str) -> None:
    """Have the last cell put out `html`, and say that it is trusted."""
    window.page.evaluate(
        """html => {
          const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells;
          const last = cells[cells.length - 1];
          last.setMetadata('trusted', true);
          last.setOutputs([
            {output_type: 'display_data', metadata: {}, data: {'text/html': html}}
          ]);
        }""",
        html,
    )


def asks_before_a_button_in_a_text_does_anything(page: Page, theirs: Page) -> None:
    """JupyterLab would not, once all code was run here, whoever writes the text after that."""
    button = '<button data-commandlinker-command="authz:about">Show more</button>'
    theirs.evaluate(
        "text => { const { sharedModel } = window.jupyterapp.shell.currentWidget.content.model;"
        " const at = sharedModel.cells.length - 1;"
        " sharedModel.insertCell(at, {cell_type: 'markdown', metadata: {}, source: text}); }",
        button,
    )
    page.get_by_role("button", name="Show more").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("Run Command?")
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_have_count(0)


def shares_by_who_has_what(page: Page) -> None:
    """Not with an address alone, which gives nobody anything and does not say so."""
    theirs = page.locator('[data-jp-item-name="@jupyter/collaboration:shared-link"]')
    expect(theirs).to_have_count(1)
    expect(theirs.locator("jp-button")).to_be_hidden()
    page.get_by_role("button", name="Share…").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Copy link")


def test_a_script_that_an_editor_puts_into_a_shared_notebook_runs_in_no_page_of_another(
    server: Served, visit: Visit
) -> None:
    regrant(server, "edda", "editor")
    at = f"{WHERE[LAB]}{own_copy(server)}"
    adam = visit(server, "adam", at)
    adam.lab().shows("Rain in a week")
    expect(adam.page.locator(".authz-Badge button")).to_have_text("Editing")
    # He trusts what he has run, as after a run of all.
    adam.page.evaluate(
        "() => { for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells) {"
        " cell.trusted = true; } }"
    )
    put_out(adam, "<b>his own</b><script>window.own = true</script>")
    adam.page.wait_for_function("window.own === true")
    edda = visit(server, "edda", at)
    edda.lab().shows("Rain in a week")
    has(edda, "rain")
    asks_before_a_button_in_a_text_does_anything(adam.page, edda.page)
    put_out(edda, SCRIPT)
    adam.lab().prints("an output")
    adam.page.wait_for_timeout(500)
    assert adam.page.evaluate("window.hurt") is None
    shares_by_who_has_what(adam.page)
