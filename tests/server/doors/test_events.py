from __future__ import annotations

import asyncio
import contextlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from jupyter_events import EventLogger
from jupyter_server.services.events.handlers import SubscribeWebsocket
from serving import Serving, serving
from talking import notebook, start

from jupyter_authorized_server.server.doors import events
from jupyter_authorized_server.server.doors.events import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
KERNELS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"
AUDIT = "https://schema.jupyter.org/jupyter_authorized_server/audit/v1"
RULES = f"""
@id("posts")
permit (
  principal == Jupyter::User::"posy",
  action == Jupyter::Action::"emit",
  resource == Jupyter::Events::"{CONTENTS}"
);
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("events")
    notebook(folder / "root" / "team" / "a.ipynb", "1")
    notebook(folder / "root" / "private" / "b.ipynb", "1")
    # The last event is of a file that is saved, whichever test comes first.
    (folder / "root" / "team" / "last.txt").write_text("x")
    people = {
        "tim": [("viewer", "contents:/team")],
        "vera": "viewer",
        "nora": None,
        "posy": [("viewer", "contents:/team")],
        "adam": "admin",
    }
    with serving(folder, people=people, policy={"events.cedar": RULES}) as running:
        yield running


class Listener:
    def __init__(self, server: Serving, who: str) -> None:
        self.server = server
        self.socket = server.connect("/api/events/subscribe", who)

    def heard(self) -> list[dict[str, Any]]:
        """All that came before a last event that everybody who listens here may hear."""
        found: list[dict[str, Any]] = []
        while True:
            event = json.loads(self.socket.recv())
            if event.get("path", "").strip("/") == "team/last.txt":
                return found
            found.append(event)

    def next(self, is_meant: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event that is meant."""
        while True:
            event: dict[str, Any] = json.loads(self.socket.recv())
            if is_meant(event):
                return event


@contextlib.contextmanager
def listening(server: Serving, *who: str) -> Iterator[list[Listener]]:
    listeners = [Listener(server, each) for each in who]
    yield listeners
    for each in listeners:
        each.socket.close()


def save(server: Serving, path: str, who: str = "adam") -> None:
    body = {"type": "file", "format": "text", "content": "x"}
    assert server.request("PUT", f"/api/contents/{path}", who, json_body=body).status in {200, 201}


def test_a_listener_hears_only_what_they_may_know_of(server: Serving) -> None:
    with listening(server, "tim", "adam") as (tim, adam):
        save(server, "private/x.txt")
        save(server, "team/y.txt")
        body = {"path": "private/z.txt"}
        moved = server.request("PATCH", "/api/contents/team/y.txt", "adam", json_body=body)
        assert 200 == moved.status
        save(server, "team/last.txt")
        assert {"/team/y.txt"} == {"/" + each["path"].strip("/") for each in tim.heard()}
        assert {"private/x.txt", "team/y.txt", "private/z.txt"} <= {
            each.get("path", "").strip("/") for each in adam.heard()
        }


def test_who_may_see_nothing_hears_nothing_and_is_not_turned_away(server: Serving) -> None:
    with listening(server, "nora", "adam") as (nora, adam):
        save(server, "team/y.txt")
        save(server, "team/last.txt")
        adam.heard()
        nora.socket.settimeout(0.5)
        with pytest.raises(websocket.WebSocketTimeoutException):
            nora.socket.recv()


def test_a_kernel_is_heard_of_by_who_may_watch_it(server: Serving) -> None:
    with listening(server, "tim", "adam") as (tim, adam):
        mine = start(server, "adam", "team/a.ipynb")
        theirs = start(server, "adam", "private/b.ipynb")
        for kernel in (mine, theirs):
            assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "adam").status
        save(server, "team/last.txt")
        heard = [each for each in tim.heard() if each["schema_id"] == KERNELS]
        assert {mine} == {each["kernel_id"] for each in heard}
        assert {"start", "shutdown"} == {each["action"] for each in heard}
        everything = [each for each in adam.heard() if each["schema_id"] == KERNELS]
        assert {mine, theirs} == {each["kernel_id"] for each in everything}


