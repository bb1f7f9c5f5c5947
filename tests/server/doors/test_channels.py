from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from serving import Serving, serving
from talking import Client, notebook, start

from jupyter_authorized_server.server.doors import kernel_judge, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

WATCH_ONLY = "You can watch this kernel but not run code in it."
BOTH = pytest.mark.parametrize("v1", [True, False], ids=["newer", "older"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("channels")
    notebook(folder / "root" / "team" / "a.ipynb", "print(6 * 7)", "x = 1\nprint(x)")
    people = {
        "vera": "viewer",
        "rune": "runner",
        "edda": "editor",
        "emil": "editor",
        "mona": "manager",
        "nora": None,
        "uma": [("runner", "kernelspecs:python3")],
    }
    config = "c.JupyterAuthorization.max_message = 8"
    with serving(folder, people=people, config=config) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "edda", "team/a.ipynb")


def printed(found: list[Any]) -> str:
    """What a kernel has printed; a busy machine may tell a line in two parts."""
    return "".join(said.content.get("text", "") for said in found if said.msg_type == "stream")


def words(found: list[Any]) -> list[tuple[str, str]]:
    return [(said.channel, said.content.get("execution_state", said.msg_type)) for said in found]


@BOTH
def test_a_viewer_watches_what_an_editor_runs(server: Serving, kernel: str, v1: bool) -> None:
    vera, edda = Client(server, kernel, "vera", v1=v1), Client(server, kernel, "edda", v1=v1)
    assert "42\n" == edda.text("print(6 * 7)")
    vera.until("42\n")
    vera.close()
    edda.close()


@BOTH
def test_a_refused_run_is_answered_whole_with_the_sentence(
    server: Serving, kernel: str, v1: bool
) -> None:
    vera = Client(server, kernel, "vera", v1=v1)
    found = vera.answer(vera.run("print(1)"))
    assert [
        ("iopub", "busy"),
        ("iopub", "error"),
        ("shell", "execute_reply"),
        ("iopub", "idle"),
    ] == words(found)
    error = {"ename": "NotAllowed", "evalue": WATCH_ONLY, "traceback": [WATCH_ONLY]}
    assert error == found[1].content
    assert {
        "status": "error",
        **error,
        "execution_count": None,
        "user_expressions": {},
        "payload": [],
    } == found[2].content
    vera.close()


@pytest.mark.parametrize(
    ("sent", "own"),
    [
        (("shell", "complete_request", {"code": "pri", "cursor_pos": 3}), {"matches": []}),
        (("shell", "inspect_request", {"code": "x", "cursor_pos": 1}), {"found": False}),
        (("shell", "history_request", {"hist_access_type": "tail"}), {"history": []}),
        (("shell", "is_complete_request", {"code": "x"}), {"status": "unknown"}),
        (("shell", "comm_info_request", {}), {"comms": {}}),
        (("control", "execute_request", {"code": "1"}), {"status": "error"}),
        (("control", "interrupt_request", {}), {"status": "error"}),
        (("control", "shutdown_request", {"restart": True}), {"status": "error", "restart": True}),
        (("shell", "shutdown_request", {"restart": False}), {"status": "error", "restart": False}),
        (("control", "debug_request", {"seq": 7, "command": "debugInfo"}), {"request_seq": 7}),
        (("control", "create_subshell_request", {}), {"status": "error"}),
        (("control", "list_subshell_request", {}), {"subshell_id": []}),
        (("shell", "usage_request", {}), {"status": "error"}),
        (("shell", "kernel_info_request\0", {}), None),
        (("shell", "comm_open", {"comm_id": "c", "target_name": "jupyter.widget"}), None),
        (("shell", "comm_msg", {"comm_id": "c", "data": {}}), None),
    ],
)
def test_each_refused_message_ends_as_a_kernel_would_end_it(
    server: Serving, kernel: str, sent: tuple[str, str, Any], own: Any
) -> None:
    channel, msg_type, content = sent
    vera = Client(server, kernel, "vera")
    found = vera.answer(vera.send(msg_type, content, channel), reply=own is not None)
    replies = [said for said in found if said.channel != "iopub"]
    if own is None:
        assert [] == replies
    else:
        assert (channel, msg_type.replace("_request", "_reply")) == replies[0][:2]
        assert own == {key: replies[0].content[key] for key in own}
    assert ("iopub", "idle") == words(found)[-1]
    vera.close()
    edda = Client(server, kernel, "edda")
    assert "1\n" == edda.text("print(1)")
    edda.close()


@BOTH
def test_a_viewer_is_told_of_the_kernel_also_while_it_is_busy(
    server: Serving, kernel: str, v1: bool
) -> None:
    vera, edda = Client(server, kernel, "vera", v1=v1), Client(server, kernel, "edda", v1=v1)
    busy = "import time\nprint('on')\ntry: time.sleep(600)\nexcept KeyboardInterrupt: pass"
    running = edda.run(busy)
    vera.until("on\n")
    sent = vera.send("kernel_info_request", {}, "control")
    found = vera.answer(sent)
    assert ("control", "kernel_info_reply") == found[1][:2]
    assert "python" == found[1].content["language_info"]["name"]
    assert "debugger" not in found[1].content.get("supported_features", [])
    assert not found[1].content.get("debugger")
    # The page must not show a running kernel as idle.
    assert "busy" == vera.hear().content["execution_state"]
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "edda").status
    edda.answer(running)
    vera.close()
    edda.close()


