from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from cli.conftest import PROGRAM
from sqlalchemy import text

from jupyter_authorized_server.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cli.conftest import Desk


def _write(desk: Desk, *events: tuple[str, str, Mapping[str, str | float]]) -> None:
    audit = Audit(desk.audit_path)
    for kind, actor, fields in events:
        audit.event(kind, actor=actor, fields=fields)
    audit.close()


def test_without_a_file_nothing_is_recorded_yet(desk: Desk) -> None:
    answer = desk.ask("audit", "tail")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing is recorded yet" in answer.err
    assert not desk.audit_path.exists()


def test_the_last_records_are_shown_by_kind_and_principal(desk: Desk) -> None:
    _write(
        desk, *(("login", f"user:p{n}", {}) for n in range(30)), ("grant", "os:x", {"ends": 1.0})
    )
    assert len(desk.ask("audit", "tail").out.splitlines()) == 20
    assert len(desk.ask("audit", "tail", "-n", "0").out.splitlines()) == 31
    assert len(desk.ask("audit", "tail", "-n", "3").out.splitlines()) == 3
    (shown,) = desk.ask("audit", "tail", "--kind", "grant").out.splitlines()
    assert "os:x" in shown
    assert "ends=1970-01-01" in shown
    (found,) = desk.ask("audit", "tail", "--principal", "user:p7", "--json").out.splitlines()
    assert json.loads(found)["principal"] == "user:p7"


def test_a_denial_says_who_what_and_why(desk: Desk) -> None:
    record = {
        "decision": "deny",
        "action": "save",
        "resource": "contents:/x",
        "reason": "nothing permits it",
    }
    _write(desk, ("decision", "user:bob", record))
    out = desk.ask("audit", "tail").out
    assert "decision  user:bob  deny  save  contents:/x  (nothing permits it)" in out


def test_hostile_names_are_escaped(desk: Desk) -> None:
    _write(desk, ("login_failed", "anonymous", {"name": "\x1b]0;owned\x07\n\u202egnp.exe"}))
    out = desk.ask("audit", "tail").out
    assert r"\u001b]0;owned\u0007\u000a\u202egnp.exe" in out
    assert len(out.splitlines()) == 1
    assert desk.ask("audit", "tail", "--json").out.isascii()


def test_lines_that_are_no_records_are_counted_and_passed_over(desk: Desk) -> None:
    _write(desk, ("login", "user:ada", {}))
    with desk.audit_path.open("ab") as file:
        file.write(b"\xff\xfe\n[]\n" + b"[" * 100_000 + b"\n")
        file.write(b"x" * 3_000_000 + b"\n")
    _write(desk, ("login", "user:bob", {}))
    answer = desk.ask("audit", "tail")
    assert answer.code == 0
    assert [line.split()[3] for line in answer.out.splitlines()] == ["user:ada", "user:bob"]
    assert "hold no record" in answer.err


def test_a_file_that_cannot_be_read_exits_2(desk: Desk) -> None:
    desk.audit_path.mkdir()
    answer = desk.ask("audit", "tail")
    assert answer.code == 2
    assert "cannot be read" in answer.err


def test_follow_shows_what_comes_also_after_a_rotation_until_ctrl_c(desk: Desk) -> None:
    _write(desk, ("login", "user:first", {}))
    process = desk.start("audit", "tail", "--follow", "--json")
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


def on_a_terminal(desk: Desk, *arguments: str) -> tuple[bytes, str]:
    """What a command answers, and what a terminal shows beside."""
    told, terminal = pty.openpty()
    done = subprocess.run(
        [PROGRAM, *arguments], env=desk.environment, capture_output=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal, check=True,
    )  # fmt: skip
    os.close(terminal)
    shown = os.read(told, 10_000).decode()
    os.close(told)
    return done.stdout, shown


def whole(many: int, *, stored: int | None = None) -> str:
    kept = many if stored is None else stored
    return f"whole: {many} records in the file, {kept} records in the store\n"


def _changed(desk: Desk, *names: str) -> None:
    for name in names:
        assert desk.ask("groups", "add", name).code == 0


def test_records_that_are_whole_verify_and_the_store_knows_their_end(desk: Desk) -> None:
    assert "nothing is recorded yet" in desk.ask("audit", "verify").err
    _changed(desk, "one", "two", "three")
    answer = desk.ask("audit", "verify")
    assert (answer.code, answer.out, answer.err) == (0, whole(3), "")
    written, bar = on_a_terminal(desk, "audit", "verify")
    assert (whole(3), True) == (written.decode(), "100%" in bar)


