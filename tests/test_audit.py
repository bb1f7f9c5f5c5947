from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.audit import MAX_TEXT, REQUEST, Audit
from jupyter_authorized_server.errors import ConfigurationError
from jupyter_authorized_server.policy.model import (
    Answer,
    Decision,
    Determinant,
    Effect,
    Principal,
    Reasons,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_authorized_server.audit import Record

DENIAL = Decision(
    answer=Answer.DENY,
    principal="user:ada",
    action="save",
    resource="contents:/a.ipynb",
    revision=7,
    determining=(
        Determinant(id="no-saving", kind="rule", effect=Effect.FORBID, source="/etc/x.cedar:3"),
    ),
    reasons=Reasons(user="you cannot change this", admin="forbidden by no-saving"),
)


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_denial_is_one_line_with_who_what_why_and_where(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "audit.jsonl"
    audit = Audit(path, clock=lambda: 1000.5)
    id_ = audit.decision(
        DENIAL,
        principal=Principal(name="user:ada", token="t1"),
        door="http",
        address="127.0.0.1",
        request="PUT /api/contents/a.ipynb",
    )
    expected = {
        "id": id_,
        "time": 1000.5,
        "kind": "decision",
        "principal": "user:ada",
        "token": "t1",
        "action": "save",
        "resource": "contents:/a.ipynb",
        "decision": "deny",
        "determining": ["no-saving (/etc/x.cedar:3)"],
        "reason": "forbidden by no-saving",
        "revision": 7,
        "door": "http",
        "address": "127.0.0.1",
        "request": "PUT /api/contents/a.ipynb",
        "number": 1,
        "previous": "0" * 64,
    }
    assert [expected] == records(path)
    assert 0o600 == path.stat().st_mode & 0o777


def test_what_was_permitted_names_the_rules_and_has_no_sentence_of_its_own(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    allowed = DENIAL._replace(answer=Answer.ALLOW)
    audit.decision(allowed, principal=Principal(name="user:ada"), door="http")
    [record] = records(tmp_path / "audit.jsonl")
    assert ["no-saving (/etc/x.cedar:3)"] == record["determining"]
    assert "reason" not in record


def test_a_record_is_in_the_file_before_the_call_returns(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from jupyter_authorized_server.audit import Audit\n"
        "Audit(Path(sys.argv[1])).event('login', actor='user:ada')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert -9 == done.returncode
    assert ["login"] == [record["kind"] for record in records(path)]


def test_a_hostile_name_stays_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    name = 'x\n{"kind": "login"}\x1b[2J\u202e\ud800'
    Audit(path).event("login_failed", actor="anonymous", fields={"name": name})
    raw = path.read_bytes()
    assert 1 == raw.count(b"\n")
    assert b"\x1b" not in raw
    assert name == records(path)[0]["name"]


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).event("login_failed", actor="anonymous", fields={"name": "x" * 10_000_000})
    assert "x" * MAX_TEXT + "…" == records(path)[0]["name"]


def test_lines_of_two_writers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    one, two = Audit(path), Audit(path)
    for number in range(50):
        one.event("grant", actor="user:a", fields={"number": number})
        two.event("grant", actor="user:b", fields={"number": number})
    assert 100 == len(records(path))


def test_the_event_bus_gets_each_record_and_cannot_lose_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    seen: list[Record] = []

    def broken(record: Record) -> None:
        seen.append(record)
        raise RuntimeError

    audit = Audit(path, broken)
    audit.event("logout", actor="user:ada")
    audit.close()
    assert records(path) == seen
    audit.event("logout", actor="user:bob")
    assert "user:bob" == seen[-1]["principal"]


def test_the_event_bus_hears_of_what_is_on_the_disk_itself_in_the_context_of_who_did_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    steps: list[str] = []
    synced = os.fsync

    def sync(descriptor: int) -> None:
        steps.append("disk")
        synced(descriptor)

    def emit(record: Record) -> None:
        steps.append(f"bus, by {REQUEST.get()}")
        if record["kind"] == "grant":
            told.set()

    monkeypatch.setattr(os, "fsync", sync)
    audit = Audit(tmp_path / "audit.jsonl", emit)

    def acts(kind: str) -> None:
        REQUEST.set(kind)
        audit.event(kind, actor="user:ada")

    for kind in ("logout", "grant"):
        copy_context().run(acts, kind)
    assert told.wait(20)
    audit.close()
    assert "disk" == steps[0]
    assert ["bus, by logout", "bus, by grant"] == [each for each in steps if each != "disk"]


def test_nobody_is_told_of_what_the_disk_did_not_take_until_it_has_been_given_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told, failed = tmp_path / "audit.jsonl", threading.Event(), threading.Event()
    steps: list[str] = []
    synced, written = os.fsync, os.pwrite

    def is_ours(descriptor: int) -> bool:
        # Threads that other tests have left write files of theirs.
        return os.path.samestat(os.fstat(descriptor), path.stat())

    def sync(descriptor: int) -> None:
        if is_ours(descriptor) and not failed.is_set():
            steps.append("failed")
            failed.set()
            raise OSError(errno.EIO, "Input/output error")
        synced(descriptor)

    def again(descriptor: int, block: bytes, at: int) -> int:
        if is_ours(descriptor):
            steps.append(f"again from {at}")
            # The disk has what was there before and the file what is given, bit for bit.
            assert block == path.read_bytes()[at:]
        return written(descriptor, block, at)

    def emit(record: Record) -> None:
        steps.append(str(record["kind"]))
        told.set()

    before = Audit(path)
    before.event("login", actor="user:ada")
    before.close()
    known = path.stat().st_size
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "pwrite", again)
    audit = Audit(path, emit)
    audit.event("grant", actor="user:ada")
    assert told.wait(20)
    audit.close()
    assert ["failed", f"again from {known}", "grant"] == steps
    assert ["login", "grant"] == [each["kind"] for each in records(path)]


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match="folder"):
        Audit(tmp_path / "folder")


def test_nothing_is_written_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.close()
    audit.close()
    audit.event("logout", actor="user:ada")
    assert [] == records(path)
    assert Audit(None).event("logout", actor="user:ada")
    assert os.path.exists(path)  # noqa: PTH110  # why: the plainest question
