from __future__ import annotations

import contextlib
import json
import time
import uuid
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
import websocket
from serving import Serving, add_people, give_password, serving
from talking import Client, Closed, notebook, start

from jupyter_authorized_server.sentences import KERNEL_TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_authorized_server.store import Store

#: The design allows a second between a change and its effect; a machine that does much
#: besides is given more, and `benchmarks/bench_live.py` measures it.
SOON = 30.0


def eventually(expected: object, ask: Callable[[], object]) -> None:
    """Ask until the answer is `expected`."""
    end = time.monotonic() + SOON
    while (answer := ask()) != expected:
        assert time.monotonic() < end, answer
        time.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("live")
    notebook(folder / "root" / "team" / "a.ipynb", "print(6 * 7)")
    people = {
        "edda": "editor",
        "emil": "editor",
        "otto": "editor",
        "mary": "editor",
        "nora": "editor",
        "vera": "viewer",
        "tess": "editor",
        "adam": "admin",
        "abel": "admin",
        "temp": None,
        "lars": "viewer",
        "gina": "viewer",
        "gail": None,
        "moe": "editor",
    }
    with serving(
        folder, people=people, policy={}, extensions=("jupyter_server_terminals",)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "edda", "team/a.ipynb")


def revoke(server: Serving, who: str) -> None:
    store = server.store()
    for grant in store.state().grants:
        if grant.principal == f"user:{who}":
            store.remove_grant(grant.id)
    store.close()


def grant(server: Serving, who: str, level: str, *, ends: float | None = None) -> None:
    store = server.store()
    store.add_grant(
        principal=f"user:{who}",
        level=level,
        resource="server:",
        now=time.time(),
        ends=ends,
        granted_by="os:test",
    )
    store.close()


def test_a_change_of_level_holds_from_the_next_message_and_nothing_closes(
    server: Serving, kernel: str
) -> None:
    emil = Client(server, kernel, "emil")
    assert "1\n" == emil.text("print(1)")
    grant(server, "emil", "viewer")
    store = server.store()
    store.remove_grant(
        next(
            each.id
            for each in store.state().grants
            if each.principal == "user:emil" and each.level == "editor"
        )
    )
    store.close()
    eventually("You can watch this kernel but not run code in it.", lambda: emil.text("print(1)"))
    grant(server, "emil", "editor")
    eventually("1\n", lambda: emil.text("print(1)"))
    emil.close()


def test_whose_right_to_watch_is_taken_back_has_the_socket_closed_for_good_and_stays_away(
    server: Serving, kernel: str
) -> None:
    otto, edda = Client(server, kernel, "otto"), Client(server, kernel, "edda")
    running = edda.run("import time\nfor _ in range(600): print('tick'); time.sleep(0.1)")
    while "tick" not in otto.hear().content.get("text", ""):
        pass
    revoke(server, "otto")
    began = time.monotonic()
    assert (1000, KERNEL_TAKEN) == otto.closed(SOON)
    assert time.monotonic() - began < SOON
    for _ in range(2):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            Client(server, kernel, "otto", session=otto.session)
        assert refused.value.status_code in {403, 404}
    interrupted = server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda")
    assert 204 == interrupted.status
    edda.answer(running)
    grant(server, "otto", "viewer")
    path = f"/api/kernels/{kernel}"
    eventually(200, lambda: server.request("GET", path, "otto").status)
    otto = Client(server, kernel, "otto", session=otto.session)

    def hears() -> bool:
        edda.text("print('again')")
        return any(said.content.get("text") == "again\n" for said in otto.drained(0.5))

    eventually(True, hears)
    otto.close()
    edda.close()


