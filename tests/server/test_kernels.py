from __future__ import annotations

import asyncio
import errno
import json
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import websocket
import zmq
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from serving import Serving, serving

from jupyter_authorized_server.sentences import NO_ROOM
from jupyter_authorized_server.server.doors.channels import ChannelsConnection
from jupyter_authorized_server.server.doors.live import FINAL
from jupyter_authorized_server.server.kernels import has_room, make_room

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "root" / "team").mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    nbformat.write(notebook, folder / "root" / "team" / "a.ipynb")
    with serving(
        folder,
        people={
            "vera": "viewer",
            "rune": "runner",
            "edda": "editor",
            "mona": "manager",
            "tim": [
                ("editor", "contents:/team"),
                ("runner", "kernelspecs:python3"),
            ],
        },
    ) as running:
        yield running


def start(server: Serving, who: str, path: str = "team/a.ipynb") -> Any:
    body = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    return server.request("POST", "/api/sessions", who, json_body=body)


def run(socket: websocket.WebSocket, code: str) -> str:
    """Run `code` over the old wire protocol; returns the text of its result."""
    sent = uuid.uuid4().hex
    message = {
        "channel": "shell",
        "header": {
            "msg_id": sent,
            "msg_type": "execute_request",
            "username": "",
            "session": uuid.uuid4().hex,
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False},
    }
    socket.send(json.dumps(message))
    while True:
        answer = json.loads(socket.recv())
        if answer["parent_header"].get("msg_id") != sent:
            continue
        if answer["msg_type"] == "execute_result":
            return str(answer["content"]["data"]["text/plain"])
        if answer["msg_type"] == "error":
            return str(answer["content"]["ename"])


def stop_all(server: Serving) -> None:
    for kernel in server.request("GET", "/api/kernels", "mona").json:
        server.request("DELETE", f"/api/kernels/{kernel['id']}", "mona")


def test_an_editor_runs_a_notebook_and_stops_the_own_kernel(server: Serving) -> None:
    session = start(server, "edda")
    assert 201 == session.status, session.text
    kernel = session.json["kernel"]["id"]
    socket = server.connect(f"/api/kernels/{kernel}/channels", "edda")
    assert "42" == run(socket, "6 * 7")
    socket.close()
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda").status
    assert 204 == server.request("DELETE", f"/api/sessions/{session.json['id']}", "edda").status


def test_a_viewer_starts_nothing_and_runs_nothing(server: Serving) -> None:
    assert 403 == start(server, "vera").status
    assert 403 == server.request("POST", "/api/kernels", "vera", json_body={}).status
    kernel = start(server, "edda").json["kernel"]["id"]
    socket = server.connect(f"/api/kernels/{kernel}/channels", "vera")
    assert "NotAllowed" == run(socket, "6 * 7")
    socket.close()
    assert 200 == server.request("GET", f"/api/kernels/{kernel}", "vera").status
    stop_all(server)


def test_a_runner_starts_a_kernel_and_runs_saved_cells_in_it(server: Serving) -> None:
    session = start(server, "rune")
    assert 201 == session.status, session.text
    kernel = session.json["kernel"]["id"]
    socket = server.connect(f"/api/kernels/{kernel}/channels", "rune")
    assert "42" == run(socket, "6 * 7")
    assert "NotAllowed" == run(socket, "6 * 8")
    socket.close()
    assert 403 == server.request("POST", f"/api/kernels/{kernel}/restart", "vera").status
    assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "rune").status
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "rune").status


def test_only_its_owner_and_a_manager_stop_a_kernel(server: Serving) -> None:
    session = start(server, "rune").json
    kernel = session["kernel"]["id"]
    for method, path in (
        ("DELETE", f"/api/kernels/{kernel}"),
        ("DELETE", f"/api/sessions/{session['id']}"),
    ):
        assert 403 == server.request(method, path, "edda").status
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "mona").status


def test_another_kernel_for_a_session_needs_the_right_on_the_old_one(server: Serving) -> None:
    session = start(server, "edda").json
    body = {"kernel": {"name": "python3"}}
    path = f"/api/sessions/{session['id']}"
    assert 403 == server.request("PATCH", path, "rune", json_body=body).status
    assert 200 == server.request("PATCH", path, "edda", json_body=body).status
    stop_all(server)


