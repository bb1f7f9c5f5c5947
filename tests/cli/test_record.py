from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

from jupyter_authorized_server.audit import Audit

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from cli.conftest import Desk


def _write(desk: Desk, *events: tuple[str, str, Mapping[str, str | float]]) -> None:
    audit = Audit(desk.audit_path)
    for kind, actor, fields in events:
        audit.event(kind, actor=actor, fields=fields)
    audit.close()


def test_without_a_file_nothing_is_recorded_yet(desk: Desk) -> None:
    answer = desk.ask("audit")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing is recorded yet" in answer.err
    assert not desk.audit_path.exists()


def test_the_last_records_are_shown_by_kind_and_principal(desk: Desk) -> None:
    _write(
        desk, *(("login", f"user:p{n}", {}) for n in range(30)), ("grant", "os:x", {"ends": 1.0})
    )
    assert len(desk.ask("audit").out.splitlines()) == 20
    assert len(desk.ask("audit", "-n", "0").out.splitlines()) == 31
    assert len(desk.ask("audit", "-n", "3").out.splitlines()) == 3
    (shown,) = desk.ask("audit", "--kind", "grant").out.splitlines()
    assert "os:x" in shown
    assert "ends=1970-01-01" in shown
    (found,) = desk.ask("audit", "--principal", "user:p7", "--json").out.splitlines()
    assert json.loads(found)["principal"] == "user:p7"


def test_a_denial_says_who_what_and_why(desk: Desk) -> None:
    record = {
        "decision": "deny",
        "action": "save",
        "resource": "contents:/x",
        "reason": "nothing permits it",
    }
    _write(desk, ("decision", "user:bob", record))
    out = desk.ask("audit").out
    assert "decision  user:bob  deny  save  contents:/x  (nothing permits it)" in out


def test_hostile_names_are_escaped(desk: Desk) -> None:
    _write(desk, ("login_failed", "anonymous", {"name": "\x1b]0;owned\x07\n\u202egnp.exe"}))
    out = desk.ask("audit").out
    assert r"\u001b]0;owned\u0007\u000a\u202egnp.exe" in out
    assert len(out.splitlines()) == 1
    assert desk.ask("audit", "--json").out.isascii()


def test_lines_that_are_no_records_are_counted_and_passed_over(desk: Desk) -> None:
    _write(desk, ("login", "user:ada", {}))
    with desk.audit_path.open("ab") as file:
        file.write(b"\xff\xfe\n[]\n" + b"[" * 100_000 + b"\n")
        file.write(b"x" * 3_000_000 + b"\n")
    _write(desk, ("login", "user:bob", {}))
    answer = desk.ask("audit")
    assert answer.code == 0
    assert [line.split()[3] for line in answer.out.splitlines()] == ["user:ada", "user:bob"]
    assert "hold no record" in answer.err


def test_a_file_that_cannot_be_read_exits_2(desk: Desk) -> None:
    desk.audit_path.mkdir()
    answer = desk.ask("audit")
    assert answer.code == 2
    assert "cannot be read" in answer.err


def test_follow_shows_what_comes_also_after_a_rotation_until_ctrl_c(desk: Desk) -> None:
    _write(desk, ("login", "user:first", {}))
    process = desk.start("audit", "--follow", "--json")
    try:
        _expect(process, "user:first")
        _write(desk, ("login", "user:second", {}))
        _expect(process, "user:second")
        desk.audit_path.rename(desk.audit_path.with_suffix(".1"))
        _write(desk, ("login", "user:third", {"longer": "than the whole file before" * 20}))
        _expect(process, "user:third")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, b"")


def _expect(process: subprocess.Popen[bytes], principal: str) -> None:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        line = process.stdout.readline()
        if line:
            assert json.loads(line)["principal"] == principal
            return
        time.sleep(0.05)
    message = f"no record of {principal} was shown"
    raise AssertionError(message)
