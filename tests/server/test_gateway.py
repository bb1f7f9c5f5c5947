"""Kernels behind a gateway: judged like those of this machine, and confined by nothing here."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from jupyter_client.multikernelmanager import MultiKernelManager
from jupyter_server.gateway.connections import GatewayWebSocketConnection
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayMappingKernelManager
from jupyter_server.services.kernels.connection.base import (
    BaseKernelWebsocketConnection,
    serialize_binary_message,
)
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from serving import Serving, serving
from talking import Client, Closed, Said, notebook, start

from jupyter_authorized_server.errors import ConfigurationError
from jupyter_authorized_server.sentences import KERNEL_TAKEN
from jupyter_authorized_server.server.doors import elsewhere
from jupyter_authorized_server.server.doors.channels import (
    ChannelsConnection,
    RefusedConnection,
    judged,
)
from jupyter_authorized_server.server.doors.gateway import GatewayConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "of-the-gateway"
STOCK = "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': False}"
RULE = """
@id("behind the gateway")
permit (principal in Jupyter::Group::"team", action == Jupyter::Action::"unconfined", resource);
@id("no kernels for Nell")
forbid (
  principal == Jupyter::User::"nell",
  action == Jupyter::Action::"list",
  resource == Jupyter::KernelSpec::"python3"
);
"""
WATCH_ONLY = "You can watch this kernel but not run code in it."
NOT_CONFINED = "Kernels run behind a gateway here and nothing confines them"
GONE = "This kernel is no more."
AWAY = "The gateway of this kernel cannot be reached now"


class Line:
    """Between a server and its gateway: it can be cut, and it can go dead."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.asked: list[bytes] = []
        self._ends: list[socket.socket] = []
        self._is_there, self._is_alive = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.mend()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                if not self._is_there.is_set():
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for each in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=each, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._is_alive.wait()
                if data[:4] in {b"GET ", b"POST"}:
                    self.asked.append(data.split(b"\r\n")[0])
                to.sendall(data)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        self._is_there.clear()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        self._is_alive.clear()

    def mend(self) -> None:
        self._is_there.set()
        self._is_alive.set()

    def end(self) -> None:
        self.mend()
        self.cut()
        self._listener.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A plain Jupyter Server, which answers as a gateway does."""
    app = f"server --IdentityProvider.token={TOKEN}"
    with serving(tmp_path_factory.mktemp("gateway"), config=STOCK, app=app) as running:
        yield running


@pytest.fixture(scope="module")
def line(gateway: Serving) -> Iterator[Line]:
    found = Line(gateway.port)
    yield found
    found.end()


def ask(gateway: Serving, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        headers = {"Authorization": f"token {TOKEN}"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        said = connection.getresponse().read()
        return json.loads(said) if said else None
    finally:
        connection.close()


def there(gateway: Serving) -> set[str]:
    return {each["id"] for each in ask(gateway, "GET", "/api/kernels")}


def soon(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def theirs(gateway: Serving) -> str:
    """The id of a kernel that somebody else has running there."""
    return str(ask(gateway, "POST", "/api/kernels", {"name": "python3"})["id"])


@pytest.fixture(scope="module")
def server(
    gateway: Serving, line: Line, theirs: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("before")
    notebook(folder / "root" / "a.ipynb", "print(6 * 7)", "1")
    config = f"""
