"""Run jupyter_server's own tests under our guard; run what fails there without us.

The tests are those in the source distribution of the installed version. With us, every
server they start in their process has the guard, `PolicyAuthorizer` and a policy that
permits everything; people are identified as upstream does it. What fails there runs
again without us, and what then passes twice more with us, alone: a test that fails only
with us, each time, is something that we broke. It is printed and the exit status is 1.
Arguments go to pytest. Servers that a test starts as a process of its own stay stock.
"""
# ruff: noqa: INP001, S603  # why: a script of the repository, which runs pip and pytest

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "peer-suite"
#: Upstream's `test` extra, as far as our own test group has it not; kept out of `.venv`.
PLUGINS = ("pytest-jupyter", "pytest-console-scripts", "flaky", "requests")
#: Where upstream's test contradicts what the issues promise, and why; by test, parameters
#: left out.
DIFFERENCES = {
    test: reason
    for reason, tests in {
        "House, 5: an address that no surface table names is an administrator's, whatever its "
        "handler declares, and these are asked for by nobody": (
            "tests/base/test_handlers.py::test_jupyter_handler_auth_permissive",
            "tests/base/test_handlers.py::test_jupyter_handler_auth_required",
            "tests/base/test_websocket.py::test_websocket_auth_permissive",
            "tests/base/test_websocket.py::test_websocket_auth_required",
            "tests/base/test_websocket.py::test_websocket_auth_warns_mixin_lacks_jupyter_handler",
        ),
        "Files: what is hidden is refused at every door, before upstream looks; this test makes "
        "upstream's look fail with 500": (
            "tests/services/contents/test_api.py::test_regression_is_hidden",
            "tests/test_files.py::test_regression_is_hidden",
        ),
        "House, 7: each record is an event too, and this test takes every event for its own": (
            "tests/extension/test_app.py::test_events",
            "tests/services/events/test_api.py::test_post_event",
            "tests/services/events/test_extension.py::test_subscribe_websocket",
        ),
        "House, 6: the extension that enforces is one of those that are loaded, which this test "
        "counts": ("tests/extension/test_app.py::test_stop_extension",),
    }.items()
    for test in tests
}
#: Upstream makes warnings errors; these come from what is newer than its tests.
WARNINGS = (
    *("-W", "ignore:The method, uri, and version:DeprecationWarning"),
    *("-W", "ignore:The start_line argument:DeprecationWarning"),
)
#: How often a test that fails only with us has to fail by itself, too, to be something that we
#: broke: most of them start kernels, and one in a thousand is late.
CONFIRMED = 2
#: A run in which the guard judged fewer requests than this has tested something else.
FEWEST_JUDGED = 300


@dataclass(slots=True, kw_only=True)
class Run:
    """What one run of the tests showed.

    Args:
        failed: tests with a phase that failed.
        tests: all that ran or were skipped.
        seconds: wall clock.
        servers: that had the guard.
        judged: requests that the guard judged.
    """

    seconds: float = 0
    tests: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    servers: int = 0
    judged: int = 0


def main(arguments: list[str]) -> int:
    """Fetch, run with us, run what fails without us, compare."""
    version = importlib.metadata.version("jupyter_server")
    source = fetch(version)
    ours = run(source, "guarded", arguments)
    stock = run(source, "stock", sorted(ours.failed))
    suspect = ours.failed - stock.failed
    broken = set(suspect)
    for _ in range(CONFIRMED):
        unnamed = sorted(test for test in broken if _bare(test) not in DIFFERENCES)
        broken -= set(unnamed) - run(source, "confirmed", unnamed).failed
    known = {test: reason for test in broken if (reason := DIFFERENCES.get(_bare(test)))}
    sys.stdout.write(
        f"\njupyter_server {version}: {len(ours.tests)} tests under the guard in "
        f"{ours.seconds:.0f} s; {len(ours.skipped)} skipped, {len(ours.failed)} failed\n"
        f"the guard stood in {ours.servers} servers and judged {ours.judged} requests\n"
    )
    _print("fails without us too", ours.failed & stock.failed)
    _print("unsteady: failed with us once, passed alone", suspect - broken)
    _print("differs on purpose", (f"{test}: {reason}" for test, reason in known.items()))
    _print("BROKEN BY US", broken - set(known))
    if not ours.tests:
        return 1
    if not arguments and ours.judged < FEWEST_JUDGED:
        sys.stdout.write(f"only {ours.judged} requests were judged: the guard was not there\n")
        return 1
    return 1 if broken - set(known) else 0


