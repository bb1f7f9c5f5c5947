from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from zmq.eventloop.zmqstream import ZMQStream

from jupyter_authorized_server.server.doors import inflow
from jupyter_authorized_server.server.doors.channels import ChannelsConnection
from jupyter_authorized_server.server.doors.inflow import Inflow


class Connection(ChannelsConnection):
    def __init__(self, handler: Any, channels: Any) -> None:
        self.websocket_handler = handler
        self.channels = channels


def test_frames_are_kept_in_their_order() -> None:
    kept = Inflow(None)
    kept.put("a")
    kept.put(b"b")
    assert ["a", b"b", None] == [kept.next(), kept.next(), kept.next()]
    kept.put("c")
    kept.drop()
    assert kept.next() is None


def test_others_get_their_turn_while_one_client_sends_without_a_pause() -> None:
    async def turns() -> int:
        kept = Inflow(None)
        waits = [kept.room(1) for _ in range(1000)]
        for each in waits:
            if each is not None:
                await each
        return sum(each is not None for each in waits)

    assert asyncio.run(turns()) == 1000 // 32


@pytest.mark.parametrize("ends_by", ["reading", "closing"])
def test_a_client_is_held_up_while_the_kernel_does_not_read(
    monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    monkeypatch.setattr(inflow, "MOST_AHEAD", 1000)

    async def hold() -> bool:
        context: Any = zmq.Context()
        kernel, socket = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        kernel.rcvhwm = socket.sndhwm = 1
        port = kernel.bind_to_random_port("tcp://127.0.0.1")
        socket.connect(f"tcp://127.0.0.1:{port}")
        stream = ZMQStream(socket)
        handler = SimpleNamespace(ws_connection=object())
        kept = Inflow(Connection(handler, {"shell": stream}))
        waiting: asyncio.Future[None] | None = None
        # Systems keep some megabytes between two sockets.
        for _ in range(2000):
            stream.send(b"x" * 100_000)
            held = kept.room(100_000)
            waiting = None if held is None else asyncio.ensure_future(held)
            if waiting is not None and not (await asyncio.wait({waiting}, timeout=1))[0]:
                break
        assert waiting is not None
        assert not waiting.done()
        if ends_by == "closing":
            handler.ws_connection = None
        else:
            reader = ZMQStream(kernel)
            reader.on_recv(lambda _: None)
        await asyncio.wait_for(waiting, 60)
        stream.close(linger=0)
        context.destroy(linger=0)
        return True

    assert asyncio.run(hold())


def test_a_client_is_held_up_while_much_waits_for_a_look_at_the_notebook() -> None:
    async def hold() -> bool:
        handler = SimpleNamespace(ws_connection=object())
        kept = Inflow(Connection(handler, {}))
        for _ in range(inflow.MOST_WAITING):
            kept.put("x")
        held = kept.room(1)
        assert held is not None
        waiting = asyncio.ensure_future(held)
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
        kept.next()
        await asyncio.wait_for(waiting, 60)
        return True

    assert asyncio.run(hold())
