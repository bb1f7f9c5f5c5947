from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websocket
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from jupyter_authorized_server.server.doors import backlog
from jupyter_authorized_server.server.doors.live import nothing

PIECE = b"x" * 2**20
PIECES = 100


class Talking(WebSocketHandler):
    """Says what a test has it say."""

    last: Talking

    def open(self) -> None:
        backlog.fit(self)
        Talking.last = self

    def write_message(self, message: Any, binary: bool = False) -> Any:  # noqa: FBT002  # why: Tornado's signature
        """As a shell's handler, which tells nobody when a message is written."""
        super().write_message(message, binary)


def talk(says: list[Any], *, reads: bool) -> tuple[int, list[Any]]:
    """How much was said before the socket was closed, and what was heard."""

    async def run() -> tuple[int, list[Any]]:
        listening, port = bind_unused_port()
        server = HTTPServer(Application([("/", Talking)]))
        server.add_sockets([listening])
        client = await asyncio.to_thread(
            websocket.create_connection, f"ws://127.0.0.1:{port}/", timeout=60
        )
        said, heard = 0, []
        for piece in says:
            Talking.last.write_message(piece, binary=isinstance(piece, bytes))
            if Talking.last.write_message is nothing:
                break
            said += 1
            if reads:
                heard.append(await asyncio.to_thread(client.recv))
            await asyncio.sleep(0)
        await asyncio.to_thread(client.shutdown)
        server.stop()
        await server.close_all_connections()
        return said, heard

    return asyncio.run(run())


@pytest.mark.parametrize("reads", [True, False])
def test_who_does_not_read_is_cut_off_and_who_reads_is_not(
    monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(backlog, "MOST_WAITING", 8 * len(PIECE))
    # More than any system keeps for a socket by itself.
    said, _ = talk([PIECE] * PIECES, reads=reads)
    assert reads is (said == PIECES)
    assert said > 8


def test_one_message_may_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_WAITING", 10)
    says = [{"what": "a dict, as Tornado takes it"}, "é" * 1000, b"x" * 1000]
    _, heard = talk(says, reads=True)
    assert ['{"what": "a dict, as Tornado takes it"}', *says[1:]] == heard


def test_of_what_nobody_hears_the_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_KEPT", 100)
    kept = backlog.Kept()
    assert not kept
    for number in range(10):
        kept.append(("iopub", [b"x" * 20, b"%d" % number]))
    assert [b"6", b"7", b"8", b"9"] == [parts[1] for _, parts in kept]
    kept.append(("shell", [b"x" * 1000]))
    assert ["shell"] == [channel for channel, _ in kept]