@pytest.mark.parametrize("v1", [True, False])
def test_whose_right_to_watch_is_taken_back_is_told_so_in_what_runs_and_the_kernel_goes_on(
    server: Serving, kernel: str, v1: bool
) -> None:
    who = "mary" if v1 else "nora"
    hers, edda = Client(server, kernel, who, v1=v1), Client(server, kernel, "edda")
    done = hers.run("1")
    hers.answer(done)
    running = hers.run("import time; print('begun'); time.sleep(600); print('secret')")
    queued = hers.run("print('secret too')")
    hers.until("begun\n")
    revoke(server, who)
    for sent in (running, queued):
        said = [each for each in hers.answer(sent) if each.msg_type != "status"]
        assert ["error", "execute_reply"] == [each.msg_type for each in said]
        assert "what you ran goes on there without you" in said[0].content["evalue"]
        assert "error" == said[1].content["status"]
    # Of what the kernel has replied to, the end could have been on its way.
    idle = [done, "idle"]
    while idle != [(last := hers.hear()).parent["msg_id"], last.content["execution_state"]]:
        pass
    assert (1000, KERNEL_TAKEN) == hers.closed(SOON)
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda").status
    # What waits while a run is interrupted is aborted.
    eventually("1\n", lambda: edda.text("print(1)"))
    # How it ended in truth is known all the same.
    [began] = [
        each["id"]
        for each in server.audit
        if each["kind"] == "execution" and each["principal"] == f"user:{who}"
        if each["sha256"] == sha256(b"print('secret too')").hexdigest()
    ]
    eventually(
        ["aborted"],
        lambda: [each["status"] for each in server.audit if each.get("execution") == began],
    )
    edda.close()


def test_the_end_of_a_grant_reaches_open_sockets(server: Serving, kernel: str) -> None:
    grant(server, "temp", "editor")
    path = f"/api/kernels/{kernel}"
    eventually(200, lambda: server.request("GET", path, "temp").status)
    temp = Client(server, kernel, "temp")
    assert "1\n" == temp.text("print(1)")
    store = server.store()
    [lasting] = [each for each in store.state().grants if each.principal == "user:temp"]
    ends = time.time() + 5
    grant(server, "temp", "editor", ends=ends)
    store.remove_grant(lasting.id)
    store.close()
    # A kernel that talks all the time: at the end a message comes before any look at the clock.
    running = temp.run("import time\nwhile True: print('tick'); time.sleep(0.001)")
    refused = [each for each in temp.answer(running) if each.msg_type == "error"]
    assert time.time() >= ends
    assert [KERNEL_TAKEN] == [each.content["evalue"] for each in refused]
    assert (1000, KERNEL_TAKEN) == temp.closed(SOON)
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda").status
    edda = Client(server, kernel, "edda")
    # What waits while a run is interrupted is aborted.
    eventually("1\n", lambda: edda.text("print(1)"))
    edda.close()


def test_the_end_of_a_token_closes_a_kernels_socket_for_good(server: Serving, kernel: str) -> None:
    vera = Client(server, kernel, "vera")
    store = server.store()
    for token in store.tokens("vera"):
        store.remove_token(token.id)
    store.close()
    began = time.monotonic()
    assert (1000, "You are signed out.") == vera.closed(SOON)
    assert time.monotonic() - began < SOON


def test_who_is_disabled_is_out_at_once(server: Serving, kernel: str) -> None:
    tess = Client(server, kernel, "tess")
    running = tess.run("import time; print('begun'); time.sleep(600)")
    tess.until("begun\n")
    with server.store() as store:
        store.set_disabled("tess", disabled=True)
    # Nobody else would end the cell on her page.
    said = [each for each in tess.answer(running) if each.msg_type == "error"]
    assert ["You are signed out."] == [each.content["evalue"] for each in said]
    assert 1000 == tess.closed(SOON)[0]
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda").status
    edda = Client(server, kernel, "edda")
    # What waits while a run is interrupted is aborted.
    eventually("1\n", lambda: edda.text("print(1)"))
    edda.close()


def in_force(server: Serving) -> int:
    """The revision by which the server answers."""
    return int(server.request("GET", "/api/authz/changes", "adam").json["revision"])


def doors(server: Serving, who: str, kernel: str) -> list[str]:
    """The ids of the sockets that somebody has open to a kernel."""
    live = server.request("GET", "/api/authz/live", who).json["items"]
    return [each["id"] for each in live if each["resource"] == f"kernels:{kernel}"]


def close_code(socket: websocket.WebSocket) -> int:
    """Read up to the close; its code."""
    socket.settimeout(2 * SOON)
    while True:
        frame = socket.recv_frame()  # type: ignore[no-untyped-call]  # why: untyped
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            # `close` would leave the descriptor open after a closing frame of the server.
            socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
            return int.from_bytes(frame.data[:2], "big")


