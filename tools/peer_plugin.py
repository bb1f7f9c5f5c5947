"""Pytest plugin of `tools/peer_suite.py`: our guard under every server of a peer's tests.

What it does depends on the environment: `PEER_SUITE_GUARD`, whether the guard is put
there at all, `PEER_SUITE_REPORT`, the file that each outcome is appended to,
`PEER_SUITE_EXTENSIONS`, what is enabled in each server, `PEER_SUITE_FOLDERS`, what is made
in its root, and `PEER_SUITE_APART`, the tests for whose servers the hooks of our extension
are called here. A server that a test starts as a process reads the same from its
configuration file, which calls `configure_process`.
"""
# ruff: noqa: INP001  # why: a plugin that is loaded by its file's name

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_server.serverapp import ServerApp

_REPORT = Path(os.environ["PEER_SUITE_REPORT"])
_GUARD = os.environ["PEER_SUITE_GUARD"] == "1"
_EXTENSIONS = os.environ["PEER_SUITE_EXTENSIONS"].split()
_FOLDERS = os.environ["PEER_SUITE_FOLDERS"].split()
_APART = os.environ["PEER_SUITE_APART"].split()
_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_NAME = "jupyter_authorized_server"
#: What the running test's servers did: servers with the guard, requests it judged.
_seen = {"servers": 0, "judged": 0}


