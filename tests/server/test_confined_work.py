"""A confined kernel and terminal do what a plain one does: each thing once, on one kernel."""

from __future__ import annotations

import base64
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, serving
from talking import Client, Said, notebook, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STARTS = ("runner", "kernelspecs:")
PEOPLE = {
    "mona": [("manager", "contents:/team"), STARTS, ("admin", "terminals:")],
    "adam": "admin",
}
SECONDS = 120
#: What is done: code, and the last line that it prints.
# fmt: off
WORKS = {
    "a shell command": ("!echo told", "told"),
    "a shell command's lines": ("lines = !printf 'a\\nb'\nprint(lines)", "['a', 'b']"),
    "a program": (
        "import subprocess; print(subprocess.check_output(['seq', '2']).split())",
        "[b'1', b'2']",
    ),
    "a pipe of programs": ("!seq 9 | tail -n 1", "9"),
    "a pool of processes": (
        "import multiprocessing\nwith multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))",
        "[1, 2]",
    ),
    "forked children's words": (
        "import multiprocessing\np = multiprocessing.get_context('fork').Process(target=print, args=('child',))\n"
        "p.start(); p.join()",
        "child",
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor() as pool: print(list(pool.map(abs, [-1])))",
        "[1]",
    ),
    "shared memory": (
        "from multiprocessing import shared_memory\nm = shared_memory.SharedMemory(create=True, size=1 << 20)\n"
        "n = shared_memory.SharedMemory(m.name); m.buf[0] = 7; print(n.buf[0]); n.close(); m.close(); m.unlink()",
        "7",
    ),
    "a database": (
        "import sqlite3; d = sqlite3.connect('a.sqlite'); d.execute('pragma journal_mode = wal')\n"
        "d.execute('create table t (n)'); d.execute('insert into t values (7)'); d.commit()\n"
        "print(sqlite3.connect('a.sqlite').execute('select n from t').fetchall())",
        "[(7,)]",
    ),
    "a memory map": (
        "import mmap\nwith open('big', 'wb+') as f:\n    f.truncate(64 << 20)\n    m = mmap.mmap(f.fileno(), 0)\n"
        "    m[-1:] = b'z'; m.flush(); f.seek(-1, 2); print(f.read())",
        "b'z'",
    ),
    "git": (
        "!git init -q repo && cd repo && touch f && git add f && git -c user.name=m -c user.email=m@x"
        " commit -q -m one && git log --format=%s",
        "one",
    ),
    "a temporary file": (
        "import tempfile\nwith tempfile.NamedTemporaryFile() as f: print(f.name.startswith('/tmp/'))",
        "True",
    ),
    "a socket to itself": (
        "import socket\ns = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n"
        "c.sendall(b'x'); print(s.accept()[0].recv(1))",
        "b'x'",
    ),
    "who it is": (
        "import getpass, pathlib; print(getpass.getuser(), pathlib.Path.home().is_dir())", "mona True"
    ),
    "copying with times and modes": (
        "import shutil; open('from', 'w').close(); shutil.copy2('from', 'to'); print(os.path.exists('to'))",
        "True",
    ),
    "an event loop at the top level": ("import asyncio; await asyncio.sleep(0); print('awaited')", "awaited"),
    "the clock of its processes": ("%time print('timed')", None),
    "a script of another language": ("%%bash\necho \"$0\"", None),
}
# fmt: on


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "root" / "team").mkdir(parents=True)
    notebook(folder / "root" / "team" / "a.ipynb", "print(6 * 7)")
    shown = ("jupyter_server_terminals",)
    with serving(folder, people=PEOPLE, extensions=shown) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "mona", "team/a.ipynb")


@pytest.fixture
def client(server: Serving, kernel: str) -> Iterator[Client]:
    found = Client(server, kernel, "mona")
    found.socket.settimeout(SECONDS)
    assert "" == found.text("import os; os.chdir(os.path.dirname(os.environ['JPY_SESSION_NAME']))")
    yield found
    found.close()


def replied(said: list[Said], kind: str) -> dict[str, Any]:
    return next(each.content for each in said if each.msg_type == kind)


@pytest.mark.parametrize("what", WORKS)
def test_a_confined_kernel_can_do(client: Client, what: str) -> None:
    code, wanted = WORKS[what]
    said = client.text(code).strip()
    assert wanted in {None, (said.splitlines() or [""])[-1]}, said


def test_a_plot_is_shown(client: Client) -> None:
    pytest.importorskip("matplotlib")
    code = "import matplotlib.pyplot as plt; _ = plt.plot([1, 2])"
    shown = replied(client.answer(client.run(code)), "display_data")
    assert b"\x89PNG" == base64.b64decode(shown["data"]["image/png"])[:4]


def test_a_comm_goes_both_ways(client: Client) -> None:
    code = (
        "def opened(comm, opening):\n    comm.on_msg(lambda m: comm.send(m['content']['data']))\n"
        "get_ipython().kernel.comm_manager.register_target('echo', opened)"
    )
    assert "" == client.text(code)
    opening = {"comm_id": "c1", "target_name": "echo", "data": {}}
    client.answer(client.send("comm_open", opening), reply=False)
    sent = client.send("comm_msg", {"comm_id": "c1", "data": {"said": "hallo"}})
    assert {"said": "hallo"} == replied(client.answer(sent, reply=False), "comm_msg")["data"]