def test_what_was_done_to_the_records_is_named_and_exits_1(desk: Desk) -> None:
    _changed(desk, "one", "two", "three")
    kept = desk.audit_path.read_bytes().splitlines(keepends=True)
    desk.audit_path.write_bytes(b"".join([kept[0], kept[1].replace(b"two", b"2wo"), kept[2]]))
    answer = desk.ask("audit", "verify")
    assert answer.code == 1
    assert "line 3: record 2, the one before, is not as it was written" in answer.err
    desk.audit_path.write_bytes(b"".join(kept[:2]))
    found = desk.ask("audit", "verify", "--json")
    assert (found.code, found.json["whole"]) == (1, False)
    assert found.json["problem"] == "line 3: records 3 to 3 are gone from the end"
    desk.audit_path.unlink()
    assert desk.ask("audit", "verify").code == 2


def test_the_records_of_each_server_that_shares_the_store_are_there_and_verified(
    desk: Desk, tmp_path: Path
) -> None:
    assert "no records yet" in desk.ask("audit", "servers").err
    there = tmp_path / "there" / "audit.jsonl"
    other = Audit(there, clock=lambda: 1000.0)
    for person in ("ada", "bob", "ada"):
        other.event("login", actor=f"user:{person}")
    other.close()
    written = there.read_bytes()
    with desk.store() as store:
        assert store.keep_journal(there) is None
        (name,) = store.journal_sizes()
    # That it is there no more costs nothing.
    there.unlink()
    _changed(desk, "one")
    answer = desk.ask("audit", "verify")
    assert (0, f"{whole(1)}whole in the store: 3 records of `{name}`\n") == (
        answer.code,
        answer.out,
    )
    found = desk.ask("audit", "verify", "--json").json
    told = {"whole": True, "records": 3, "unchained": 0, "problem": None, "stored": 0}
    assert (True, 1, 0, {name: told}) == (
        found["whole"], found["stored"], found["waiting"], found["others"],
    )  # fmt: skip
    listed = desk.ask("audit", "servers", "--json").json
    assert {"server": name, "records": 3} in listed
    assert [1, 3] == sorted(each["records"] for each in listed)
    assert name in desk.ask("audit", "servers").out
    shown = desk.ask("audit", "tail", "--server", name, "--principal", "user:ada", "--json")
    assert [1, 3] == [json.loads(line)["number"] for line in shown.out.splitlines()]
    last = desk.ask("audit", "tail", "--server", name, "-n", "1", "--json").out
    assert [3] == [json.loads(line)["number"] for line in last.splitlines()]
    assert desk.ask("audit", "tail", "--server", name, "--follow").code == 2
    assert written == desk.ask("audit", "export", "--server", name).out.encode()
    assert "" == desk.ask("audit", "export", "--server", name, "--since", "1h").out
    for ask in (("tail",), ("export",), ("prune", "90d")):
        answer = desk.ask("audit", *ask, "--server", "elsewhere")
        assert (2, True) == (answer.code, "elsewhere` are in the store; it has" in answer.err)
        assert name in answer.err
    with desk.store() as store, store._write() as connection:
        connection.execute(text("DROP TRIGGER records_unchanged"))
        connection.execute(text("UPDATE records SET lines = replace(lines, 'ada', 'eve')"))
    answer = desk.ask("audit", "verify")
    assert answer.code == 1
    assert f"error: in the store, `{name}`: line 2: record 1, the one before" in answer.err
    found = desk.ask("audit", "verify", "--json")
    assert (1, False, None) == (
        found.code,
        found.json["others"][name]["whole"],
        found.json["problem"],
    )


def test_records_of_a_server_that_is_no_more_can_be_dropped(desk: Desk, tmp_path: Path) -> None:
    there = tmp_path / "audit.jsonl"
    moments = iter([1000.0, 2000.0, time.time()])
    other = Audit(there, clock=lambda: next(moments))
    for _ in range(3):
        other.event("login", actor="user:ada")
    other.close()
    with desk.store() as store:
        assert store.keep_journal(there) is None
        (name,) = store.journal_sizes()
    assert "2 records are gone\n" == desk.ask("audit", "prune", "90d", "--server", name).out
    assert {"server": name, "records": 1} in desk.ask("audit", "servers", "--json").json
    (record,) = desk.records()
    assert ("audit_pruned", 2, name) == (record["kind"], record["records"], record["server"])
    assert desk.ask("audit", "verify").code == 0


