"""`audit`: what was refused, who signed in, what was changed, and whether that is all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..chain import MAX_LINE, parse
from ..errors import ConfigurationError, InvalidName
from ..journal import Journal
from .noun import Noun
from .output import note, printable, say, why, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..chain import Verdict
    from ..store import Store
    from .desk import Desk

    Record = dict[str, Any]

_WAIT = 0.2
#: What is shown apart, and where a record is in the chain, which says nothing to people.
_NOT_SHOWN = frozenset(
    "time kind principal reason id determining revision number previous".split()  # noqa: SIM905  # why: read as a list of words
)
#: Exit code where the records are not as they were written.
BROKEN = 1


@click.group(cls=Noun, alone="tail")
def audit() -> None:
    """Look at the records of the audit file.

    Example: `jupyter authz audit tail`
    """


@audit.command()
@click.option("-n", "many", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="How many of the last records; 0 for all.")  # fmt: skip
@click.option("--kind", metavar="K", help="Only records of this kind, such as `decision`.")
@click.option("--principal", metavar="P", help="Only what this principal did or was refused.")
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@click.pass_obj
def tail(
    desk: Desk,
    *,
    many: int,
    kind: str | None,
    principal: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last denials, log-ins and changes.

    Example: `jupyter authz audit tail --principal user:ada --kind decision -n 5`
    """
    path = Path(desk.config.audit_file)

    def wanted(record: Record) -> bool:
        return kind in {None, record.get("kind")} and principal in {None, record.get("principal")}

    def write(record: Record) -> None:
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=True))
        else:
            say(_sentence(desk, record))

    with contextlib.closing(_Tail(path)) as reader:
        for record in deque(filter(wanted, reader.read()), maxlen=many or None):
            write(record)
        if reader.skipped:
            note(f"note: {reader.skipped} lines of `{path}` hold no record")
        if not follow and not path.exists():
            note(f"nothing is recorded yet in `{path}`")
        # Ctrl-C is how one leaves; it is no failure.
        with contextlib.suppress(KeyboardInterrupt):
            while follow:
                time.sleep(_WAIT)
                for record in filter(wanted, reader.read()):
                    write(record)


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def verify_(desk: Desk, *, as_json: bool) -> int:
    """See whether every record is there and as it was written.

    Names the first record that was changed, dropped or moved.
    The last second of a running server may not be known to the store yet; what is cut off
    there is not found.
    Exits 1 where something is wrong.

    Example: `jupyter authz audit verify`
    """
    path = Path(desk.config.audit_file)
    with desk.store() as store:
        known, others = store.journal(path)[1], store.other_journals(path)
        if not path.exists() and known is None:
            note(f"nothing is recorded yet in `{path}`")
            _tell_others(others)
            return 0
        found = _verified(store, path)
    if as_json:
        write_json(
            {
                "whole": found.problem is None,
                "records": found.records,
                "unchained": found.unchained,
                "problem": found.problem,
                "file": str(path),
                "others": others,
            }
        )
        return 0 if found.problem is None else BROKEN
    if found.problem is not None:
        note(f"error: `{path}`: {found.problem}")
    else:
        say(f"whole: {found.records} records")
        if found.unchained:
            note(f"note: {found.unchained} earlier records have no chain; they prove nothing")
        if known is None:
            note("note: the store knows no end of the chain, so a missing end is not found")
    _tell_others(others)
    return 0 if found.problem is None else BROKEN


def _tell_others(others: Mapping[str, int]) -> None:
    for name, number in others.items():
        shown = printable(name, 200)
        note(f"note: the store also knows the records of `{shown}`, {number}; verify them there")


def _verified(store: Store, path: Path) -> Verdict:
    try:
        return store.verify_journal(path)
    except OSError as error:
        msg = f"the audit file `{path}` cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error


@audit.command()
@click.pass_obj
def renew(desk: Desk) -> None:
    """Set records aside that are not as they were written, and begin a new file.

    For when somebody has looked into what `verify` found: until then it is found again and
    again, and nothing that is done to later records is told apart from it.
    The file stays, under another name beside the new one, whose first record says so.

    Example: `jupyter authz audit renew`
    """
    path = Path(desk.config.audit_file)
    aside = f"{path.name}.{int(desk.now)}.broken"
    with desk.store() as store:
        known = store.journal(path)[1]
        problem = "the file is gone" if known is not None and not path.exists() else None
        if problem is None and path.exists():
            problem = _verified(store, path).problem
    if problem is None:
        say("the records are whole, so they stay where they are")
        return
    with desk.upkeep() as (store, record), contextlib.closing(Journal(path)) as file:
        store.renew_journal(path, lambda: _set_aside(file, aside))
        record("audit_renewed", {"problem": problem, "file": aside})
    say(f"a new file has begun; the records until now are in `{path.with_name(aside)}`")


