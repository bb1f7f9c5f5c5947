"""A change and its record: both, or neither, whoever dies on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from postgresql import FILE, SHARED, kinds

from jupyter_authorized_server import acts
from jupyter_authorized_server.account import PATIENCE, Remainders, accounted, begun
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.errors import StoreUnavailable
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql import Database

#: A process that changes something and is killed before it has recorded that.
KILLED = """
import os, signal, sys
from pathlib import Path
from jupyter_authorized_server.account import begun
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.store import Store

class Killed(Audit):
    def write(self, *_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

store, audit = Store.open(sys.argv[1]), Killed(Path(sys.argv[2]))
# What does not go on unrecorded, such as a login, is killed as any change is.
with begun(store, audit, lambda: store.remove_person("ada")) as account:
    store.add_person("ada", now=1)
    account.tell("user_added", actor="os:test", fields={"person": "user:ada"})
"""


@pytest.fixture(params=kinds((FILE, SHARED)))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == SHARED:
        database: Database = request.getfixturevalue("database")
        database.empty()
        return database.url
    found = f"sqlite:///{tmp_path / 'store.sqlite'}"
    Store.upgrade(found)
    return found


class World:
    """A store and its records, and a clock that stands."""

    def __init__(self, store: Store, path: Path) -> None:
        self.store = store
        self.path = path
        self.audit = Audit(path)
        self.now = 0.0
        self.remainders = Remainders(store, self.audit, steady=lambda: self.now, clock=lambda: 0.0)

    def look(self, after: float = 0.0) -> int:
        """How many are recorded late, so many seconds later."""
        self.now += after
        return self.remainders.look()

    @property
    def waiting(self) -> int:
        return len(self.store.kept_acts(self.path))

    @property
    def records(self) -> list[tuple[Any, Any]]:
        lines = self.path.read_text().splitlines()
        return [(each["kind"], each.get("person")) for each in map(json.loads, lines)]

    def add(self, name: str) -> None:
        with accounted(self.store, self.audit) as account:
            kind, fields = acts.person_added(self.store.add_person(name, now=1))
            account.tell(kind, actor="os:test", fields=fields)


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    with Store.open(url) as store:
        made = World(store, tmp_path / "audit.jsonl")
        yield made
        made.audit.close()


def test_a_change_whose_process_is_killed_before_its_record_is_recorded_later(
    world: World, url: str
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(world.path)], check=False)
    assert -signal.SIGKILL == done.returncode
    assert (["ada"], []) == ([each.name for each in world.store.state().people], world.records)
    # Not before it is sure that whoever made the change is not about to.
    assert (0, 0, 1) == (world.look(), world.look(PATIENCE - 1), world.look(1))
    assert [("user_added", "user:ada")] == world.records
    assert (0, None) == (world.waiting, world.store.verify_journal(world.path).problem)


def test_what_is_recorded_is_not_recorded_again(world: World) -> None:
    world.add("ada")
    world.add("bob")
    assert 2 == world.waiting
    assert (0, 0) == (world.look(PATIENCE), world.look(PATIENCE))
    assert 0 == world.waiting
    assert [("user_added", "user:ada"), ("user_added", "user:bob")] == world.records


def test_who_is_held_up_until_somebody_else_has_recorded_it_does_not_record_it_again(
    world: World,
) -> None:
    class HeldUp(Audit):
        """Stands still between the moment when it begins to write and that in which it does."""

        def write(self, *given: Any, **named: Any) -> str:
            world.look()
            world.look(PATIENCE)
            return super().write(*given, **named)

    told: list[Any] = []
    held_up = HeldUp(world.path, emit=told.append)
    with accounted(world.store, held_up) as account:
        world.store.add_person("ada", now=1)
        world.store.add_person("bob", now=1)
        for person in ("user:ada", "user:bob"):
            account.tell("user_added", actor="os:test", fields={"person": person})
    held_up.close()
    assert [("user_added", "user:ada"), ("user_added", "user:bob")] == world.records
    assert ([], 0) == (told, world.waiting)


def test_what_fails_is_neither_done_nor_recorded(world: World) -> None:
    def fail() -> None:
        with accounted(world.store, world.audit) as account:
            world.store.add_person("ada", now=1)
            world.store.add_group("team", now=1)
            account.tell("user_added", actor="os:test", fields={})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    world.add("bob")
    state = world.store.state()
    assert (["bob"], ()) == ([each.name for each in state.people], state.groups)
    assert [("user_added", "user:bob")] == world.records


def test_a_change_of_which_nobody_knows_whether_it_was_made_is_recorded_if_it_was(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.empty()
    commit = psycopg.Connection.commit

    def lost(connection: psycopg.Connection[Any]) -> None:
        commit(connection)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with Store.open(database.url) as store:
        world = World(store, tmp_path / "audit.jsonl")
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.Connection, "commit", lost)
            with pytest.raises(StoreUnavailable):
                world.add("ada")
        assert ([], 1) == (world.records, len(store.state().people))
        assert (0, 1) == (world.look(), world.look(PATIENCE))
        assert [("user_added", "user:ada")] == world.records
        world.audit.close()


def test_what_must_not_go_on_unrecorded_has_ended_where_the_disk_has_no_room(
    world: World,
) -> None:
    full = world.path.with_name("full.jsonl")
    full.symlink_to("/dev/full")
    audit = Audit(full)

    def begin() -> None:
        with begun(world.store, audit, lambda: world.store.remove_person("ada")) as account:
            world.store.add_person("ada", now=1)
            account.tell("user_added", actor="os:test", fields={"person": "user:ada"})

    with pytest.raises(OSError, match="No space"):
        begin()
    audit.close()
    assert ((), ()) == (world.store.state().people, world.store.kept_acts(full))


def test_a_record_for_which_the_disk_has_no_room_waits(world: World) -> None:
    full = world.path.with_name("full.jsonl")
    full.symlink_to("/dev/full")
    audit = Audit(full)
    with accounted(world.store, audit) as account:
        world.store.add_person("ada", now=1)
        account.tell("user_added", actor="os:test", fields={"person": "user:ada"})
    audit.close()
    assert account.problem is not None
    assert 1 == len(world.store.kept_acts(full))
    # Those of another chain are not put into this one.
    assert (0, 0) == (world.look(), world.look(PATIENCE))
    full.unlink()
    audit = Audit(full)
    # Long ago, so nobody is about to put it there.
    late = Remainders(world.store, audit, clock=lambda: 4e9).look()
    audit.close()
    assert (1, 1) == (late, len(full.read_text().splitlines()))
