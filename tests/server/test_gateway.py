"""Kernels behind a gateway: no message to them could be judged, so nobody gets one."""

from __future__ import annotations

import asyncio
import http.client
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from serving import Serving, serving
from talking import notebook
from tornado.web import HTTPError

from jupyter_authorized_server.server.kernels import Kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "of-the-gateway"
STOCK = "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': False}"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A plain Jupyter Server, which answers as a gateway does."""
    app = f"server --IdentityProvider.token={TOKEN}"
    with serving(tmp_path_factory.mktemp("gateway"), config=STOCK, app=app) as running:
        yield running


def ask(gateway: Serving, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        headers = {"Authorization": f"token {TOKEN}"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def theirs(gateway: Serving) -> str:
    """The id of a kernel that somebody else has running there."""
    return str(ask(gateway, "POST", "/api/kernels", {"name": "python3"})["id"])


@pytest.fixture(scope="module")
def server(
    gateway: Serving, theirs: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("before")
    notebook(folder / "root" / "a.ipynb", "1")
    config = f"c.GatewayClient.url = {gateway.url!r}\nc.GatewayClient.auth_token = {TOKEN!r}"
    with serving(folder, people={"adam": "admin", "edda": "editor"}, config=config) as running:
        yield running


@pytest.mark.parametrize("who", ["adam", "edda"])
def test_no_kernel_is_started_or_attached_to_behind_a_gateway(
    gateway: Serving, theirs: str, server: Serving, who: str
) -> None:
    session = {"path": "a.ipynb", "type": "notebook", "name": ""}
    tried: list[tuple[str, str, object]] = [
        ("POST", "/api/kernels", {"name": "python3"}),
        ("POST", "/api/kernels", {"name": "python3", "path": "a.ipynb"}),
        ("POST", "/api/kernels", {"kernel_id": theirs}),
        ("POST", "/api/sessions", {**session, "kernel": {"name": "python3"}}),
        ("POST", "/api/sessions", {**session, "kernel": {"id": theirs}}),
        ("POST", f"/api/kernels/{theirs}/interrupt", {}),
        ("POST", f"/api/kernels/{theirs}/restart", {}),
        ("GET", f"/api/kernels/{theirs}", None),
        ("DELETE", f"/api/kernels/{theirs}", None),
    ]
    answers = {
        (method, path, str(body)): server.request(method, path, who, json_body=body)
        for method, path, body in tried
    }
    assert {} == {
        k: (a.status, a.text[:200]) for k, a in answers.items() if a.status not in {403, 404}
    }
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(f"/api/kernels/{theirs}/channels?session_id=x", who)
    assert refused.value.status_code in {403, 404}
    assert [] == server.request("GET", "/api/kernels", who).json
    assert [] == server.request("GET", "/api/sessions", who).json
    assert [theirs] == [each["id"] for each in ask(gateway, "GET", "/api/kernels")]


def test_who_starts_one_reads_why_not_and_owns_nothing(server: Serving) -> None:
    body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    answer = server.request("POST", "/api/sessions", "edda", json_body=body)
    assert 403 == answer.status
    assert "This server cannot judge what is sent to its kernels" in answer.json["message"]
    with server.store() as store:
        assert () == store.owners()


def test_the_log_says_at_the_start_that_kernels_are_refused(server: Serving) -> None:
    line = next(line for line in server.log.splitlines() if "GatewayWebSocketConnection" in line)
    assert "nobody can start a kernel or connect to one" in line
    assert "GatewayClient.url" in line


def test_an_extension_that_starts_kernels_itself_starts_none_either() -> None:
    point: Any = SimpleNamespace(on_change=lambda _: None)
    manager = SimpleNamespace()
    Kernels(point).refuse(manager, "There are none.")
    with pytest.raises(HTTPError) as refused:
        asyncio.run(manager.start_kernel(kernel_name="python3"))
    assert (403, "There are none.") == (refused.value.status_code, refused.value.reason)
