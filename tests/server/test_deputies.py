"""What runs or reads for people what they wrote, outside of the cell they are in: none of it
gets out of its owner's sandbox, and none of it runs in the server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import nbformat
import pytest
import websocket
from attacking import PEOPLE, begin, furnish, said, stop
from serving import Serving, serving
from talking import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANTED = "PLANTED-42"


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
    late = f"COUNT = {str(folder / 'count')!r}\n{LATE}"
    with serving(folder, people=PEOPLE, extensions=extensions, config=late, cwd="root") as running:
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


def test_no_language_server_is_started_for_people(server: Serving) -> None:
    for path in ("/lsp/status", "/lsp/ws/pylsp", "/lsp/ws/planted"):
        assert 403 == server.request("GET", path, "mona").status
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        server.connect("/lsp/ws/pylsp", "mona")