@BOTH
def test_a_runner_runs_what_is_saved_and_nothing_else(server: Serving, v1: bool) -> None:
    path = server.root / "team" / "run.ipynb"
    notebook(path, "import sys\r\nprint('saved')", "print('second')")
    kernel = start(server, "rune", "team/run.ipynb")
    rune = Client(server, kernel, "rune", v1=v1)
    assert "saved\n" == rune.text("import sys\nprint('saved')")
    refused = rune.text("import sys\nprint('edited')")
    assert "You can run the cells that are saved in team/run.ipynb" in refused
    assert "edited or is not saved" in refused
    for code in ("print('saved')", "import sys\nprint('saved')\n", "", " print('second')"):
        assert "edited or is not saved" in rune.text(code), code
    assert "more than a cell" in rune.text("print('second')", user_expressions={"a": "1/0"})
    assert "more than a cell" in rune.text("print('second')", payload="x")
    notebook(path, "print('edited')")
    assert "edited\n" == rune.text("print('edited')")
    assert "edited or is not saved" in rune.text("print('second')")
    path.write_text("{}")
    assert "cannot be read" in rune.text("print('edited')")
    rune.close()


@pytest.mark.parametrize(("who", "v1"), [("rune", True), ("edda", False)])
def test_a_cell_is_run_by_its_id_as_it_is_saved(server: Serving, who: str, v1: bool) -> None:
    path = server.root / "team" / f"{uuid.uuid4().hex}.ipynb"
    notebook(path, "print('sa' + 'ved')", "1 / 0")
    first, second = (each["id"] for each in json.loads(path.read_text())["cells"])
    kernel = start(server, who, f"team/{path.name}")
    client = Client(server, kernel, who, v1=v1)
    assert "saved\n" == client.text("", metadata={"savedCell": first})
    assert "division by zero" == client.text("", metadata={"savedCell": second})
    assert "No cell of that id is saved" in client.text("", metadata={"savedCell": "none"})
    assert "no code of its own" in client.text("print(5)", metadata={"savedCell": first})
    # A kernel runs what comes on the other channel too, and prints it elsewhere.
    client.answer(client.run("", channel="control", metadata={"savedCell": second}))
    ran = [
        each["sha256"]
        for each in server.audit
        if each["kind"] == "execution" and each["kernel"] == f"kernels:{kernel}"
    ]
    first, second = (
        hashlib.sha256(code).hexdigest() for code in (b"print('sa' + 'ved')", b"1 / 0")
    )
    assert [first, second, second] == ran
    client.close()
    vera = Client(server, kernel, "vera", v1=v1)
    assert WATCH_ONLY == vera.text("", metadata={"savedCell": "any"})
    vera.close()
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", who).status