def test_signing_out_closes_the_sockets_of_that_login_and_signing_out_everywhere_of_all(
    server: Serving, kernel: str
) -> None:
    give_password(server.folder, "lars")
    # What somebody signs in with has to be known here.
    with server.store() as store:
        eventually(store.revision(), lambda: in_force(server))
    cookies = [server.sign_in("lars") for _ in range(2)]
    other = Client(server, kernel, "lars")
    first, second = (
        websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels",
            header=[f"Cookie: {cookie}"],
            timeout=10,
        )
        for cookie in cookies
    )
    out = server.request("GET", "/logout", headers={"Cookie": cookies[0]})
    assert 200 <= out.status < 400
    assert 1000 == close_code(first)
    eventually(2, lambda: len(doors(server, "lars", kernel)))
    with server.store() as store:
        assert 1 == store.end_login_sessions("lars")
    assert 1000 == close_code(second)
    # Still open: it came with a token.
    assert "You can watch this kernel but not run code in it." == other.text("1")
    other.close()


def out_of_group(_: Serving, store: Store, who: str) -> None:
    store.remove_member(f"of-{who}", f"user:{who}")


def group_removed(_: Serving, store: Store, who: str) -> None:
    store.remove_group(f"of-{who}")


def person_removed(_: Serving, store: Store, who: str) -> None:
    store.remove_person(who)


def policy_changed(server: Serving, _: Store, who: str) -> None:
    rule = f'@id("one")\nforbid (principal == Jupyter::User::"{who}", action, resource);\n'
    (server.folder / "policy" / "one.cedar").write_text(rule)


@pytest.mark.parametrize("change", [out_of_group, group_removed, person_removed, policy_changed])
def test_a_change_of_whatever_kind_reaches_an_open_socket_and_the_next_one_is_refused(
    server: Serving, kernel: str, change: Callable[[Serving, Store, str], None]
) -> None:
    who, now = f"person-{uuid.uuid4().hex[:8]}", time.time()
    server.tokens |= add_people(server.folder, {who: None})
    with server.store() as store:
        store.add_group(f"of-{who}", now=now)
        store.add_member(f"of-{who}", f"user:{who}")
        store.add_grant(
            principal=f"group:of-{who}",
            level="editor",
            resource="server:",
            now=now,
            granted_by="os:test",
        )
        path = f"/api/kernels/{kernel}"
        eventually(200, lambda: server.request("GET", path, who).status)
        client = Client(server, kernel, who)
        assert "1\n" == client.text("print(1)")
        change(server, store, who)
    assert 1000 == client.closed(SOON)[0]
    with pytest.raises(websocket.WebSocketBadStatusException):
        Client(server, kernel, who)


def terminal(server: Serving, who: str) -> tuple[str, websocket.WebSocket]:
    made = server.request("POST", "/api/terminals", who, json_body={})
    assert 200 == made.status, made.text
    name = str(made.json["name"])
    return name, server.connect(f"/terminals/websocket/{name}", who)


def test_a_terminal_says_so_and_closes_and_hears_nothing_more(server: Serving) -> None:
    name, other = terminal(server, "adam")
    socket = server.connect(f"/terminals/websocket/{name}", "abel")
    other.settimeout(SOON)
    assert ["setup", {}] == json.loads(other.recv())
    mark = server.root / "typed"
    revoke(server, "abel")
    began = time.monotonic()
    texts, closed = [], None
    while closed is None:
        # Not answering the close, a client could go on for seconds.
        frame = socket.recv_frame()  # type: ignore[no-untyped-call]  # why: untyped
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            closed = int.from_bytes(frame.data[:2], "big")
        else:
            texts.append(frame.data.decode())
    assert time.monotonic() - began < SOON
    assert 1000 == closed
    assert json.dumps(["stdout", "\r\nYour access was taken back.\r\n"]) == texts[-1]
    socket.send(json.dumps(["stdin", f"touch '{mark}'\r"]))
    time.sleep(1)
    assert not mark.exists()
    # Who shares the terminal goes on.
    other.send(json.dumps(["stdin", f"touch '{mark}'\r"]))
    end = time.monotonic() + SOON
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert mark.exists()
    socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    other.close()


