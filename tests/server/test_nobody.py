"""The attacks on a server that is not root's: it becomes nobody before anything is confined."""

from __future__ import annotations

import os
import shutil
import tempfile
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

from jupyter_authorized_server.sandbox import wall

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
