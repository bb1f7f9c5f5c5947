"""Where no namespaces can be had: kernels and terminals of a real server behind Landlock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacking import (
    EXTRA,
    PEOPLE,
    STARTS,
    attacked,
    attacked_from_a_terminal,
    begin,
    extra_config,
    furnish,
    overheard,
    said,
    seconds_to_end,
    stop,
    uses_extra,
    waited_for,
)
from serving import Serving, environment, serving
from talking import Client, Shell, notebook

from jupyter_authorized_server.sandbox import probe, wall

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(  # why: a matter of the kernel
    wall.abi() < 6, reason="Landlock is not there, or too old"
)
PROCESSES = 60
LANDLOCK = f"""
c.JupyterAuthorization.sandbox = "landlock"
c.JupyterAuthorization.sandbox_processes = {PROCESSES}
c.KernelManager.shutdown_wait_time = 1.0
"""
#: What Landlock has no word for: that things are there, and their times.
OPEN = {
    "sees another team's file",
    "changes another team's times",
    "changes the store",
    "finds the machine's devices",
}
SURE = OPEN - {"finds the machine's devices"}


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("walled")
    furnish(folder)
    people = {**PEOPLE, "nell": [("manager", "contents:/team"), STARTS]}
    people["ines"] = people["dora"] = people["nell"]
    rule = (
        'permit (principal == Jupyter::User::"nell",'
        ' action == Jupyter::Action::"network", resource);\n'
        'permit (principal == Jupyter::User::"ines",'
        ' action == Jupyter::Action::"internet", resource);'
    )
    with serving(
        folder, people=people, config=LANDLOCK + extra_config(folder), env={"HIDDEN_KEY": "x"},
        policy={"a.cedar": rule, "extra.cedar": EXTRA}, extensions=("jupyter_server_terminals",),
    ) as server:  # fmt: skip
        yield server


# One reads, one changes what she is shown and would have the network by a rule.
@pytest.mark.parametrize("who", ["edda", "nell"])
def test_from_a_kernel_no_attack_succeeds_but_those_that_are_told(
    walled: Serving, who: str
) -> None:
    begin(walled, "adam", "other/b.ipynb")
    kernel = begin(walled, who)
    found = attacked(walled, kernel, who)
    assert (set(), SURE) == (found - OPEN, found & SURE)
    stop(walled)
    told = walled.request("GET", "/api/authz/me", who).json["sandbox"]
    assert {"backend": "landlock", "confined": True, "runs": True, "why": None} == told


def test_a_link_in_place_of_a_socket_leads_to_no_other_kernel(walled: Serving) -> None:
    kernel = begin(walled, "adam", "other/b.ipynb")
    assert "" == overheard(walled, "mona", kernel, "adam")
    stop(walled)


def test_folders_and_devices_are_for_whom_a_rule_gives_them(walled: Serving) -> None:
    wanted = "['1', False, 'written', False, True]"
    assert wanted == uses_extra(walled, begin(walled, "dora"), "dora")
    stop(walled)


def test_who_has_the_internet_by_a_rule_is_told_that_it_cannot_be_given(walled: Serving) -> None:
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    answer = walled.request("POST", "/api/sessions", "ines", json_body=body)
    wanted = "a rule gives this process the internet, and Landlock, which confines here, cannot"
    assert (True, True) == (answer.status >= 400, wanted in answer.text)


def test_from_a_terminal_neither(walled: Serving) -> None:
    begin(walled, "adam", "other/b.ipynb")
    assert set() == attacked_from_a_terminal(walled, "tess") - OPEN
    stop(walled)


KEEPS = """
import os, tempfile
home, tmp = os.environ["HOME"], tempfile.gettempdir()
os.makedirs("in/one", exist_ok=True); os.makedirs("in/two", exist_ok=True)
open("in/one/kept", "w").close()
def does(act, a, b):
    try:
        return act(a, b) is None
    except OSError as error:
        return error.errno