def test_run_all_of_a_runner_keeps_its_order(server: Serving) -> None:
    cells = [f"print({number})" for number in range(12)]
    notebook(server.root / "team" / "all.ipynb", *cells)
    rune = Client(server, start(server, "rune", "team/all.ipynb"), "rune")
    last = [rune.run(cell) for cell in cells][-1]
    seen = [said.content["text"] for said in heard_up_to(rune, last) if said.msg_type == "stream"]
    # A busy machine may tell a line in two parts.
    assert "".join(f"{number}\n" for number in range(12)) == "".join(seen)
    rune.close()


def heard_up_to(client: Client, last: str) -> Iterator[Any]:
    while True:
        said = client.hear()
        yield said
        if said.parent.get("msg_id") == last and said.content.get("execution_state") == "idle":
            return


def test_a_runner_runs_in_no_kernel_without_a_notebook(server: Serving) -> None:
    body = {"name": "python3", "path": "team"}
    kernel = server.request("POST", "/api/kernels", "rune", json_body=body).json["id"]
    rune = Client(server, kernel, "rune")
    assert "this kernel has no notebook" in rune.text("print(6 * 7)")
    rune.close()


def test_a_runner_moves_widgets_of_the_own_kernel_only(server: Serving, kernel: str) -> None:
    control = {"comm_id": "w", "target_name": "jupyter.widget.control", "data": {}}
    rune = Client(server, kernel, "rune")
    sent = rune.send("comm_open", control)
    rune.answer(sent, reply=False)
    assert "widgets of kernels that you started" in server.audit[-1]["reason"]
    rune.close()
    mine = start(server, "rune", "team/a.ipynb-2.ipynb")
    rune = Client(server, mine, "rune")
    rune.answer(rune.send("comm_open", {**control, "target_name": "os.system"}), reply=False)
    assert "not open other connections" in server.audit[-1]["reason"]
    before = len(server.audit)
    rune.answer(rune.send("comm_open", control), reply=False)
    assert before == len(server.audit)
    rune.close()


@BOTH
def test_another_persons_session_id_takes_over_nothing(
    server: Serving, kernel: str, v1: bool
) -> None:
    edda = Client(server, kernel, "edda", session="the-same", v1=v1)
    emil = Client(server, kernel, "emil", session="the-same", v1=v1)
    assert "1\n" == edda.text("print(1)")
    asked = edda.run("print(input('secret? '))")
    said = edda.asked()
    assert ("stdin", asked) == (said.channel, said.parent["msg_id"])
    heard = emil.drained(0.5)
    assert heard
    assert "stdin" not in [said.channel for said in heard]
    edda.send("input_reply", {"value": "mine", "status": "ok"}, "stdin")
    assert "mine\n" == printed(edda.answer(asked))
    edda.close()
    emil.close()


@BOTH
def test_what_was_kept_for_a_page_that_is_away_is_told_to_no_other(
    server: Serving, v1: bool
) -> None:
    kernel = start(server, "edda", "team/away.ipynb")
    edda = Client(server, kernel, "edda", session="the-same", v1=v1)
    asked = edda.run("import time; print('on'); time.sleep(1); print('for', 'edda')")
    edda.until("on\n")
    edda.close()
    time.sleep(1.5)
    thief = Client(server, kernel, "emil", session="the-same", v1=v1)
    heard = thief.drained(0.5)
    assert "edda" not in printed(heard)
    assert asked not in [said.parent.get("msg_id") for said in heard]
    thief.close()
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status


def test_nobody_ends_a_kernel_through_another_persons_session(
    server: Serving, kernel: str
) -> None:
    session = next(
        each["id"]
        for each in server.request("GET", "/api/sessions", "edda").json
        if each["kernel"]["id"] == kernel
    )
    path = f"/api/sessions/{session}"
    other = {"kernel": {"name": "python3"}}
    for who in ("vera", "rune", "emil", "nora"):
        assert server.request("DELETE", path, who).status in {403, 404}
        assert server.request("PATCH", path, who, json_body=other).status in {403, 404}
    client = Client(server, kernel, "emil")
    for channel in ("shell", "control"):
        refused = client.answer(client.send("shutdown_request", {"restart": False}, channel))
        assert "error" == next(
            said.content["status"] for said in refused if said.channel == channel
        )
    client.close()
    assert 200 == server.request("GET", f"/api/kernels/{kernel}", "edda").status


