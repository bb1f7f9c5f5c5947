from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server import chain, journal
from jupyter_authorized_server.audit import SYNC_PERMITTED_WITHIN, SYNC_WITHIN, Audit
from jupyter_authorized_server.chain import ORIGIN, Link, hash_of, newest, onward, verify
from jupyter_authorized_server.journal import Journal
from jupyter_authorized_server.policy.model import Answer, Decision, Principal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def written(path: Path, many: int, **fields: Any) -> Link:
    made = Journal(path)
    for number in range(many):
        made.append({"kind": "login", "time": float(number), **fields})
    made.close()
    assert made.link is not None
    return made.link


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def put(path: Path, *parts: list[bytes]) -> None:
    path.write_bytes(b"".join(line for part in parts for line in part))


def test_what_was_written_verifies(path: Path) -> None:
    head = written(path, 5)
    found = verify(path, head=head)
    assert (found.records, found.unchained, found.problem) == (5, 0, None)


def test_each_record_is_one_more_and_holds_the_hash_of_the_line_before(path: Path) -> None:
    written(path, 3)
    found = [json.loads(line) for line in lines(path)]
    assert [record["number"] for record in found] == [1, 2, 3]
    assert found[0]["previous"] == ORIGIN.hash
    assert found[2]["previous"] == hash_of(lines(path)[1].rstrip(b"\n"))


def test_a_changed_record_is_named(path: Path) -> None:
    written(path, 9)
    kept = lines(path)
    put(path, kept[:4], [kept[4].replace(b"login", b"lagin")], kept[5:])
    assert verify(path).problem == "line 6: record 5, the one before, is not as it was written"


@pytest.mark.parametrize("at", range(4))
def test_every_dropped_record_is_found(path: Path, at: int) -> None:
    head = written(path, 4)
    kept = lines(path)
    put(path, kept[:at], kept[at + 1 :])
    assert verify(path, head=head).problem is not None


def test_moved_doubled_and_added_records_are_found(path: Path) -> None:
    written(path, 5)
    kept = lines(path)
    for forged in (
        [*kept[:1], kept[2], kept[1], *kept[3:]],
        [*kept[:2], kept[1], *kept[2:]],
        [*kept[:2], b'{"kind": "login"}\n', *kept[2:]],
        [*kept[:2], b"no record\n", *kept[2:]],
        [kept[0].replace(b"0000", b"1111"), *kept[1:]],
    ):
        put(path, forged)
        assert (verify(path).problem or "").startswith("line ")


def test_a_cut_end_and_a_whole_new_chain_are_found_by_what_the_store_knows(path: Path) -> None:
    head = written(path, 5)
    kept = lines(path)
    put(path, kept[:3])
    assert verify(path).problem is None
    assert verify(path, head=head).problem == "line 4: records 4 to 5 are gone from the end"
    path.unlink()
    written(path, 6, principal="user:nobody")
    assert verify(path, head=head).problem == "line 5: record 5 is not the one the store knows"


def test_two_writers_make_one_chain(path: Path) -> None:
    one, two = Journal(path), Journal(path)
    for _ in range(20):
        one.append({"kind": "a"})
        two.append({"kind": "b"})
    assert verify(path).records == 40