c.GatewayClient.url = "http://127.0.0.1:{line.port}"
c.GatewayClient.auth_token = {TOKEN!r}
c.GatewayClient.gateway_retry_interval = 0.1
c.GatewayClient.gateway_retry_max = 1
c.JupyterAuthorization.poll_seconds = 0.1
c.JupyterAuthorization.max_kernels = 2
"""
    people = {
        "ada": "admin",
        "adam": "admin",
        "edda": "editor",
        "emil": "editor",
        "hans": "editor",
        "nell": "editor",
        "nora": "editor",
        "otto": "editor",
        "rune": "runner",
        "vera": "viewer",
        "vito": "viewer",
    }
    policy = {"rules.cedar": RULE}
    with serving(folder, people=people, config=config, policy=policy) as running:
        with running.store() as store:
            store.add_group("team", now=time.time())
            for name in ("ada", "edda", "emil", "hans", "otto", "rune"):
                store.add_member("team", f"user:{name}")
        assert soon(lambda: bool(sandbox(running, "rune")["runs"]))
        yield running


def sandbox(server: Serving, who: str) -> Any:
    return server.request("GET", "/api/authz/me", who).json["sandbox"]


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "edda", "a.ipynb")


def begun(server: Serving, who: str) -> str:
    """The id of another kernel for the notebook."""
    body = {"name": "python3", "path": "a.ipynb"}
    answer = server.request("POST", "/api/kernels", who, json_body=body)
    assert 201 == answer.status, answer.text
    return str(answer.json["id"])


@pytest.fixture
def page(server: Serving, kernel: str) -> Iterator[Callable[..., Client]]:
    """Opens a socket to the kernel for somebody."""
    with contextlib.ExitStack() as stack:

        def opened(who: str, of: str = kernel, session: str = "") -> Client:
            client = Client(server, of, who, v1=False, session=session)
            stack.callback(client.close)
            return client

        yield opened


def recorded(server: Serving, kind: str, **fields: object) -> list[dict[str, Any]]:
    return [
        each for each in server.audit if each["kind"] == kind and fields.items() <= each.items()
    ]


@pytest.mark.parametrize("who", ["adam", "nora"])
def test_who_has_no_rule_starts_none_and_reads_why(
    gateway: Serving, server: Serving, who: str
) -> None:
    before = there(gateway)
    session = {"path": "a.ipynb", "type": "notebook", "name": ""}
    for path, body in [
        ("/api/kernels", {"name": "python3", "path": "a.ipynb"}),
        ("/api/sessions", {**session, "kernel": {"name": "python3"}}),
    ]:
        answer = server.request("POST", path, who, json_body=body)
        assert (403, True) == (answer.status, answer.json["message"].startswith(NOT_CONFINED))
    assert before == there(gateway)
    with server.store() as store:
        assert [] == [each for each in store.owners() if each.principal == f"user:{who}"]
    assert recorded(server, "denial", principal=f"user:{who}", request="POST /api/sessions")
    found = sandbox(server, who)
    assert ("gateway", False, False) == (found["backend"], found["confined"], found["runs"])
    assert found["why"].startswith(NOT_CONFINED)


def test_a_kernel_is_its_starters_and_every_record_says_that_nothing_confines_it(
    server: Serving, kernel: str, page: Callable[..., Client]
) -> None:
    edda = page("edda")
    assert "42\n" == edda.text("print(6 * 7)")
    name = f"kernels:{kernel}"
    with server.store() as store:
        owner = next(each for each in store.owners() if each.resource == name)
    assert ("user:edda", "/a.ipynb") == (owner.principal, owner.path)
    assert recorded(server, "unconfined", process=name, path="/a.ipynb", principal="user:edda")
    run = recorded(server, "execution", kernel=name, principal="user:edda")[-1]
    assert ("gateway", "/a.ipynb") == (run["sandbox"], run["notebook"])
    assert soon(lambda: bool(recorded(server, "execution_end", execution=run["id"], status="ok")))
    found = sandbox(server, "edda")
    assert ("gateway", False, True) == (found["backend"], found["confined"], found["runs"])


@pytest.fixture
def go(server: Serving) -> Iterator[Path]:
    """A file for which `BUSY` waits; it is there at the end, whatever happens."""
    found = server.folder / f"go-{uuid.uuid4().hex}"
    yield found
    found.touch()


#: Prints, and prints again once there is a file.
BUSY = """
import os, time
print('on')
while not os.path.exists({go!r}): time.sleep(0.02)
print('off')
"""


def test_who_may_watch_sees_all_and_runs_nothing_and_no_cell_of_theirs_hangs(
    page: Callable[..., Client], go: Path
) -> None:
    vera, edda = page("vera"), page("edda")
    edda.run(BUSY.format(go=str(go)))
    vera.until("on\n")
    info = vera.answer(vera.send("kernel_info_request", {}))
    assert "ipython" == info[1].content["implementation"]
    found = vera.answer(vera.run("print(1)"))
    kinds = ["status", "error", "execute_reply", "status"]
    assert (kinds, WATCH_ONLY) == ([each.msg_type for each in found], found[1].content["evalue"])
    go.touch()
    vera.until("off\n")


@pytest.mark.parametrize(
    ("who", "code", "said"),
    [
        ("emil", "print(2)", "2\n"),
        (
            "nora",
            "print(2)",
            f"{NOT_CONFINED}, so a rule of the policy has to let you run ",
        ),
        (
            "adam",
            "print(2)",
            f"{NOT_CONFINED}, so a rule of the policy has to let you run ",
        ),
        ("rune", "print(6 * 7)", "42\n"),
        ("rune", "print(6 * 8)", "You can run the cells that are saved in a.ipynb"),
    ],
)
def test_each_runs_what_level_and_rule_let_them(
    page: Callable[..., Client], who: str, code: str, said: str
) -> None:
    assert page(who).text(code).startswith(said)


def test_a_prompt_is_its_runs_and_nobody_takes_over_anothers_session(
    page: Callable[..., Client],
) -> None:
    edda = page("edda")
    sent = edda.run("print('it is', input('who?'))")
    thief = page("emil", session=edda.session)
    edda.asked()
    reply = {"value": "emil"}
    thief.send("input_reply", reply, "stdin")
    edda.send("input_reply", {"value": "edda"}, "stdin")
    found = edda.answer(sent)
    assert "it is edda\n" == "".join(each.content.get("text", "") for each in found)
    assert "input_request" not in {each.msg_type for each in thief.drained(0.3)}
    assert "3\n" == edda.text("print(3)")


def test_a_page_that_comes_back_with_its_session_takes_the_place_of_its_old_socket(
    line: Line, page: Callable[..., Client]
) -> None:
    old = page("edda")
    assert "8\n" == old.text("print(8)")
    del line.asked[:]
    new = page("edda", session=old.session)
    old.closed()
    assert "9\n" == new.text("print(9)")
    # Else each would have the gateway close the other's, for ever.
    assert [] == new.drained(2.5)
    assert 1 == sum(b"/channels" in each for each in line.asked)


def test_a_frame_that_lies_ends_its_socket_and_one_with_buffers_arrives(
    page: Callable[..., Client],
) -> None:
    emil, edda, twice = page("emil"), page("edda"), page("vera")
    header = {"msg_id": "x", "msg_type": "kernel_info_request", "session": "s", "username": ""}
    header |= {"version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": {}}
    text = json.dumps({**message, "channel": "shell"})
    lying = text[:-1] + ', "header": {"msg_id": "x", "msg_type": "execute_request"}}'
    twice.socket.send(lying)
    assert 1003 == twice.closed()[0]
    emil.socket.send_binary(struct.pack("!3I", 2, 12, 2**31) + text.encode())
    assert 1003 == emil.closed()[0]
    code = (
        "def heard(comm, opened):\n"
        "    print('opened with', bytes(opened['buffers'][0]))\n"
        "    comm.send({}, buffers=[b'\\xff\\x00back'])\n"
        "get_ipython().kernel.comm_manager.register_target('t', heard)"
    )
    edda.answer(edda.run(code))
    opening = {"comm_id": "c", "target_name": "t", "data": {}}
    header |= {"msg_type": "comm_open", "msg_id": "y"}
    binary = {**message, "content": opening, "channel": "shell", "buffers": [b"\xff\x00"]}
    edda.socket.send_binary(serialize_binary_message(binary))  # type: ignore[no-untyped-call]  # why: upstream's
    edda.until("opened with b'\\xff\\x00'\n")
    # What it sent back had buffers too, and nothing is stuck behind it.
    assert "4\n" == edda.text("print(4)")


def test_a_right_that_is_taken_away_is_gone_and_the_kernel_of_its_owner_ends(
    gateway: Serving, server: Serving, page: Callable[..., Client]
) -> None:
    own = begun(server, "otto")
    otto, vito, emil = page("otto", own), page("vito", own), page("emil", own)
    assert "5\n" == emil.text("print(5)")
    vito.until("5\n")
    with server.store() as store:
        grant = next(each for each in store.state().grants if each.principal == "user:vito")
        store.remove_grant(grant.id)
    assert (1000, KERNEL_TAKEN) == vito.closed(60)
    assert "6\n" == emil.text("print(6)")
    otto.run("import time; time.sleep(60)")
    with server.store() as store:
        store.remove_member("team", "user:otto")
    assert soon(lambda: own not in there(gateway))
    assert recorded(server, "stopped", process=f"kernels:{own}", principal="user:otto")
    assert own not in {each["id"] for each in server.request("GET", "/api/kernels", "ada").json}


def anew(page: Callable[..., Client], kernel: str, code: str) -> str:
    """What `code` prints on a page of Hans's that has just come.

    A gateway loses now and then what reaches it as a kernel has just started again.
    """
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            return page("hans", kernel).text(code)
    raise TimeoutError


def test_to_interrupt_restart_and_stop_is_judged_and_reaches_the_gateway(
    gateway: Serving, server: Serving, page: Callable[..., Client]
) -> None:
    own = begun(server, "hans")
    for method, path, who, status in [
        ("POST", "/interrupt", "vera", 403),
        ("POST", "/restart", "vera", 403),
        ("POST", "/restart", "nora", 403),
        ("DELETE", "", "vera", 403),
        ("DELETE", "", "emil", 403),
    ]:
        answer = server.request(method, f"/api/kernels/{own}{path}", who, json_body={})
        assert status == answer.status, (path, who, answer.text)
    hans = page("hans", own)
    sent = hans.run("print('on')\nimport time; time.sleep(60)")
    hans.until("on\n")
    assert 204 == server.request("POST", f"/api/kernels/{own}/interrupt", "hans").status
    assert "KeyboardInterrupt" in [each.content.get("ename") for each in hans.answer(sent)]
    hans.text("x = 1")
    hans.run("print('on')\nimport time; time.sleep(60)")
    hans.until("on\n")
    assert 200 == server.request("POST", f"/api/kernels/{own}/restart", "hans").status
    runs = recorded(server, "execution", kernel=f"kernels:{own}")
    # Some kernels have still told that they were interrupted.
    ends = [recorded(server, "execution_end", execution=each["id"]) for each in runs]
    assert [True] * 3 == [end[0]["status"] in {"ok", "error", "died"} for end in ends]
    assert "name 'x' is not defined" == anew(page, own, "x")
    assert 204 == server.request("DELETE", f"/api/kernels/{own}", "hans").status
    assert own not in there(gateway)
    with server.store() as store:
        assert [] == [each for each in store.owners() if each.resource == f"kernels:{own}"]


def test_no_more_kernels_than_one_person_may_have_however_many_are_started_at_once(
    gateway: Serving, server: Serving
) -> None:
    before = there(gateway)
    body = {"name": "python3", "path": "a.ipynb"}

    def begin(_: int) -> tuple[int, str]:
        answer = server.request("POST", "/api/kernels", "rune", json_body=body)
        return answer.status, answer.json.get("id", "")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(begin, range(4)))
    try:
        assert [201, 201, 409, 409] == sorted(status for status, _ in answers)
    finally:
        for _, each in answers:
            ask(gateway, "DELETE", f"/api/kernels/{each}") if each else None
    # The gateway has ended them, and told nobody.
    server.request("GET", "/api/kernels", "ada")
    with server.store() as store:
        assert [] == [each for each in store.owners() if each.principal == "user:rune"]
    assert before == there(gateway)


def test_what_else_runs_at_the_gateway_is_nobodys_here_until_an_administrator_takes_it_in(
    gateway: Serving, server: Serving, theirs: str
) -> None:
    for who in ("adam", "edda", "emil"):
        for method, path, body in [
            ("POST", "/api/kernels", {"kernel_id": theirs}),
            ("POST", f"/api/kernels/{theirs}/interrupt", {}),
            ("GET", f"/api/kernels/{theirs}", None),
            ("DELETE", f"/api/kernels/{theirs}", None),
        ]:
            answer = server.request(method, path, who, json_body=body)
            assert answer.status in {403, 404}, (who, method, path, answer.text)
        with pytest.raises(websocket.WebSocketBadStatusException):
            server.connect(f"/api/kernels/{theirs}/channels?session_id=x", who)
        seen = [each["id"] for each in server.request("GET", "/api/kernels", who).json]
        assert theirs not in seen
    taken = server.request("POST", "/api/kernels", "ada", json_body={"kernel_id": theirs})
    assert (201, theirs) == (taken.status, taken.json["id"])
    with server.store() as store:
        owner = next(each for each in store.owners() if each.resource == f"kernels:{theirs}")
    assert "user:ada" == owner.principal
    nowhere = "00000000-0000-0000-0000-000000000000"
    lost = server.request("POST", "/api/kernels", "ada", json_body={"kernel_id": nowhere})
    assert 404 == lost.status, lost.text
    assert theirs in there(gateway)


def test_kernelspecs_are_the_gateways_as_far_as_each_may_know_of_them(
    server: Serving, line: Line
) -> None:
    assert "python3" in server.request("GET", "/api/kernelspecs", "edda").json["kernelspecs"]
    assert {} == server.request("GET", "/api/kernelspecs", "nell").json["kernelspecs"]
    logo = "/kernelspecs/python3/logo-64x64.png"
    assert (200, b"\x89PNG") == ((a := server.request("GET", logo, "edda")).status, a.body[:4])
    assert server.request("GET", logo, "nell").status in {403, 404}
    del line.asked[:]
    for path in ("..%2f..%2fapi%2fkernels", "..%2f..%2fapi%2fkernels%3fx", "x%3ftoken=1", "x%23"):
        answer = server.request("GET", f"/kernelspecs/python3/{path}", "edda")
        assert 404 == answer.status, (path, answer.text)
    assert [] == [each for each in line.asked if b".." in each or b"?" in each]


def heard_to_the_end(client: Client) -> tuple[int, list[Said]]:
    """All that still comes, and the code with which the socket is closed."""
    told: list[Said] = []
    try:
        while True:
            told.append(client.hear())
    except Closed as closed:
        client.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
        return closed.code, told


def test_a_kernel_that_the_gateway_has_ended_leaves_no_cell_waiting(
    gateway: Serving, server: Serving, page: Callable[..., Client]
) -> None:
    own = begun(server, "hans")
    hans, vera = page("hans", own), page("vera", own)
    sent = hans.run("print('on')\nimport time; time.sleep(60)")
    vera.until("on\n")
    ask(gateway, "DELETE", f"/api/kernels/{own}")
    # Nobody asks for the list of kernels.
    code, told = heard_to_the_end(hans)
    assert (1000, (1000, GONE)) == (code, vera.closed())
    # At its end the gateway interrupts a kernel, which may still say so.
    said = [each for each in told if each.parent.get("msg_id") == sent]
    assert [1] == [1 for each in said if each.msg_type == "execute_reply"]
    assert "idle" == said[-1].content.get("execution_state")
    assert recorded(server, "execution_end", kernel=f"kernels:{own}")


def test_a_gateway_that_goes_dead_holds_nobody_else_up_and_one_that_is_cut_off_hangs_no_cell(
    server: Serving, line: Line, page: Callable[..., Client], go: Path
) -> None:
    edda, vera = page("edda"), page("vera")
    # Both have reached the gateway.
    vera.answer(vera.send("kernel_info_request", {}))
    edda.text("y = 7; print('set')")
    vera.until("set\n")
    try:
        line.hold()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(server.request, "GET", "/api/kernels", "edda")
            late = page("emil")
            late_run = late.run("print(y)")
            began = time.monotonic()
            assert 200 == server.request("GET", "/api/contents/a.ipynb", "edda").status
            assert WATCH_ONLY == vera.text("1")
            assert time.monotonic() - began < 10
            assert not waiting.done()
            line.mend()
            assert 200 == waiting.result(30).status
        found = late.answer(late_run)
        assert "7\n" == "".join(each.content.get("text", "") for each in found)
        pending = edda.run(BUSY.format(go=str(go)))
        edda.until("on\n")
        line.cut()
        lost = edda.run("1")
        code, told = heard_to_the_end(edda)
        assert 1013 == code
        for sent in (pending, lost):
            said = [each for each in told if each.parent.get("msg_id") == sent]
            why = [each.content["evalue"] for each in said if each.msg_type == "error"]
            assert (1, True) == (len(why), why[0].startswith(AWAY))
    finally:
        line.mend()
        go.touch()
    assert "7\n" == page("edda").text("print(y)")


def test_the_gateways_token_is_in_no_page_and_no_log(server: Serving, line: Line) -> None:
    line.cut()
    try:
        said = [
            server.request("GET", path, "ada").text
            for path in ("/api/kernels", "/api/kernelspecs", "/api/sessions", "/api/authz/me")
        ]
    finally:
        line.mend()
    assert TOKEN not in "".join((*said, server.log))


def test_an_address_with_a_password_in_it_starts_no_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = SimpleNamespace(url="http://me:secret@gateway", ws_url=None)
    monkeypatch.setattr(GatewayClient, "instance", lambda: client)
    manager = GatewayMappingKernelManager.__new__(GatewayMappingKernelManager)
    with pytest.raises(ConfigurationError) as refused:
        elsewhere.install({"kernel_manager": manager}, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]  # why: not reached
    assert "http_pwd" in str(refused.value)
    assert "secret" not in str(refused.value)


class OwnReader(GatewayWebSocketConnection):
    async def _read_messages(self) -> None:
        """Go past upstream."""


class OwnChannels(ZMQChannelsWebsocketConnection):
    """Of somebody else's."""


class OwnManager(MultiKernelManager):
    """Of somebody else's."""


@pytest.mark.parametrize(
    ("connection", "manager", "door"),
    [
        (ZMQChannelsWebsocketConnection, AsyncMappingKernelManager, ChannelsConnection),
        (OwnChannels, AsyncMappingKernelManager, ChannelsConnection),
        (OwnChannels, OwnManager, ChannelsConnection),
        (GatewayWebSocketConnection, GatewayMappingKernelManager, GatewayConnection),
        (OwnReader, GatewayMappingKernelManager, RefusedConnection),
        (OwnChannels, GatewayMappingKernelManager, RefusedConnection),
        (GatewayWebSocketConnection, AsyncMappingKernelManager, RefusedConnection),
        (BaseKernelWebsocketConnection, AsyncMappingKernelManager, RefusedConnection),
    ],
)
def test_a_connection_is_judged_where_every_message_passes_and_else_refused(
    connection: type[Any], manager: Any, door: type[Any]
) -> None:
    kernels = manager.__new__(manager)
    made = judged(connection, kernels, SimpleNamespace(), SimpleNamespace())  # type: ignore[arg-type]  # why: kept only
    assert issubclass(made, door)
    assert issubclass(made, connection)
