"""The client of `bench_live`: many websockets in a process of its own, read as cheaply as can be.

It prints a line once all are open, and when the last of them is gone, as JSON, the clock
at which each had the closing frame and at which each connection was over. The clock is
the machine's, so the figures of two processes can be compared.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

#: Opcodes of a frame, with the bit that says that it is a whole message.
_CLOSE, _PING = 0x88, 0x89


@dataclass(eq=False)
class _Reader:
    """One socket; told and gone are seconds of the machine's clock."""

    socket: socket.socket
    told: float = 0.0
    gone: float = 0.0
    kept: bytearray = field(default_factory=bytearray)

    def read(self) -> bool:
        """Take what is there; False once the connection is over."""
        try:
            data = self.socket.recv(2**16)
        except ConnectionError:
            data = b""
        now = time.monotonic()
        if not data:
            self.gone = now
            self.socket.close()
            return False
        self.kept += data
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == _CLOSE:
                self.told = now
                self._answer(_CLOSE, payload[:2])
            elif opcode == _PING:
                self._answer(0x8A, payload)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        kept = self.kept
        if len(kept) < 2:
            return None
        length, at = kept[1] & 0x7F, 2
        if length > 125:
            at = 4 if length == 126 else 10
            length = int.from_bytes(kept[2:at], "big")
        if len(kept) < at + length:
            return None
        opcode, payload = kept[0], bytes(kept[at : at + length])
        del kept[: at + length]
        return opcode, payload

    def _answer(self, opcode: int, payload: bytes) -> None:
        # A client masks; with zeros, the masked is the payload.
        with contextlib.suppress(ConnectionError):
            self.socket.send(bytes([opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


def _opened(port: int, path: str, token: str) -> _Reader:
    found = socket.create_connection(("127.0.0.1", port), timeout=60)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org",
        f"Authorization: token {token}",
    )
    found.sendall("\r\n".join((*lines, "", "")).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += found.recv(2**16)
    if b" 101 " not in head.partition(b"\r\n")[0]:
        sys.exit(f"a socket was not opened: {head[:200]!r}")
    reader = _Reader(found)
    reader.kept += head.partition(b"\r\n\r\n")[2]
    found.setblocking(False)  # noqa: FBT003  # why: the standard library's signature
    return reader


def main(port: int) -> None:
    """Open the sockets that the first line of the input names, and read until all are gone."""
    chosen = selectors.DefaultSelector()
    readers: list[_Reader] = []
    gone: list[_Reader] = []

    def look(timeout: float | None) -> None:
        for key, _ in chosen.select(timeout):
            if not key.data.read():
                chosen.unregister(key.fileobj)
                gone.append(key.data)

    for path, token in json.loads(sys.stdin.readline()):
        readers.append(_opened(port, path, token))
        chosen.register(readers[-1].socket, selectors.EVENT_READ, readers[-1])
        # Pings want an answer meanwhile.
        look(0)
    if gone:
        sys.exit("sockets were closed before anything changed")
    print("open", flush=True)
    while len(gone) < len(readers):
        look(None)
    answer = {
        "told": [each.told for each in readers],
        "gone": [each.gone for each in readers],
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
