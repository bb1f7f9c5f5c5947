"""`store`: the database of people, groups and grants as a whole."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError, InvalidName
from ..store import Store
from .noun import Noun
from .output import say, why, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from .desk import Desk


@click.group(cls=Noun)
def store() -> None:
    """Make the store ready, look after it, or move it to another database.

    Example: `jupyter authz store check`
    """


@store.command()
@click.pass_obj
def upgrade(desk: Desk) -> None:
    """Make the store ready for this version: a new one, or an older one migrated.

    A file is migrated by whatever opens it; a PostgreSQL database only by this, since
    servers of an earlier version may still use it.
    Make a backup first, and stop those servers.

    Example: `jupyter authz store upgrade`
    """
    Store.upgrade(desk.config.store_url)
    say("the store is ready for this version")


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check(desk: Desk, *, as_json: bool) -> None:
    """See whether the store can be read and is of this version.

    Exits 2 where it is not, and says what to do.

    Example: `jupyter authz store check`
    """
    with desk.store() as opened:
        state = opened.state()
    found = {
        "revision": state.revision,
        "people": len(state.people),
        "groups": len(state.groups),
        "grants": len(state.grants),
    }
    if as_json:
        write_json(found)
    else:
        say(", ".join(f"{name}: {value}" for name, value in found.items()))


@store.command()
@click.argument("file", metavar="FILE")
@click.pass_obj
def export(desk: Desk, *, file: str) -> None:
    """Write all that the store holds into a new FILE, as lines of JSON.

    It holds the hashes of passwords and tokens, so it is its owner's alone; keep it so.

    Example: `jupyter authz store export backup.jsonl`
    """
    with desk.store() as opened:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            msg = f"`{file}` cannot be written: {why(error)}; name a file that is not there yet"
            raise ConfigurationError(msg) from error
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as target:
                many = _write(target, opened)
        except BaseException as error:  # why: raised again below
            # Half of a store is no copy of it.
            Path(file).unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            msg = f"`{file}` cannot be written: {why(error)}"
            raise ConfigurationError(msg) from error
    say(f"{many} rows are in `{file}`")


@store.command("import")
@click.argument("file", metavar="FILE")
@click.pass_obj
def import_(desk: Desk, *, file: str) -> None:
    """Put all that was exported into FILE into the store, which has to be empty.

    All of it or, where a line is wrong or it is ended before, nothing.

    Example: `jupyter authz store import backup.jsonl`
    """
    try:
        with open(file, encoding="ascii") as source, desk.change() as change:  # noqa: PTH123  # why: a name from the command line, read once
            with _bytes(source) as bar:
                many = change.store.import_rows(_lines(source, bar.update))
            change.record("store_imported", {"rows": many})
    except (OSError, UnicodeDecodeError) as error:
        msg = (
            f"`{file}` cannot be read: {why(error)}; name one that "
            "`jupyter authz store export` has written"
        )
        raise ConfigurationError(msg) from error
    say(f"{many} rows are in the store")


def _write(target: TextIO, opened: Store) -> int:
    many = -1
    total = 1 + sum(opened.row_counts())
    with click.progressbar(
        opened.export_rows(), length=total, label="rows", file=_watched()
    ) as lines:
        for line in lines:
            target.write(json.dumps(line, ensure_ascii=True) + "\n")
            many += 1
    return many


def _bytes(source: TextIO) -> Any:
    """A progress bar for reading `source`, where somebody watches."""
    size = os.fstat(source.fileno()).st_size
    return click.progressbar(length=size, label="bytes", file=_watched())


def _watched() -> TextIO:
    return sys.stderr if sys.stderr.isatty() else io.StringIO()


def _lines(source: TextIO, read: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(source, start=1):
        read(len(line))
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            msg = f"line {number} is no JSON object"
            raise InvalidName(msg)
        yield found