def test_what_was_done_to_the_file_leaves_the_records_in_the_store(desk: Desk) -> None:
    _changed(desk, "one", "two", "three")
    kept = desk.audit_path.read_bytes()
    desk.audit_path.write_bytes(kept.replace(b"two", b"2wo"))
    answer = desk.ask("audit", "verify")
    assert (1, "note: the store has 3 as they were written" in answer.err) == (answer.code, True)
    command = answer.err.partition("`jupyter authz ")[2].partition("`")[0]
    assert kept == desk.ask(*shlex.split(command)).out.encode()


def test_records_that_were_cut_stay_found_out_until_they_are_set_aside(desk: Desk) -> None:
    _changed(desk, "one", "two", "three")
    assert "whole" in desk.ask("audit", "renew").out
    kept = desk.audit_path.read_bytes().splitlines(keepends=True)
    desk.audit_path.write_bytes(kept[0])
    answer = desk.ask("groups", "add", "four")
    assert (answer.code, "was tampered with" in answer.err) == (0, True)
    _changed(desk, "five", "six", "seven")
    assert "record 3 is not the one the store knows" in desk.ask("audit", "verify").err
    pruned = desk.ask("audit", "prune", "2001-01-01")
    assert (pruned.code, "the chain is broken" in pruned.err) == (2, True)
    renewed = desk.ask("audit", "renew")
    assert renewed.code == 0, renewed.err
    (aside,) = desk.audit_path.parent.glob("audit.jsonl.*.broken")
    assert str(aside) in renewed.out
    assert aside.read_bytes().startswith(kept[0])
    assert desk.ask("audit", "verify").out.startswith(whole(1))
    (record,) = desk.records()
    assert (record["kind"], record["file"]) == ("audit_renewed", aside.name)
    assert "record 3 is not the one" in record["problem"]
    _changed(desk, "eight")
    # What the store has of the file that was set aside is what it was before.
    verified = desk.ask("audit", "verify").out
    assert f"{whole(2)}whole in the store: 3 records of " in verified
    assert f"{aside}`" in verified


def test_records_that_are_gone_are_begun_anew(desk: Desk) -> None:
    _changed(desk, "one")
    desk.audit_path.unlink()
    assert desk.ask("audit", "renew").code == 0
    (record,) = desk.records()
    assert record["problem"] == "the file is gone"
    assert desk.ask("audit", "verify").out.startswith(f"{whole(1)}whole in the store: 1 records")


def test_export_writes_the_lines_as_they_are_kept(desk: Desk, tmp_path: Path) -> None:
    nothing = desk.ask("audit", "export")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing is recorded yet" in nothing.err
    _changed(desk, "one", "two")
    target = tmp_path / "out.jsonl"
    assert desk.ask("audit", "export").out.encode() == desk.audit_path.read_bytes()
    assert desk.ask("audit", "export", "-o", str(target)).code == 0
    assert target.read_bytes() == desk.audit_path.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert desk.ask("audit", "export", "-o", str(target)).code == 2
    assert desk.ask("audit", "export", "--since", "2100-01-01").out == ""
    assert desk.ask("audit", "export", "--until", "2000-01-01").out == ""
    assert len(desk.ask("audit", "export", "--since", "2000-01-01").out.splitlines()) == 2
    assert len(desk.ask("audit", "export", "--since", "1h").out.splitlines()) == 2
    assert desk.ask("audit", "export", "--until", "1h").out == ""
    written, bar = on_a_terminal(desk, "audit", "export")
    assert desk.audit_path.read_bytes() == written
    assert ("records" in bar, "100%" in bar) == (True, True)
    desk.audit_path.unlink()
    gone = desk.ask("audit", "export")
    assert (gone.code, "is gone; `jupyter authz audit verify`" in gone.err) == (2, True)


def test_prune_drops_what_is_old_and_the_rest_verifies(desk: Desk) -> None:
    audit = Audit(desk.audit_path, clock=lambda: 1000.0)
    audit.event("login", actor="user:old")
    audit.close()
    _changed(desk, "one")
    for later in ("2099-01-01", "tomorrow"):
        answer = desk.ask("audit", "prune", later)
        assert (2, "is not over yet" in answer.err) == (answer.code, True)
    answer = desk.ask("audit", "prune", "90d")
    assert (answer.code, answer.out) == (0, "1 records are gone\n")
    assert [record["kind"] for record in desk.records()] == ["group_added", "audit_pruned"]
    assert desk.ask("audit", "verify").out == whole(2)
    assert desk.ask("audit", "prune", "2001-01-01").out == "0 records are gone\n"
