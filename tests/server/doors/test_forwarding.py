"""Ports that are forwarded: to their owner alone, and without what says who asks."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serving
import websocket
from ports import free_port
from talking import Client, Shell, notebook
from talking import start as start_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(sys.prefix) / "others"
NETWORK = """
@id("network") permit(principal, action == Jupyter::Action::"network", resource);
"""
RUNS = [("editor", "contents:/"), ("runner", "kernelspecs:")]
PEOPLE = {
    "olga": [*RUNS, ("admin", "terminals:")],
    "mal": [*RUNS, ("viewer", "kernels:")],
    "zoe": RUNS,
    "adam": "admin",
    "nora": None,
}
#: A program that answers with what it was sent, and tries to reach beyond its pages.
ECHO = """
import http.server, json, threading
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sent = {"path": self.path, "headers": dict(self.headers.items()), "mark": MARK}
        if self.headers.get("Upgrade"):
            sent = {"path": self.path, "mark": MARK}
        body = json.dumps(sent).encode()
        self.send_response(200)
        for name, value in (
            ("Set-Cookie", "_xsrf=fixed; Path=/"),
            ("Set-Cookie", "username-127-0-0-1-1=mal; Path=/"),
            ("Set-Cookie", "own=1; Path=/"),
            ("Service-Worker-Allowed", "/"),
            ("Clear-Site-Data", '"*"'),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Echo)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port)
"""


SOCKET = """
import tornado.web, tornado.websocket, tornado.httpserver
class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        sent = self.request.headers
        self.write_message(f"{sent.get('Cookie')} {sent.get('Authorization')} {message}")
