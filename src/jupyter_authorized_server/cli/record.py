"""`audit`: what was refused, who signed in, what was changed, and whether that is all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..chain import MAX_LINE, parse
from ..errors import ConfigurationError, InvalidName
from . import upkeep
from .noun import Noun
from .output import note, progress, say, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .desk import Desk

    Record = dict[str, Any]

_WAIT = 0.2
#: What is shown apart, and where a record is in the chain, which says nothing to people.
_NOT_SHOWN = frozenset(
    "time kind principal reason id determining revision number previous".split()  # noqa: SIM905  # why: read as a list of words
)

_server = click.option(
    "--server",
    metavar="NAME",
    help="Of this server, from the store; `jupyter authz audit servers` names them.",
)


@click.group(cls=Noun, alone="tail")
def audit() -> None:
    """Look at the records, and keep them.

    Example: `jupyter authz audit tail`
    """


for each in (upkeep.verify, upkeep.servers, upkeep.renew, upkeep.prune):
    audit.add_command(each)


@audit.command()
@click.option("-n", "many", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="How many of the last records; 0 for all.")  # fmt: skip
@click.option("--kind", metavar="K", help="Only records of this kind, such as `decision`.")
@click.option("--principal", metavar="P", help="Only what this principal did or was refused.")
@_server
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@click.pass_obj
def tail(
    desk: Desk,
    *,
    many: int,
    kind: str | None,
    principal: str | None,
    server: str | None,
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

    if server is not None:
        for record in _last_stored(desk, server, wanted, many, follow=follow):
            write(record)
        return
    with contextlib.closing(_Tail(path)) as reader:
        for record in deque(filter(wanted, reader.read()), maxlen=many or None):
            write(record)
        if reader.skipped:
            note(f"note: {reader.skipped} lines of `{path}` hold no record")
        if not follow and not path.exists():
            note(f"nothing is recorded yet in `{path}`")
        if follow:
            _follow(filter(wanted, reader.on()), write)


@audit.command()
@click.option(
    "--since",
    metavar="TIME",
    help="Only records of that time or later: `2027-01-31`, or `2h`, `3d`, `1w` ago.",
)
@click.option("--until", metavar="TIME", help="Only records before that time.")
@click.option("-o", "--output", metavar="FILE", help="Write to this new file.")
@_server
@click.pass_obj
def export(
    desk: Desk, *, since: str | None, until: str | None, output: str | None, server: str | None
) -> None:
    """Write the records as lines of JSON, just as they are kept.

    On a terminal a bar shows how far it is.

    Example: `jupyter authz audit export --since 2027-01-01 -o january.jsonl`
    """
    first, last = desk.moment(since, past=True), desk.moment(until, past=True)
    if server is not None:
        _export_stored(desk, server, output, first, last)
        return
    path = Path(desk.config.audit_file)
    if not path.exists():
        with desk.store() as store:
            if store.journal(path)[1] is not None:
                msg = f"`{path}` is gone; `jupyter authz audit verify` says what is missing"
                raise ConfigurationError(msg)
        note(f"nothing is recorded yet in `{path}`")
        return
    try:
        with path.open("rb") as file, contextlib.ExitStack() as stack:
            target = _target(output, stack)
            bar = progress(os.fstat(file.fileno()).st_size, "records", stack)
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


def _follow(records: Iterator[Record], write: Callable[[Record], None]) -> None:
    # Ctrl-C is how one leaves; it is no failure.
    with contextlib.suppress(KeyboardInterrupt):
        for record in records:
            write(record)


def _export_stored(
    desk: Desk, server: str, output: str | None, first: float | None, last: float | None
) -> None:
    """As `export`, of what the store has."""
    try:
        with desk.store() as store, contextlib.ExitStack() as stack:
            lines = stack.enter_context(contextlib.closing(store.kept_lines(server)))
            # Before a file is made it is known whether there is such a server.
            first_line = next(lines, b"")
            target = _target(output, stack)
            bar = progress(store.journal_sizes()[server], "records", stack)
            for line in chain([first_line], lines):
                record = parse(line)
                if bar is not None:
                    bar.update(1)
                if record is not None and _is_within(record, first, last):
                    target.write(line)
            target.flush()
    except OSError as error:
        msg = f"the records cannot be exported: {why(error)}"
        raise ConfigurationError(msg) from error


def _last_stored(
    desk: Desk, server: str, wanted: Callable[[Record], bool], many: int, *, follow: bool
) -> list[Record]:
    """The last records that are wanted of those the store has, in their order; 0 is all."""
    if follow:
        msg = "`--follow` goes on with the records of this server; leave out `--server`"
        raise InvalidName(msg)
    with desk.store() as store:
        every = (record for _, record in store.newest_records(server))
        return list(islice(filter(wanted, every), many or None))[::-1]


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

    def on(self) -> Iterator[Record]:
        """The records that are added, without an end."""
        while True:
            time.sleep(_WAIT)
            yield from self.read()

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