def test_the_event_stream_closes_with_the_login(server: Serving) -> None:
    events = server.connect("/api/events/subscribe", "gina")
    store = server.store()
    store.set_disabled("gina", disabled=True)
    store.close()
    while True:
        opcode, data = events.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            break
    assert 1000 == int.from_bytes(data[:2], "big")
    events.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    with pytest.raises(websocket.WebSocketBadStatusException):
        server.connect("/api/events/subscribe", "gina")


def test_the_shell_of_who_may_start_none_any_more_ends_and_is_not_typed_in(
    server: Serving,
) -> None:
    grant(server, "gail", "admin")
    eventually(200, lambda: server.request("GET", "/api/status", "gail").status)
    name, socket = terminal(server, "gail")
    revoke(server, "gail")
    eventually(403, lambda: server.request("GET", "/api/status", "gail").status)
    mark = server.root / "typed-late"
    # What is confined ends with the right to it; what is typed on the way is refused.
    with contextlib.suppress(OSError, websocket.WebSocketException):
        socket.send(json.dumps(["stdin", f"touch '{mark}'\r"]))
        shown = "no end"
        while shown and "but not" not in shown and "cannot start" not in shown:
            shown = str(socket.recv())
    eventually(404, lambda: server.request("GET", f"/api/terminals/{name}", "adam").status)
    assert not mark.exists()
    # `close` would leave the descriptor open after a closing frame of the server.
    socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped


def test_five_hundred_sockets_at_once_are_all_reached(server: Serving, kernel: str) -> None:
    clients = [Client(server, kernel, "moe") for _ in range(40)]
    listening = [server.connect("/api/events/subscribe", "moe") for _ in range(460)]
    # Others are served meanwhile.
    edda = Client(server, kernel, "edda")
    assert "1\n" == edda.text("print(1)")
    store = server.store()
    store.set_disabled("moe", disabled=True)
    store.close()
    began = time.monotonic()
    assert {1000} == {client.closed(SOON)[0] for client in clients}
    for each in listening:
        while (frame := each.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:  # type: ignore[no-untyped-call]  # why: untyped
            pass
        assert 1000 == int.from_bytes(frame.data[:2], "big")
        each.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    assert time.monotonic() - began < SOON
    assert "2\n" == edda.text("print(2)")
    edda.close()


def test_what_waits_for_a_look_at_the_notebook_is_not_run_once_its_socket_is_closed(
    server: Serving, kernel: str
) -> None:
    path = server.root / "team" / "a.ipynb"
    notebook(path, "pass", "#" + "x" * 4_000_000)
    cell = json.loads(path.read_text())["cells"][0]["id"]

    # What another test has closed the server may still know.
    eventually([], lambda: doors(server, "edda", kernel))
    edda = Client(server, kernel, "edda")

    def ran() -> int:
        return sum(
            each["kind"] == "execution" and each["kernel"] == f"kernels:{kernel}"
            for each in server.audit
        )

    at_first = ran()
    sent = [edda.run("", metadata={"savedCell": cell}) for _ in range(100)]
    edda.answer(sent[0])
    [door] = doors(server, "edda", kernel)
    # What is taken away is asked about again at each message; this takes nothing away.
    assert 200 == server.request("DELETE", f"/api/authz/live/{door}", "adam").status
    by_then = ran()
    assert by_then - at_first < len(sent)
    # The client has not answered the close, so only the server has ended anything.
    time.sleep(0.5)
    assert by_then == ran()
    assert 1000 == edda.closed()[0]


def test_an_open_door_is_let_go_when_it_closes(server: Serving, kernel: str) -> None:
    edda = Client(server, kernel, "edda")
    edda.close()
    again = Client(server, kernel, "edda")
    assert "1\n" == again.text("print(1)")
    with pytest.raises((Closed, TimeoutError)):
        again.closed(0.5)
    again.close()


def test_nothing_went_wrong_in_the_log(server: Serving) -> None:
    wrong = [
        line for line in server.log.splitlines() if "Traceback" in line or "could not be" in line
    ]
    assert [] == wrong
