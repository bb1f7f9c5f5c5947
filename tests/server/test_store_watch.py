"""What another process changes in the store: felt by the next request and on open sockets.

On both databases, with a real server in a process of its own; whoever changes is this
process and the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import websocket
from postgresql import postgresql
from serving import PASSWORD, Serving, environment, serving

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.credentials import hash_password, new_secret
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.store_watch import StoreWatch
from jupyter_authorized_server.server.wiring import Wiring
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postgresql import Database

#: Seconds that a loaded machine may take; what is waited for takes a fraction of one.
LIMIT = 60


class House:
    """A server, its store as another process sees it, and people with tokens."""

    def __init__(self, server: Serving, store: Store, database: Database | None) -> None:
        self.server = server
        self.store = store
        self.database = database

    def come(self, name: str) -> str:
        """A new person, known to requests by name; returns the id of the token."""
        now, secret = time.time(), new_secret()
        self.store.add_person(name, password_hash=None, now=now)
        self.store.add_token(secret.id, secret.hash, "test", name, None, now)
        self.server.tokens[name] = secret.text
        return secret.id

    def give(self, name: str, level: str, resource: str) -> str:
        given = self.store.add_grant(
            principal=f"user:{name}",
            level=level,
            resource=resource,
            now=time.time(),
            granted_by="os:test",
        )
        return given.id

    def status(self, who: str, path: str = "/api/contents/a.txt?content=0") -> int:
        return self.server.request("GET", path, who).status

    def command(self, *arguments: str) -> None:
        subprocess.run(
            [str(Path(sys.executable).parent / "jupyter"), "authz", *arguments],
            env=environment(self.server.folder),
            cwd=self.server.folder,
            check=True,
            capture_output=True,
        )


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("watch")
    with contextlib.ExitStack() as stack:
        database, kept = None, ""
        if request.param == "postgresql":
            database = stack.enter_context(postgresql(tmp_path_factory.mktemp("pg")))
            kept = database.url
            Store.upgrade(kept)
        server = stack.enter_context(serving(folder, kept=kept))
        store = stack.enter_context(server.store())
        (server.root / "a.txt").write_text("a")
        yield House(server, store, database)


def is_over(socket: websocket.WebSocket) -> int | None:
    """The code with which the server has closed `socket`; None while it is open."""
    socket.settimeout(LIMIT)
    try:
        while True:
            opcode, data = socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")
    except websocket.WebSocketConnectionClosedException:
        return 0
    except websocket.WebSocketTimeoutException:
        return None


def test_a_grant_and_its_revocation_by_another_process_count_for_the_next_request(
    house: House,
) -> None:
    house.come("ada")
    assert until(lambda: house.status("ada") == 404)
    given = house.give("ada", "viewer", "contents:/")
    assert until(lambda: house.status("ada") == 200)
    house.command("revoke", given)
    assert until(lambda: house.status("ada") == 404)


def test_a_level_by_a_group_counts_as_soon_as_another_process_puts_somebody_in(
    house: House,
) -> None:
    house.come("gus")
    house.store.add_group("crew", now=1)
    house.store.add_grant(
        principal="group:crew", level="viewer", resource="contents:/", now=1, granted_by="os:test"
    )
    assert until(lambda: house.status("gus") == 404)
    house.store.add_member("crew", "user:gus")
    assert until(lambda: house.status("gus") == 200)
    house.store.remove_member("crew", "user:gus")
    assert until(lambda: house.status("gus") == 404)


@pytest.mark.parametrize("end", ["disabled", "removed"])
def test_an_open_socket_ends_when_another_process_ends_the_login(house: House, end: str) -> None:
    name = f"was-{end}"
    token = house.come(name)
    assert until(lambda: house.status(name, "/api/me") == 200)
    socket = house.server.connect("/api/events/subscribe", name)
    try:
        if end == "disabled":
            house.command("users", "disable", name)
        else:
            house.store.remove_token(token)
        assert 1000 == is_over(socket)
    finally:
        # `close` would leave the descriptor open after a closing frame of the server.
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    with pytest.raises(websocket.WebSocketBadStatusException):
        house.server.connect("/api/events/subscribe", name)


def test_what_another_process_takes_back_is_gone_within_a_second(house: House) -> None:
    # The best of some rounds: of a busy machine a single one says little.
    rounds: list[tuple[float, float]] = []
    for turn in range(10):
        name = f"brief-{turn}"
        token = house.come(name)
        given = house.give(name, "viewer", "contents:/")
        assert until(lambda who=name: house.status(who) == 200)  # type: ignore[misc]  # why: bound at once
        began = time.monotonic()
        house.store.remove_grant(given)
        assert until(lambda who=name: house.status(who) == 404)  # type: ignore[misc]  # why: as above
        request = time.monotonic() - began
        socket = house.server.connect("/api/events/subscribe", name)
        began = time.monotonic()
        house.store.remove_token(token)
        assert 1000 == is_over(socket)
        rounds.append((request, time.monotonic() - began))
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
        if max(rounds[-1]) < 1:
            break
    assert max(rounds[-1]) < 1, rounds


@pytest.mark.parametrize("house", ["postgresql"], indirect=True)
def test_a_database_that_tells_of_changes_is_looked_at_at_once(house: House) -> None:
    assert house.database is not None

    async def hears(url: str) -> None:
        with Store.open(url) as store:
            point = DecisionPoint(store, policy_dir=None, audit=Audit(None))
            watch = StoreWatch(Wiring(config=JupyterAuthorization(), point=point))
            # Nobody asks now and then.
            watch.callback.stop()
            taken_over = asyncio.Event()
            point.on_change(lambda _: taken_over.set())
            house.store.add_group(f"told-{house.store.revision()}", now=1)
            await asyncio.wait_for(taken_over.wait(), LIMIT)
            assert house.store.revision() == point.revision

    asyncio.run(hears(house.database.url))


@contextlib.contextmanager
def locked(house: House) -> Iterator[None]:
    """Inside, another process has the store locked."""
    if house.database is None:
        name = house.server.folder / "data" / "authorization" / "store.sqlite"
        with contextlib.closing(sqlite3.connect(name, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            yield
            file.execute("ROLLBACK")
        return
    import psycopg  # noqa: PLC0415  # why: only where there is PostgreSQL

    host, user = str(house.database.sockets), house.database.owner
    with psycopg.connect(host=host, user=user, dbname="house") as connection:
        connection.execute("LOCK TABLE revision IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_while_another_process_has_the_store_locked_requests_are_answered(house: House) -> None:
    house.come("pat")
    house.give("pat", "viewer", "contents:/")
    # That a token was used is to be written down when it is used first.
    secrets = [new_secret() for _ in range(15)]
    for number, secret in enumerate(secrets):
        house.store.add_token(secret.id, secret.hash, f"t{number}", "pat", None, time.time())
        house.server.tokens[f"pat-{number}"] = secret.text
    assert until(lambda: house.status("pat") == 200)
    with locked(house):
        if house.database is not None:
            said = "the store cannot be read; the last revision stays in force"
            assert until(lambda: said in house.server.log)
        began = time.monotonic()
        found = [house.status(f"pat-{number}") for number in range(len(secrets))]
        assert [200] * len(secrets) == found
        # Whoever waited for the store would have waited five seconds each time.
        assert time.monotonic() - began < 5 * len(secrets)
    if house.database is not None:
        assert until(lambda: "the store can be read again" in house.server.log)
    house.command("users", "disable", "pat")
    assert until(lambda: house.status("pat") in {401, 403})


def signs_in(house: House, name: str) -> int:
    """The status with which the form for signing in is answered."""
    server = house.server
    given = server.request("GET", "/login").headers["Set-Cookie"]
    xsrf = given.partition(";")[0].partition("=")[2]
    headers = {
        "Cookie": f"_xsrf={xsrf}",
        "X-XSRFToken": xsrf,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"username": name, "password": PASSWORD}).encode()
    return server.request("POST", "/login", body=body, headers=headers).status


@pytest.mark.parametrize("house", ["postgresql"], indirect=True)
def test_a_database_that_takes_questions_and_never_answers_holds_nobody_up(house: House) -> None:
    assert house.database is not None
    house.come("hal")
    house.come("ann")
    house.store.set_password_hash("hal", hash_password(PASSWORD))
    given = house.give("hal", "viewer", "contents:/")
    house.give("ann", "admin", "server:")
    assert until(lambda: house.status("hal") == 200)
    assert 302 == signs_in(house, "hal")
    # Both tokens are known at the revision that is in force when it stops.
    assert until(lambda: (200, 200) == (house.status("hal"), house.status("ann")))
    body = {"principal": "user:hal", "level": "editor", "resource": "contents:/"}
    gone, back = "the last revision stays in force", "the store can be read again"
    before = house.server.log.count(gone), house.server.log.count(back)
    with house.database.stopped():
        assert until(lambda: house.server.log.count(gone) > before[0])
        # What is known goes on; what needs the store is refused in so many words.
        assert [200] * 5 == [house.status("hal") for _ in range(5)]
        assert 503 == signs_in(house, "hal")
        changed = house.server.request("POST", "/api/authz/grants", "ann", json_body=body)
        assert (503, True) == (changed.status, "its store" in changed.text), changed.text
        # Each of these would have waited for ever, or for a while each.
        began = time.monotonic()
        assert [503] * 10 == [signs_in(house, "hal") for _ in range(10)]
        assert time.monotonic() - began < LIMIT
        assert 200 == house.status("hal")
    assert until(lambda: house.server.log.count(back) > before[1])
    assert until(lambda: signs_in(house, "hal") == 302)
    house.store.remove_grant(given)
    assert until(lambda: house.status("hal") == 404)


def not_as_before(seen: list[int], status: int) -> bool:
    seen.append(status)
    return status != 200


def test_without_its_store_a_server_goes_on_for_a_while_then_denies_and_comes_back(
    tmp_path: Path,
) -> None:
    config = "c.JupyterAuthorization.stale_seconds = 2"
    people = {name: [("viewer", "contents:/")] for name in ("ada", "bea")}
    with serving(tmp_path, people=people, config=config) as server:
        (server.root / "a.txt").write_text("a")

        def status() -> int:
            return server.request("GET", "/api/contents/a.txt?content=0", "ada").status

        assert 200 == status()
        place = tmp_path / "data" / "authorization" / "store.sqlite"
        place.rename(place.with_name("away"))
        # Whoever is not known yet is neither let in nor told to sign in, which nobody can now.
        for path in ("/api/contents/a.txt?content=0", "/files/a.txt", "/api/kernels"):
            found = server.request("GET", path, "bea")
            assert (503, True) == (found.status, "cannot reach its store" in found.text), path
        assert 403 == server.request("GET", "/api/contents/a.txt").status
        seen: list[int] = []
        assert until(lambda: not_as_before(seen, status()))
        # As before, then a denial that tells nothing; never an error, never open again.
        assert set(seen[:-1]) <= {200}
        assert seen[-1] in {403, 404}
        assert {403, 404} >= {status() for _ in range(5)}
        assert "the store cannot be read; the last revision stays in force" in server.log
        body = {"principal": "everyone", "level": "viewer", "resource": "contents:/"}
        given = server.request("POST", "/api/authz/grants", "ada", json_body=body)
        assert given.status in {403, 404, 503}
        place.with_name("away").rename(place)
        assert until(lambda: status() == 200)
        assert 200 == server.request("GET", "/files/a.txt", "bea").status
