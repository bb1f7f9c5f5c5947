"""A confined kernel and terminal do what a plain one does: each thing once, on one kernel."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacking import waited_for
from serving import Serving, serving
from talking import Client, Said, Shell, notebook, start
from working import WORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS = ("runner", "kernelspecs:")
PEOPLE = {
    "mona": [("manager", "contents:/team"), STARTS, ("admin", "terminals:")],
    "paul": [STARTS],
    "adam": "admin",
}
SECONDS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "root" / "team").mkdir(parents=True)
    notebook(folder / "root" / "team" / "a.ipynb", "print(6 * 7)")
    shown = ("jupyter_server_terminals",)
    # As a script does that starts it with `&`.
    before = ("sh", "-c", "trap '' INT QUIT; exec \"$@\"", "sh")
    with serving(folder, people=PEOPLE, extensions=shown, before=before) as running:
        yield running
        assert 0 == running.stop()


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


def printed(said: list[Said]) -> str:
    """What was printed, in however many pieces."""
    return "".join(each.content["text"] for each in said if each.msg_type == "stream")


@pytest.mark.parametrize("what", WORKS)
def test_a_confined_kernel_can_do(client: Client, what: str) -> None:
    code, wanted = WORKS[what]
    said = client.text(textwrap.dedent(code).strip()).strip()
    assert wanted == (said.splitlines() or [""])[-1], said


def test_a_plot_is_shown(client: Client) -> None:
    pytest.importorskip("matplotlib")  # why: only where it is installed
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
    assert "MONA\n" == printed(client.answer(sent))


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
    words = ""
    while "started" not in words:
        words += client.hear(SECONDS).content.get("text", "")
    path = f"/api/kernels/{kernel}/interrupt"
    assert 204 == server.request("POST", path, "mona").status
    client.answer(sent)
    assert "no sleep" == client.text("!pgrep sleep || echo no sleep").strip()


def test_it_is_debugged(server: Serving, kernel: str, client: Client) -> None:
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
    assert "42\n" == printed(client.answer(sent))
    ask("disconnect", restart=False, terminateDebuggee=False)
    # The debugger stays in the process and slows down each of its children.
    assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "mona").status


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
    code = "import confined_toy; print(confined_toy.__file__.startswith(os.environ['HOME']))"
    assert "True" == client.text(code).strip(), said


@pytest.mark.parametrize("way", ["restart", "crash", "crash, as told without v1"])
def test_it_starts_again_with_its_view(
    server: Serving, kernel: str, client: Client, way: str
) -> None:
    assert "" == client.text("before = 1; subprocess = __import__('subprocess')")
    code = "_ = subprocess.Popen(['sleep', '777'])"
    assert "" == client.text(code)
    if way == "restart":
        assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "mona").status
    else:
        watching = Client(server, kernel, "mona", v1="without" not in way)
        client.run("print('wor' + 'ds'); os.kill(os.getpid(), 9)")
        said = [watching.hear(SECONDS)]
        while said[-1].content.get("execution_state") != "restarting":
            said.append(watching.hear(SECONDS))
        watching.close()
        assert "the kernel ended with signal SIGKILL" in said[-2].content["text"]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        fresh = Client(server, kernel, "mona")
        text = fresh.text("print('before' in globals(), open('a.ipynb').read(1))")
        fresh.close()
        if "False" in text:
            break
    assert "False {" == text.strip()


def begun(server: Serving, name: str, *argv: str, who: str = "mona") -> Any:
    """The answer to a start of a kernel whose kernelspec `name` has `argv`."""
    folder = server.folder / "data" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"argv": argv, "display_name": name, "language": "none"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    body = {"path": f"team/{name}.ipynb", "type": "notebook", "kernel": {"name": name}}
    return server.request("POST", "/api/sessions", who, json_body=body)


@pytest.mark.parametrize("name", ["/nowhere/kernel", "no-such-program"])
def test_a_kernelspec_without_its_program_is_refused_with_why(server: Serving, name: str) -> None:
    answer = begun(server, "missing", name, "{connection_file}")
    assert answer.status >= 400
    assert f"names the program `{name}`, which is not on this machine" in answer.text


def test_why_a_kernel_dies_at_once_is_said_to_who_starts_it(server: Serving) -> None:
    answer = begun(server, "dying", "python", "-c", "exit('no licence \\x1b[31mhere')")
    wanted = "the kernel ended with status 1; its last words: no licence here; if it needs"
    assert (500, wanted) == (answer.status, answer.json["message"][: len(wanted)])
    rooms = server.folder / "data" / "authorization" / "sandbox" / "logs"
    assert "no licence" not in "".join(path.read_text() for path in rooms.iterdir())


def test_a_program_among_the_contents_runs_and_shows_its_environment_alone(
    server: Serving,
) -> None:
    tools = server.root / "tools"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", tools / "venv"],
        check=True,
        timeout=SECONDS,
    )
    (tools / "notes.txt").touch()
    code = "import os, sys; exit(f'{sys.prefix} {os.listdir(os.path.dirname(sys.prefix))}')"
    answer = begun(server, "shared", str(tools / "venv" / "bin" / "python"), "-c", code)
    assert f"its last words: {tools}/venv ['venv']" in answer.text


def test_a_kernel_that_is_stopped_while_it_starts_says_for_what(server: Serving) -> None:
    answers: list[Any] = []
    sleep, end = ("sleep", f"604.{server.port}"), time.monotonic() + SECONDS

    def begin() -> None:
        answers.append(begun(server, "slow", *sleep, who="paul"))

    with server.store() as store:
        given = store.add_grant(
            principal="user:paul",
            level="manager",
            resource="contents:/team",
            now=time.time(),
            granted_by="os:t",
        )
        while server.request("GET", "/api/contents/team", "paul").status != 200:
            assert time.monotonic() < end
        starting = threading.Thread(target=begin)
        starting.start()
        while not any(is_running(process, sleep) for process in Path("/proc").iterdir()):
            assert time.monotonic() < end
            time.sleep(0.02)
        store.remove_grant(given.id)
    starting.join(SECONDS)
    [answer] = answers
    assert "the kernel was stopped: `user:paul` may not run code here any more" in answer.text


def is_running(process: Path, command: tuple[str, ...]) -> bool:
    """Whether a process of `/proc` runs `command` itself, inside of what confines it."""
    try:
        said = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return False
    return [Path(said[0].decode()).name, *(each.decode() for each in said[1:])] == [*command]


def test_what_a_kernel_prints_is_cut(server: Serving, kernel: str, client: Client) -> None:
    logs = server.folder / "data" / "authorization" / "sandbox" / "logs"
    client.text("for _ in range(3): _ = os.write(1, b'x' * (1 << 20))")
    end = time.monotonic() + SECONDS
    while max(path.stat().st_size for path in logs.iterdir()) > 1 << 20:
        assert time.monotonic() < end
        time.sleep(0.05)
    client.text("_ = os.write(1, b'after')")
    while b"after" not in [path.read_bytes()[-5:] for path in logs.iterdir()]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_kernel_of_another_language_works(server: Serving) -> None:
    pytest.importorskip("bash_kernel", reason="bash_kernel is not installed")  # why: as above
    answer = begun(server, "bash", "python", "-m", "bash_kernel", "-f", "{connection_file}")
    client = Client(server, answer.json["kernel"]["id"], "mona")
    client.socket.settimeout(SECONDS)
    assert "2" == client.text("x=1; echo $((x + 1))").strip()
    assert "No such file" in client.text(f"ls {server.folder}/config")
    sent = client.send("complete_request", {"code": "mkfif", "cursor_pos": 5})
    assert ["mkfifo"] == replied(client.answer(sent), "complete_reply")["matches"]
    assert "told" in client.text('python -c \'print("to" + "ld")\' > told && cat told')
    path = f"/api/kernels/{answer.json['kernel']['id']}"
    sleep = f"sleep 608.{server.port}"
    sent = client.run(sleep)
    assert waited_for(sleep, there=True)
    assert 204 == server.request("POST", f"{path}/interrupt", "mona").status
    client.answer(sent)
    assert waited_for(sleep, there=False)
    client.text("x=1")
    client.run("kill -9 $PPID")
    while client.hear(SECONDS).content.get("execution_state") != "restarting":
        pass
    client.close()
    end = time.monotonic() + SECONDS
    while True:
        client = Client(server, answer.json["kernel"]["id"], "mona")
        if "[]" in client.text('echo "[$x]"'):
            break
        client.close()
        assert time.monotonic() < end
    client.close()
    assert "is not encrypted: its kernelspec does not name `curve`" in server.log


#: What a kernel of another language does: an expression, and what it comes to.
SCRIPTS = {
    "it counts": ("6 * 7", "42"),
    "it has its person's home": ("Deno.env.get('HOME').endsWith('user-mona')", "true"),
    "it reads nothing else": (
        "await Deno.stat('{folder}/config/jupyter_server_config.py').catch((e) => e.name)",
        '"NotFound"',
    ),
    "it changes what it may": (
        "Deno.writeTextFileSync('from-deno', 'x'); Deno.readTextFileSync('from-deno')",
        '"x"',
    ),
    "it starts programs": (
        "new Deno.Command('sh', {{args: ['-c', 'yes | head -1']}}).outputSync().stdout.length",
        "2",
    ),
    "it speaks to itself": (
        "var own = Deno.listen({{port: 0}}); (await Deno.connect(own.addr)).remoteAddr.port > 0",
        "true",
    ),
    "it is told much": (f"/* {'x' * (3 << 20)} */ 6 * 7", "42"),
}


def value(client: Client, code: str) -> str:
    """What `code` comes to, as the kernel shows it, without its colours."""
    return re.sub("\x1b.*?m", "", shown(client, client.run(code), "execute_result"))


def shown(client: Client, sent: str, kind: str) -> str:
    """The text of `kind` that answers `sent`; Deno may say before it that it is idle."""
    while (said := client.hear(SECONDS)).msg_type != kind or said.parent["msg_id"] != sent:
        assert said.msg_type != "error", said
    return str(said.content["data"]["text/plain"])


def test_a_kernel_that_is_no_python_and_knows_tcp_alone_works(server: Serving) -> None:
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    program = shutil.which("deno", path=places)
    if program is None:
        pytest.skip("deno is not installed")  # why: as above
    argv = [program, "jupyter", "--kernel", "--conn", "{connection_file}"]
    answer = begun(server, "deno", *argv)
    kernel = answer.json["kernel"]["id"]
    client = Client(server, kernel, "mona")
    assert {name: wanted for name, (_, wanted) in SCRIPTS.items()} == {
        name: value(client, code.format(folder=server.folder))
        for name, (code, _) in SCRIPTS.items()
    }
    much = "await Deno.jupyter.display({'text/plain': 'x'.repeat(3 << 20)}, {raw: true}); 1"
    assert 3 << 20 == len(shown(client, client.run(much), "display_data"))
    sent = client.send("complete_request", {"code": "consol", "cursor_pos": 6})
    assert ["console"] == replied(client.answer(sent), "complete_reply")["matches"]
    sent = client.run("prompt('name?').toUpperCase()")
    assert "name?" in client.asked(SECONDS).content["prompt"]
    client.send("input_reply", {"value": "mona"}, "stdin")
    assert "MONA" in shown(client, sent, "execute_result")
    assert "1" == value(client, "globalThis.before = 1")
    path = f"/api/kernels/{kernel}"
    # It ends for this signal, as it does without a sandbox.
    client.run("console.log('waits'); await new Promise((done) => setTimeout(done, 9e6))")
    while client.hear(SECONDS).content.get("text", "").strip() != "waits":
        pass
    assert 204 == server.request("POST", f"{path}/interrupt", "mona").status
    while client.hear(SECONDS).content.get("execution_state") != "restarting":
        pass
    client.close()
    client = Client(server, kernel, "mona")
    assert '"undefined"' == value(client, "typeof before")
    client.close()
    assert 200 == server.request("POST", f"{path}/restart", "mona").status
    client = Client(server, kernel, "mona")
    assert "42" == value(client, "6 * 7")
    client.close()
    assert 204 == server.request("DELETE", path, "mona").status
    assert waited_for(" ".join([*argv[:-1], "/run/kernel.json"]), there=False)


def test_a_terminal_exports_a_notebook_and_controls_its_jobs(server: Serving) -> None:
    shell = Shell(server, "mona", cwd="team")
    said = shell.says("jupyter nbconvert --execute --to html a.ipynb")
    page = server.root / "team" / "a.html"
    assert page.exists(), said
    assert ">42" in page.read_text().replace("<pre>", ">")
    shell.says("sleep 603 & jobs")
    assert "Running" in shell.says("jobs")
    shell.type("fg\r")
    shell.until("sleep 603")
    # It says so before the job has the terminal, and takes no such key itself.
    shell.until("Stopped", keys="\x1a")
    shell.says("bg")
    assert "Running" in shell.says("jobs")
    shell.socket.close()