acts = [(act, to) for act in (os.link, os.rename) for to in (home, tmp)]
print([does(act, "in/one/kept", f"{to}/kept") for act, to in acts])
print(does(os.link, f"{home}/.in", "in/x"), does(os.link, "in/one/kept", "in/two/linked"))
print(does(os.rename, "in/one/kept", "in/two/moved"), does(os.rename, "in/two", "in/one/two"))
"""


def test_nothing_is_kept_by_a_second_name_in_a_home(walled: Serving) -> None:
    """What is shown no more could be changed there, since it would be the same file."""
    kernel = begin(walled, "mona")
    assert "" == said(
        walled, kernel, "mona", "open(__import__('os').environ['HOME'] + '/.in', 'w').close()"
    )
    # EXDEV, of which programs know that they have to copy; and in a folder all is as always.
    assert "[18, 18, 18, 18]\n18 True\nTrue True" == said(walled, kernel, "mona", KEEPS)
    # Of a file with two names `reach` tells; the next test looks for anything it tells.
    shutil.rmtree(walled.root / "team" / "in")
    stop(walled)


def test_an_editors_kernel_reads_and_changes_nothing(walled: Serving) -> None:
    kernel = begin(walled, "edda")
    assert "1,2" == said(walled, kernel, "edda", "print(open('data.csv').read())")
    for code in (
        "open('data.csv', 'w')", "open('new', 'w')", "__import__('os').truncate('data.csv', 0)",
        "__import__('os').rename('data.csv', 'x')", "__import__('os').unlink('data.csv')",
        "__import__('os').link('data.csv', __import__('os').environ['HOME'] + '/x')",
    ):  # fmt: skip
        assert "[Errno 1" in said(walled, kernel, "edda", code)  # why: EACCES, or EXDEV for a link
    assert "1,2\n" == (walled.root / "team" / "data.csv").read_text()
    stop(walled)


def test_a_runner_has_a_home_and_a_place_for_temporary_files_that_are_forgotten(
    walled: Serving,
) -> None:
    show = (
        "import os, tempfile\n"
        "print(os.listdir(os.environ['HOME']), os.listdir(tempfile.gettempdir()))"
    )
    plant = (
        "for each in (os.environ['HOME'], tempfile.gettempdir()):\n"
        "    open(each + '/startup.py', 'w').close()"
    )
    notebook(walled.root / "team" / "home.ipynb", show, plant)
    kernel = begin(walled, "rune", "team/home.ipynb")
    assert "startup.py" not in said(walled, kernel, "rune", show)
    assert "" == said(walled, kernel, "rune", plant)
    assert 2 == said(walled, kernel, "rune", show).count("startup.py")
    assert 200 == walled.request("POST", f"/api/kernels/{kernel}/restart", "adam").status
    assert "startup.py" not in said(walled, kernel, "rune", show)
    stop(walled)


#: What is done, and what is printed then.
WORKS = {
    "!echo told": "told",
    "import subprocess; print(subprocess.check_output(['seq', '2']))": "b'1\\n2\\n'",
    "import sqlite3; print(sqlite3.connect('a.sqlite').execute('select 7').fetchall())": "[(7,)]",
    "%%bash\ngit init -q repo && cd repo && touch f && git add f && echo added": "added",
    "%pip --version": "pip",
    "import tempfile\nwith tempfile.NamedTemporaryFile() as f: print(f.write(b'x'))": "1",
    "import shutil; print(shutil.copy2('data.csv', 'to'))": "to",
    "import pathlib; print(pathlib.Path.home().is_dir(), open('/dev/null').read())": "True",
    "import socket; a, b = socket.socketpair(); print(a.send(b'x'), b.recv(1))": "1 b'x'",
    "import socket\ntry: socket.socket()\nexcept PermissionError: print('no')": "no",
    "import matplotlib; print(open('/etc/passwd').read()[:5])": "root:",
}


def test_a_kernel_works_is_interrupted_and_starts_again(walled: Serving) -> None:
    kernel = begin(walled, "mona")
    client = Client(walled, kernel, "mona")
    client.socket.settimeout(60)
    for code, wanted in WORKS.items():
        text = client.text(code).strip()
        while code.startswith("!") and wanted not in text:
            # What another program prints may come after the cell has ended.
            text += client.hear(60).content.get("text", "")
        assert wanted in text, (code, text)
    for code in ("import time; print('on', flush=True); time.sleep(600)", "!echo on; sleep 600"):
        sent = client.run(code)
        while "on" not in client.hear(60).content.get("text", ""):
            pass
        path = f"/api/kernels/{kernel}/interrupt"
        assert 204 == walled.request("POST", path, "mona").status
        client.answer(sent)
    assert 200 == walled.request("POST", f"/api/kernels/{kernel}/restart", "mona").status
    assert "1,2" == said(walled, kernel, "mona", "print(open('data.csv').read())")
    client.close()
    stop(walled)


#: A program that leaves its session, and whose first thread ends while another runs on.
HEADLESS = (
    "import ctypes, os, threading, time; os.setsid(); "
    "threading.Thread(target=time.sleep, args=(604,)).start(); "
    "ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)"
)


def headless(process: int) -> bool:
    """Whether the first thread of a process comes to its end, and others run."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        if (words[0], words[17]) == ("Z", "2"):
            return True
        time.sleep(0.02)
    return False


def daemon(server: Serving) -> str:
    """Code that starts what leaves its session and its parent, and prints its number.

    What runs it, and what it starts, is deaf to all signals but the strongest.
    """
    return (
        "import signal\nfor each in signal.valid_signals() - {9, 17, 19}:"
        " signal.signal(each, signal.SIG_IGN)\n"
        "import subprocess; print(subprocess.run(['sh', '-c', "
        f"'setsid sleep 604.{server.port} > /dev/null 2>&1 & echo $!'],"
        " stdout=subprocess.PIPE).stdout.decode())"
    )


