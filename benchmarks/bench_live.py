"""What judging costs a message to a kernel, and how soon a change reaches 500 sockets.

Run with `python benchmarks/bench_live.py`. The first part calls upstream's own method and
ours by turns, in one process, over a stream that sends nothing; only the ratios mean
anything. The second is a real server: sockets of one person to some kernels, and of as
many people to one terminal, with a client in a process of its own; each is timed from before
the change in the store, which another process makes, to the close at the client.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_server import cpu_of
from serving import serving
from talking import Client, Shell, notebook, start

from jupyter_authorized_server.policy.model import Answer, Decision, Resource
from jupyter_authorized_server.server.doors.endings import Runs
from jupyter_authorized_server.server.doors.frames import V1
from jupyter_authorized_server.server.doors.kernel_judge import KernelJudge

if TYPE_CHECKING:
    from collections.abc import Callable

    _Seen = dict[str, list[float]]

RESULTS = Path(__file__).parent / "results" / "live.json"
ROUNDS, MESSAGES = 31, 2000
SOCKETS = 500
#: Kernels that they lead to: each page that opens has a kernel tell all its other pages.
KERNELS = 10
CLIENT = Path(__file__).with_name("_sockets.py")
#: Seconds after the last handshake, so that what it leaves to do is done.
SETTLE = 5
#: Messages of one turn, and turns of each server.
ECHOES, LINES, TURNS = 1000, 4000, 41
#: Changes that are timed, of each sort.
TIMES = 3


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
        away="",
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

    live: Any = SimpleNamespace(
        generation=1,
        clock=time.time,
        ask=ask,
        current=lambda door: door,
        counts=lambda _: False,
    )
    door: Any = SimpleNamespace(name="user:ada", token=None, until=math.inf, allowed=True)
    stock = ZMQChannelsWebsocketConnection.handle_incoming_message
    nothing: Any = None
    executions: Any = SimpleNamespace(runs=Runs(nothing))
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


def _wait(sockets: list[tuple[str, str]], port: int, change: Callable[[], object]) -> _Seen:
    """Open `sockets`, of paths and tokens, then `change` something; what the client saw.

    The clock runs from before the change is written to the store.
    """
    with subprocess.Popen(
        [sys.executable, str(CLIENT), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None  # noqa: S101  # why: asked for above
        assert client.stdout is not None  # noqa: S101  # why: as above
        client.stdin.write(json.dumps(sockets) + "\n")
        client.stdin.flush()
        if client.stdout.readline() != "open\n":
            sys.exit("the sockets were not opened")
        time.sleep(SETTLE)
        began = time.monotonic()
        change()
        seen = json.loads(client.stdout.readline())
    return {key: [at - began for at in times] for key, times in seen.items()}


def revocation() -> dict[str, Any]:
    """Seconds from a change in the store to the close of each of the sockets.

    Told is the closing frame at the client: from there on the server takes and sends
    nothing more. Gone is the end of the connection, once the server has tidied up.
    """
    people = [f"p{number}" for number in range(SOCKETS)]
    levels = {"edda": "editor", "moe": "viewer", "adam": "admin"}
    seen: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        books = [f"{number}.ipynb" for number in range(KERNELS)]
        for book in books:
            notebook(folder / "root" / book, "1")
        with serving(
            folder,
            people={**levels, **dict.fromkeys(people)},
            extensions=("jupyter_server_terminals",),
        ) as server:
            kernels = [start(server, "edda", book) for book in books]
            shell = Shell(server, "adam").name
            store = server.store()
            now = time.time()
            store.add_group("all", now=now)
            for each in people:
                store.add_member("all", f"user:{each}")
            urls = [f"/api/kernels/{kernel}/channels?session_id=" for kernel in kernels]
            for _ in range(TIMES):
                one = [
                    (urls[number % KERNELS] + uuid.uuid4().hex, server.tokens["moe"])
                    for number in range(SOCKETS)
                ]
                found = _wait(one, server.port, lambda: store.set_disabled("moe", disabled=True))
                _add(seen.setdefault("one login, kernel", {}), found)
                store.set_disabled("moe", disabled=False)
                given = store.add_grant(
                    principal="group:all",
                    level="admin",
                    resource=f"terminals:{shell}",
                    granted_by="user:adam",
                    now=now,
                )
                time.sleep(1)
                path = f"/terminals/websocket/{shell}"
                many = [(path, server.tokens[each]) for each in people]
                found = _wait(many, server.port, partial(store.remove_grant, given.id))
                _add(seen.setdefault("a login each, terminal", {}), found)
            store.close()
    return {
        "sockets": SOCKETS,
        "kernels": KERNELS,
        "times": TIMES,
        **{
            who: {key: _spread(sorted(times)) for key, times in found.items()}
            for who, found in seen.items()
        },
    }


def _echo(client: Client) -> None:
    """Messages there and back, many on the way at once."""
    for _ in range(ECHOES // 50):
        sent = [client.send("comm_info_request", {}) for _ in range(50)]
        client.answer(sent[-1])


def _output(client: Client) -> None:
    """Messages of the kernel alone."""
    code = f"import sys\nfor n in range({LINES}): print(n); sys.stdout.flush()"
    client.answer(client.run(code))


def end_to_end() -> dict[str, Any]:
    """Processor time of a whole server for what a kernel and a client say.

    Ours takes turns with one that has no part of ours; kernels of both without a sandbox.
    """
    limits = "".join(
        f"c.ZMQChannelsWebsocketConnection.iopub_{each}_rate_limit = 1e12\n"
        for each in ("msg", "data")
    )
    shared = uuid.uuid4().hex
    stock = "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': False}\n"
    ours = "c.JupyterAuthorization.sandbox = 'off'\n"
    works = {"echo": _echo, "output": _output}
    taken: dict[str, dict[str, list[float]]] = {work: {} for work in works}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        running = {
            "without": serving(
                Path(name) / "without",
                config=limits + stock,
                app=f"server --IdentityProvider.token={shared}",
            ),
            "guarded": serving(
                Path(name) / "guarded", config=limits + ours, people={"edda": "editor"}
            ),
        }
        servers = {key: stack.enter_context(each) for key, each in running.items()}
        servers["without"].tokens["edda"] = shared
        clients = {}
        for key, server in servers.items():
            notebook(server.root / "a.ipynb", "1")
            clients[key] = Client(server, start(server, "edda", "a.ipynb"), "edda")
            clients[key].text("1")
        for turn in range(TURNS + 1):
            for key in sorted(clients, reverse=turn % 2 == 1):
                for work, do in works.items():
                    before = cpu_of(servers[key].process.pid)
                    do(clients[key])
                    used = cpu_of(servers[key].process.pid) - before
                    # The first fills what is kept.
                    if turn:
                        taken[work].setdefault(key, []).append(used)
        for client in clients.values():
            client.close()
    return {work: _compared(found) for work, found in taken.items()}


def _compared(taken: dict[str, list[float]]) -> dict[str, Any]:
    ratios = sorted(a / b for a, b in zip(taken["guarded"], taken["without"], strict=True))
    return {
        "seconds": {key: round(statistics.median(each), 3) for key, each in taken.items()},
        "ratio": round(statistics.median(ratios), 3),
        "spread": [round(ratios[0], 3), round(ratios[-1], 3)],
    }


def _add(to: dict[str, list[float]], found: _Seen) -> None:
    for key, times in found.items():
        to.setdefault(key, []).extend(times)


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
    parser.add_argument(
        "--revocation-only", action="store_true", help="measure the closes alone; writes nothing"
    )
    asked = parser.parse_args()
    if asked.revocation_only:
        sys.stdout.write(json.dumps(revocation(), indent=2) + "\n")
        return
    figures: dict[str, Any] = {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "cpu_count": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "messages": messages(),
    }
    if not asked.messages_only:
        figures["end to end"] = end_to_end()
        figures["revocation"] = revocation()
        RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