def judged(client: Client) -> None:
    """Wait until all that `client` has sent is judged: what comes after it is answered."""
    client.send("kernel_info_request", {}, "control")
    while client.hear().msg_type != "kernel_info_reply":
        pass


@BOTH
@pytest.mark.parametrize("msg_type", ["input_reply", "comm_msg", "execute_request"])
@pytest.mark.parametrize("who", ["emil", "mona", "vera"])
def test_only_who_was_asked_answers_a_prompt(
    server: Serving, kernel: str, who: str, msg_type: str, v1: bool
) -> None:
    edda, thief = Client(server, kernel, "edda", v1=v1), Client(server, kernel, who, v1=v1)
    asked = edda.run("print('got', input())")
    edda.asked()
    thief.send(msg_type, {"value": "stolen", "status": "ok"}, "stdin")
    judged(thief)
    edda.send("input_reply", {"value": "mine", "status": "ok"}, "stdin")
    assert "got mine\n" == printed(edda.answer(asked))
    # The prompt is answered: one more reply would be taken by the next one.
    edda.send("input_reply", {"value": "early", "status": "ok"}, "stdin")
    asked = edda.run("print('got', input())")
    edda.asked()
    edda.send("input_reply", {"value": "late", "status": "ok"}, "stdin")
    assert "got late\n" == printed(edda.answer(asked))
    edda.close()
    thief.close()


def test_who_was_asked_by_a_kernel_that_is_restarted_answers_no_prompt_of_the_next_one(
    server: Serving,
) -> None:
    kernel = start(server, "edda", f"team/{uuid.uuid4().hex}.ipynb")
    thief = Client(server, kernel, "emil")
    # A kernel that is asked to end interrupts what it runs; this goes on.
    thief.run("import time\ntry: input('asked ')\nexcept KeyboardInterrupt: time.sleep(600)\n")
    thief.asked()
    assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "edda").status
    edda = Client(server, kernel, "edda")
    # A kernel asks nobody whose socket for prompts is not there yet, and says nothing of it.
    assert "1\n" == edda.text("print(1)")
    asked = edda.run("print('got', input())")
    edda.asked()
    thief.send("input_reply", {"value": "stolen", "status": "ok"}, "stdin")
    judged(thief)
    edda.send("input_reply", {"value": "mine", "status": "ok"}, "stdin")
    assert "got mine\n" == printed(edda.answer(asked))
    edda.close()
    thief.close()
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status


def framed(header: bytes, *, channel: bytes = b"shell", content: bytes = b"{}") -> bytes:
    """A frame of the newer format, of these very bytes."""
    parts = [channel, header, b"{}", b"{}", content]
    at = [56]
    for part in parts:
        at.append(at[-1] + len(part))
    return struct.pack("<7Q", len(at), *at) + b"".join(parts)


RUN = b'{"msg_id":"1","msg_type":"execute_request","session":"s","username":"","version":"5.3"}'
CODE = b'{"code":"print(1)"}'
#: Frames that nobody may send, whatever their rights; text is of the older format.
HOSTILE: dict[str, bytes | str] = {
    "ten million parts": struct.pack("<Q", 10**7) + bytes(61),
    "text": "text",
    "empty": b"",
    "truncated": framed(RUN, content=CODE)[:-5],
    "truncated in its table": framed(RUN, content=CODE)[:40],
    "no part but the table": framed(RUN, content=CODE)[:56],
    "oversized header": framed(RUN[:-1] + b',"x":"' + b"x" * 2**15 + b'"}', content=CODE),
    "duplicated key": framed(b'{"msg_type":"kernel_info_request",' + RUN[1:], content=CODE),
    "not UTF-8": framed(RUN[:-1] + b',"x":"\xff"}', content=CODE),
    "UTF-16": framed(RUN.decode().encode("utf-16"), content=CODE),
    "an overlong letter": framed(RUN.replace(b"execute", b"\xc1\xa5xecute"), content=CODE),
    "not JSON": framed(RUN[:-1], content=CODE),
    "a list": framed(b"[" + RUN + b"]", content=CODE),
    "older, two thousand million parts": struct.pack("!i", 2**31 - 1) + bytes(8),
    "older, truncated": json.dumps({"header": json.loads(RUN)})[:-5],
    "older, duplicated key": f'{{"header":{{"msg_type":"a"}},"header":{RUN.decode()}}}',
    "older, not UTF-8": struct.pack("!2i", 1, 8) + b'{"header":"execute_request\xff"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_frame_that_lies_or_can_be_read_in_two_ways_ends_its_socket_and_no_others(
    server: Serving, kernel: str, name: str
) -> None:
    frame = HOSTILE[name]
    for who in ("vera", "edda", "mona"):
        older = name.startswith("older")
        client = Client(server, kernel, who, v1=not older)
        for _ in range(3):
            if isinstance(frame, str):
                client.socket.send(frame)
            else:
                client.socket.send_binary(frame)
        assert kernel_judge.UNREADABLE == client.closed(60)[0], who
    other = Client(server, kernel, "emil")
    assert "1\n" == other.text("print(1)")
    other.close()


