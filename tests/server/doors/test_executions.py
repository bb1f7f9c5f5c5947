from __future__ import annotations

import hashlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, serving
from talking import Client, notebook, start

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("executions")
    notebook(folder / "root" / "team" / "a.ipynb", "print(6 * 7)")
    people = {"edda": "editor", "rune": "runner"}
    with serving(
        folder, people=people, config="c.JupyterAuthorization.record_code = True"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "edda", "team/a.ipynb")


def sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def records(server: Serving, kind: str, **fields: Any) -> list[dict[str, Any]]:
    return [
        each
        for each in server.audit
        if each["kind"] == kind and all(each.get(key) == value for key, value in fields.items())
    ]


def ended(server: Serving, execution: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while not (found := records(server, "execution_end", execution=execution)):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found[0]


@pytest.mark.parametrize("v1", [True, False])
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_each_run_is_recorded_with_who_what_where_and_how_it_ended(
    server: Serving, kernel: str, channel: str, *, v1: bool
) -> None:
    edda = Client(server, kernel, "edda", v1=v1)
    code = f"print('{channel} {v1} \N{SNOWMAN}')"
    sent = edda.run(code, channel=channel, metadata={"cellId": "cell-7"})
    edda.answer(sent)
    [record] = records(server, "execution", sha256=sha256(code))
    said = {key: record[key] for key in ("principal", "kernel", "notebook", "cell", "code")}
    assert {
        "principal": "user:edda",
        "kernel": f"kernels:{kernel}",
        "notebook": "/team/a.ipynb",
        "cell": "cell-7",
        "code": code,
    } == said
    assert record["token"]
    assert "ok" == ended(server, record["id"])["status"]
    edda.close()


def test_a_run_that_fails_is_recorded_as_such(server: Serving, kernel: str) -> None:
    edda = Client(server, kernel, "edda")
    assert "division by zero" == edda.text("1 / 0")
    [record] = records(server, "execution", sha256=sha256("1 / 0"))
    assert "error" == ended(server, record["id"])["status"]
    edda.close()


def test_a_runners_run_is_recorded_and_a_refused_one_is_none(server: Serving, kernel: str) -> None:
    rune = Client(server, kernel, "rune")
    assert "42\n" == rune.text("print(6 * 7)")
    rune.text("print(6 * 8)")
    [record] = records(server, "execution", principal="user:rune")
    assert sha256("print(6 * 7)") == record["sha256"]
    rune.close()


def test_no_spelling_of_the_header_hides_a_run(server: Serving, kernel: str) -> None:
    for v1 in (True, False):
        edda = Client(server, kernel, "edda", v1=v1)
        code = f"print('hidden {v1}')"
        sent = edda.run(code, spelled="execute\\u005frequest")
        edda.answer(sent)
        assert 1 == len(records(server, "execution", sha256=sha256(code)))
        edda.close()


@pytest.mark.parametrize("content", [{}, {"code": 5}, ["x"], {"code": None}])
def test_a_run_of_nothing_that_can_be_recorded_is_not_passed_on(
    server: Serving, kernel: str, content: Any
) -> None:
    before = len(records(server, "execution"))
    for who, metadata in (("edda", None), ("edda", {"savedCell": "x"})):
        client = Client(server, kernel, who)
        client.send("execute_request", content, metadata=metadata)
        if metadata is None or not isinstance(content, dict):
            assert 1003 == client.closed(60)[0]
        client.close()
    assert before == len(records(server, "execution"))


def test_a_run_of_who_runs_saved_cells_that_cannot_be_read_ends_the_socket(
    server: Serving, kernel: str
) -> None:
    for metadata in ({}, {"savedCell": "x"}):
        rune = Client(server, kernel, "rune")
        rune.send("execute_request", ["x"], metadata=metadata)
        assert 1003 == rune.closed(60)[0]


def test_of_very_long_code_the_whole_content_is_hashed(server: Serving, kernel: str) -> None:
    edda = Client(server, kernel, "edda")
    code = "x = '" + "y" * 2**20 + "'"
    edda.answer(edda.run(code))
    [record] = records(server, "execution", hashed="content")
    assert len(record["code"]) < 4096
    edda.close()


def leave_running(server: Serving, kernel: str, code: str, session: str = "") -> str:
    """Run `code`, close the page while it runs; the id of its record."""
    # Told from an earlier try of the same test.
    code = f"import time; print('on'); time.sleep(1); {code}  # {time.time_ns()}"
    edda = Client(server, kernel, "edda", session=session)
    edda.run(code)
    edda.until("on\n")
    edda.close()
    [record] = records(server, "execution", sha256=sha256(code))
    return str(record["id"])


@pytest.mark.parametrize(("last", "status"), [("1 / 0", "error"), ("2", "ok")])
def test_how_a_run_ends_whose_page_went_away_is_heard_by_the_server_itself(
    server: Serving, kernel: str, last: str, status: str
) -> None:
    left = leave_running(server, kernel, last)
    found = ended(server, left)
    assert ("user:edda", status) == (found["principal"], found["status"])


def test_the_end_of_a_run_is_recorded_once_whoever_else_is_connected(
    server: Serving, kernel: str
) -> None:
    other = Client(server, kernel, "rune")
    left = leave_running(server, kernel, "3", "the-same-page")
    edda = Client(server, kernel, "edda", session="the-same-page")
    ended(server, left)
    edda.text("4")
    other.text("5")
    assert ["ok"] == [each["status"] for each in records(server, "execution_end", execution=left)]
    edda.close()
    other.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_a_kernel_ran_that_is_restarted_or_shut_down_has_died(
    server: Serving, method: str
) -> None:
    kernel = start(server, "edda", f"team/{uuid.uuid4().hex}.ipynb")
    left = leave_running(server, kernel, "time.sleep(600)")
    path = f"/api/kernels/{kernel}"
    if method == "POST":
        assert 200 == server.request("POST", f"{path}/restart", "edda").status
        ended(server, left)
    assert 204 == server.request("DELETE", path, "edda").status
    # A kernel that is asked to end may interrupt what it runs.
    assert ended(server, left)["status"] in {"died", "error"}
    assert 1 == len(records(server, "execution_end", execution=left))


def test_a_run_that_takes_the_kernel_down_is_recorded_as_such(server: Serving) -> None:
    kernel = start(server, "edda", "team/dies.ipynb")
    edda = Client(server, kernel, "edda")
    code = "import os; os._exit(1)"
    edda.run(code)
    while edda.hear(60).content.get("execution_state") != "restarting":
        pass
    [record] = records(server, "execution", sha256=sha256(code))
    assert "died" == ended(server, record["id"])["status"]
    edda.close()
    server.request("DELETE", f"/api/kernels/{kernel}", "edda")
