"""The program by which a kernel that knows no sockets in folders is spoken to through them.

What Jupyter calls `ipc` many kernels that are not written in Python do not know. In a network
of its own such a kernel listens on TCP, where nobody else is, and this carries what is said
between there and the sockets that the server knows. It runs in the kernel's sandbox, by
itself, as `python -I -S`, and becomes the kernel; what carries stays as a process that is
nobody's child and in no group of the kernel's, so that no signal to the kernel is one to it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from pathlib import Path

#: By how much the number of a port of TCP is higher than that of a socket's name: what
#: numbers the sockets begins with 1.
_ABOVE = 20_000
#: Bytes that are read at once, and those that wait for who reads slowly.
_PART, _MOST = 1 << 16, 1 << 20
_LOOK_SECONDS, _FULL_SECONDS, _CONNECT_SECONDS = 0.01, 0.1, 10.0


def told(connection: dict[str, object]) -> dict[str, object]:
    """What a kernel is told instead of `connection`."""
    ports = {
        name: _ABOVE + value
        for name, value in connection.items()
        if name.endswith("_port") and isinstance(value, int)
    }
    return {**connection, "transport": "tcp", "ip": "127.0.0.1", **ports}


def line(at: str, connection: dict[str, object], command: list[str]) -> list[str]:
    """What to run in the place of `command`, a kernel that was `told` where to listen.

    Args:
        at: how the paths of the sockets begin, in the sandbox.
    """
    ports = [str(value) for name, value in connection.items() if name.endswith("_port")]
    # Given as text: what the server is made of need not be shown.
    program = Path(__file__).read_text("utf-8")
    return [sys.executable, "-I", "-S", "-c", program, at, ",".join(ports), *command]


class _Way:
    """What goes from one socket to another."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.held = bytearray()
        self.is_over = False

    def read(self) -> None:
        try:
            part = self.source.recv(_PART)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self.held += part
        self._end(when=not part)

    def write(self) -> None:
        try:
            del self.held[: self.sink.send(self.held)]
        except BlockingIOError:
            return
        except OSError:
            # Nobody reads it, and so nobody need say more.
            self.held.clear()
            with contextlib.suppress(OSError):
                self.source.shutdown(socket.SHUT_RD)
            self.is_over = True
        self._end(when=self.is_over)

    def _end(self, *, when: bool) -> None:
        self.is_over |= when
        if self.is_over and not self.held:
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)


class _Relay:
    """All that is carried."""

    def __init__(self, at: str, ports: list[int]) -> None:
        self._at = at
        #: Where a kernel does not listen yet; and where it does, what was opened to see that,
        #: which is for the first that comes, since some kernels dislike who goes at once.
        self._awaited = set(ports)
        self._opened: dict[int, socket.socket] = {}
        self._listening: dict[int, tuple[socket.socket, int]] = {}
        self._pairs: list[tuple[_Way, _Way]] = []
        #: Whether whoever comes has to wait a moment.
        self._is_full = False

    def run(self) -> None:
        while True:
            for port in [*self._awaited]:
                with contextlib.suppress(OSError):
                    self._opened[port] = _connected(port)
                    self._listen(port)
                    self._awaited.remove(port)
            self._carry(_LOOK_SECONDS if self._awaited else None)

    def _listen(self, port: int) -> None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"{self._at}-{port}")
        listening.listen(100)
        self._listening[listening.fileno()] = (listening, port)

    def _carry(self, seconds: float | None) -> None:
        """Carry what there is, or wait for it for so long."""
        readers: dict[int, _Way] = {}
        writers: dict[int, _Way] = {}
        for way in (way for pair in self._pairs for way in pair):
            if not way.is_over and len(way.held) < _MOST:
                readers[way.source.fileno()] = way
            if way.held:
                writers[way.sink.fileno()] = way
        asked = select.poll()
        listening = {} if self._is_full else self._listening
        for each in {*listening, *readers, *writers}:
            reads = each in readers or each in listening
            asked.register(each, reads * select.POLLIN | (each in writers) * select.POLLOUT)
        if self._is_full:
            self._is_full, seconds = False, _FULL_SECONDS
        for each, kinds in asked.poll(None if seconds is None else seconds * 1000):
            if each in listening:
                self._accept(*self._listening[each])
            if each in readers and kinds & ~select.POLLOUT:
                readers[each].read()
            if each in writers and kinds & ~select.POLLIN:
                writers[each].write()
        self._pairs = [pair for pair in self._pairs if not _closed(pair)]

    def _accept(self, listening: socket.socket, port: int) -> None:
        try:
            here, _ = listening.accept()
        except OSError:
            # Who has come has gone, or there are as many as there can be.
            self._is_full = True
            return
        there = self._opened.pop(port, None)
        if there is not None and _has_ended(there):
            there.close()
            there = None
        try:
            there = there or _connected(port)
        except OSError:
            # The kernel listens no more, or there are as many as there can be; who has come
            # comes again.
            here.close()
            return
        for each in (here, there):
            each.setblocking(False)  # noqa: FBT003  # why: its only argument
        self._pairs.append((_Way(here, there), _Way(there, here)))


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", _ABOVE + port), timeout=_CONNECT_SECONDS)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _has_ended(one: socket.socket) -> bool:
    """Whether whoever is at the other end has gone, as who waits too long for a word does."""
    asked = select.poll()
    asked.register(one, select.POLLRDHUP)
    return bool(asked.poll(0))


def _closed(pair: tuple[_Way, _Way]) -> bool:
    """Whether both ways are over; then both ends are closed."""
    if any(way.held or not way.is_over for way in pair):
        return False
    for way in pair:
        way.source.close()
    return True


def _main(at: str, ports: str, *command: str) -> None:
    if child := os.fork():
        os.waitpid(child, 0)
        # What Python ignores, the kernel would as well.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execv(command[0], command)  # noqa: S606  # why: the kernel, without a shell
        except OSError as error:
            sys.exit(f"`{command[0]}` cannot be run: {error.strerror}")
    os.setsid()
    if os.fork():
        os._exit(0)
    _Relay(at, [int(port) for port in ports.split(",")]).run()


if __name__ == "__main__":
    _main(*sys.argv[1:])
