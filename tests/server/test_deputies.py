"""What runs or reads for people what they wrote, outside of the cell they are in: none of it
gets out of its owner's sandbox, and none of it runs in the server."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attacking
import nbformat
import pytest
import websocket
from attacking import PEOPLE, begin, furnish, said, stop
from serving import Serving, serving
from talking import Shell

from jupyter_authorized_server.server.doors import languages as door
from jupyter_authorized_server.server.doors.languages import MOST
from jupyter_authorized_server.server.surface import places
from jupyter_authorized_server.server.surface.lab import ROUTES
from jupyter_authorized_server.server.wiring import KEY, Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANTED = "PLANTED-42"
#: A language server that runs whatever it is told, and says what comes of it.
MARK = f"worst-language-server-{os.getpid()}"
WORST = f"""
import json, sys
{attacking.TOOLS}
HOME = os.environ["HOME"]
while line := sys.stdin.buffer.readline():
    length = int(line.split(b":")[1])
    sys.stdin.buffer.readline()
    code = json.loads(sys.stdin.buffer.read(length))["code"]
    said = json.dumps({{"said": str(eval(code))}}).encode()
    for part in (b"Content-Length: %d\\r\\n\\r\\n" % len(said), said[:9], said[9:]):
        sys.stdout.buffer.write(part)
        sys.stdout.flush()
"""
_SPEC = {"version": 2, "languages": ["python"], "mime_types": ["text/x-python"]}
LANGUAGES = {
    "worst": {**_SPEC, "argv": [sys.executable, "-c", WORST, MARK]},
    "missing": {**_SPEC, "argv": ["no-such-program"]},
    "foreign": {**_SPEC, "argv": ["\N{GREEK SMALL LETTER OMEGA}" * 100]},
}

#: What a server might read in the folder that it is started in, and an attempt to.
IN_THE_FOLDER = (
    "jupyter_server_config.py", "jupyter_config.py", "jupyter_notebook_config.py",
    "sitecustomize.py", "usercustomize.py", "late_module.py",
)  # fmt: skip
#: Looks for modules in that folder, as `python -m` has it, and imports one again and again.
LATE = """
import importlib, sys, threading, time
sys.path.insert(0, "")
def look():
    for number in range(100_000):
        importlib.invalidate_caches()
        try:
            importlib.import_module("late_module")
        except ImportError:
            pass
        with open(COUNT, "w") as file:
            file.write(str(number))
        time.sleep(0.1)
threading.Thread(target=look, daemon=True).start()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("deputies")
    furnish(folder)
    for name in IN_THE_FOLDER[:-1]:
        (folder / "root" / name).write_text(f"open({str(folder / 'ran')!r}, 'a').write({name!r})")
    extensions = ("jupyter_server_terminals", "jupyter_lsp")
    config = (
        f"COUNT = {str(folder / 'count')!r}\n{LATE}\n"
        f"c.LanguageServerManager.language_servers = {LANGUAGES!r}\n"
        "c.LanguageServerManager.autodetect = False\n"
    )
    with serving(
        folder,
        people=PEOPLE,
        extensions=extensions,
        config=config,
        cwd="root",
        env={"HIDDEN": "HIDDEN-42"},
    ) as running:
        yield running


def test_a_server_runs_nothing_of_the_folder_that_it_is_started_in(server: Serving) -> None:
    count, ran, end = server.folder / "count", server.folder / "ran", time.monotonic() + 120
    module = server.root / IN_THE_FOLDER[-1]
    module.write_text(f"open({str(ran)!r}, 'a').write('late')")

    def tries() -> int:
        return int(count.read_text() or 0)

    before = tries()
    while tries() < before + 3:
        assert time.monotonic() < end
        time.sleep(0.1)
    module.unlink()
    assert not ran.exists()
    assert f"no module is imported from `{server.root}` any more" in server.log