def test_a_session_is_for_the_notebook_it_names_as_the_pages_post_it(server: Serving) -> None:
    body = {
        "path": f"team/{uuid.uuid4()}",
        "name": "a.ipynb",
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    started = server.request("POST", "/api/sessions", "tim", json_body=body)
    assert 201 == started.status, started.text
    path = f"/api/sessions/{started.json['id']}"
    moved = {"path": "team/a.ipynb", "name": "a.ipynb", "type": "notebook"}
    assert 200 == server.request("PATCH", path, "tim", json_body=moved).status
    assert 403 == server.request("PATCH", path, "vera", json_body=moved).status
    away = {"path": "elsewhere.ipynb"}
    assert server.request("PATCH", path, "tim", json_body=away).status in {403, 404}
    # A name beside it does not move the question out of the folder.
    body["path"], body["name"] = f"{uuid.uuid4()}", "team/a.ipynb"
    assert 403 == server.request("POST", "/api/sessions", "tim", json_body=body).status
    stop_all(server)


def test_a_grant_on_a_folder_reaches_the_kernels_of_its_notebooks(server: Serving) -> None:
    mine = start(server, "tim")
    assert 201 == mine.status, mine.text
    kernel = mine.json["kernel"]["id"]
    socket = server.connect(f"/api/kernels/{kernel}/channels", "tim")
    assert "NameError" == run(socket, "no_such_name")
    socket.close()
    assert 403 == start(server, "tim", "elsewhere.ipynb").status
    other = start(server, "edda", "elsewhere.ipynb").json["kernel"]["id"]
    with pytest.raises(websocket.WebSocketBadStatusException):
        server.connect(f"/api/kernels/{other}/channels", "tim")
    stop_all(server)


@pytest.mark.parametrize(
    "body",
    [
        {"notebook": {"path": "elsewhere.ipynb"}, "kernel": {"name": "python3"}},
        {"notebook": {"name": "elsewhere.ipynb"}, "kernel": {"name": "python3"}},
        {"path": "team/a.ipynb", "notebook": {"path": "elsewhere.ipynb"}},
        {"path": "team/../elsewhere.ipynb", "type": "notebook"},
        {"path": "/team/./../elsewhere.ipynb", "type": "console"},
    ],
)
def test_the_path_of_a_session_is_judged_wherever_it_stands(
    server: Serving, body: dict[str, Any]
) -> None:
    answer = server.request("POST", "/api/sessions", "tim", json_body=body)
    assert 403 == answer.status, answer.text


def test_there_is_room_for_more_pages_than_zeromq_has_by_itself() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    manager = AsyncMultiKernelManager()
    make_room(manager.context)
    try:
        # Four for each page.
        sockets = [manager.context.socket(zmq.DEALER) for _ in range(4 * 300)]
        for each in sockets:
            each.close()
    finally:
        manager.context.term()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_where_zeromq_has_no_room_for_a_page_the_server_knows_before_it_lets_it_in() -> None:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 10)
    try:
        taken = [context.socket(zmq.DEALER) for _ in range(7)]
        assert not has_room(context)
        for each in taken:
            each.close()
        # ZeroMQ gives a place back in a thread of its own.
        end = time.monotonic() + 60
        while not has_room(context):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        context.destroy(linger=0)


def test_a_page_whose_room_is_taken_while_it_connects_is_closed_for_good() -> None:
    class Full:
        def connect(self) -> None:
            raise zmq.ZMQError(errno.EMFILE)

    class Judged(ChannelsConnection, Full):
        """As the door makes it."""

    closed: list[tuple[int, str]] = []
    connection: Any = Judged()
    connection.websocket_handler = SimpleNamespace(close=lambda *why: closed.append(why))

    async def connect() -> None:
        await connection.connect()

    asyncio.run(connect())
    # With any other code JupyterLab would come back at once, for ever.
    assert [(FINAL, NO_ROOM)] == closed
