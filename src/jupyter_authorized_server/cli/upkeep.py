"""`audit verify`, `servers`, `renew`, `prune`: whether records are whole, and their keeping."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError, InvalidName
from ..journal import Journal
from ..store.journals import name_of
from .output import argument, note, printable, progress, say, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..chain import Verdict
    from ..store import Store
    from .desk import Desk

#: Exit code where the records are not as they were written.
BROKEN = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def verify(desk: Desk, *, as_json: bool) -> int:
    """See whether every record is there and as it was written.

    Names the first record that was changed, dropped or moved, in the file of this server, in
    the store, and of each other server that shares the store.
    The last two seconds of a running server may not be known to the store yet; what is cut
    off there is not found.
    Exits 1 where something is wrong; on a terminal a bar shows how far it is.

    Example: `jupyter authz audit verify`
    """
    path = Path(desk.config.audit_file)
    own = name_of(path)
    with desk.store() as store, contextlib.ExitStack() as stack:
        known, waiting = store.journal(path)[1], len(store.kept_acts(path))
        sizes = store.journal_sizes()
        bar = progress(sum(sizes.values()) + sizes.get(own, 0), "records", stack)
        tell = None if bar is None else lambda: bar.update(1)
        found = _verified(store, path, tell) if path.exists() or known is not None else None
        others = {name: store.verify_records(name, tell) for name in sizes if name != own}
        stored = None
        if found is not None and found.problem is not None and known is not None:
            # What the store has is not lost with the file.
            stored = store.verify_records(own)
    is_whole = all(each is None or each.problem is None for each in (found, *others.values()))
    if as_json:
        write_json(
            {
                **_shown(found),
                "file": str(path),
                "waiting": waiting,
                "others": {name: _shown(each) for name, each in others.items()},
            }
        )
        return 0 if is_whole else BROKEN
    if found is None:
        note(f"nothing is recorded yet in `{path}`")
    else:
        _tell(path, found, stored)
        if found.problem is None and known is None:
            note("note: the store knows no end of the chain, so a missing end is not found")
    if waiting:
        note(f"note: {waiting} records of changes wait in the store for the file")
    for name, each in others.items():
        _tell_other(printable(name, 200), each)
    return 0 if is_whole else BROKEN


def _tell(path: Path, found: Verdict, stored: Verdict | None) -> None:
    if found.problem is not None:
        note(f"error: `{path}`: {found.problem}")
        if stored is not None and stored.problem is None and stored.records:
            command = f"jupyter authz audit export --server {argument(name_of(path))}"
            note(f"note: the store has {stored.records} as they were written: `{command}`")
        return
    say(f"whole: {found.records} records in the file, {found.stored} records in the store")
    if found.unchained:
        note(f"note: {found.unchained} earlier records have no chain; they prove nothing")


def _tell_other(name: str, found: Verdict) -> None:
    if found.problem is None:
        say(f"whole in the store: {found.records} records of `{name}`")
    else:
        note(f"error: in the store, `{name}`: {found.problem}")


def _shown(found: Verdict | None) -> dict[str, object]:
    """A verdict for a program; where nothing is recorded, nothing is wrong."""
    if found is None:
        return {"whole": True, "records": 0, "unchained": 0, "problem": None, "stored": 0}
    return {"whole": found.problem is None, **asdict(found)}


def _verified(store: Store, path: Path, tell: Callable[[], object] | None = None) -> Verdict:
    try:
        return store.verify_journal(path, tell)
    except OSError as error:
        msg = f"the audit file `{path}` cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def servers(desk: Desk, *, as_json: bool) -> None:
    """List the servers that share the store, and how many records it has of each.

    A server is named by its machine and the path of its audit file; one that is begun anew
    leaves what it had under the name of the file that was set aside.

    Example: `jupyter authz audit servers`
    """
    with desk.store() as store:
        sizes = store.journal_sizes()
    if as_json:
        write_json([{"server": name, "records": many} for name, many in sizes.items()])
    else:
        write_table(("server", "records"), sizes.items(), empty="the store has no records yet")


@click.command()
@click.pass_obj
def renew(desk: Desk) -> None:
    """Set records aside that are not as they were written, and begin a new file.

    For when somebody has looked into what `verify` found: until then it is found again and
    again, and nothing that is done to later records is told apart from it.
    The file stays, under another name beside the new one, whose first record says so.
    What the store has of it stays too.

    Example: `jupyter authz audit renew`
    """
    path = Path(desk.config.audit_file)
    aside = path.with_name(f"{path.name}.{int(desk.now)}.broken")
    with desk.store() as store:
        known = store.journal(path)[1]
        problem = "the file is gone" if known is not None and not path.exists() else None
        if problem is None and path.exists():
            problem = _verified(store, path).problem
    if problem is None:
        say("the records are whole, so they stay where they are")
        return
    with desk.upkeep() as (store, record), contextlib.closing(Journal(path)) as file:
        store.renew_journal(path, aside, lambda: _set_aside(file, aside.name))
        record("audit_renewed", {"problem": problem, "file": aside.name})
    say(f"a new file has begun; the records until now are in `{aside}`")


@click.command()
@click.argument("before", metavar="TIME")
@click.option(
    "--server",
    metavar="NAME",
    help="Of a server that is no more, in the store; `jupyter authz audit servers` names them.",
)
@click.pass_obj
def prune(desk: Desk, *, before: str, server: str | None) -> None:
    """Drop the records from before TIME, which is `2026-01-01`, or `90d` ago.

    They go from the file and from the store.
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
    if server is not None and server != name_of(path):
        with desk.upkeep() as (store, record):
            many = store.prune_records(server, moment)
            if many:
                record("audit_pruned", {"records": many, "before": moment, "server": server})
        say(f"{many} records are gone")
        return
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