def test_several_processes_make_one_chain(path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from jupyter_authorized_server.journal import Journal\n"
        "made = Journal(Path(sys.argv[1]))\n"
        "for number in range(200): made.append({'kind': 'login', 'number of': number})\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    found = verify(path)
    assert (found.records, found.problem) == (600, None)


def test_a_killed_writer_loses_no_record_that_it_was_told_of(path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from jupyter_authorized_server.audit import Audit\n"
        "made = Audit(Path(sys.argv[1]))\n"
        "while True: os.write(1, made.event('denial', actor='user:x').encode() + b'\\n')\n"
    )
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines(keepends=True)
        process.wait(60)
        process.stdout.close()
        there = {json.loads(line)["id"] for line in lines(path)}
        assert {line.strip().decode() for line in told if line.endswith(b"\n")} - there == set()
        assert verify(path).problem is None


def test_a_record_reaches_the_disk_itself_within_its_bound(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[float] = []
    original = os.fsync

    def noted(descriptor: int) -> None:
        original(descriptor)
        synced.append(time.monotonic())

    def waited_for() -> bool:
        end = time.monotonic() + 60
        while not synced and time.monotonic() < end:
            time.sleep(0.001)
        return bool(synced)

    monkeypatch.setattr(os, "fsync", noted)
    ada = Principal(name="user:ada")
    allowed, denied = (
        Decision(answer, "user:ada", "save", "contents:/a", revision=1)
        for answer in (Answer.ALLOW, Answer.DENY)
    )
    assert (SYNC_WITHIN, SYNC_PERMITTED_WITHIN) == (0.1, 1.0)
    audit = Audit(path)
    audit.decision(allowed, principal=ada, door="http")
    assert waited_for()
    audit.close()
    # Of what was permitted alone more may gather; nothing else waits for that.
    monkeypatch.setattr("jupyter_authorized_server.audit.SYNC_PERMITTED_WITHIN", 1000.0)
    urgent: list[Callable[[Audit], object]] = [
        lambda audit: audit.decision(denied, principal=ada, door="http"),
        lambda audit: audit.event("grant", actor="user:x"),
    ]
    for record in urgent:
        audit = Audit(path)
        audit.decision(allowed, principal=ada, door="http")
        synced.clear()
        time.sleep(2 * SYNC_WITHIN)
        assert synced == []
        record(audit)
        assert waited_for()
        audit.close()


def test_a_torn_end_is_taken_away_and_the_chain_goes_on(path: Path) -> None:
    written(path, 3)
    with path.open("ab") as file:
        file.write(lines(path)[0][:30])
    written(path, 1)
    assert (verify(path).records, verify(path).problem) == (4, None)


def test_a_record_of_which_the_disk_takes_a_few_bytes_at_a_time_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal(path)
    original = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: original(descriptor, data[:20]))
    made.append({"kind": "a"})
    made.append({"kind": "b"})
    assert (2, None) == (verify(path).records, verify(path).problem)


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal(path)
    made.append({"kind": "a"})
    original = os.write
    calls = iter([10, None])

    def full(descriptor: int, data: bytes) -> int:
        part = next(calls)
        if part is None:
            raise OSError(28, "No space left on device")
        return original(descriptor, data[:part])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        made.append({"kind": "b"})
    monkeypatch.undo()
    made.append({"kind": "c"})
    assert [json.loads(line)["kind"] for line in lines(path)] == ["a", "c"]
    assert verify(path).problem is None


def test_old_records_go_and_the_rest_still_verifies(path: Path) -> None:
    head = written(path, 10)
    made = Journal(path)
    told: list[Link] = []
    assert made.prune(4.0, told.append) == 4
    made.append({"kind": "login", "time": 10.0})
    assert [start.number for start in told] == [4]
    found = verify(path, start=told[0], head=head)
    assert (found.records, found.problem) == (7, None)
    assert verify(path).problem is not None
    assert made.prune(4.0, told.append) == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_records_are_added_while_old_ones_are_dropped_and_none_is_lost(path: Path) -> None:
    written(path, 5)
    made, other = Journal(path), Journal(path)
    told: list[Link] = []

    def meanwhile(start: Link) -> None:
        told.append(start)
        for each in (made, other):
            adding = threading.Thread(target=each.append, args=({"kind": "logout"},), daemon=True)
            adding.start()
            adding.join(30)
            assert not adding.is_alive()

    assert made.prune(3.0, meanwhile) == 3
    other.append({"kind": "login"})
    found = verify(path, start=told[0], head=made.link)
    assert (found.records, found.problem) == (5, None)
    made.close()
    other.close()


def test_a_record_that_is_half_written_while_old_ones_are_dropped_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the file's end meets the first part of it, then the rest as a line."""
    written(path, 5)
    *whole, last, next_ = lines(path)
    first, rest = last[:20], last[20:] + next_
    put(path, whole, [first])

    def ended() -> None:
        with path.open("ab") as file:
            file.write(rest)

    def seen(line: bytes) -> dict[str, Any] | None:
        if line == first:
            ended()
        return chain.parse(line)

    monkeypatch.setattr(journal, "parse", seen)
    told: list[Link] = []
    made = Journal(path)
    made.prune(99.0, told.append)
    made.close()
    if lines(path)[-1] == first:
        ended()
    assert None is verify(path, start=told[-1]).problem


def test_where_a_chain_begins_is_found_also_while_another_process_drops_records(
    path: Path,
) -> None:
    written(path, 6)
    made, other = Journal(path), Journal(path)
    told: list[Link] = []

    def meanwhile(start: Link) -> None:
        told.append(start)
        if len(told) == 1:
            assert other.prune(3.0, told.append) == 3

    # What was looked at is not the file any more, so it is looked at again.
    assert made.prune(5.0, meanwhile) == 2
    assert [each.number for each in told] == [5, 3, 5]
    assert (verify(path, start=told[-1]).records, verify(path, start=told[-1]).problem) == (
        1,
        None,
    )


def test_records_that_could_not_be_dropped_are_no_break_and_lead_to_where_the_rest_begins(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, 6)
    made = Journal(path)
    told: list[Link] = []
    made.prune(2.0, told.append)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            made.prune(4.0, told.append)
    assert [path] == list(path.parent.iterdir())
    assert (4, None) == (
        verify(path, start=told[-1]).records,
        verify(path, start=told[-1]).problem,
    )
    whole = lines(path)
    for changed in (whole[1:2] * 2 + whole[2:], [*whole[:1], *whole[2:]], whole[:1], whole[3:]):
        put(path, changed)
        assert verify(path, start=told[-1]).problem is not None
    # Of those that were to go, a made-up one leads nowhere.
    put(path, [whole[0].replace(b"login", b"lagin")], whole[1:])
    assert verify(path, start=told[-1]).problem is not None


def test_what_a_process_that_was_killed_while_it_dropped_records_left_goes_at_the_next_start(
    path: Path,
) -> None:
    head = written(path, 6)
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from jupyter_authorized_server.journal import Journal\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "Journal(Path(sys.argv[1])).prune(4.0, lambda _: None)\n"
    )
    assert (
        -signal.SIGKILL
        == subprocess.run([sys.executable, "-c", code, path], check=False).returncode
    )
    assert 2 == len(list(path.parent.iterdir()))
    # What only has such a name is not followed, opened or emptied.
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text("kept")
    path.with_name(".audit.jsonl.11.new").symlink_to(elsewhere)
    path.with_name(".audit.jsonl.22.new").mkdir()
    os.mkfifo(path.with_name(".audit.jsonl.33.new"))
    path.with_name(".audit.jsonl.44.new").hardlink_to(elsewhere)
    path.with_name(".audit.jsonl.mine.new").touch()
    made = Journal(path)
    assert sorted(each.name for each in path.parent.iterdir()) == [
        ".audit.jsonl.11.new",
        ".audit.jsonl.22.new",
        ".audit.jsonl.33.new",
        ".audit.jsonl.mine.new",
        "audit.jsonl",
        "elsewhere",
    ]
    assert "kept" == elsewhere.read_text()
    assert (6, None) == (verify(path, head=head).records, verify(path, head=head).problem)
    assert 4 == made.prune(4.0, lambda _: None)


