"""What stands between a browser and a real server, and fails as such things do."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


def _answer(status: str, type_: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\nConnection: close\r\n\r\n" + body


#: What a proxy in front of a server says that does not answer it.
BROKEN = _answer("502 Bad Gateway", "text/html", b"<h1>502</h1><script>alert(1)</script>")
#: What a server says that does not know a part of ours.
UNKNOWN = _answer("404 Not Found", "application/json", b'{"message": "Not Found"}')
PATIENCE = 90.0


class Between:
    """Passes on what the browser sends, but what begins with a path of `answers` or `waits`.

    Each connection carries one request, so that every one of them can be told apart.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        #: By the beginning of a path, the answer in the server's place.
        self.answers: dict[str, bytes] = {}
        #: By the beginning of a path, what has to happen before it is passed on.
        self.waits: dict[str, threading.Event] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        for each in self.waits.values():
            each.set()
        # It wakes the thread that waits for the next one.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        with browser, contextlib.suppress(OSError):
            head, rest = _head(browser)
            path = head.split(b" ", 2)[1].decode("ascii") if head.count(b" ") > 1 else ""
            for start, event in list(self.waits.items()):
                if path.startswith(start):
                    event.wait(PATIENCE)
            for start, answer in list(self.answers.items()):
                if path.startswith(start):
                    browser.sendall(answer)
                    return
            with socket.create_connection(self._to) as server:
                server.sendall(_once(head) + rest)
                back = threading.Thread(target=_pass_on, args=(browser, server), daemon=True)
                back.start()
                _pass_on(server, browser)
                with contextlib.suppress(OSError):
                    browser.shutdown(socket.SHUT_RDWR)
                back.join(PATIENCE)


@contextlib.contextmanager
def between(url: str) -> Iterator[Between]:
    """Something that stands before the server at `url`."""
    made = Between(url)
    try:
        yield made
    finally:
        made.close()


def _head(browser: socket.socket) -> tuple[bytes, bytes]:
    """The lines before a request's body, and what of the body came with them."""
    found = b""
    while b"\r\n\r\n" not in found:
        more = browser.recv(65536)
        if not more:
            return b"", b""
        found += more
    head, _, rest = found.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _once(head: bytes) -> bytes:
    """`head` as that of a connection's only request; a handshake stays what it is."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if any(line.lower().startswith(b"upgrade: websocket") for line in lines):
        return head
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join((first, *kept, b"Connection: close")) + b"\r\n\r\n"


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
