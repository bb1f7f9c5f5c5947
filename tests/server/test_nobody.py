"""The attacks on a server that is not root's: it becomes nobody before anything is confined."""

from __future__ import annotations

import os
import shutil
import sys
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
from serving import PACKAGE, TESTS, serving
from talking import Shell

from jupyter_authorized_server.sandbox import wall

NOBODY = 65534
#: The outermost first, should one lie in another.
PATHS = sorted({sys.base_prefix, sys.prefix, str(PACKAGE), str(TESTS)}, key=len)
#: Runs as the server's configuration. What only root can read of the programs is laid open
#: in a view of the machine that is the server's own; then the server is nobody's.
BECOMES = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def must(answer):
    if answer:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
must(libc.unshare(0x20000))
must(libc.mount(None, b"/", None, 0x44000, None))
needed = {{path: os.open(path, os.O_PATH) for path in PATHS}}
closed = {{}}
for path in needed:
    parts = path.strip("/").split("/")
    for above in ("/" + "/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)):
        if not os.stat(above).st_mode & 1:
            closed[path] = above
for above in set(closed.values()):
    must(libc.mount(b"none", above.encode(), b"tmpfs", 0, b"mode=755"))
for path in closed:
    os.makedirs(path, exist_ok=True)
    must(libc.mount(b"/proc/self/fd/%d" % needed[path], path.encode(), None, 0x5000, None))
for descriptor in needed.values():
    os.close(descriptor)
# As on most machines, everybody may make a network device in a network of theirs.
if os.path.isdir("/dev/net"):
    must(libc.mount(b"none", b"/dev/net", b"tmpfs", 0, b"mode=755"))
    os.mknod("/dev/net/tun", 0o20666, os.makedev(10, 200))
    os.chmod("/dev/net/tun", 0o666)
for folder, folders, files in os.walk(FOLDER):
    for name in (".", *files):
        os.chown(os.path.join(folder, name), {NOBODY}, {NOBODY}, follow_symlinks=False)
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
must(libc.prctl(4, 1, 0, 0, 0))
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