def test_the_server_says_who_caused_an_event_whatever_it_says_itself(server: Serving) -> None:
    with listening(server, "tim") as (tim,):
        event = {
            "schema_id": CONTENTS,
            "version": "1",
            "data": {"action": "delete", "path": "team/a.ipynb", "__actor__": "user:adam"},
        }
        assert 204 == server.request("POST", "/api/events", "posy", json_body=event).status
        save(server, "team/last.txt")
        [heard] = tim.heard()
        assert ("delete", "user:posy") == (heard["action"], heard["__actor__"])


def test_posting_is_a_right_on_each_kind_of_event(server: Serving) -> None:
    forged = {
        "schema_id": AUDIT,
        "version": "1",
        "data": {"id": "x", "time": 1, "kind": "login", "principal": "user:adam"},
    }
    for who in ("posy", "adam"):
        answer = server.request("POST", "/api/events", who, json_body=forged)
        assert (403, "Only the server itself") == (answer.status, answer.json["reason"][:22])
    event = {"schema_id": CONTENTS, "version": "1", "data": {"action": "get", "path": "x"}}
    assert 403 == server.request("POST", "/api/events", "vera", json_body=event).status
    for bad in ("x" * 2000, "a\nb", 5, ["a"]):
        body = {**event, "schema_id": bad}
        assert 400 == server.request("POST", "/api/events", "posy", json_body=body).status
    assert 403 == server.request("POST", "/api/events", "posy", json_body={}).status


def test_denials_are_heard_by_administrators_alone(server: Serving) -> None:
    with listening(server, "vera", "adam") as (vera, adam):
        assert 403 == server.request("POST", "/api/events", "tim", json_body={}).status
        # A record is an event when it is on the disk.
        # What others did before may still be on its way.
        denied, wanted = ("user:tim", "deny"), ("user:adam", "allow", "save")
        denial = adam.next(lambda event: denied == (event.get("principal"), event.get("decision")))
        assert AUDIT == denial["schema_id"]
        save(server, "team/last.txt")
        assert AUDIT not in {each["schema_id"] for each in vera.heard()}
        permitted = adam.next(
            lambda event: wanted == tuple(map(event.get, ("principal", "decision", "action")))
        )
        assert AUDIT == permitted["schema_id"]


def test_a_socket_that_has_died_is_told_nothing_more_and_let_go() -> None:
    handler = SubscribeWebsocket.__new__(SubscribeWebsocket)
    handler.ws_connection = None
    live = SimpleNamespace(
        current=lambda _: SimpleNamespace(allowed=True),
        ask=lambda *_, **__: SimpleNamespace(allowed=True),
    )
    fit(handler, SimpleNamespace(hook=None), SimpleNamespace(live=live))  # type: ignore[arg-type]  # why: what it asks alone
    listener: Any = handler.event_listener
    assert handler is listener.__self__
    gone: list[Any] = []
    logger = SimpleNamespace(remove_listener=lambda *, listener: gone.append(listener))
    asyncio.run(listener(logger, CONTENTS, {"path": "a"}))
    assert [listener] == gone


def test_what_is_not_for_a_listener_is_not_told_to_the_bus_for_their_sake_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "REST", 0.05)
    kinds = ("https://example.org/one/v1", CONTENTS)
    logger = EventLogger()
    for kind in kinds:
        logger.register_event_schema({"$id": kind, "version": "1", "properties": {}})
    handler = SubscribeWebsocket.__new__(SubscribeWebsocket)
    setattr(handler, "ws_connection", object())  # noqa: B010  # why: of no type that it has
    live = SimpleNamespace(
        current=lambda _: SimpleNamespace(allowed=True),
        ask=lambda *_, **__: SimpleNamespace(allowed=False),
    )
    fit(handler, SimpleNamespace(hook=None), SimpleNamespace(live=live))  # type: ignore[arg-type]  # why: what it asks alone
    logger.add_listener(listener=handler.event_listener)

    async def told() -> list[bool]:
        found = [logger.emit(schema_id=kind, data={}) is not None for kind in kinds]
        await asyncio.sleep(0)
        return found

    async def listened() -> None:
        assert [True, True] == await told()
        assert [False, True] == await told()
        await asyncio.sleep(0.1)
        assert [True, True] == await told()
        handler.ws_connection = None
        await asyncio.sleep(0.1)
        assert [False, True] == await told()

    asyncio.run(listened())