#: Python that writes, wherever it runs, what it reaches beside its own home.
SPY = """
import os, socket
def tried(act):
    try:
        act()
    except OSError:
        return False
    return True
found = [path for path in ({secret!r}, {config!r}) if os.path.exists(path)]
if tried(lambda: socket.create_connection(('127.0.0.1', {port}), 5).close()):
    found.append('port')
with open(os.path.expanduser('~/seen-{{}}'.format(NAME)), 'w') as file:
    file.write(repr(found))
"""
#: Where a home has what is run by itself.
PLANTS = {
    "startup": ".ipython/profile_default/startup/00-spy.py",
    "profile": ".ipython/profile_default/ipython_config.py",
    "kernel-profile": ".ipython/profile_default/ipython_kernel_config.py",
    "packages": ".packages/sitecustomize.py",
    "jupyter": ".jupyter/jupyter_server_config.py",
    "nbconvert": ".jupyter/jupyter_nbconvert_config.py",
}


def test_what_a_home_runs_by_itself_runs_in_its_owners_sandbox_alone(server: Serving) -> None:
    spy = SPY.format(
        secret=str(server.root / "other" / "secret.txt"),
        config=str(server.folder / "config"),
        port=server.port,
    )
    texts = {path: f"NAME = {name!r}\n{spy}" for name, path in PLANTS.items()}
    plant = (
        "import os\n"
        f"for path, text in {texts!r}.items():\n"
        "    path = os.path.expanduser('~/' + path)\n"
        "    os.makedirs(os.path.dirname(path), exist_ok=True)\n"
        "    open(path, 'w').write(text)\n"
    )
    seen = (
        "import glob, json, os\n"
        "paths = glob.glob(os.path.expanduser('~/seen-*'))\n"
        "print(json.dumps({os.path.basename(path): open(path).read() for path in paths}))"
    )
    kernel = begin(server, "mona")
    plant += "_ = os.system('cd ~ && jupyter nbconvert --to script nothing >/dev/null 2>&1')"
    assert "" == said(server, kernel, "mona", plant)
    assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "mona").status
    found = json.loads(said(server, kernel, "mona", seen))
    ran = {"startup", "profile", "kernel-profile", "packages", "nbconvert"}
    assert {f"seen-{name}": "[]" for name in ran} == found
    # Nobody else's process has run any of it, and the server has not.
    assert "{}" == said(server, begin(server, "edda"), "edda", seen)
    assert [] == [*(server.folder / "home").glob("seen-*")]
    stop(server)


def test_a_shells_own_files_run_in_its_sandbox(server: Serving) -> None:
    shell = Shell(server, "toby")
    secret = server.root / "other" / "secret.txt"
    shell.says(f"echo 'cat {secret} > ~/stolen 2>&1; echo ran >> ~/stolen' > ~/.bashrc")
    shell.socket.close()
    again = Shell(server, "toby")
    told = again.says("bash -ic true; cat ~/stolen")
    assert "No such file" in told
    assert "ran" in told
    again.socket.close()


def test_a_kernelspec_that_a_kernel_installs_is_its_homes_and_no_one_is_started_from_it(
    server: Serving,
) -> None:
    kernel = begin(server, "mona")
    spec = {"argv": ["sh", "-c", "touch ~/x"], "display_name": PLANTED, "language": "none"}
    install = (
        "import json, os, subprocess, sys, tempfile\n"
        "folder = tempfile.mkdtemp()\n"
        f"_ = open(folder + '/kernel.json', 'w').write({json.dumps(spec)!r})\n"
        "done = subprocess.run([sys.executable, '-m', 'jupyter', 'kernelspec', 'install',"
        " '--user', '--name', 'planted', folder], capture_output=True, text=True)\n"
        "print(done.returncode, os.path.exists("
        "os.path.expanduser('~/.local/share/jupyter/kernels/planted')))"
    )
    assert "0 True" == said(server, kernel, "mona", install)
    assert PLANTED not in server.request("GET", "/api/kernelspecs", "mona").text
    body = {"path": "team/p.ipynb", "type": "notebook", "kernel": {"name": "planted"}}
    assert server.request("POST", "/api/sessions", "mona", json_body=body).status >= 400
    for method in ("PUT", "POST", "DELETE"):
        path = "/api/kernelspecs/planted"
        assert server.request(method, path, "mona", json_body=spec).status in {403, 404, 405}
    stop(server)