server = tornado.httpserver.HTTPServer(tornado.web.Application([("/.*", Echo)]))
server.listen(0, "127.0.0.1")
print(next(iter(server._sockets.values())).getsockname()[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Serving]:
    if not FOLDER.is_dir():
        missing = "the other extensions are not installed; `make check` does it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(missing)
        pytest.skip(missing)  # why: in CI it fails, above
    folder = tmp_path_factory.mktemp("forwarding")
    for name in ("a", "b", "c", "z"):
        notebook(folder / "root" / f"{name}.ipynb")
    env = {"PYTHONPATH": os.pathsep.join((str(serving.PACKAGE), str(serving.TESTS), str(FOLDER)))}
    with serving.serving(
        folder,
        people=PEOPLE,
        policy={"network.cedar": NETWORK},
        extensions=("jupyter_server_proxy", "jupyter_server_terminals"),
        env=env,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def port(server: serving.Serving) -> Iterator[int]:
    """One on which a program of olga's kernel listens."""
    client = Client(server, start_kernel(server, "olga", "a.ipynb"), "olga")
    yield int(client.text(f"PORT, MARK = 0, 'olga'\n{ECHO}"))
    client.close()


def get(server: serving.Serving, who: str | None, path: str, **more: str) -> serving.Answer:
    return server.request("GET", path, who, headers=more)


def test_a_port_is_forwarded_to_who_started_what_listens_there(
    server: serving.Serving, port: int
) -> None:
    for path in (f"/proxy/{port}/x", f"/proxy/absolute/{port}/x"):
        assert (200, "olga") == (
            get(server, "olga", path).status,
            get(server, "olga", path).json["mark"],
        )
        for who in ("mal", "nora"):
            assert 403 == get(server, who, path).status, (who, path)
        assert get(server, None, path).status in {302, 403}
    assert 403 == server.request("POST", f"/proxy/{port}/", "mal", body=b"x").status
    # By another name it is any machine's port, which is the administrators'.
    for name in ("localhost", "127.0.0.1", "[::1]", "0"):
        assert get(server, "olga", f"/proxy/{name}:{port}/x").status in {403, 404}
    assert 200 == get(server, "adam", f"/proxy/localhost:{port}/x").status


@pytest.mark.parametrize("written", ["{0}", "0{0}", "00000{0}", "{0}%20", "%31", "99999999999999"])
def test_however_a_port_is_written_it_is_not_anothers(
    server: serving.Serving, port: int, written: str
) -> None:
    for path in (f"/proxy/{written}/x", f"/proxy/absolute/{written}/x"):
        assert get(server, "mal", path.format(port)).status in {403, 404}


def test_the_servers_own_port_and_one_of_nobodys_are_not_forwarded(
    server: serving.Serving,
) -> None:
    assert 403 == get(server, "olga", f"/proxy/{server.port}/api").status
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert 403 == get(server, "olga", f"/proxy/{listening.getsockname()[1]}/").status
    assert 403 == get(server, "olga", f"/proxy/{free_port()}/").status


def test_a_port_on_which_somebody_else_listens_too_is_nobodys(server: serving.Serving) -> None:
    """Programs of one account can share a number, and the system picks who is answered."""
    starts = {"olga": "b.ipynb", "mal": "c.ipynb"}
    clients = [Client(server, start_kernel(server, who, starts[who]), who) for who in starts]
    shared = free_port()
    reuse = f"""
import http.server, socket
class Sharing(http.server.ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
http.server.ThreadingHTTPServer = Sharing
PORT = {shared}
"""
    clients[0].text(f"{reuse}\nMARK = 'olga'\n{ECHO}")
    assert 200 == get(server, "olga", f"/proxy/{shared}/").status
    clients[1].text(f"{reuse}\nMARK = 'mal'\n{ECHO}")
    for who in ("olga", "mal"):
        assert 403 == get(server, who, f"/proxy/{shared}/").status
    for client in clients:
        client.close()


def test_what_is_forwarded_carries_nothing_that_says_who_asks(
    server: serving.Serving, port: int
) -> None:
    secret = server.tokens["olga"]
    cookie = f"username-127-0-0-1-{server.port}"
    path = f"/proxy/{port}/x?a=1&token={secret}&b=%20"
    answer = get(
        server,
        "olga",
        path,
        Cookie=f"theme=dark; {cookie}=secret; _xsrf=secret; own=1",
        Referer=f"http://127.0.0.1/lab?token={secret}",
        **{"X-XSRFToken": "secret"},
    )
    assert 200 == answer.status
    said = json.dumps(answer.json)
    assert ("secret" in said, secret in said) == (False, False)
    assert "theme=dark; own=1" == answer.json["headers"]["Cookie"]
    assert "/x?a=1&b=+" == answer.json["path"]
    assert ["own=1; Path=/"] == answer.headers.get_all("Set-Cookie")
    assert (None, None) == (
        answer.headers["Service-Worker-Allowed"],
        answer.headers["Clear-Site-Data"],
    )
    # The same where the answer comes in parts, and for who administers the server.
    answer = get(server, "adam", path, Accept="text/event-stream", Cookie="_xsrf=secret")
    assert (200, False) == (answer.status, "secret" in answer.text or secret in answer.text)
    assert None is answer.headers["Clear-Site-Data"]


def test_a_socket_to_anothers_port_is_refused(server: serving.Serving, port: int) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        server.connect(f"/proxy/{port}/socket", "mal")
    assert 403 == refused.value.status_code


def test_a_socket_to_ones_own_port_ends_with_the_login(server: serving.Serving) -> None:
    client = Client(server, start_kernel(server, "zoe", "z.ipynb"), "zoe")
    listens = client.text(SOCKET)
    opened = websocket.create_connection(
        f"ws://127.0.0.1:{server.port}/proxy/{listens.strip()}/",
        header=[f"Authorization: token {server.tokens['zoe']}", "Cookie: _xsrf=secret; own=1"],
        timeout=60,
    )
    opened.send("hello")
    assert "own=1 None hello" == opened.recv()
    store = server.store()
    for token in store.tokens("zoe"):
        store.remove_token(token.id)
    store.close()
    assert "" == opened.recv()
    opened.shutdown()  # type: ignore[no-untyped-call]  # why: upstream's
    client.close()


def test_a_port_of_ones_terminal_is_ones_own(server: serving.Serving) -> None:
    shell = Shell(server, "olga")
    mine = free_port()
    program = (
        "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={}, bind='127.0.0.1')"
    )
    shell.type(f'{sys.executable} -u -c "{program.format(mine)}"\n')
    shell.until("Serving HTTP on")
    assert (200, 403) == (
        get(server, "olga", f"/proxy/{mine}/").status,
        get(server, "mal", f"/proxy/{mine}/").status,
    )
    shell.socket.shutdown()  # type: ignore[no-untyped-call]  # why: upstream's