def test_names_are_completed(client: Client) -> None:
    assert "" == client.text("%config Completer.use_jedi = False\nclient_name = 1")
    sent = client.send("complete_request", {"code": "client_na", "cursor_pos": 9})
    assert "client_name" in replied(client.answer(sent), "complete_reply")["matches"]


def test_it_asks_and_is_answered(client: Client) -> None:
    sent = client.run("print(input('name? ').upper())")
    said = client.hear(SECONDS)
    while said.msg_type != "input_request":
        said = client.hear(SECONDS)
    client.send("input_reply", {"value": "mona"}, "stdin")
    assert "MONA\n" == replied(client.answer(sent), "stream")["text"]


@pytest.mark.parametrize(
    "code",
    [
        "import time\nprint('started', flush=True)\ntime.sleep(600)",
        "import subprocess\nprint('started', flush=True)\nsubprocess.run(['sleep', '600'])",
        "!echo started; sleep 600",
    ],
    ids=["the kernel", "a child", "a shell command"],
)
def test_an_interrupt_reaches(server: Serving, kernel: str, client: Client, code: str) -> None:
    sent = client.run(code)
    while "started" not in client.hear(SECONDS).content.get("text", ""):
        pass
    path = f"/api/kernels/{kernel}/interrupt"
    assert 204 == server.request("POST", path, "mona").status
    client.answer(sent)
    assert "no sleep" == client.text("!pgrep sleep || echo no sleep").strip()


def test_it_is_debugged(client: Client) -> None:
    seq = iter(range(1, 99))

    def tell(command: str, **arguments: Any) -> str:
        content = {"type": "request", "seq": next(seq), "command": command, "arguments": arguments}
        return client.send("debug_request", content, "control")

    def ask(command: str, **arguments: Any) -> Any:
        answer = replied(client.answer(tell(command, **arguments)), "debug_reply")
        assert answer["success"], answer
        return answer.get("body")

    code = "def twice(n):\n    return n + n\nprint(twice(21))"
    assert ask("debugInfo")["isStarted"] is False
    assert ask("initialize", clientID="c", adapterID="", pathFormat="path")
    ask("attach")
    source = {"path": ask("dumpCell", code=code)["sourcePath"]}
    points = ask("setBreakpoints", source=source, breakpoints=[{"line": 2}], sourceModified=False)
    assert [True] == [each["verified"] for each in points["breakpoints"]]
    ask("configurationDone")
    sent = client.run(code)
    said = client.hear(SECONDS)
    while said.content.get("event") != "stopped":
        said = client.hear(SECONDS)
    thread = said.content["body"]["threadId"]
    frame = ask("stackTrace", threadId=thread)["stackFrames"][0]
    assert ("twice", 2) == (frame["name"], frame["line"])
    assert "42" == ask("evaluate", expression="n + n", frameId=frame["id"])["result"]
    tell("continue", threadId=thread)
    assert "42\n" in [each.content.get("text") for each in client.answer(sent)]
    ask("disconnect", restart=False, terminateDebuggee=False)


def wheel(folder: Path) -> Path:
    """A wheel of one module, which needs no index."""
    path = folder / "confined_toy-1.0-py3-none-any.whl"
    info = "confined_toy-1.0.dist-info"
    meta = "Metadata-Version: 2.1\nName: confined-toy\nVersion: 1.0\n"
    kind = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = f"confined_toy.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("confined_toy.py", "NAME = 'toy'\n")
        made.writestr(f"{info}/METADATA", meta)
        made.writestr(f"{info}/WHEEL", kind)
        made.writestr(f"{info}/RECORD", record)
    return path


def test_a_package_is_installed_into_its_owners_home(server: Serving, client: Client) -> None:
    name = wheel(server.root / "team").name
    said = client.text(f"%pip install --no-index --no-deps -q {name}")
    assert "" == client.text("import importlib; importlib.invalidate_caches()"), said
    code = "import confined_toy, pathlib; print(pathlib.Path.home() in pathlib.Path(confined_toy.__file__).parents)"
    assert "True" == client.text(code).strip(), said


@pytest.mark.parametrize("way", ["restart", "crash"])
def test_it_starts_again_with_its_view(
    server: Serving, kernel: str, client: Client, way: str
) -> None:
    assert "" == client.text("before = 1; subprocess = __import__('subprocess')")
    code = "_ = subprocess.Popen(['sleep', '777'])"
    assert "" == client.text(code)
    if way == "restart":
        assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "mona").status
    else:
        client.run("os.kill(os.getpid(), 9)")
        while client.hear(SECONDS).content.get("execution_state") != "restarting":
            pass
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        fresh = Client(server, kernel, "mona")
        said = fresh.text("print('before' in globals(), open('a.ipynb').read(1))")
        fresh.close()
        if "False" in said:
            break
    assert "False {" == said.strip()


SPECS = {
    "dies": ["python", "-c", "import sys; sys.exit('no licence for this machine')"],
    "is missing": ["/nowhere/kernel", "{connection_file}"],
    "says much": ["python", "-c", "print('x' * 1_000_000)"],
}


@pytest.mark.parametrize("what", SPECS)
def test_why_a_kernel_does_not_start_is_said(server: Serving, what: str) -> None:
    folder = server.folder / "data" / "kernels" / what.replace(" ", "-")
    folder.mkdir(parents=True)
    spec = {"argv": SPECS[what], "display_name": what, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    body = {"path": f"team/{what}.ipynb", "type": "notebook", "kernel": {"name": folder.name}}
    answer = server.request("POST", "/api/sessions", "mona", json_body=body)
    print(answer.status, answer.text[:1500], server.log[-3000:])
    assert 0