@BOTH
def test_a_message_in_pieces_is_judged_as_a_whole(
    server: Serving, kernel: str, v1: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who, said in (("vera", WATCH_ONLY), ("edda", "1\n")):
        client = Client(server, kernel, who, v1=v1)

        def send(data: str | bytes, to: websocket.WebSocket = client.socket) -> None:
            opcode = websocket.ABNF.OPCODE_TEXT if isinstance(data, str) else 2
            whole = data.encode() if isinstance(data, str) else data
            for at in range(0, len(whole), 50):
                last = int(at + 50 >= len(whole))
                to.send_frame(websocket.ABNF.create_frame(whole[at : at + 50], opcode, last))
                opcode = websocket.ABNF.OPCODE_CONT
                to.ping()

        monkeypatch.setattr(client.socket, "send", send)
        monkeypatch.setattr(client.socket, "send_binary", send)
        sent = client.run("print(1)")
        monkeypatch.undo()
        found = client.answer(sent)
        assert said in {printed(found), *(each.content.get("evalue") for each in found)}
        client.close()


def test_a_message_that_is_said_to_be_too_large_ends_its_socket_before_it_is_read(
    server: Serving, kernel: str
) -> None:
    client = Client(server, kernel, "edda")
    assert client.socket.sock is not None
    client.socket.sock.sendall(b"\x82\xff" + struct.pack("!Q", 2**29))
    assert (1009, "message too big") == client.closed(60)


@BOTH
def test_what_a_kernel_sends_that_is_no_message_or_not_signed_by_it_stops_nobody(
    server: Serving, v1: bool
) -> None:
    kernel = start(server, "edda", f"team/{uuid.uuid4().hex}.ipynb")
    edda = Client(server, kernel, "edda", v1=v1)
    code = """
send = get_ipython().kernel.iopub_thread.send_multipart
header = b'{"msg_id":"%d","msg_type":"stream"}'
for n in range(50):
    send([b"t", b"<IDS|MSG>", b"no signature", header % n, b"{}", b"{}", b'{"text":"forged"}'])
    send([b"t", b"<IDS|MSG>", b"", b"{", b"[]"])
    send([b"nothing"])
print("sent")
"""
    assert "sent" in edda.text(code)
    assert "2\n" in edda.text("print(2)")
    edda.close()
    # Said once, however often it comes.
    said = [line for line in server.log.splitlines() if f"{kernel} is no message" in line]
    assert 1 == len(said)
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status


LEFT_OUT = (
    "What the kernel sent here was left out: it has 9 MiB, and this server passes on 8 at most. "
    "Save it to a file instead."
)


@BOTH
def test_of_a_message_of_a_kernel_that_is_too_large_all_who_watch_are_told_and_the_rest_goes_on(
    server: Serving, kernel: str, v1: bool
) -> None:
    vera, edda = Client(server, kernel, "vera", v1=v1), Client(server, kernel, "edda", v1=v1)
    large = "'x' * 9 * 2**20"
    code = f"from IPython.display import display\ndisplay({{'text/plain': {large}}}, raw=True)"
    found = edda.answer(edda.run(f"{code}\nprint('af' + 'ter')"))
    assert f"{LEFT_OUT}\nafter\n" == printed(found)
    vera.until(f"{LEFT_OUT}\nafter\n")
    # A reply, without which a cell would wait.
    found = edda.answer(edda.run("1", user_expressions={"large": large}))
    assert LEFT_OUT in [said.content.get("evalue") for said in found if said.channel == "shell"]
    assert "3\n" in edda.text("print(1 + 2)")
    vera.close()
    edda.close()


@pytest.mark.parametrize("who", ["vera", "edda"])
@pytest.mark.parametrize("channel", ["iopub", "", "nothing", "hb"])
def test_what_is_for_no_channel_is_dropped(
    server: Serving, kernel: str, channel: str, who: str
) -> None:
    client = Client(server, kernel, who)
    client.send("execute_request", {"code": "print('dropped')", "silent": False}, channel)
    found = client.answer(client.send("kernel_info_request", {}))
    assert "kernel_info_reply" in [said.msg_type for said in found]
    assert "dropped\n" not in [said.content.get("text") for said in found]
    client.close()


def test_refusals_are_recorded_once_for_some_seconds(server: Serving, kernel: str) -> None:
    mine = start(server, "edda", "team/recorded.ipynb")
    vera = Client(server, mine, "vera")
    for _ in range(5):
        vera.text("print(1)")
    records = [each for each in server.audit if each.get("resource") == f"kernels:{mine}"]
    assert [("deny", "run", "channel", "execute_request on shell")] == [
        (each["decision"], each["action"], each["door"], each["request"])
        for each in records
        if each.get("door") == "channel"
    ]
    vera.close()


def resident(server: Serving) -> int:
    """Bytes of memory that a server takes."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_ten_thousand_messages_at_once_are_dropped_and_nobody_waits_for_them(
    server: Serving, kernel: str
) -> None:
    vera, edda = Client(server, kernel, "vera"), Client(server, kernel, "edda")
    began, before = time.monotonic(), resident(server)
    run = framed(RUN, content=CODE)
    for _ in range(10_000):
        vera.socket.send_binary(run)
    assert "1\n" == edda.text("print(1)")
    errors = 0
    try:
        while True:
            errors += vera.hear(2).msg_type == "error"
    except TimeoutError:
        pass
    most = refusals.BURST + refusals.RATE * (time.monotonic() - began)
    assert refusals.BURST <= errors <= min(most, 10_000)
    assert resident(server) - before < 2**27
    vera.close()
    edda.close()


def test_a_socket_is_refused_without_the_right_to_watch(server: Serving, kernel: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Client(server, kernel, "nora")
    assert 403 == refused.value.status_code


def test_a_connection_class_that_cannot_be_judged_refuses_everybody(
    tmp_path: Path,
) -> None:
    config = (
        "from jupyter_server.services.kernels.connection.base import "
        "BaseKernelWebsocketConnection as Base\n"
        "class Foreign(Base):\n"
        "    pass\n"
        "c.ServerApp.kernel_websocket_connection_class = Foreign\n"
    )
    notebook(tmp_path / "root" / "a.ipynb", "1")
    with serving(tmp_path, people={"edda": "editor"}, config=config) as other:
        assert "`Foreign` to the kernels of `AsyncMappingKernelManager` is no" in other.log
        with pytest.raises(AssertionError, match="cannot judge what is sent to its kernels"):
            start(other, "edda", "a.ipynb")
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            Client(other, str(uuid.uuid4()), "edda")
        assert refused.value.status_code in {403, 404}


def open_doors(server: Serving, who: str, kernel: str) -> int:
    found = server.request("GET", "/api/authz/live", who).json["items"]
    return sum(each["resource"] == f"kernels:{kernel}" for each in found)


def test_each_run_is_a_use_of_a_grant_that_counts_a_number_of_times(server: Serving) -> None:
    with server.store() as store:
        given = store.add_grant(
            principal="user:uma", level="editor", resource="contents:/team", now=time.time(),
            granted_by="os:test", uses=4,
        )  # fmt: skip

        def left() -> int:
            return store.counted().get(given.id, 0)

        end = time.monotonic() + 60
        while server.request("GET", "/api/contents/team", "uma").status != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        own = start(server, "uma", "team/a.ipynb")
        before = left()
        uma = Client(server, own, "uma")
        assert before == left()
        # A debugger would run whatever it is sent, as often as one likes.
        asked = {"type": "request", "seq": 1, "command": "evaluate", "arguments": {}}
        for channel in ("control", "shell"):
            answer = uma.answer(uma.send("debug_request", asked, channel))
            [reply] = [each for each in answer if each.msg_type == "debug_reply"]
            assert "in a debugger nobody would count" in reply.content["message"]
        subshell = uma.answer(uma.send("create_subshell_request", {}, "control"))
        assert any("nobody would count" in str(each.content) for each in subshell), subshell
        [info] = [
            each
            for each in uma.answer(uma.send("kernel_info_request", {}))
            if each.msg_type == "kernel_info_reply"
        ]
        assert "debugger" not in info.content
        assert before == left()
        # What nobody here knows may be a run to another kernel.
        uma.send("run_anything_request", {"code": "1"})
        end = time.monotonic() + 60
        while left() != before - 1:
            assert time.monotonic() < end
            time.sleep(0.05)
        before = left()
        for turn in range(before):
            assert f"{turn}\n" == uma.text(f"print({turn})")
            assert before - turn - 1 == left()
        refused = [each.content.get("evalue", "") for each in uma.answer(uma.run("print(9)"))]
        assert any("used up" in each for each in refused), refused
        uma.close()


def test_a_client_that_reads_nothing_is_cut_off(
    server: Serving,
) -> None:
    kernel = start(server, "edda", "team/loud.ipynb")
    deaf = Client(server, kernel, "edda")
    deaf.run(
        "from IPython.display import display\n"
        "for _ in range(100): display({'text/plain': 'x' * 2**20}, raw=True)"
    )
    end = time.monotonic() + 120
    while open_doors(server, "edda", kernel):
        assert time.monotonic() < end
        time.sleep(0.2)
    deaf.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status


def test_who_connects_to_a_kernel_that_is_shut_down_meanwhile_is_told_that_it_is_gone(
    server: Serving,
) -> None:
    kernel = start(server, "edda", "team/short.ipynb")
    told: list[int] = []

    def connect() -> None:
        try:
            client = Client(server, kernel, "vera")
            told.append(101)
            client.close()
        except websocket.WebSocketBadStatusException as refused:
            told.append(refused.status_code)

    waiting = [threading.Thread(target=connect) for _ in range(4)]
    for each in waiting:
        each.start()
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status
    connect()
    for each in waiting:
        each.join(60)
    assert 404 == told[-1] or 404 in told
    assert {101, 404} >= set(told)
    assert 5 == len(told)


def test_a_kernel_that_dies_while_a_refusal_is_on_its_way_leaves_nobody_waiting(
    server: Serving,
) -> None:
    kernel = start(server, "edda", "team/dies.ipynb")
    edda, vera = Client(server, kernel, "edda"), Client(server, kernel, "vera")
    assert "1\n" == edda.text("print(1)")
    sent = [vera.run("1") for _ in range(20)]
    edda.run("import os; os._exit(1)")
    sent += [vera.run("1") for _ in range(20)]
    ended: set[str | None] = set()
    while ended != set(sent):
        said = vera.hear(60)
        if said.content.get("execution_state") == "idle":
            ended |= {said.parent.get("msg_id")} & set(sent)
    # The kernel is started again, and the same sockets serve.
    while edda.hear(60).content.get("execution_state") != "restarting":
        pass
    edda.close()
    edda = Client(server, kernel, "edda")
    assert "1\n" == edda.text("print(1)")
    assert WATCH_ONLY == vera.text("1")
    edda.close()
    vera.close()
    assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "edda").status


def test_nothing_went_wrong_in_the_log(server: Serving) -> None:
    wrong = [line for line in server.log.splitlines() if "Traceback" in line or " 500 " in line]
    assert [] == wrong