def test_an_export_runs_nothing_and_takes_no_template_that_stands_beside_the_notebook(
    server: Serving,
) -> None:
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"open('ran', 'w').write('x'); print({PLANTED!r}[::-1])")]
    )
    made.metadata["nbconvert"] = {
        "template": "planted", "template_name": "planted", "template_file": "planted.tpl",
        "extra_template_paths": ["."], "execute": True,
        "ExecutePreprocessor": {"enabled": True, "kernel_name": "python3"},
    }  # fmt: skip
    folder = server.root / "team" / "export"
    templates = folder / "share" / "jupyter" / "nbconvert" / "templates" / "planted"
    templates.mkdir(parents=True)
    (folder / "e.ipynb").write_text(nbformat.writes(made))
    for place in (folder, folder / "planted", folder / "templates", templates):
        place.mkdir(exist_ok=True)
        (place / "conf.json").write_text(json.dumps({"base_template": "base"}))
        for name in ("planted.tpl", "index.html.j2", "index.py.j2", "page.html", "null.j2"):
            (place / name).write_text(PLANTED + "{{ ''.__class__ }}")
        (place / "jupyter_nbconvert_config.py").write_text("raise SystemExit('planted')")
    for query in ("", "?template=planted", "?ExecutePreprocessor.enabled=true&execute=true"):
        for kind in ("html", "script"):
            path = f"/nbconvert/{kind}/team/export/e.ipynb{query}"
            answer = server.request("GET", path, "mona")
            assert 200 == answer.status, answer.text
            assert f"{PLANTED}<class" not in answer.text
            assert PLANTED[::-1] not in answer.text
    assert [] == [*folder.rglob("ran"), *(server.folder / "home").glob("ran")]
    # Pages of the server's own are not made from a person's folder either.
    assert PLANTED not in server.request("GET", "/login").text
    assert [] == server.request("GET", "/api/kernels", "adam").json


@contextlib.contextmanager
def connected(server: Serving, who: str, kind: str = "worst") -> Iterator[websocket.WebSocket]:
    socket = server.connect(f"/lsp/ws/{kind}", who)
    try:
        yield socket
    finally:
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped


def why_closed(socket: websocket.WebSocket) -> str:
    """Why the server has closed `socket`."""
    opcode, data = socket.recv_data()
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, data = socket.recv_data()
    return bytes(data[2:]).decode()


def says(socket: websocket.WebSocket, code: str) -> str:
    """What a language server makes of `code`."""
    socket.send(json.dumps({"code": code}))
    return str(json.loads(socket.recv())["said"])


def running(mark: str) -> int:
    """How many processes of this machine are called with `mark`."""
    found = 0
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += mark.encode() in each.read_bytes()
    return found


def wait_until_none_runs(mark: str) -> None:
    end = time.monotonic() + 30
    while running(mark):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_language_server_is_ones_own_and_has_no_file_and_no_way_out(server: Serving) -> None:
    code = (
        f"[reads({str(server.root / 'team' / 'data.csv')!r}),"
        f" reads({str(server.folder / 'data')!r} + '/authorization/store.sqlite'),"
        f" writes({str(server.root / 'team' / 'planted.txt')!r}),"
        f" connects({server.port}), 'HIDDEN-42' in str(dict(os.environ))]"
    )
    plain = subprocess.run(
        [sys.executable, "-c", f"{attacking.TOOLS}\nprint({code})"],
        check=True,
        capture_output=True,
        env={"HIDDEN": "HIDDEN-42"},
    )
    (server.root / "team" / "planted.txt").unlink()
    assert b"[True, True, True, True, True]\n" == plain.stdout
    with contextlib.ExitStack() as opened:
        one, two, theirs = (
            opened.enter_context(connected(server, who)) for who in ("mona", "mona", "edda")
        )
        assert "[False, False, False, False, False]" == says(one, code)
        # What one is told no other knows, and what it writes none finds.
        kept = "(globals().setdefault('KEPT', []), works(lambda: open(HOME + '/kept')))"
        assert "([], False)" == says(one, kept)
        says(one, "KEPT.append(1) or Path(HOME, 'kept').write_text('1')")
        assert "([1], True)" == says(one, kept)
        assert ["([], False)"] * 2 == [says(each, kept) for each in (two, theirs)]
        # It is a message as long as it says, however it comes.
        assert "x" * 1_000_000 == says(one, "'x' * 1_000_000")
        told = {who: server.request("GET", "/lsp/status", who).json for who in ("mona", "edda")}
        counts = [told[who]["sessions"]["worst"]["handler_count"] for who in told]
        assert [2, 1] == counts
        assert running(MARK)
    wait_until_none_runs(MARK)