def test_a_start_leaves_alone_what_another_process_is_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, 6)
    made, original = Journal(path), os.fsync
    there: list[int] = []

    def started(descriptor: int) -> None:
        if not there:
            # At the first call others may take the file of records, at the second none may.
            Journal(path).close()
            there.append(len(list(path.parent.iterdir())))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", started)
    assert 4 == made.prune(4.0, lambda _: None)
    assert [2] == there
    assert [path] == list(path.parent.iterdir())
    assert made.append({"kind": "a"}) is not None


def test_the_name_of_a_new_file_reaches_the_disk_with_what_is_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, original = list[int](), os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        original(descriptor)

    monkeypatch.setattr(os, "fsync", noted)

    def adds(made: Journal) -> list[int]:
        synced.clear()
        made.append({"kind": "a", "time": 1.0})
        made.sync()
        return [*synced]

    made, folder = Journal(path), path.parent.stat().st_ino
    assert [path.stat().st_ino, folder] == adds(made)
    assert [path.stat().st_ino] == adds(made)
    # Another process puts a shorter file in its place.
    assert 1 == Journal(path).prune(4.0, lambda _: None)
    assert [path.stat().st_ino, folder] == adds(made)


def test_what_is_recorded_while_it_closes_reaches_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, original, telling = list[int](), os.fsync, threading.Event()

    def noted(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        original(descriptor)

    def tells(record: object) -> None:
        if not telling.is_set():
            audit.event("logout", actor="user:ada")
            telling.set()
            assert audit._closed.wait(60), record

    monkeypatch.setattr(os, "fsync", noted)
    audit = Audit(path, emit=tells)
    audit.event("login", actor="user:ada")
    assert telling.wait(60)
    audit.close()
    assert 2 == len(lines(path))
    assert path.stat().st_size in sizes


def test_the_last_record_stays_however_old_for_the_next_is_tied_to_it(path: Path) -> None:
    head = written(path, 3)
    made = Journal(path)
    told: list[Link] = []
    assert made.prune(99.0, told.append) == 2
    made.close()
    assert written(path, 1).number == 4
    found = verify(path, start=told[0], head=head)
    assert (found.records, found.problem) == (2, None)


def ends(path: Path, known: Link = ORIGIN, start: Link = ORIGIN) -> tuple[int, Link] | None:
    """How many records follow `known`, and the last place; None where the chain is broken."""
    try:
        found = list(onward(path, known, start=start, most=2))
    except chain.ChainBroken:
        return None
    many = sum(len(each.lines.splitlines()) for each in found)
    assert many == sum(each.last.number - each.before.number for each in found)
    return many, found[-1].last if found else known


def test_a_chain_goes_on_from_where_it_is_known_to_have_been(path: Path) -> None:
    assert (0, ORIGIN) == ends(path)
    third = written(path, 3)
    fifth = written(path, 2)
    second = Link(number=2, hash=json.loads(lines(path)[2])["previous"])
    for many, known in ((5, ORIGIN), (3, second), (2, third), (0, fifth)):
        assert (many, fifth) == ends(path, known)
    forged = Link(number=3, hash=second.hash)
    assert [None] * 2 == [ends(path, known) for known in (forged, Link(number=6, hash="6"))]
    # Of what was dropped for its age only the last place is known.
    assert [(3, fifth), (2, fifth)] == [ends(path, known, third) for known in (second, third)]
    assert ends(path, forged, third) is None
    put(path, lines(path)[3:])
    assert (2, fifth) == ends(path, third, third)
    assert [None] * 2 == [ends(path, third), ends(path, second, second)]


def test_a_chain_does_not_go_on_over_what_is_no_record_of_it(path: Path) -> None:
    third = written(path, 3)
    written(path, 2)
    whole = lines(path)
    changed = whole[3].replace(b"login", b"lagin")
    for bad in (b'{"kind": "login"}\n', b"nothing\n", whole[4], changed):
        put(path, whole[:3], [bad], whole[4:])
        assert ends(path, third) is None
    put(path, whole[:4], [whole[4][:-1]])
    # Which is not written whole yet.
    assert 1 == (ends(path, third) or (None,))[0]


def test_another_writer_goes_on_in_the_file_that_took_the_place(path: Path) -> None:
    written(path, 4)
    one, two = Journal(path), Journal(path)
    two.append({"kind": "login", "time": 4.0})
    told: list[Link] = []
    one.prune(2.0, told.append)
    two.append({"kind": "login", "time": 5.0})
    one.append({"kind": "login", "time": 6.0})
    found = verify(path, start=told[0])
    assert (found.records, found.problem) == (5, None)


def test_records_of_before_there_was_a_chain_are_counted_apart(path: Path) -> None:
    path.write_text('{"kind": "login"}\n{"kind": "logout"}\n')
    written(path, 2)
    found = verify(path)
    assert (found.records, found.unchained, found.problem) == (2, 2, None)
    put(path, [lines(path)[0]], lines(path)[2:])
    assert verify(path).problem is not None


def test_the_newest_records_come_first_and_go_on_where_one_stopped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_BLOCK", 100)
    written(path, 30)
    with path.open("ab") as file:
        file.write(b"no record\n" + b"x" * 1000 + b"\n")
    whole = [record["number"] for _, record in newest(path)]
    assert whole == list(range(30, 0, -1))
    offset, record = next(newest(path))
    assert record["number"] == 30
    assert [each["number"] for _, each in newest(path, before=offset)] == whole[1:]
    assert list(newest(path.with_name("nowhere"))) == []


def test_where_the_file_cannot_be_opened_again_no_record_goes_into_another_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor that was closed is the next file's."""
    journal = Journal(path)
    journal.append({"kind": "a"})
    path.rename(path.with_name("moved"))

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        with pytest.raises(OSError, match="too many"):
            journal.append({"kind": "b"})
    with path.with_name("other").open("wb") as other:
        assert journal.append({"kind": "c"}) is not None
        assert 0 == os.fstat(other.fileno()).st_size
    assert ["c"] == [record["kind"] for _, record in newest(path)]
    journal.close()
