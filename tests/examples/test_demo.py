"""`make demo`, started as it is, visited by each of its people, and stopped with Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import nbformat
import psutil  # type: ignore[import-untyped]  # why: it has no types
import pytest
from examples.serving import EXAMPLES, run, surroundings
from examples.starting import Demo, started, stop
from nbclient import NotebookClient

from jupyter_authorized_server.policy.vocabulary import LEVEL_SENTENCES, Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = {
    "vera": Level.VIEWER,
    "rune": Level.RUNNER,
    "edda": Level.EDITOR,
    "cora": Level.CONTRIBUTOR,
    "adam": Level.ADMIN,
}
SAVE = {"type": "file", "format": "text", "content": "saved by a test\n"}


#: Runs the demo where another program takes its port first, and says which it had then.
FASTER = f"""
import socket, sys, threading
sys.path.insert(0, {str(EXAMPLES / "demo")!r})
import run
busy = socket.create_server(("127.0.0.1", 0))
def answer():
    while True:
        with busy.accept()[0] as heard:
            heard.sendall(bytes([255, 0]))
threading.Thread(target=answer, daemon=True).start()
taken, free = [busy.getsockname()[1]], run._free_port
run._free_port = lambda: taken.pop() if taken else free()
def welcome(_, port):
    print("it has another:", port != busy.getsockname()[1])
    raise run.Stopped
run.welcome = welcome
sys.exit(run.main([]))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with started(tmp_path_factory.mktemp("scratch")) as running:
        yield running
        stop(running)
        assert running.process.returncode == 0


def test_the_table_says_who_there_is_and_what_each_may_do(demo: Demo) -> None:
    rows = {
        name: re.search(rf"^{name} +\S+ +{level.word} +(.*?) *$", demo.said, re.MULTILINE)
        for name, level in PEOPLE.items()
    }
    assert {name: row and row[1] for name, row in rows.items()} == {
        name: LEVEL_SENTENCES[level] for name, level in PEOPLE.items()
    }


def test_everybody_of_the_demo_reads_and_is_who_they_are(demo: Demo) -> None:
    for name in PEOPLE:
        visitor = demo.visitor(name)
        assert visitor.ask("GET", "/api/me")[1]["identity"]["username"] == name
        assert visitor.status("GET", "/api/contents/statistics.ipynb") == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vera", (403, 403, 403, 403)),
        ("rune", (403, 403, 403, 403)),
        ("edda", (200, 403, 403, 403)),
        ("cora", (200, 201, 403, 403)),
        ("adam", (200, 201, 204, 200)),
    ],
)
def test_saving_creating_deleting_and_building_come_with_the_levels(
    demo: Demo, name: str, expected: tuple[int, ...]
) -> None:
    visitor = demo.visitor(name)
    (demo.folder / "notebooks" / "gone.txt").write_text("to be deleted")
    found = (
        visitor.status("PUT", "/api/contents/notes.txt", SAVE),
        visitor.status("PUT", f"/api/contents/{name}.txt", SAVE),
        visitor.status("DELETE", "/api/contents/gone.txt"),
        visitor.status("GET", "/lab/api/build"),
    )
    assert found == expected


@pytest.mark.parametrize("name", ["edda", "cora", "adam"])
def test_from_the_editor_up_a_cell_runs(demo: Demo, name: str) -> None:
    assert run(demo.visitor(name), "team/plan.ipynb", "print(6 * 7)") == "42\n"


def test_a_viewer_starts_no_kernel(demo: Demo) -> None:
    assert run(demo.visitor("vera"), "team/plan.ipynb", "print(6 * 7)") == (
        "no session: 403 You can view team/plan.ipynb but not start a kernel for it."
    )


def test_code_of_a_runners_own_reaches_no_kernel(demo: Demo) -> None:
    said = run(demo.visitor("rune"), "team/plan.ipynb", "print(6 * 7)")
    assert said.startswith(("You can run the cells that are saved in", "no connection: 403"))


def test_the_sample_notebooks_give_the_outputs_that_are_in_them() -> None:
    for file in sorted((EXAMPLES / "notebooks").rglob("*.ipynb")):
        stored = nbformat.read(file, as_version=4)
        fresh = nbformat.read(file, as_version=4)
        NotebookClient(fresh, timeout=60).execute()
        assert [c.get("outputs") for c in fresh.cells] == [c.get("outputs") for c in stored.cells]


def processes_of(folder: Path) -> list[int]:
    """Ids of the processes that were told of `folder`: the server, and its kernels."""
    return [
        process.info["pid"]
        for process in psutil.process_iter(["pid", "cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_process_no_port_and_no_folder(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path, "--port", "0") as demo:
        edda = demo.visitor("edda")
        body = {"path": "statistics.ipynb", "name": "", "type": "notebook", "kernel": {"name": ""}}
        status, session = edda.ask("POST", "/api/sessions", body)
        assert status == 201, session
        (server,) = processes_of(demo.folder)
        kernels = psutil.Process(server).children(recursive=True)
        assert any("ipykernel_launcher" in " ".join(each.cmdline()) for each in kernels)
        said = stop(demo, number)
    assert demo.process.returncode == 0, said
    assert not demo.folder.exists()
    end = time.monotonic() + 10
    while processes_of(demo.folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of(demo.folder) == []
    assert psutil.wait_procs(kernels, timeout=10)[1] == []
    port = int(demo.url.rpartition(":")[2])
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", port)) != 0


def test_a_test_that_fails_leaves_no_demo_behind(tmp_path: Path) -> None:
    seen: list[int] = []

    def fails() -> None:
        with started(tmp_path) as demo:
            seen.extend(processes_of(demo.folder))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(seen) == 1
    assert not psutil.pid_exists(seen[0])


def test_a_folder_that_is_to_be_kept_is_kept_and_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for _ in range(2):
        with started(tmp_path, "--keep", str(folder)) as demo:
            adam = demo.visitor("adam")
            assert adam.status("PUT", "/api/contents/notes.txt", SAVE) == 200
            assert "removes" not in stop(demo)
            assert demo.process.returncode == 0
    assert (folder / "notebooks" / "notes.txt").read_text() == SAVE["content"]
    kinds = {
        json.loads(line)["kind"]
        for line in (folder / "data" / "authorization" / "audit.jsonl").read_text().splitlines()
    }
    assert "login" in kinds


def test_a_port_that_is_taken_is_said_and_ends_the_demo(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(EXAMPLES / "demo" / "run.py"), "--port", port],
            capture_output=True,
            text=True,
            env={**surroundings(tmp_path), "TMPDIR": str(tmp_path)},
            timeout=120,
            check=False,
        )
    assert ended.returncode == 1
    assert port in ended.stderr
    assert list(tmp_path.glob("jupyter-demo-*")) == []


def test_a_port_that_another_program_takes_meanwhile_is_given_up() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FASTER],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (0, True) == (done.returncode, "it has another: True" in done.stdout), done.stderr