def fetch(version: str) -> Path:
    """Upstream's tests, and the pytest plugins they need; fetched once.

    Only the tests are unpacked: beside upstream's sources they would test those.
    """
    source = BUILD / f"jupyter_server-{version}"
    BUILD.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    if not (source / "pyproject.toml").is_file():
        wanted = ("--no-deps", "--no-binary", "jupyter_server", f"jupyter_server=={version}")
        subprocess.run([*pip, "download", "-d", str(BUILD), *wanted], check=True)
        with tarfile.open(next(BUILD.glob(f"jupyter_server-{version}.tar.gz"))) as archive:
            for member in archive.getmembers():
                if member.name.startswith(f"{source.name}/tests/"):
                    _unpack(archive, member)
            # Last, since it says that the rest is there: upstream's settings of pytest.
            _unpack(archive, archive.getmember(f"{source.name}/pyproject.toml"))
    plugins = BUILD / "plugins"
    if not plugins.is_dir():
        fresh = plugins.with_suffix(".new")
        target = ("--no-deps", "--upgrade", "--target", str(fresh))
        subprocess.run([*pip, "install", *target, *PLUGINS], check=True)
        fresh.rename(plugins)
    return source


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """One file of `archive`, if it is a file and belongs there.

    Python 3.11.2, which Debian has, cannot filter what it unpacks.
    """
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or ".." in Path(member.name).parts:
        return
    to = BUILD / member.name
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(content.read())


def run(source: Path, name: str, arguments: list[str]) -> Run:
    """One run of the tests, in two processes; none where `name` has no test left to run."""
    if name != "guarded" and not arguments:
        return Run()
    report, log = BUILD / f"{name}.jsonl", BUILD / f"{name}.log"
    report.write_text("", encoding="utf-8")
    sys.stdout.write(f"==> jupyter_server's tests, {name}: see {log.relative_to(ROOT)}\n")
    sys.stdout.flush()
    # Upstream's order and settings; our plugins for random order and coverage stay out.
    options = [
        "-p",
        "peer_plugin",
        "-p",
        "no:randomly",
        "-p",
        "no:rerunfailures",
        "-p",
        "no:cov",
        "-n",
        "2",
        "--dist",
        "loadfile",
    ]
    looks = ["-q", "--no-header", "--color=no", "--tb=short", "--no-showlocals"]
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *looks, *WARNINGS, *arguments],
            cwd=source,
            env={
                **os.environ,
                "PATH": os.pathsep.join(path),
                "PYTHONPATH": os.pathsep.join(
                    [str(ROOT / "src"), str(ROOT / "tools"), str(BUILD / "plugins")]
                ),
                "PEER_SUITE_REPORT": str(report),
                "PEER_SUITE_GUARD": "0" if name == "stock" else "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seen = read(report)
    seen.seconds = time.monotonic() - began
    if not seen.tests:
        sys.stdout.write(log.read_text(encoding="utf-8")[-4000:])
    return seen


def read(report: Path) -> Run:
    """What the plugin wrote down."""
    seen = Run()
    for line in report.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        seen.servers += found.get("servers", 0)
        seen.judged += found.get("judged", 0)
        if "outcome" in found:
            seen.tests.add(found["test"])
            if found["outcome"] != "passed":
                getattr(seen, found["outcome"]).add(found["test"])
    return seen


def _print(title: str, lines: Iterable[str]) -> None:
    found = sorted(lines)
    if found:
        sys.stdout.write(f"{title} ({len(found)}):\n")
        sys.stdout.writelines(f"  {line}\n" for line in found)


def _bare(test: str) -> str:
    return test.partition("[")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
