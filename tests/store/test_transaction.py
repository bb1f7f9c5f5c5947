"""Several processes, and one that is killed: nothing is lost, nothing is half done."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store import changing

from jupyter_authorized_server.store import Store
from jupyter_authorized_server.store.grants import rows_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SCRIPT = Path(changing.__file__)

needs_fork = pytest.mark.skipif(  # why: what is tested is a process killed
    not hasattr(os, "fork"), reason="this system has neither fork nor SIGKILL"
)


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def contents(store: Store) -> object:
    """All that the store holds but the grants' random ids."""
    state = store.state()
    return (
        state.people,
        state.groups,
        [dataclasses.replace(grant, id="") for grant in state.grants],
        store.tokens(),
        store.login_sessions(),
        store.setup_link(),
        store.password_hash("ada"),
        store.password_hash("eve"),
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """What a store holds after each number of changes, up to a whole cycle."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('expected') / 's.sqlite'}") as store:
        held = [contents(store)]
        for number in range(1, changing.CYCLE + 1):
            changing.change(store, number)
            assert store.revision() == number
            held.append(contents(store))
    assert held.pop() == held[0]
    return held


class Killed:
    """A process that forks a child at each `begin`, to be killed at any moment."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.child = 0
        self.acknowledged = 0

    def begin(self) -> None:
        self._stdin.write("go\n")
        self._stdin.flush()
        self.child = 0
        while not self.child:
            self.read()

    def read(self) -> str:
        """One line of it; a number is a change that was acknowledged."""
        line = self._stdout.readline()
        if line.startswith("pid "):
            self.child = int(line[4:])
        elif line.strip().isdigit():
            self.acknowledged = int(line)
        return line

    def kill(self) -> None:
        os.kill(self.child, signal.SIGKILL)
        while self.read() != "dead\n":
            pass


@needs_fork
def test_a_kill_leaves_the_old_or_the_new_state_and_loses_nothing_acknowledged(
    store: Store, path: Path, url: str, expected: list[object]
) -> None:
    store.close()
    chance = random.Random()  # noqa: S311  # why: moments to kill at, no secrets
    ends: set[int] = set()
    with start(url, "cycle") as process:
        killed = Killed(process)
        for _ in range(25):
            before = killed.acknowledged
            killed.begin()
            while killed.acknowledged < before + chance.randint(1, 20):
                killed.read()
            time.sleep(chance.uniform(0, 0.01))
            killed.kill()
            with sqlite3.connect(path) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
            raw.close()
            with Store.open(url) as left:
                revision = left.revision()
                assert revision - killed.acknowledged in {0, 1}
                assert contents(left) == expected[revision % changing.CYCLE]
            killed.acknowledged = revision
            ends.add(revision % changing.CYCLE)
        process.communicate()
    assert process.returncode == 0
    assert len(ends) > 5


@needs_fork
def test_a_kill_while_a_store_is_made_leaves_a_whole_one_or_none(path: Path, url: str) -> None:
    with start(url, "create") as process:
        killed = Killed(process)
        started = time.monotonic()
        killed.begin()
        while killed.read() != "0\n":
            pass
        whole = time.monotonic() - started
        killed.kill()
        for moment in range(8):
            shutil.rmtree(path.parent)
            killed.begin()
            time.sleep(whole * moment / 8)
            killed.kill()
            if path.exists():
                assert path.stat().st_size > 0
            with Store.open(url) as left:
                left.add_person("ada", now=1)
                assert left.revision() == 1
        process.communicate()
    assert process.returncode == 0


def test_two_processes_that_add_at_once_lose_nothing(url: str) -> None:
    # Neither store nor folder is there: that race is part of it.
    writers = [start(url, "add", prefix, "25") for prefix in ("a", "b", "c")]
    for writer in writers:
        with writer:
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Store.open(url) as store:
        state = store.state()
    names = {f"{prefix}{number}" for prefix in "abc" for number in range(25)}
    assert {person.name for person in state.people} == names
    assert state.revision == 75


def test_another_process_sees_a_change_and_is_seen(store: Store, url: str) -> None:
    store.add_person("ada", now=1)
    known = store.state()
    with start(url, "add", "b", "2") as writer:
        writer.communicate()
    assert store.revision() == 3
    assert [person.name for person in store.state(known).people] == ["ada", "b0", "b1"]


def test_two_stores_on_one_file_see_each_others_changes_at_once(store: Store, url: str) -> None:
    with Store.open(url) as other:
        for number in range(1, 20):
            actor, witness = (store, other) if number % 2 else (other, store)
            actor.add_person(f"p{number}", now=1)
            assert witness.revision() == number
            assert len(witness.state().people) == number


def test_a_state_is_of_one_moment_though_another_writes_meanwhile(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_person("ada", now=1)
    store.add_grant(
        principal="user:ada", level="viewer", resource="server:", now=1, granted_by="user:ada"
    )
    with Store.open(url) as other:

        def read_late(connection: Connection, query: Any) -> object:
            monkeypatch.undo()
            other.remove_person("ada")
            return rows_of(connection, query)

        monkeypatch.setattr("jupyter_authorized_server.store.ledger.rows_of", read_late)
        state = store.state()
    assert [person.name for person in state.people] == ["ada"]
    assert [grant.principal for grant in state.grants] == ["user:ada"]
    assert state.revision == 2
    assert store.state(state).people == ()
    assert store.state(state).revision == 3
