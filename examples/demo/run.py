"""The demo: a server in a scratch folder, five people, one a level.

`make demo` runs this. It copies the sample notebooks into a scratch folder, puts five
people with fixed passwords into a store there, starts `jupyter authorized-server` on
127.0.0.1, and says who may do what. Ctrl-C stops the server and removes the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.table import Table

from jupyter_authorized_server.credentials import hash_password
from jupyter_authorized_server.policy.vocabulary import LEVEL_SENTENCES, Level
from jupyter_authorized_server.sandbox.probe import probe
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from types import FrameType

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
HOST = "127.0.0.1"
USUAL_PORT = 8888
#: Seconds for the server to begin to answer, and to stop.
START = 120.0
#: What the server says of a port that it cannot have.
_TAKEN = "already in use"
STOP = 15.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo.

    The password is fixed and stands here for all to read: the server listens on
    127.0.0.1 only, and holds nothing but samples.
    """

    name: str
    password: str
    level: Level


PEOPLE = (
    Person("vera", "vera-looks", Level.VIEWER),
    Person("rune", "rune-runs", Level.RUNNER),
    Person("edda", "edda-edits", Level.EDITOR),
    Person("cora", "cora-creates", Level.CONTRIBUTOR),
    Person("adam", "adam-administers", Level.ADMIN),
)


class Stopped(Exception):
    """Somebody asked the demo to stop."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; the exit status is 0 when asked to stop."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", metavar="DIR", type=Path, help="use this folder and keep it")
    parser.add_argument("--port", type=int, default=0, help=f"instead of {USUAL_PORT}, if free")
    parser.add_argument("--open", action="store_true", help="open a browser")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _stop)
    with contextlib.ExitStack() as stack:
        try:
            home = _folder(options.keep, stack)
            furnish(home)
            port = options.port or _free_port()
            server = _start(home, port, browser=options.open, stack=stack)
            while not _answers(server, port):
                said = (home / "server.log").read_text("utf-8", "replace")
                if options.port or _TAKEN not in said:
                    msg = f"The server does not answer; it said:\n{said[-4000:]}"
                    raise SystemExit(msg)
                # Somebody was faster.
                port = _free_port()
                server = _start(home, port, browser=options.open, stack=stack)
            welcome(home, port)
            server.wait()
        except Stopped:
            # A second Ctrl-C must not leave the server or the folder behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            _say("\nStopping the server …")
            return 0
        sys.stderr.write(
            f"The server ended by itself, with status {server.returncode}:\n"
            + (home / "server.log").read_text("utf-8", "replace")[-4000:]
        )
        return 1


def _stop(_: int, __: FrameType | None) -> NoReturn:
    raise Stopped


def _folder(kept: Path | None, stack: contextlib.ExitStack) -> Path:
    if kept is None:
        home = Path(tempfile.mkdtemp(prefix="jupyter-demo-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
    else:
        home = kept.resolve()
        home.mkdir(parents=True, exist_ok=True)
    for name in ("config", "data", "runtime"):
        (home / name).mkdir(mode=0o700, exist_ok=True)
    return home


def furnish(home: Path) -> None:
    """Put the sample notebooks and the people into `home`, unless they are there."""
    if not (home / "notebooks").exists():
        shutil.copytree(NOTEBOOKS, home / "notebooks")
        (home / "notebooks" / "shared").mkdir()
    store = Store.open(f"sqlite:///{home / 'data' / 'authorization' / 'store.sqlite'}")
    with contextlib.closing(store):
        there = {person.name for person in store.state().people}
        now = time.time()
        if not there:
            store.add_grant(
                principal="everyone",
                level="contributor",
                resource="contents:/shared",
                granted_by="policy",
                note="the demo",
                now=now,
            )
        for person in PEOPLE:
            if person.name in there:
                continue
            store.add_person(
                person.name,
                display_name=person.name.capitalize(),
                password_hash=hash_password(person.password),
                now=now,
            )
            store.add_grant(
                principal=f"user:{person.name}",
                level=person.level.word,
                resource="server:",
                granted_by="policy",
                note="the demo",
                now=now,
            )


def surroundings(home: Path) -> dict[str, str]:
    """What makes Jupyter keep everything in `home`."""
    return {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }


def _free_port() -> int:
    for wanted in (USUAL_PORT, 0):
        with socket.socket() as tried, contextlib.suppress(OSError):
            # As the server itself will: a port whose last connections linger is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((HOST, wanted))
            return int(tried.getsockname()[1])
    msg = f"no port of {HOST} is free"
    raise SystemExit(msg)


def _start(
    home: Path, port: int, *, browser: bool, stack: contextlib.ExitStack
) -> subprocess.Popen[bytes]:
    command = shutil.which("jupyter-authorized-server", path=str(Path(sys.executable).parent))
    if command is None:
        msg = "`jupyter authorized-server` is not installed beside this Python; run `make demo`"
        raise SystemExit(msg)
    line = [
        command,
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home / 'notebooks'}",
        "--JupyterAuthorization.home=home/{user}",
    ]
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")
    log = stack.enter_context((home / "server.log").open("wb"))
    server = subprocess.Popen(  # noqa: S603  # why: our own command
        line,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**os.environ, **surroundings(home)},
        # Away from the terminal: Ctrl-C there is for this script, which stops the server.
        start_new_session=True,
    )
    stack.callback(_end, server)
    return server


def _end(server: subprocess.Popen[bytes]) -> None:
    """Have the server stop its kernels and itself; kill it where it will not."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it does, in time; what else may listen on the port is not taken for it."""
    end, address = time.monotonic() + START, f"http://{HOST}:{port}/api"
    while time.monotonic() < end and server.poll() is None:
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            urllib.request.urlopen(address, timeout=5),
        ):
            return server.poll() is None
        time.sleep(0.1)
    return False


def welcome(home: Path, port: int) -> None:
    """Say where the server is, who is on it, and what each may do."""
    console = Console(highlight=False, soft_wrap=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("name", "password", "level"):
        table.add_column(column, no_wrap=True)
    table.add_column("what they may do")
    for person in PEOPLE:
        table.add_row(
            person.name, person.password, person.level.word, LEVEL_SENTENCES[person.level]
        )
    console.print()
    console.print(table)
    exports = " ".join(
        f"{name}='{value}'"
        for name, value in surroundings(home).items()
        if name in {"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"}
    )
    path = Path(sys.executable).parent
    _say(
        f"""
    http://{HOST}:{port}/

Sign in there as one of them; a private window is a second person.
Each has a home that the others do not see, and all may write in `shared`.
The passwords are fixed, which is no harm on {HOST} and with samples only.
This line makes `jupyter authz` in another shell speak of these people:

    export {exports} PATH='{path}':"$PATH"

Kernels {_confinement()}
Files {home / "notebooks"}
Log   {home / "server.log"}
Audit {home / "data" / "authorization" / "audit.jsonl"}

Ctrl-C stops the server{"" if _is_kept(home) else " and removes the folder"}."""
    )


def _confinement() -> str:
    found = probe()
    if found.backend is not None:
        return f"see what their owner may see, confined by {found.backend.name}"
    return f"do not start: {found.why}"


def _is_kept(home: Path) -> bool:
    return not home.name.startswith("jupyter-demo-")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