@audit.command()
@click.option(
    "--since",
    metavar="TIME",
    help="Only records of that time or later: `2027-01-31`, or `2h`, `3d`, `1w` ago.",
)
@click.option("--until", metavar="TIME", help="Only records before that time.")
@click.option("-o", "--output", metavar="FILE", help="Write to this new file.")
@click.pass_obj
def export(desk: Desk, *, since: str | None, until: str | None, output: str | None) -> None:
    """Write the records as lines of JSON, just as they are kept.

    On a terminal a bar shows how far it is.

    Example: `jupyter authz audit export --since 2027-01-01 -o january.jsonl`
    """
    path = Path(desk.config.audit_file)
    if not path.exists():
        with desk.store() as store:
            if store.journal(path)[1] is not None:
                msg = f"`{path}` is gone; `jupyter authz audit verify` says what is missing"
                raise ConfigurationError(msg)
        note(f"nothing is recorded yet in `{path}`")
        return
    first, last = desk.moment(since, past=True), desk.moment(until, past=True)
    try:
        with path.open("rb") as file, contextlib.ExitStack() as stack:
            target = _target(output, stack)
            bar = _bar(os.fstat(file.fileno()).st_size, stack)
            while line := file.readline(MAX_LINE):
                record = parse(line)
                if bar is not None:
                    bar.update(len(line))
                if record is not None and _is_within(record, first, last):
                    target.write(line)
            target.flush()
    except OSError as error:
        msg = f"the records cannot be exported: {why(error)}"
        raise ConfigurationError(msg) from error


@audit.command()
@click.argument("before", metavar="TIME")
@click.pass_obj
def prune(desk: Desk, *, before: str) -> None:
    """Drop the records from before TIME, which is `2026-01-01`, or `90d` ago.

    The rest of the chain still verifies, and a new record says what was dropped.
    The setting `audit_days` does the same every day.

    Example: `jupyter authz audit prune 2026-01-01`
    """
    moment = desk.moment(before, past=True)
    if moment is None:  # pragma: no cover  # why: an argument is always there
        return
    if moment > desk.now:
        msg = f"`{printable(before, 60)}` is not over yet; name a time before now"
        raise InvalidName(msg)
    path = Path(desk.config.audit_file)
    with desk.upkeep() as (store, record), contextlib.closing(Journal(path)) as file:
        problem = store.keep_journal(path)
        if problem is not None:
            msg = f"nothing is dropped, since the chain is broken: {problem}"
            raise ConfigurationError(msg)
        many = file.prune(moment, lambda start: store.start_journal(path, start))
        if many:
            record("audit_pruned", {"records": many, "before": moment})
    say(f"{many} records are gone")


def _set_aside(file: Journal, name: str) -> None:
    try:
        file.set_aside(name)
    except OSError as error:
        msg = f"`{file.path}` cannot be set aside: {error.strerror}"
        raise ConfigurationError(msg) from error


def _bar(length: int, stack: contextlib.ExitStack) -> Any:
    """How far it is, beside the answer, where somebody sees it."""
    if not sys.stderr.isatty():
        return None
    bar = click.progressbar(length=length, label="records", file=sys.stderr)
    return stack.enter_context(bar)


def _target(output: str | None, stack: contextlib.ExitStack) -> BinaryIO:
    """Standard output, or a new file that is its owner's alone."""
    if output is None:
        return sys.stdout.buffer
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return stack.enter_context(os.fdopen(descriptor, "wb"))


def _is_within(record: Record, first: float | None, last: float | None) -> bool:
    when = record.get("time")
    if not isinstance(when, (int, float)):
        return first is None and last is None
    return (first is None or when >= first) and (last is None or when < last)


class _Tail:
    """Reads the records of a file from its start, and later those that were added.

    A file that is put in its place (rotated), or cut, is read from its start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self.skipped = 0

    def close(self) -> None:
        """Close the file, if there was one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> Iterator[Record]:
        """The records since the last call; a line without its end is kept for the next.

        Raises:
            ConfigurationError: the file is there and cannot be read.
        """
        try:
            if self._file is not None and self._exchanged(self._file):
                self.close()
                self._rest = b""
            if self._file is None:
                self._file = self._path.open("rb")
            while line := self._file.readline(MAX_LINE):
                self._rest += line
                if line.endswith(b"\n") or len(self._rest) >= MAX_LINE:
                    record, self._rest = parse(self._rest), b""
                    if record is None:
                        self.skipped += 1
                    else:
                        yield record
        except FileNotFoundError:
            return
        except OSError as error:
            msg = f"the audit file `{self._path}` cannot be read: {error.strerror}"
            raise ConfigurationError(msg) from error

    def _exchanged(self, file: BinaryIO) -> bool:
        there, ours = self._path.stat(), os.fstat(file.fileno())
        same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        return not same or there.st_size < file.tell()


def _sentence(desk: Desk, record: Record) -> str:
    when = record.get("time")
    shown = desk.show(when) if isinstance(when, float) else "?"
    head = f"{shown}  {record.get('kind')}  {record.get('principal')}"
    rest = {
        key: value
        for key, value in record.items()
        if key not in _NOT_SHOWN and value not in (None, "", [])
    }
    if record.get("kind") == "decision":
        for key in ("decision", "action", "resource"):
            head += f"  {rest.pop(key, '?')}"
    for key in ("starts", "ends", "expires"):
        if isinstance(rest.get(key), float):
            rest[key] = desk.show(rest[key])
    tail = "".join(f"  {key}={value}" for key, value in rest.items())
    reason = f"  ({record['reason']})" if record.get("reason") else ""
    return f"{head}{tail}{reason}  [{record.get('id')}]"
