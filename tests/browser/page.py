"""What a person does and reads in a front end's page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from examples.serving import PASSWORD
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Response, Route, WebSocket

#: Milliseconds for anything to appear, on a machine that does other things too.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

CLASSIC = "nbclassic"
LAB = "lab"
NOTEBOOK = "notebook"
#: Where `window.holds`, has a kernel's socket seem open to its page from its close on, until
#: `held` is called. Nothing that listens later comes before what listens from the beginning.
HOLD = """
window.WebSocket = class extends WebSocket {
  constructor(...asked) {
    super(...asked);
    const hold = event => {
      if (window.holds && this.url.includes('/channels')) {
        event.stopImmediatePropagation();
        Object.defineProperty(this, 'readyState', {value: this.OPEN, configurable: true});
        window.held = () => {
          this.removeEventListener('close', hold);
          delete this.readyState;
          this.dispatchEvent(new CloseEvent('close', {code: event.code, reason: event.reason}));
        };
      }
    };
    this.addEventListener('close', hold);
  }
};
"""
#: Where each front end shows a notebook.
WHERE = {CLASSIC: "/nbclassic/notebooks/", LAB: "/lab/tree/", NOTEBOOK: "/notebooks/"}


@dataclass
class Window:
    """One person's browser window."""

    page: Page
    url: str

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.add_init_script(HOLD)
        self.refused: list[str] = []
        self._standings: list[Response] = []
        self.page.on("response", self._note)
        self._kernels: list[WebSocket] = []
        self.page.on("websocket", self._note_socket)

    def _note(self, response: Response) -> None:
        path = response.url.removeprefix(self.url).partition("?")[0]
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.request.method} {path}")
        elif path == "/api/authz/me":
            self._standings.append(response)

    def asked_twice(self) -> list[str]:
        """What the page has asked the server about though it had an answer of the same state."""
        asked = [
            (each.json()["revision"], resource)
            for each in self._standings
            for resource in parse_qs(urlsplit(each.url).query).get("resource", [])
        ]
        return sorted({resource for each, resource in asked if asked.count((each, resource)) > 1})

    def _note_socket(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            self._kernels.append(socket)

    def stays_away(self) -> None:
        """Wait until its socket to a kernel is closed, and see that it opens none again."""
        opened = len(self._kernels)
        while not self._kernels[-1].is_closed():
            self.page.wait_for_timeout(100)
        # The classic notebook waits for a second, JupyterLab for none.
        self.page.wait_for_timeout(2000)
        assert opened == len(self._kernels)

    def holds_its_close(self) -> None:
        """Have it not notice that the server closes its kernel's socket, until `lets_it_close`."""
        self.page.evaluate("window.holds = true")

    def lets_it_close(self) -> None:
        """Wait until the server has closed the socket, and have the page notice."""
        self.page.wait_for_function("window.held !== undefined")
        self.page.evaluate("window.holds = false; window.held()")

    def sign_in(self, person: str, path: str) -> None:
        """Ask for `path` as a stranger, fill in the login page, land on `path`."""
        self.page.goto(f"{self.url}/login?next={quote(_afresh(path))}")
        self.page.fill("#username", person)
        self.page.fill("#password", PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: url.startswith(self.url + path))

    def go(self, path: str) -> None:
        """Lead somebody who has signed in to `path`."""
        self.page.goto(f"{self.url}{_afresh(path)}")

    def settled(self) -> None:
        """Wait until what a tab of the access page has asked for is there."""
        expect(self.page.locator('[aria-busy="true"]')).to_have_count(0)
        expect(self.page.get_by_text("Loading…")).to_have_count(0)

    def hears(self, text: str) -> None:
        """Wait until others have printed `text` in the kernel; a notebook listens before."""
        self.page.wait_for_function("text => window.heard?.includes(text)", arg=text)

    def classic(self) -> Classic:
        """The notebook of this page, in nbclassic."""
        return Classic(self.page)

    def lab(self) -> Lab:
        """The notebook of this page, in JupyterLab or Notebook 7."""
        return Lab(self.page)

    def notebook(self, front_end: str) -> Classic | Lab:
        """The notebook of this page, in `front_end`."""
        return self.classic() if front_end == CLASSIC else self.lab()


def _afresh(path: str) -> str:
    # A workspace that an earlier test left would open its notebooks, too.
    return f"{path}?reset" if path.startswith("/lab") else path


def _say(listed: str, route: Route) -> None:
    if route.request.method == "GET":
        route.fulfill(body=listed, content_type="application/json")
    else:
        route.continue_()


class Classic:
    """A notebook in nbclassic."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def shows(self, text: str) -> None:
        """Wait until the notebook shows `text`."""
        expect(self.page.locator("#notebook-container")).to_contain_text(text)
        # An advertisement for Notebook 7 lies over the tool bar's neighbours.
        self.page.evaluate("() => document.querySelector('#dontShowId')?.click()")

    def no_kernel(self, seen: Callable[[], None] = lambda: None) -> str:
        """What it says of the kernel that could not be started; `seen` is called then."""
        indicator = self.page.locator("#notification_kernel")
        expect(indicator).to_contain_text("Kernel error")
        indicator.click()
        dialog = self.page.locator(".modal-dialog")
        expect(dialog).to_be_visible()
        seen()
        text = dialog.inner_text()
        # Not the first button, which can be *Why can't I?*, sooner or later.
        dialog.get_by_role("button", name="OK", exact=True).click()
        expect(dialog).to_be_hidden()
        return text

    def save(self) -> None:
        """Save with the button in the tool bar."""
        # "Saving every 120 sec." takes the next message away with itself.
        expect(self.page.locator("#notification_notebook")).to_be_hidden()
        # A message is shown for three seconds, which a busy machine can sleep through.
        self.page.evaluate(
            "() => { const shown = document.querySelector('#notification_notebook'); "
            "window.said = []; new MutationObserver(() => window.said.push(shown.innerText))"
            ".observe(shown, {childList: true, subtree: true, characterData: true}); }"
        )
        button = self.page.locator("#save-notbook button")
        # Grey where that is refused; a click says why then.
        button.click(force=button.get_attribute("aria-disabled") == "true")

    def refuses(self, text: str) -> None:
        """Wait until it says `text` about saving, or that the notebook is read-only."""
        self.page.wait_for_function(
            "text => window.said?.some(each => each.includes(text)) || "
            "document.querySelector('.autosave_status')?.innerText.includes('read only')",
            arg=text,
        )

    def saved(self) -> None:
        """Wait until it says that it has saved."""
        expect(self.page.locator(".autosave_status")).not_to_contain_text("unsaved")

    def insert(self, code: str) -> None:
        """Add a cell with `code` below the first."""
        self.page.evaluate(
            "code => { const n = Jupyter.notebook; "
            "n.insert_cell_below('code', 0).set_text(code); n.select(1); n.focus_cell(); }",
            code,
        )

    def ready(self) -> None:
        """Wait until the notebook's kernel is there and has said what it is.

        What a kernel prints before that, upstream's server can lose.
        """
        self.page.wait_for_function(
            "window.Jupyter?.notebook?.kernel?.is_connected()"
            " && window.Jupyter.notebook.kernel.info_reply.implementation !== undefined"
        )

    def run(self) -> None:
        """Run the selected cell."""
        self.ready()
        self.page.click("#run_int button")

    def run_all(self) -> None:
        """Run every cell."""
        self.ready()
        self.page.evaluate("Jupyter.notebook.execute_all_cells()")

    def run_as(self, code: str) -> None:
        """Have the last cell say `code`, whether or not one may type there, and run it."""
        self.page.evaluate(
            "code => { const n = Jupyter.notebook; const last = n.ncells() - 1; "
            "n.get_cell(last).set_text(code); n.execute_cells([last]); }",
            code,
        )

    def listen(self) -> None:
        """Keep what others have the kernel print from now on; the page shows none of it."""
        self.page.evaluate(
            "() => { window.heard = ''; Jupyter.notebook.events.on("
            "'received_unsolicited_message.Kernel', "
            "(_, message) => { window.heard += message.content.text || ''; }); }"
        )

    def says_why_it_left(self, sentence: str) -> None:
        """Wait until it shows that no kernel is connected, and below its tool bar why."""
        expect(self.page.locator(".kernel_disconnected_icon")).to_be_visible()
        expect(self.page.locator(".authz-notice").filter(has_text=sentence)).to_be_visible()

    def comes_back(self) -> None:
        """Wait until its kernel is connected again."""
        self.page.wait_for_function("Jupyter.notebook.kernel.is_connected()")

    def prints(self, text: str) -> None:
        """Wait until a cell has `text` as its output."""
        found = self.page.locator("#notebook-container .output_subarea")
        expect(found.filter(has_text=text)).to_be_visible()


class Lab:
    """A notebook in JupyterLab or Notebook 7."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def shows(self, text: str) -> None:
        """Wait until the notebook shows `text`."""
        expect(self.page.locator(".jp-NotebookPanel-notebook")).to_contain_text(text)

    def _put_away(self, title: str, button: str, seen: Callable[[], None] = lambda: None) -> str:
        dialog = self.page.locator(".jp-Dialog").filter(has_text=title)
        expect(dialog).to_be_visible()
        seen()
        text = dialog.inner_text()
        dialog.get_by_role("button", name=button, exact=True).click()
        expect(dialog).to_be_hidden()
        return text

    def no_kernel(self, seen: Callable[[], None] = lambda: None) -> str:
        """What it says of the kernel that could not be started; then none is chosen."""
        text = self._put_away("Error Starting Kernel", "Ok", seen)
        self._put_away("Select Kernel", "No Kernel")
        return text

    def save(self) -> None:
        """Save with the keyboard, from the notebook."""
        self.page.locator(".jp-NotebookPanel-notebook").press("Control+s")

    def refuses(self, text: str) -> None:
        """Wait until it says `text` about saving."""
        dialog = self.page.locator(".jp-Dialog").filter(has_text=text)
        toast = self.page.locator(".Toastify__toast").filter(has_text=text)
        expect(dialog.or_(toast).locator("visible=true").first).to_be_visible()

    def saved(self) -> None:
        """Wait until the notebook's tab has no mark of unsaved changes."""
        dirty = self.page.locator(".jp-mod-dirty")
        expect(dirty).to_have_count(0)

    def insert(self, code: str) -> None:
        """Add a cell with `code` below the first."""
        self.page.locator(".jp-NotebookPanel-notebook .jp-Cell").first.click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        self.page.keyboard.press("Enter")
        self.page.keyboard.type(code)

    def run(self) -> None:
        """Run the selected cell, once there is a kernel."""
        self.ready()
        self.page.keyboard.press("Control+Enter")

    def run_all(self) -> None:
        """Run every cell."""
        self.ready()
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_as(self, code: str) -> None:
        """Have the last cell say `code`, whether or not one may type there, and run it."""
        self.page.evaluate(
            "code => { const shown = window.jupyterapp.shell.currentWidget.content; "
            "shown.activeCellIndex = shown.widgets.length - 1; "
            "shown.activeCell.model.sharedModel.setSource(code); }",
            code,
        )
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-cell')")

    def ready(self) -> None:
        """Wait until the notebook's kernel is there and idle.

        The indicator in the tool bar says "idle" also before there is a kernel; who runs
        a cell then is asked to select one.
        """
        self.page.wait_for_function(
            "() => { const context = window.jupyterapp?.shell.currentWidget?.sessionContext; "
            "const kernel = context?.session?.kernel; return context?.isReady && kernel "
            "&& kernel.connectionStatus === 'connected' && kernel.status === 'idle'; }"
        )

    def listen(self) -> None:
        """Keep what others have the kernel print from now on; the page shows none of it."""
        self.page.evaluate(
            "() => { window.heard = ''; const at = window.jupyterapp.shell.currentWidget; "
            "at.context.sessionContext.session.kernel.iopubMessage.connect("
            "(_, message) => { window.heard += message.content.text || ''; }); }"
        )

    def says_why_it_left(self, sentence: str) -> None:
        """Wait until it says why no kernel is connected."""
        told = self.page.locator(".Toastify__toast").filter(has_text=sentence)
        expect(told).to_be_visible()

    def knows_of_no_access(self) -> None:
        """Wait until it shows that there is nothing that one may do with the notebook."""
        expect(self.page.locator(".authz-Badge button")).to_have_text("No access")

    def keeps_its_session(self) -> None:
        """Have the lists that it looks at every ten seconds stay as they are.

        A session or kernel that is not in them any more, it drops.
        """
        for name in ("sessions", "kernels"):
            kept = self.page.evaluate("async at => (await fetch(at)).text()", f"/api/{name}")
            self.page.route(re.compile(rf"/api/{name}(\?.*)?$"), partial(_say, kept))

    def drops_its_session(self) -> None:
        """Have it look at what the lists are now."""
        self.page.unroute_all()
        self.page.evaluate("window.jupyterapp.serviceManager.sessions.refreshRunning()")
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.session === null"
        )

    def comes_back(self) -> None:
        """Wait until its kernel is connected again."""
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext"
            ".session?.kernel?.connectionStatus === 'connected'"
        )

    def prints(self, text: str) -> None:
        """Wait until a cell has `text` as its output."""
        found = self.page.locator(".jp-NotebookPanel-notebook .jp-OutputArea-output")
        expect(found.filter(has_text=text)).to_be_visible()
