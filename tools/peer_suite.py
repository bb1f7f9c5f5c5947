"""Run the peers' own tests under our guard; run what fails there without us.

`peer_suite.py [NAME…|all] [pytest…]`: without a name, jupyter_server's. The names, and the
differences that are meant, stand in `tools/peer_suites.py`. The tests are those of the
installed version, from its source distribution or as they were installed with it. With us,
every server they start has the guard, `PolicyAuthorizer` and a policy that permits
everything; people are identified as upstream does it. What fails there runs again without
us, and what then passes twice more with us, alone: a test that fails only with us, each
time, is something that we broke. It is printed and the exit status is 1. Servers that a
test starts as a process of its own stay stock where the table does not say `processes`.
"""
# ruff: noqa: INP001, S603  # why: a script of the repository, which runs pip and pytest

from __future__ import annotations

import importlib.machinery
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

from peer_suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peer_suites import Suite

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "peer-suite"
#: Where `tools/setup.py` keeps the extensions that not every server of ours has.
OTHERS = Path(sys.prefix) / "others"
#: How often a test that fails only with us has to fail by itself, too, to be something that we
#: broke: most of them start kernels, and one in a thousand is late.
CONFIRMED = 2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One suite of the table, ready to run.

    Args:
        name: of the distribution, as in the table.
        version: that is installed.
        suite: its row.
        source: the folder that its tests run in.
        settings: its file there with settings of pytest.
        plugins: the folder with what they alone need.
    """

    name: str
    version: str
    suite: Suite
    source: Path
    settings: Path
    plugins: Path


def main(arguments: list[str]) -> int:
    """Run each suite that is named; the rest of the arguments go to pytest."""
    names = []
    while arguments and (arguments[0] == "all" or arguments[0] in SUITES):
        names += list(SUITES) if arguments[0] == "all" else arguments[:1]
        arguments = arguments[1:]
    return max([check(name, arguments) for name in names or ["jupyter_server"]])


def check(name: str, arguments: list[str]) -> int:
    """Fetch, run with us, run what fails without us, compare."""
    peer = fetch(name)
    suite = peer.suite
    ours = run(peer, "guarded", arguments)
    stock = run(peer, "stock", sorted(ours.failed))
    suspect = ours.failed - stock.failed
    broken = set(suspect)
    for _ in range(CONFIRMED):
        unnamed = sorted(test for test in broken if suite.reason(test) is None)
        again = run(peer, "confirmed", unnamed)
        broken -= again.tests - again.failed
    known = {test: reason for test in broken if (reason := suite.reason(test)) is not None}
    sys.stdout.write(
        f"\n{name} {peer.version}: {len(ours.tests)} tests under the guard in "
        f"{ours.seconds:.0f} s; {len(ours.skipped)} skipped, {len(ours.failed)} failed\n"
        f"the guard stood in {ours.servers} servers and judged {ours.judged} requests\n"
    )
    _print("fails without us too", ours.failed & stock.failed)
    _print("unsteady: failed with us once, passed alone", suspect - broken)
    _print("differs on purpose", (f"{test}: {reason}" for test, reason in known.items()))
    _print("BROKEN BY US", broken - set(known))
    if not ours.tests:
        return 1
    if not arguments and ours.judged < suite.fewest:
        sys.stdout.write(f"only {ours.judged} requests were judged: the guard was not there\n")
        return 1
    return 1 if broken - set(known) else 0


def fetch(name: str) -> Peer:
    """A suite with its tests, and the pytest plugins they need; fetched once.

    Of a source distribution only the tests are unpacked: beside upstream's sources they
    would test those. Tests that are installed are run through a link to their package.
    """
    suite = SUITES[name]
    where = [*([str(OTHERS)] if suite.others else []), *sys.path]
    found = next(iter(importlib.metadata.distributions(name=name, path=where)), None)
    if found is None:
        sys.exit(f"{name} is not installed; `make check` installs it")
    source = BUILD / f"{name}-{found.version}"
    BUILD.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    settings = source / ("pyproject.toml" if suite.sources else "pytest.ini")
    if not settings.is_file() and suite.sources:
        wanted = ("--no-deps", "--no-binary", name, f"{name}=={found.version}")
        subprocess.run([*pip, "download", "-d", str(BUILD), *wanted], check=True)
        with tarfile.open(next(BUILD.glob(f"{name}-{found.version}.tar.gz"))) as archive:
            for member in archive.getmembers():
                if member.name.partition("/")[2].startswith(suite.sources):
                    _unpack(archive, member)
            # Last, since it says that the rest is there: upstream's settings of pytest.
            _unpack(archive, archive.getmember(f"{source.name}/pyproject.toml"))
    elif not settings.is_file():
        source.mkdir(exist_ok=True)
        package = source / name
        package.unlink(missing_ok=True)
        package.symlink_to(_installed(name, where), target_is_directory=True)
        settings.write_text("[pytest]\n", encoding="utf-8")
    plugins = BUILD / "plugins" / name
    if not plugins.is_dir():
        fresh = plugins.with_suffix(".new")
        target = ("--no-deps", "--upgrade", "--target", str(fresh))
        subprocess.run([*pip, "install", *target, *suite.plugins], check=True)
        fresh.rename(plugins)
    return Peer(
        name=name,
        version=found.version,
        suite=suite,
        source=source,
        settings=settings,
        plugins=plugins,
    )


def _installed(name: str, where: list[str]) -> Path:
    """The folder of the package called `name`."""
    found = importlib.machinery.PathFinder.find_spec(name, where)
    assert found is not None  # noqa: S101  # why: its distribution is installed
    assert found.origin is not None  # noqa: S101  # why: as above
    return Path(found.origin).parent


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


def run(peer: Peer, kind: str, arguments: list[str]) -> Run:
    """One run of the tests, in two processes; none where `kind` has no test left to run."""
    if kind != "guarded" and not arguments:
        return Run()
    report, log = (BUILD / f"{peer.name}.{kind}.{ending}" for ending in ("jsonl", "log"))
    report.write_text("", encoding="utf-8")
    sys.stdout.write(f"==> {peer.name}'s tests, {kind}: see {log.relative_to(ROOT)}\n")
    sys.stdout.flush()
    # Upstream's order and settings; our plugins for random order and coverage stay out.
    options = ["-c", peer.settings.name, "--rootdir", "."]
    options += ["-p", "peer_plugin", "-n", "2", "--dist", "loadfile"]
    for plugin in ("randomly", "rerunfailures", "cov"):
        options += ["-p", f"no:{plugin}"]
    looks = ["-q", "--no-header", "--color=no", "--tb=short", "--no-showlocals"]
    is_told = kind != "guarded" or any("::" in each for each in arguments)
    tests = arguments if is_told else [*peer.suite.tests, *arguments]
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *looks, *peer.suite.options, *tests],
            cwd=peer.source,
            env=environment(peer, kind, report),
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


def environment(peer: Peer, kind: str, report: Path) -> dict[str, str]:
    """What a run of the tests inherits."""
    modules = [ROOT / "src", ROOT / "tools", peer.plugins]
    modules += [OTHERS] if peer.suite.others else []
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": os.pathsep.join(map(str, modules)),
        "PEER_SUITE_REPORT": str(report),
        "PEER_SUITE_GUARD": "0" if kind == "stock" else "1",
        "PEER_SUITE_EXTENSIONS": " ".join(peer.suite.extensions),
        "PEER_SUITE_FOLDERS": " ".join(peer.suite.folders),
        "PEER_SUITE_APART": " ".join(peer.suite.apart),
    }
    if peer.suite.processes:
        config = BUILD / "config"
        config.mkdir(exist_ok=True)
        text = "import peer_plugin\n\npeer_plugin.configure_process(get_config())\n"
        (config / "jupyter_server_config.py").write_text(text, encoding="utf-8")
        found["JUPYTER_CONFIG_PATH"] = str(config)
    return found


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
