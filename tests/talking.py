"""A kernel's client for tests: one websocket, over either wire format."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import nbformat
import websocket
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serving

V1 = "v1.kernel.websocket.jupyter.org"


class Said(NamedTuple):
    channel: str
    msg_type: str
    content: dict[str, Any]
    parent: dict[str, Any]


class Client:
    def __init__(
        self, server: Serving, kernel: str, who: str, *, v1: bool = True, session: str = ""
    ) -> None:
        self.v1 = v1
        self.session = session or uuid.uuid4().hex
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels?session_id={self.session}",
            header=[f"Authorization: token {server.tokens[who]}"],
            subprotocols=[V1] if v1 else [],
            timeout=30,
        )

    def send(
        self,
        msg_type: str,
        content: Any,
        channel: str = "shell",
        *,
        metadata: Any = None,
        spelled: str = "",
    ) -> str:
        """Send a message; its type may be spelled otherwise, as JSON lets one."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": msg_type,
            "username": "",
            "session": self.session,
            "version": "5.3",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": metadata or {},
            "content": content,
        }

        def pack(part: Any) -> bytes:
            return json.dumps(part).replace(msg_type, spelled or msg_type).encode()

        if self.v1:
            self.socket.send_binary(serialize_msg_to_ws_v1(message, channel, pack))  # type: ignore[no-untyped-call]  # why: upstream's
        else:
            self.socket.send(pack({**message, "channel": channel}).decode())
        return header["msg_id"]

    def run(
        self,
        code: str,
        *,
        channel: str = "shell",
        metadata: Any = None,
        spelled: str = "",
        **more: Any,
    ) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        }
        return self.send(
            "execute_request", {**content, **more}, channel, metadata=metadata, spelled=spelled
        )

    def hear(self, seconds: float = 30) -> Said:
        """The next message.

        Raises:
            TimeoutError: none came.
        """
        opcode, data = self._frame(seconds)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Closed(int.from_bytes(data[:2], "big"), data[2:].decode())
        if self.v1:
            channel, parts = deserialize_msg_from_ws_v1(data)  # type: ignore[no-untyped-call]  # why: upstream's
            header, parent, _, content = (json.loads(part) for part in parts[:4])
            return Said(channel, header["msg_type"], content, parent)
        found = (
            json.loads(data)
            if opcode == websocket.ABNF.OPCODE_TEXT
            else deserialize_binary_message(data)  # type: ignore[no-untyped-call]  # why: upstream's
        )
        kind = found["header"]["msg_type"]
        return Said(found["channel"], kind, found["content"], found["parent_header"])

    def _frame(self, seconds: float) -> tuple[int, bytes]:
        """The next frame; a ping, which comes every thirty seconds, is none."""
        end = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                opcode, frame = self.socket.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                raise TimeoutError from None
            if opcode not in {websocket.ABNF.OPCODE_PING, websocket.ABNF.OPCODE_PONG}:
                return opcode, frame.data
            if time.monotonic() >= end:
                raise TimeoutError

    def until(self, text: str, seconds: float = 60) -> None:
        """Wait until a kernel has printed `text`; a busy machine may tell a line in two parts.

        Raises:
            TimeoutError: it has not.
        """
        seen, end = "", time.monotonic() + seconds
        while text not in seen:
            seen += self.hear(end - time.monotonic()).content.get("text", "")

    def asked(self, seconds: float = 60) -> Said:
        """Wait until a kernel asks this client for input.

        Raises:
            TimeoutError: it has not.
        """
        end = time.monotonic() + seconds
        while (said := self.hear(end - time.monotonic())).msg_type != "input_request":
            pass
        return said

    def answer(self, sent: str, *, reply: bool = True) -> list[Said]:
        """All that answers `sent`, up to idle and, if there is to be one, the reply."""
        found: list[Said] = []
        idle, replied = False, not reply
        while not (idle and replied):
            said = self.hear()
            if said.parent.get("msg_id") == sent:
                found.append(said)
                idle |= said.content.get("execution_state") == "idle"
                replied |= said.channel != "iopub"
        return found

    def text(self, code: str, **more: Any) -> str:
        """Run `code`; its printed text, or the words of its error."""
        found = ""
        for said in self.answer(self.run(code, **more)):
            found += said.content.get("text", "") if said.msg_type == "stream" else ""
            found += said.content.get("evalue", "") if said.msg_type == "error" else ""
        return found

    def drained(self, seconds: float) -> list[Said]:
        """What comes until nothing comes for some seconds."""
        found = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(self.hear(seconds))
        return found

    def closed(self, seconds: float = 60) -> tuple[int, str]:
        """Wait for the close; its code and reason."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.hear(end - time.monotonic())
        except Closed as closed:
            self.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
            return closed.code, closed.reason
        raise TimeoutError

    def close(self) -> None:
        self.socket.close(timeout=1)


class Closed(Exception):  # why: what happened
    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class Shell:
    def __init__(self, server: Serving, who: str, **body: object) -> None:
        answer = server.request("POST", "/api/terminals", who, json_body=body)
        assert 200 == answer.status, answer.text
        self.name = answer.json["name"]
        self.server = server
        self.socket = server.connect(f"/terminals/websocket/{self.name}", who)

    def type(self, keys: str) -> None:
        self.socket.send(json.dumps(["stdin", keys]))

    def until(self, wanted: str, keys: str = "") -> str:
        """What it says, up to `wanted`; `keys` are typed once a second meanwhile."""
        seen, end, before = "", time.monotonic() + 60, self.socket.gettimeout()
        self.socket.settimeout(1)
        while wanted not in seen and time.monotonic() < end:
            try:
                frame, data = self.socket.recv_data()
            except websocket.WebSocketTimeoutException:
                if keys:
                    self.type(keys)
                continue
            if frame == websocket.ABNF.OPCODE_CLOSE:
                # Before it fails: what is left open fails the next test.
                self.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
                raise AssertionError(data, seen, self.server.log[-4_000:])
            kind, *rest = json.loads(data)
            seen += rest[0] if kind == "stdout" else ""
        self.socket.settimeout(before)
        assert wanted in seen, seen
        return seen

    def says(self, command: str) -> str:
        self.type(f"{command}\recho en''d\r")
        return self.until("end\r\n").rpartition("end\r\n")[0]


def notebook(path: Path, *cells: str) -> None:
    """Write a notebook with these code cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path
    )


def start(server: Serving, who: str, path: str) -> str:
    """Start a kernel for the notebook at `path`; its id."""
    body = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    session = server.request("POST", "/api/sessions", who, json_body=body)
    assert 201 == session.status, session.text
    return str(session.json["kernel"]["id"])