@pytest.mark.parametrize(
    ("kind", "code", "why"),
    [
        ("worst", "sys.exit()", "has ended"),
        ("worst", "sys.stdout.buffer.write(b'x' * 9000)", "cannot be passed on"),
        ("worst", "sys.stdout.buffer.write(b'Content-Length: 999999999\\r\\n\\r\\n')", "too long"),
        ("worst", "sys.stdout.buffer.write(b'Content-Length: 1\\r\\n\\r\\n\\xff')", "passed on"),
        ("none", "", "no such language server"),
        ("missing", "", "is not on this machine"),
        ("foreign", "", "\N{GREEK SMALL LETTER OMEGA}" * 50),
    ],
)
def test_a_language_server_that_is_none_is_left_with_the_reason(
    server: Serving, kind: str, code: str, why: str
) -> None:
    with connected(server, "mona", kind) as socket:
        if code:
            socket.send(json.dumps({"code": f"{code}, sys.stdout.flush()"}))
        assert why in why_closed(socket)
    wait_until_none_runs(MARK)


def test_language_servers_are_for_who_may_start_kernels_for_as_long_and_not_without_end(
    server: Serving,
) -> None:
    for path in ("/lsp/status", "/lsp/ws/worst"):
        assert 403 == server.request("GET", path, "tess").status
    with server.store() as store:
        given = store.add_grant(
            principal="user:tess",
            level="runner",
            resource="kernelspecs:",
            now=time.time(),
            granted_by="os:t",
        )
        end = time.monotonic() + 30
        while 200 != server.request("GET", "/lsp/status", "tess").status:
            assert time.monotonic() < end
        with contextlib.ExitStack() as opened:
            *sockets, last = [
                opened.enter_context(connected(server, "tess")) for _ in range(MOST + 1)
            ]
            assert "as many language servers" in why_closed(last)
            assert "2" == says(sockets[0], "1 + 1")
            store.remove_grant(given.id)
            assert [True] * MOST == ["taken" in why_closed(each) for each in sockets]
    wait_until_none_runs(MARK)


@pytest.mark.parametrize(
    ("backend", "version", "bare"),
    [(object(), "2.3.1", False), (object(), "2.4.0", True), (None, "2.3.1", True)],
)
def test_language_servers_are_for_administrators_where_they_are_not_confined(
    backend: object, version: str, bare: bool
) -> None:
    made = Wiring.__new__(Wiring)
    made.languages = None
    made.confinement = SimpleNamespace(launcher=SimpleNamespace(backend=backend))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jupyter_lsp", SimpleNamespace(__version__=version))
        patch.setitem(sys.modules, "jupyter_lsp.handlers", SimpleNamespace())
        door.install(made)
    call: Any = SimpleNamespace(settings={KEY: made})
    asked = [
        each.where(call) == places.SERVER
        for route in ROUTES
        if route.handler.startswith("jupyter_lsp.")
        for entry in route.methods.values()
        for each in getattr(entry, "questions", ())
        if each.action == "administer"
    ]
    assert [bare] * 2 == asked


def test_a_page_that_has_gone_meanwhile_has_no_language_server_started() -> None:
    begun: list[object] = []
    confinement = SimpleNamespace(launcher=None, room_for=begun.append)
    languages = door.Languages(SimpleNamespace(confinement=confinement))  # type: ignore[arg-type]  # why: no more of it is asked
    languages.begin(SimpleNamespace(ws_connection=None), "ada", {})
    assert ([], []) == (begun, languages.open_to("ada"))