def _write(line: dict[str, Any]) -> None:
    # One write of less than a page, so two workers never mix their lines.
    with _REPORT.open("a", encoding="utf-8") as report:
        report.write(json.dumps(line) + "\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the outcome of each phase; of two workers only the controller writes."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        line = {"test": report.nodeid, "when": report.when, "outcome": report.outcome}
        _write({**line, "seconds": round(report.duration, 3)})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep what could not even be read, as a test that failed."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        _write({"test": report.nodeid, "when": "collect", "outcome": report.outcome})


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Report what the guard did in this test."""
    _seen.update(servers=0, judged=0)
    yield
    if _GUARD:
        _write({"test": request.node.nodeid, **_seen})


@pytest.fixture(autouse=True)
def _folders(request: pytest.FixtureRequest) -> None:
    """Make the folders that a test names and never makes, since it runs nothing in them."""
    if _FOLDERS and "jp_root_dir" in request.fixturenames:
        for each in _FOLDERS:
            (request.getfixturevalue("jp_root_dir") / each).mkdir(parents=True)


@pytest.fixture(autouse=True)
def _sorted() -> Iterator[None]:
    """Put back what notebook_shim changes for good in the process that it is loaded in."""
    from jupyter_server.extension.manager import (  # noqa: PLC0415  # why: after upstream's conftest
        ExtensionManager,
    )

    before = ExtensionManager.sorted_extensions
    yield
    ExtensionManager.sorted_extensions = before  # type: ignore[method-assign]  # why: as it was


@pytest.fixture
def playwright() -> Iterator[SimpleNamespace]:
    """Debian's browser for whichever one a test asks for, in the place of pytest-playwright's."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # why: few tests have a browser

    with sync_playwright() as driver:
        launch = functools.partial(
            driver.chromium.launch, executable_path=_BROWSER, args=["--no-sandbox"]
        )
        yield SimpleNamespace(
            **dict.fromkeys(("chromium", "firefox"), SimpleNamespace(launch=launch))
        )


def _put_extensions_into_every_server() -> None:
    from jupyter_server.serverapp import ServerApp  # noqa: PLC0415  # why: after upstream's conftest

    link = ServerApp.init_server_extensions

    def linked(self: ServerApp) -> None:
        wanted = dict.fromkeys(_EXTENSIONS, True)
        self.jpserver_extensions = {**self.jpserver_extensions, **wanted}
        link(self)

    ServerApp.init_server_extensions = linked  # type: ignore[method-assign]  # why: what is tested is enabled


def _put_guard_under_every_server() -> None:
    from jupyter_server.serverapp import ServerApp  # noqa: PLC0415  # why: not in the stock run

    import jupyter_authorized_server  # noqa: PLC0415  # why: as above
    from jupyter_authorized_server.server.doors.guard import (  # noqa: PLC0415  # why: as above
        GuardedApplication,
    )
    from jupyter_authorized_server.server.doors.judge import Judge  # noqa: PLC0415  # why: as above

    link, load = ServerApp.init_server_extensions, ServerApp.load_server_extensions
    initialize = ServerApp.initialize
    judge = Judge.judge

    async def counted(self: Judge) -> Any:
        _seen["judged"] += 1
        return await judge(self)

    def linked(self: ServerApp) -> None:
        _configure(self)
        if not _is_apart():
            self.jpserver_extensions = {**self.jpserver_extensions, _NAME: True}
        link(self)
        if _is_apart():
            jupyter_authorized_server._link_jupyter_server_extension(self)  # noqa: SLF001  # why: Jupyter's hook

    def loaded(self: ServerApp) -> None:
        load(self)
        if _is_apart():
            jupyter_authorized_server._load_jupyter_server_extension(self)  # noqa: SLF001  # why: Jupyter's hook

    # Upstream decorates this one: it reads the command line where no argv is given.
    @functools.wraps(initialize)
    def initialized(self: ServerApp, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        if hasattr(self, "web_app"):
            assert isinstance(self.web_app, GuardedApplication), "the guard is not there"  # noqa: S101  # why: what the plugin promises
            _seen["servers"] += 1

    Judge.judge = counted  # type: ignore[method-assign]  # why: counted here only
    ServerApp.init_server_extensions = linked  # type: ignore[method-assign]  # why: as above
    ServerApp.load_server_extensions = loaded  # type: ignore[method-assign]  # why: as above
    ServerApp.initialize = initialized  # type: ignore[method-assign]  # why: as above


def _is_apart() -> bool:
    """Whether the running test may not find our extension among those that are enabled."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0] in _APART


@functools.cache
def _prepare_process() -> None:
    _put_extensions_into_every_server()
    if not _GUARD:
        return
    _put_guard_under_every_server()
    # It is in `initialize` already.
    _seen["servers"] = 1
    atexit.register(lambda: _write({"test": "a server of its own", **_seen}))


def configure_process(config: Any) -> None:
    """Configure a server that a test has started as a process of its own."""
    config.ServerApp.allow_root = True
    _prepare_process()


@functools.cache
def _template() -> Path:
    """A folder with a policy that permits everything and an empty store, made once."""
    from jupyter_authorized_server.store import Store  # noqa: PLC0415  # why: not in the stock run

    folder = Path(tempfile.mkdtemp(prefix="peer-suite-"))
    (folder / "policy").mkdir()
    text = '@id("everything") permit(principal, action, resource);\n'
    text += '@id("nobody") permit(principal is Jupyter::Guest, action, resource);\n'
    (folder / "policy" / "everything.cedar").write_text(text, encoding="utf-8")
    Store.open(f"sqlite:///{folder / 'store.sqlite'}").close()
    return folder


def _configure(app: ServerApp) -> None:
    """Our extension for `app`, with a store of its own and upstream's identity provider."""
    from jupyter_server.auth import (  # noqa: PLC0415  # why: not in the stock run
        AllowAllAuthorizer,
        PasswordIdentityProvider,
    )

    from jupyter_authorized_server import PolicyAuthorizer  # noqa: PLC0415  # why: as above

    folder = Path(tempfile.mkdtemp(dir=_template()))
    shutil.copy(_template() / "store.sqlite", folder / "store.sqlite")
    app.config.JupyterAuthorization.update(
        store_url=f"sqlite:///{folder / 'store.sqlite'}",
        audit_file=str(folder / "audit.jsonl"),
        policy_dir=str(_template() / "policy"),
        # Upstream's tests start kernels past every door, and a confined one that nobody
        # has started is not started.
        sandbox="off",
    )
    # Upstream's tests sign in with the server's token, which our own provider has not.
    if app.identity_provider_class is PasswordIdentityProvider:
        app.config.ServerApp.identity_provider_class = PasswordIdentityProvider
    # A test's own authorizer answers upstream's seam; below it stands our guard.
    if not issubclass(app.authorizer_class, (AllowAllAuthorizer, PolicyAuthorizer)):
        bases = (app.authorizer_class, PolicyAuthorizer)
        both: Any = type(app.authorizer_class.__name__, bases, {})
        # Into the configuration too, which is applied again when an extension brings some.
        app.authorizer_class = app.config.ServerApp.authorizer_class = both


def pytest_configure() -> None:
    """Put the guard there; not on import, since upstream's conftest comes before Jupyter."""
    _put_extensions_into_every_server()
    if _GUARD:
        _put_guard_under_every_server()
