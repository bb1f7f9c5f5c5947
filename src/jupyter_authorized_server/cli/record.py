"""`audit`: what was refused, who signed in, what was changed."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..errors import ConfigurationError
from .output import note, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .desk import Desk

    Record = dict[str, Any]

#: Longest line that is read as a record; ours are far shorter.
_MAX_LINE = 2**20
_WAIT = 0.2


@click.command()
@click.option("-n", "many", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="How many of the last records; 0 for all.")  # fmt: skip
@click.option("--kind", metavar="K", help="Only records of this kind, such as `decision`.")
@click.option("--principal", metavar="P", help="Only what this principal did or was refused.")
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
@click.pass_obj
def audit(
    desk: Desk,
    *,
    many: int,
    kind: str | None,
    principal: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last denials, log-ins and changes.

    Example: `jupyter authz audit --principal user:ada --kind decision -n 5`
    """
    path = Path(desk.config.audit_file)

    def wanted(record: Record) -> bool:
        return kind in {None, record.get("kind")} and principal in {None, record.get("principal")}

    def write(record: Record) -> None:
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=True))
        else:
            say(_sentence(desk, record))

    with contextlib.closing(_Tail(path)) as tail:
        for record in deque(filter(wanted, tail.read()), maxlen=many or None):
            write(record)
        if tail.skipped:
            note(f"note: {tail.skipped} lines of `{path}` hold no record")
        if not follow and not path.exists():
            note(f"nothing is recorded yet in `{path}`")
        # Ctrl-C is how one leaves; it is no failure.
        with contextlib.suppress(KeyboardInterrupt):
            while follow:
                time.sleep(_WAIT)
                for record in filter(wanted, tail.read()):
                    write(record)


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
            while line := self._file.readline(_MAX_LINE):
                self._rest += line
                if line.endswith(b"\n") or len(self._rest) >= _MAX_LINE:
                    record, self._rest = _record(self._rest), b""
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


def _record(line: bytes) -> Record | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _sentence(desk: Desk, record: Record) -> str:
    when = record.get("time")
    shown = desk.show(when) if isinstance(when, float) else "?"
    head = f"{shown}  {record.get('kind')}  {record.get('principal')}"
    rest = {
        key: value
        for key, value in record.items()
        if key not in {"time", "kind", "principal", "reason", "id", "determining", "revision"}
        and value not in (None, "", [])
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
