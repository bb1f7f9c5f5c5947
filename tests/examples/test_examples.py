"""The three examples, each as a configuration file and as a policy, without a browser."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from examples.serving import EXAMPLES, Served, run, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, str], Served]]:
    """Starts a server of an example once, with somebody without a grant and an admin."""
    running: dict[tuple[str, str], Served] = {}
    with contextlib.ExitStack() as stack:

        def started(name: str, config: str) -> Served:
            if (name, config) not in running:
                home = tmp_path_factory.mktemp(name)
                shutil.copytree(EXAMPLES / "notebooks", home / "notebooks")
                running[name, config] = stack.enter_context(
                    serving(
                        home,
                        people={"ada": "", "root": "admin"},
                        config=EXAMPLES / name / config,
                    )
                )
            return running[name, config]

        yield started


@pytest.fixture(params=[(n, c) for n in NAMES for c in CONFIGS], ids="-".join)
def example(request: pytest.FixtureRequest, start: Callable[[str, str], Served]) -> Served:
    return start(*request.param)


def name_of(served: Served) -> str:
    return next(name for name in NAMES if served.home.name.startswith(name))


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
