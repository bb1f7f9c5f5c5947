"""What judging costs a message to a kernel, and how soon a change reaches 500 sockets.

Run with `python benchmarks/bench_live.py`. The first part calls upstream's own method and
ours by turns, in one process, over a stream that sends nothing; only the ratios mean
anything. The second is a real server, with sockets of one person to one kernel; each is
timed from the moment the change is in the store to the close at the client.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import math
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from serving import serving
from talking import notebook, start

from jupyter_authorized_server.policy.model import Answer, Decision, Resource
from jupyter_authorized_server.server.doors.frames import V1
from jupyter_authorized_server.server.doors.kernel_judge import KernelJudge

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results" / "live.json"
ROUNDS, MESSAGES = 31, 2000
SOCKETS = 500


class _Stream:
    def send_multipart(self, *_: Any, **__: Any) -> None:
        """Send nothing."""


def _connection() -> Any:
    stream = _Stream()
    return SimpleNamespace(
        channels={"shell": stream, "control": stream, "stdin": stream},
        subprotocol=V1,
        session=Session(key=b"k" * 32),
        multi_kernel_manager=SimpleNamespace(allowed_message_types=[]),
        kernel_manager=SimpleNamespace(execution_state="idle"),
        log=None,
    )


def _judge(connection: Any, allowed: set[str]) -> Callable[[bytes], None]:
    def ask(door: Any, action: str, resource: Resource) -> Decision:
        return Decision(
            answer=Answer.ALLOW if action in allowed else Answer.DENY,
            principal=door.name,
            action=action,
            resource=resource.name,
            revision=1,
            determining=(),
        )

    live: Any = SimpleNamespace(generation=1, clock=time.time, ask=ask, current=lambda door: door)
    door: Any = SimpleNamespace(name="user:ada", token=None, until=math.inf, allowed=True)
    stock = ZMQChannelsWebsocketConnection.handle_incoming_message
    executions: Any = SimpleNamespace(pending=False)
    nothing: Any = None
    return KernelJudge(
        connection,
        live=live,
        door=door,
        kernel=Resource(type="kernels", id="k", owner="user:ada"),
        path=None,
        saved=nothing,
        refusals=nothing,
        executions=executions,
        forward=stock.__get__(connection),
    ).take


def _frame(size: int) -> bytes:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "comm_msg",
        "username": "ada",
        "session": uuid.uuid4().hex,
        "date": "2026-11-25T00:00:00.000Z",
        "version": "5.3",
    }
    content = {"comm_id": uuid.uuid4().hex, "data": {"value": "x" * size}}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    return bytes(
        serialize_msg_to_ws_v1(message, "shell", lambda part: json.dumps(part).encode())  # type: ignore[no-untyped-call]  # why: upstream's
    )


def _timed(take: Callable[[bytes], None], data: bytes, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        take(data)
    return (time.process_time() - began) / times * 1e6


def messages() -> dict[str, Any]:
    """Microseconds a message: upstream's, ours with every right, ours with one right."""
    found: dict[str, Any] = {}
    everything = {
        "run", "input", "interact", "help", "debug", "interrupt", "restart", "stop", "watch",
    }  # fmt: skip
    for name, size, times in (("0.7 kB", 350, MESSAGES), ("1 MB", 2**20, MESSAGES // 20)):
        data = _frame(size)
        connection = _connection()
        stock = ZMQChannelsWebsocketConnection.handle_incoming_message.__get__(connection)
        ways = {
            "upstream": stock,
            "every right": _judge(connection, everything),
            "header read": _judge(connection, everything - {"debug"}),
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, take in ways.items():
                taken[way].append(_timed(take, data, times))
        figures = {way: round(statistics.median(each), 2) for way, each in taken.items()}
        ratios = {
            way: round(
                statistics.median(
                    a / b for a, b in zip(taken[way], taken["upstream"], strict=True)
                ),
                3,
            )
            for way in ("every right", "header read")
        }
        found[name] = {"microseconds": figures, "ratios": ratios}
    return found


async def _closes(
    port: int, kernel: str, token: str, change: Callable[[], None]
) -> tuple[list[float], list[float]]:
    """Seconds until each client had the closing frame, and until each connection was gone.

    From the frame on the server takes and sends nothing more.
    """
    url = f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?session_id="
    sockets = []
    for _ in range(SOCKETS):
        request = HTTPRequest(url + uuid.uuid4().hex, headers={"Authorization": f"token {token}"})
        sockets.append(await websocket_connect(request, subprotocols=[V1]))

    told: list[float] = []

    def listen(socket: Any) -> None:
        # Tornado answers a closing frame through this method, and tells nobody else.
        answer = socket.protocol.close

        def close(*args: Any, **kwargs: Any) -> None:
            told.append(time.perf_counter())
            answer(*args, **kwargs)

        socket.protocol.close = close

    for each in sockets:
        listen(each)

    async def closed(socket: Any) -> float:
        while await socket.read_message() is not None:
            pass
        return time.perf_counter()

    waiting = [asyncio.ensure_future(closed(socket)) for socket in sockets]
    await asyncio.sleep(2)
    await asyncio.to_thread(change)
    began = time.perf_counter()
    gone = await asyncio.gather(*waiting)
    return sorted(at - began for at in told), sorted(at - began for at in gone)


def revocation() -> dict[str, Any]:
    """Seconds from a change in the store to the close of each of the sockets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook(folder / "root" / "a.ipynb", "1")
        with serving(folder, people={"edda": "editor", "moe": "viewer"}) as server:
            kernel = start(server, "edda", "a.ipynb")
            store = server.store()

            def change() -> None:
                store.set_disabled("moe", disabled=True)

            told, gone = asyncio.run(_closes(server.port, kernel, server.tokens["moe"], change))
            store.close()
    return {"sockets": SOCKETS, "told": _spread(told), "gone": _spread(gone)}


def _spread(taken: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(taken), 3),
        "p99": round(taken[int(0.99 * len(taken)) - 1], 3),
        "last": round(taken[-1], 3),
    }


def main() -> None:
    """Measure both, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages-only", action="store_true", help="open no sockets")
    asked = parser.parse_args()
    figures: dict[str, Any] = {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "cpu_count": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "messages": messages(),
    }
    if not asked.messages_only:
        figures["revocation"] = revocation()
        RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
