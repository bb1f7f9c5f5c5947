"""What every test shares."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from postgresql import FILE, SHARED, Database, kinds, postgresql
from stores import kept_in_databases

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Tests of one run that may pass at their second try only.
MOST_RERUNS = 8
#: Lines of the first try that are shown of each.
SHOWN = 40
# How long an example takes says only how busy the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure() -> None:
    """See that `STORE` names kinds of stores that there are."""
    if unknown := set(kinds(())) - {FILE, SHARED}:
        msg = f"`STORE` names `{min(unknown)}`; say `{FILE}`, `{SHARED}`, or both"
        raise pytest.UsageError(msg)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A PostgreSQL server with one database that holds a new store."""
    with postgresql(tmp_path_factory.mktemp("postgresql")) as made:
        Store.upgrade(made.url)
        yield made


@pytest.fixture(scope="session")
def new_database(database: Database) -> Callable[[], Database]:
    """Makes a database of its own with a new store."""
    empty: list[Database] = []

    def made() -> Database:
        # No name is made twice: this may begin anew while the server goes on, as where a first
        # try has failed half-way.
        if not empty:
            fresh = replace(database, name=f"fresh_{secrets.token_hex(6)}")
            fresh.execute(f"CREATE DATABASE {fresh.name}", database="postgres")
            Store.upgrade(fresh.url)
            empty.append(fresh)
        return empty[0].another(f"store_{secrets.token_hex(6)}")

    return made


#: Modules about the file that a store is, or in which it stands beside another kind.
_ABOUT_FILES = frozenset(
    {
        "browser/test_hard_times.py",
        "server/test_confinement.py",
        "server/test_extension.py",
        "server/test_landlock.py",
        "server/test_nobody.py",
        "server/test_store_watch.py",
    }
)


@pytest.fixture(scope="module", autouse=True)
def _stores(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `STORE` says so for all, servers keep their stores in PostgreSQL."""
    module = request.path.relative_to(Path(__file__).parent).as_posix()
    if kinds((FILE,)) == [SHARED] and module not in _ABOUT_FILES:
        with kept_in_databases(request.getfixturevalue("new_database")):
            yield
    else:
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the browser tests, saying why, where `make test` found no browser; else begin
    with them, which take longest: at the end one process would have some for minutes.

    Where there is one, a test that fails is run once more: a front end on a busy machine
    shows a dialog of its own now and then. In CI every test is, since most talk to real
    servers. The report says which (`R`, "rerun"), and more than a few fail the run.
    """
    missing = os.environ.get("BROWSER_MISSING")
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)
    for item in items:
        is_of_a_page = item.get_closest_marker("browser") is not None
        if is_of_a_page and missing:
            item.add_marker(pytest.mark.skip(reason=missing))  # why: no browser; CI fails on it
        elif is_of_a_page or in_ci:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which too many tests needed their second try."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    again = reporter.stats.get("rerun", ())
    if len(again) > MOST_RERUNS and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(again)} tests were run again; {MOST_RERUNS} may be.", red=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why each test had to be run again: a second try hides the cause of the first."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_sep("_", f"first try of {report.nodeid}")
        terminalreporter.write_line("\n".join(report.longreprtext.splitlines()[-SHOWN:]))
