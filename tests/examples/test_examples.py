"""The three examples, each as a configuration file and as a policy, without a browser."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from examples.pages import steps
from examples.serving import (
    EXAMPLES,
    PASSWORD,
    ROOT,
    Served,
    await_answer,
    ending,
    furnish,
    run,
    surroundings,
)
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.pages import Step
    from examples.serving import Visitor

NAMES = ("read-only", "no-execute", "temporary")
CONFIGS = ("jupyter_server_config.py", "jupyter_server_config_policy.py")

#: What code does besides, as a text of the answers.
CODE = """
import pathlib, socket

def tried(act):
    try:
        act()
    except OSError:
        return "refused"
    return "done"

print(6 * 7, tried(pathlib.Path("notes.txt").touch),
    tried(lambda: socket.create_connection(("127.0.0.1", PORT), 5)))
"""

#: Every request that changes a file, as (name, method, path, body).
WRITES = (
    ("save", "PUT", "/api/contents/notes.txt", {"type": "file", "format": "text", "content": "x"}),
    ("create", "POST", "/api/contents/", {"type": "file", "ext": ".txt"}),
    ("upload", "PUT", "/api/contents/n.txt", {"type": "file", "format": "text", "content": "x"}),
    ("copy", "POST", "/api/contents/", {"copy_from": "notes.txt"}),
    ("rename", "PATCH", "/api/contents/team/minutes.md", {"path": "team/m.md"}),
    ("checkpoint", "POST", "/api/contents/statistics.ipynb/checkpoints", None),
    ("trust", "POST", "/api/contents/statistics.ipynb/trust", None),
    ("delete", "DELETE", "/api/contents/team/plan.ipynb", None),
)
READS = (
    "/api/contents/",
    "/api/contents/statistics.ipynb",
    "/api/contents/team/minutes.md",
    "/files/notes.txt",
    "/nbconvert/html/statistics.ipynb",
    "/api/kernels",
    "/api/sessions",
    "/api/kernelspecs",
    "/api/me",
    "/lab",
    "/tree",
    "/notebooks/statistics.ipynb",
    "/nbclassic/tree",
    "/nbclassic/notebooks/statistics.ipynb",
    "/lab/api/settings/",
    "/lab/api/workspaces/default",
)
ADMINISTER = (
    ("POST", "/lab/api/extensions", {"cmd": "install", "extension_name": "nothing"}),
    ("POST", "/lab/api/build", None),
    ("POST", "/api/shutdown", None),
)


@contextlib.contextmanager
def typed(page: list[Step], config: str, folder: Path, *options: str) -> Iterator[Served]:
    """A server that somebody starts as `page` says, with `config` for the first of the two, and
    an administrator besides whom the page has not.
    """
    *before, start = (step.command for step in page)
    assert start.startswith("jupyter lab --config=examples/")
    settings = {"ip": "127.0.0.1", "port": free_port(), "port_retries": 0, "open_browser": False}
    (folder / "config").mkdir()
    (folder / "config" / "jupyter_config.json").write_text(
        json.dumps({"ServerApp": {**settings, "allow_root": True}})
    )
    shell = surroundings(folder)
    del shell["JUPYTER_DATA_DIR"]
    # The page has the password typed at a terminal.
    lines = [
        f"printf '%s' '{PASSWORD}' | {line} --password-stdin" if " users add " in line else line
        for line in before
    ]
    told = subprocess.run(
        ["bash", "-ec", "\n".join([*lines, 'printf "\\0$scratch"'])],
        env={**shell, "TMPDIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    scratch = Path(told.stdout.rpartition("\0")[2])
    furnish(scratch, {"root": "admin"})
    shell |= {"scratch": str(scratch), "JUPYTER_DATA_DIR": str(scratch / "data")}
    line = " ".join(("exec", start.replace(CONFIGS[0], config), *options))
    with (scratch / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", line],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=shell,
            cwd=ROOT,
            start_new_session=True,
        )
    served = Served(url=f"http://127.0.0.1:{settings['port']}", home=scratch, process=process)
    with ending(served):
        await_answer(served)
        yield served


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, str], Served]]:
    """Starts a server of an example once, with somebody without a grant and an admin."""
    running: dict[tuple[str, str], Served] = {}
    with contextlib.ExitStack() as stack:

        def started(name: str, config: str) -> Served:
            if (name, config) not in running:
                page = EXAMPLES / name / "README.md"
                home = tmp_path_factory.mktemp(name)
                running[name, config] = stack.enter_context(typed(steps(page), config, home))
            return running[name, config]

        yield started


@pytest.fixture(params=[(n, c) for n in NAMES for c in CONFIGS], ids="-".join)
def example(request: pytest.FixtureRequest, start: Callable[[str, str], Served]) -> Served:
    return start(*request.param)


def name_of(served: Served) -> str:
    return next(name for name in NAMES if served.home.parent.name.startswith(name))


def files(served: Served) -> dict[str, bytes]:
    """What is in the contents root."""
    return {
        str(file.relative_to(served.root)): file.read_bytes()
        for file in sorted(served.root.rglob("*"))
        if file.is_file() and ".ipynb_checkpoints" not in file.parts
    }


def outcome(visitor: Visitor, method: str, path: str, body: object) -> str:
    status, answer = visitor.ask(method, path, body)
    return "done" if status < 300 else f"{status} {answer['message']}"


def test_everyone_may_look_at_everything(example: Served) -> None:
    ada = example.visitor("ada")
    assert {path: ada.status("GET", path) for path in READS} == dict.fromkeys(READS, 200)


def test_nobody_is_let_in_who_has_not_signed_in(example: Served) -> None:
    from examples.serving import Visitor  # noqa: PLC0415  # why: the class, not the type

    stranger = Visitor(example.url)
    assert stranger.status("GET", "/api/contents/") == 403


@pytest.mark.parametrize("person", ["ada", "root"])
def test_files_change_only_where_the_example_says_so(example: Served, person: str) -> None:
    visitor, before = example.visitor(person), files(example)
    found = {name: outcome(visitor, *rest) for name, *rest in WRITES}
    if name_of(example) == "no-execute":
        assert found == dict.fromkeys(found, "done")
        for path in example.root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(EXAMPLES / "notebooks", example.root, dirs_exist_ok=True)
    else:
        assert {text.split()[0] for text in found.values()} == {"403"}
        assert files(example) == before


@pytest.mark.parametrize("person", ["ada", "root"])
def test_code_runs_only_where_the_example_says_so(example: Served, person: str) -> None:
    visitor = example.visitor(person)
    port = str(urlsplit(example.url).port)
    said = run(visitor, "statistics.ipynb", CODE.replace("PORT", port))
    terminal = visitor.status("POST", "/api/terminals")
    if name_of(example) == "temporary":
        # Neither a file nor the network of the machine comes with a right to run all.
        assert (said, terminal) == ("42 refused refused\n", 200)
    else:
        assert (said.split(".")[0][:15], terminal) == ("no session: 403", 403)
        assert visitor.ask("GET", "/api/kernels") == (200, [])


@pytest.mark.parametrize("person", ["ada", "root"])
def test_nobody_installs_configures_or_stops_the_server(example: Served, person: str) -> None:
    visitor = example.visitor(person)
    found = {f"{m} {path}": visitor.status(m, path, body) for m, path, body in ADMINISTER}
    assert found == dict.fromkeys(found, 403)


def test_everyone_keeps_a_layout_and_settings_of_their_own(example: Served) -> None:
    ada, root = example.visitor("ada"), example.visitor("root")
    plugin = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
    dark = {"raw": '{"theme": "JupyterLab Dark"}'}
    assert ada.status("PUT", plugin, dark) == 204
    assert "Dark" in ada.ask("GET", plugin)[1]["raw"]
    assert "Dark" not in root.ask("GET", plugin)[1]["raw"]


def test_a_refusal_is_a_sentence_and_a_line_of_the_audit_file(example: Served) -> None:
    ada = example.visitor("ada")
    status, answer = ada.ask("POST", "/api/shutdown")
    assert status == 403
    assert answer["message"].endswith(".")
    assert answer["decision_id"] in {record.get("id") for record in example.refusals}


def test_a_server_starts_as_the_page_of_the_examples_says(tmp_path: Path) -> None:
    """With the options of its last command, which stands for the one before it."""
    *first, last = steps(ROOT / "docs" / "how-to" / "examples.md")
    assert first == steps(EXAMPLES / "read-only" / "README.md")
    start, option = last.command.rsplit(" ", 1)
    assert first[-1].command.startswith(start)
    with typed(first, CONFIGS[0], tmp_path, option) as served:
        assert served.visitor("ada").status("POST", "/api/shutdown") == 401