def number_in(text: str) -> int:
    return int("".join(letter for letter in text if letter.isdigit()))


def ends(process: int) -> bool:
    """Whether a process comes to an end."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_what_has_lost_its_first_thread_ends_with_its_kernel_too(walled: Serving) -> None:
    kernel = begin(walled, "mona")
    run = f"subprocess.Popen([sys.executable, '-c', {HEADLESS!r}])"
    code = f"import subprocess, sys; print({run}.pid)"
    left = number_in(said(walled, kernel, "mona", code))
    assert headless(left)
    assert 204 == walled.request("DELETE", f"/api/kernels/{kernel}", "mona").status
    assert ends(left)
    stop(walled)


@pytest.mark.parametrize("way", ["shut down", "restart", "killed", "loses its right"])
def test_what_leaves_a_kernels_session_ends_with_it_all_the_same(
    walled: Serving, way: str
) -> None:
    kernel = begin(walled, "mona")
    left = number_in(said(walled, kernel, "mona", daemon(walled)))
    os.kill(left, 0)
    if way == "shut down":
        assert 204 == walled.request("DELETE", f"/api/kernels/{kernel}", "mona").status
    elif way == "restart":
        assert 200 == walled.request("POST", f"/api/kernels/{kernel}/restart", "mona").status
    elif way == "killed":
        client = Client(walled, kernel, "mona")
        client.run("import os; os.kill(os.getpid(), 9)")
        assert ends(left)
        client.close()
    else:
        store = walled.store()
        (grant,) = (
            each for each in store.state().grants
            if each.principal == "user:mona" and each.resource == "contents:/team"
        )  # fmt: skip
        store.remove_grant(grant.id)
        assert ends(left)
        store.add_grant(
            principal="user:mona", level="manager", resource="contents:/team",
            now=time.time(), granted_by="os:test",
        )  # fmt: skip
        store.close()
        end = time.monotonic() + 60
        while walled.request("GET", "/api/contents/team/a.ipynb", "mona").status != 200:
            assert time.monotonic() < end
    assert ends(left)
    stop(walled)


def test_whatever_runs_by_a_right_is_gone_within_a_second_of_its_end(walled: Serving) -> None:
    assert seconds_to_end(walled, "rex") < 1


#: The first has an end of its own, of 64.
BOMB = "import os, time\nfor _ in range(6):\n    os.fork()\ntime.sleep(600)"
LITTER = """
import ipykernel, json, os, time
sockets = json.load(open(ipykernel.get_connection_file()))["ip"]
with open(os.path.dirname(sockets) + "/file", "wb") as file:
    file.write(bytes(1 << 20))
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (BOMB, f"processes and threads, and may have {PROCESSES}"),
        (LITTER, "put more than sockets into the folder of its sockets"),
    ],
    ids=["a fork bomb", "a file beside its sockets"],
)
def test_what_nothing_else_limits_is_counted_and_stopped(
    walled: Serving, code: str, why: str
) -> None:
    kernel = begin(walled, "mona")
    client = Client(walled, kernel, "mona")
    client.run(code)
    words, end = "", time.monotonic() + 120
    while "the kernel was stopped" not in words:
        assert time.monotonic() < end
        words += client.hear(120).content.get("text", "")
    client.close()
    assert why in words
    assert "2" == said(walled, kernel, "mona", "print(1 + 1)")
    stop(walled)


def test_a_terminals_jobs_end_with_it(walled: Serving) -> None:
    shell = Shell(walled, "tess", cwd="team")
    assert "1,2" in shell.says("cat data.csv")
    inner, outer = f"sleep 605.{walled.port}", f"sleep 606.{walled.port}"
    shell.type(f"setsid {outer} &\r{inner}\r")
    assert waited_for(inner, there=True)
    assert waited_for(outer, there=True)
    end = time.monotonic() + 60
    while not waited_for(inner, there=False, seconds=0.0):
        assert time.monotonic() < end
        shell.type("\x03")
        waited_for(inner, there=False, seconds=5.0)
    assert "after" in shell.says("echo aft''er")
    shell.socket.close()
    assert 204 == walled.request("DELETE", f"/api/terminals/{shell.name}", "adam").status
    assert waited_for(outer, there=False)


def test_reach_walks_behind_the_walls(walled: Serving) -> None:
    command = [
        sys.executable, "-m", "jupyter", "authz", "reach", "--json",
        "--user", "user:mona", "--root", str(walled.root),
    ]  # fmt: skip
    done = subprocess.run(
        command, env=environment(walled.folder), capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout)
    assert (0, "landlock", []) == (done.returncode, told["sandbox"], told["reached"])
    wanted = ["sees another's file"]
    # Nothing but watching keeps root's from it where there are no control groups.
    watched = os.geteuid() == 0 and probe._bounds()[0] is None
    wanted += ["starts more processes than it may"] if watched else []
    assert wanted == told["leaves_open"]
