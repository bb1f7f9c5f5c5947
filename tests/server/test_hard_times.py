"""A disk that is full, and a server that is killed at work: nothing that was answered is lost."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import Serving, serving

from jupyter_authorized_server.chain import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEOPLE = {"adam": "admin", "edi": "editor", "vera": "viewer"}
FULL = Path("/dev/full")
#: Of each kind, so much is answered before the server is killed.
ENOUGH = 10


def put(server: Serving, who: str, name: str, content: str) -> int:
    body = {"type": "file", "format": "text", "content": content}
    return server.request("PUT", f"/api/contents/{name}", who, json_body=body).status


def journal(server: Serving) -> Path:
    return server.folder / "data" / "authorization" / "audit.jsonl"


@pytest.fixture(params=["refuse", "go on"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Serving]]:
    """A server whose disk is full from now on, as far as its records go."""
    config = f"c.JupyterAuthorization.audit_full = {request.param!r}\n"
    with serving(tmp_path, people=PEOPLE, config=config) as server:
        for name in ("a.txt", "b.txt"):
            (server.root / name).write_text("before")
        path = journal(server)
        put(server, "vera", "a.txt", "refused")
        path.rename(path.with_name("kept"))
        path.symlink_to(FULL)
        yield request.param, server


@pytest.mark.skipif(  # why: only Linux has
    not FULL.exists(), reason="this system has no device that is always full"
)
def test_on_a_full_disk_what_changes_something_is_as_the_administrator_has_chosen(
    full: tuple[str, Serving],
) -> None:
    mode, server = full
    changed = put(server, "edi", "a.txt", "after")
    assert {"refuse": 503, "go on": 200}[mode] == changed
    assert {"refuse": "before", "go on": "after"}[mode] == (server.root / "a.txt").read_text()
    # A denial is none the less one, and reading needs no record.
    assert 403 == put(server, "vera", "a.txt", "vera's")
    assert 200 == server.request("GET", "/api/contents/a.txt", "vera").status
    grant = {"principal": "user:vera", "level": "editor", "resource": "contents:/a.txt"}
    given = server.request("POST", "/api/authz/grants", "adam", json_body=grant).status
    assert {"refuse": 503, "go on": 201}[mode] == given
    with server.store() as store:
        grants = [each.resource for each in store.state().grants]
    assert ("contents:/a.txt" in grants) == (mode == "go on")
    # Who makes a link where it goes on gets its secret, which is told only once.
    link = {"level": "viewer", "resource": "contents:/a.txt"}
    made = server.request("POST", "/api/authz/links", "adam", json_body=link)
    assert {"refuse": (503, False), "go on": (201, True)}[mode] == (
        made.status,
        "secret" in made.json,
    )
    # What is done after a change, such as moving grants, does not make it fail.
    moved = server.request("PATCH", "/api/contents/a.txt", "adam", json_body={"path": "c.txt"})
    assert {"refuse": 503, "go on": 200}[mode] == moved.status
    # Whoever is nobody is told so, and no error.
    assert 403 == server.request("GET", "/api/contents/b.txt").status
    # Once there is room again, all is as before, and the chain goes on.
    path = journal(server)
    path.unlink()
    path.with_name("kept").rename(path)
    assert 200 == put(server, "edi", "b.txt", "later")
    assert verify(path).problem is None
    assert ("edi", "save") == (
        server.audit[-1]["principal"].removeprefix("user:"),
        server.audit[-1]["action"],
    )


class Load:
    """People at work until their server is gone, and what they were answered."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self.given: list[str] = []
        self.denied: list[str] = []
        self.saved: list[int] = []

    def give(self) -> None:
        body = {"principal": "user:vera", "level": "viewer", "resource": "contents:/a.txt"}
        for turn in range(100_000):
            ends = f"2999-01-01T{turn // 3600:02d}:{turn // 60 % 60:02d}:{turn % 60:02d}Z"
            answer = self._server.request(
                "POST", "/api/authz/grants", "adam", json_body={**body, "ends": ends}
            )
            assert answer.status == 201, answer.text
            self.given.append(answer.json["id"])

    def save(self) -> None:
        for turn in range(100_000):
            if put(self._server, "edi", "b.txt", str(turn)) == 200:
                self.saved.append(turn)

    def be_refused(self) -> None:
        body = {"type": "file", "format": "text", "content": "x"}
        for _ in range(100_000):
            path = "/api/contents/a.txt"
            answer = self._server.request("PUT", path, "vera", json_body=body)
            self.denied.append(answer.json["decision_id"])

    def until_it_is_gone(self) -> None:
        """Work, and kill the server in the middle of it."""
        acts = (self.give, self.save, self.be_refused)
        threads = [threading.Thread(target=self._suppressing, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while min(len(self.given), len(self.saved), len(self.denied)) < ENOUGH:
            assert time.monotonic() < end
            time.sleep(0.01)
        self._server.process.kill()
        for thread in threads:
            thread.join()

    @staticmethod
    def _suppressing(act: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
            act()


def test_a_server_that_ends_has_given_the_store_all_its_records(tmp_path: Path) -> None:
    with serving(tmp_path, people=PEOPLE) as server:
        (server.root / "b.txt").write_text("0")
        assert 200 == put(server, "edi", "b.txt", "1")
    with server.store() as store:
        found = store.verify_journal(journal(server))
    assert (None, True) == (found.problem, 0 < found.records == found.stored)


def test_a_server_that_is_killed_at_work_has_lost_nothing_that_was_answered(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, people=PEOPLE) as server:
        for name in ("a.txt", "b.txt"):
            (server.root / name).write_text("0")
        load = Load(server)
        load.until_it_is_gone()
    path = journal(server)
    with server.store() as store:
        given = {each.id for each in store.state().grants}
        before = store.verify_journal(path)
        # Whoever looks next puts into the store what it has not yet.
        assert store.keep_journal(path) is None
        found = store.verify_journal(path)
    assert (None, None) == (before.problem, found.problem)
    assert before.stored <= found.stored == found.records
    records = server.audit
    assert set(load.given) <= given & {each.get("grant") for each in records}
    assert set(load.denied) <= {each["id"] for each in records}
    # Upstream keeps what was there beside a file that is being written.
    texts = [each.read_text() for each in server.root.iterdir() if each.name.endswith("b.txt")]
    assert max(int(text) for text in texts if text.isdigit()) >= load.saved[-1]
