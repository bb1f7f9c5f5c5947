"""`policy test` and `policy diff`: what a policy would answer, before it is in force."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import trial
from ..errors import ConfigurationError, InvalidName
from ..policy.case import read_case
from ..policy.document import PolicyFile
from ..policy.paths import canonical
from ..policy_folder import policy_files, read_policy
from .mistake import telling
from .output import note, printable, say, why, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..policy.case import Case
    from .desk import Desk

#: Exit code where a policy loads and does not answer as a case expects.
FAILED = 4
#: Exit code where two policies differ.
DIFFERENT = 1
#: Resources that are named for each difference, unless all are asked for.
_SHOWN = 10
_ENDING = ".toml"


@click.command()
@click.argument("cases", metavar="CASE...", nargs=-1, required=True)
@click.option("--policy", "folder", metavar="DIR", help="Test these files, not the server's.")
@click.option(
    "--store", "with_store", is_flag=True, help="With the people and grants of the store."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@telling
def test(
    desk: Desk, *, cases: tuple[str, ...], folder: str | None, with_store: bool, as_json: bool
) -> int:
    """See whether the policy files answer as expected.

    A CASE is a TOML file of expectations, or a folder of them.
    Needs no server and, without `--store`, no store, so it can run wherever the policy files are.
    Exits 0 where all is as expected, 4 where something is not, 3 where the policy does not
    load and 2 where a case cannot be read.

    Example: `jupyter authz policy test --policy ./policy ./policy-tests`
    """
    place = desk.policy_folder(folder)
    read_policy(place)
    files = [
        PolicyFile(source=str(path), text=path.read_bytes())
        for path in (() if place is None else policy_files(place))
    ]
    state = None
    if with_store:
        with desk.store() as store:
            state = store.state()
    read = [_read(path) for path in _cases(cases)]
    failed = {case.source: list(trial.failures(case, files, state)) for case in read}
    if as_json:
        write_json(
            [
                {
                    "case": case.source,
                    "shows": case.shows,
                    "expectations": len(case.expectations),
                    "failures": [
                        {
                            "principal": each.principal,
                            "action": each.action,
                            "resource": each.resource.name,
                            "expected": each.answer.value,
                            "got": got.answer.value,
                            "reason": got.reason_admin,
                        }
                        for each, got in failed[case.source]
                    ],
                }
                for case in read
            ]
        )
        return FAILED if any(failed.values()) else 0
    for case in read:
        say(f"{'fails' if failed[case.source] else 'holds'}: {case.shows} ({case.source})")
        for each, got in failed[case.source]:
            say(
                f"  {each.principal} {each.action} {each.resource.name}: expected "
                f"{each.answer.value}, got {got.answer.value}: {got.reason_admin}"
            )
    asked = sum(len(case.expectations) for case in read)
    wrong = sum(map(len, failed.values()))
    say(f"{asked} expectations in {len(read)} cases, {wrong} failed")
    return FAILED if wrong else 0


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@click.option(
    "--root",
    metavar="DIR",
    default=".",
    show_default=True,
    help="The server's contents root, whose files are asked about.",
)
@click.option("--at", metavar="TIME", help="As if it were that time (ISO 8601).")
@click.option("--all", "everything", is_flag=True, help="Name every file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@telling
def diff(
    desk: Desk,
    *,
    old: str,
    new: str | None,
    root: str,
    at: str | None,
    everything: bool,
    as_json: bool,
) -> int:
    """Show who gains and loses what between two folders of policy files.

    For the people, groups and grants of the store, and the files below DIR.
    Without NEW, OLD is compared with the files that the server reads.
    Exits 0 where nothing differs, 1 where something does, 3 where a policy does not load.

    Example: `jupyter authz policy diff ./policy ./new-policy --root /srv/notebooks`
    """
    tree = Path(root)
    if not tree.is_dir():
        msg = f"`{printable(root, 200)}` is no folder; name the server's contents root"
        raise ConfigurationError(msg)
    now = desk.moment(at)
    context = trial.context_at(desk.now if now is None else now, desk.config.zone)
    with desk.store() as store:
        state = store.state()
    before, after = (
        trial.Trial(
            read_policy(desk.policy_folder(each)),
            context=context,
            state=state,
            homes=desk.config.homes,
        )
        for each in (old, new)
    )
    found = trial.differences(before, after, _tree(tree))
    if as_json:
        write_json(
            [
                {
                    "principal": each.principal,
                    "action": each.action,
                    "gains": each.gains,
                    "resources": list(each.resources),
                }
                for each in found
            ]
        )
        return DIFFERENT if found else 0
    for each in found:
        say(
            f"{each.principal} {'gains' if each.gains else 'loses'} {each.action} on {_what(each)}"
        )
        shown = each.resources if everything else each.resources[:_SHOWN]
        for name in shown:
            say(f"  {name}")
        if len(each.resources) > len(shown):
            say(f"  and {len(each.resources) - len(shown)} more; `--all` names them")
    if not found:
        note("nobody gains or loses anything")
    return DIFFERENT if found else 0


def _what(change: trial.Change) -> str:
    many = len(change.resources)
    if not change.resources[0].startswith("contents:"):
        return change.resources[0] if many == 1 else f"{many} resources"
    return f"{many} file{'s' * (many > 1)} and folders" if many > 1 else "1 file or folder"


def _cases(given: tuple[str, ...]) -> Iterator[Path]:
    for each in given:
        path = Path(each)
        if path.is_dir():
            inside = sorted(path.glob(f"*{_ENDING}"))
            if not inside:
                msg = f"`{printable(each, 200)}` holds no `*{_ENDING}`"
                raise ConfigurationError(msg)
            yield from inside
        else:
            yield path


def _read(path: Path) -> Case:
    try:
        return read_case(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the case `{printable(path, 200)}` cannot be read: {why(error)}"
        raise ConfigurationError(msg) from error


def _tree(root: Path) -> Iterator[str]:
    """The canonical contents paths of all files and folders below `root`."""
    yield "/"
    for folder, folders, files in os.walk(root):
        inner = Path(folder).relative_to(root).as_posix()
        for name in (*folders, *files):
            # What no path can name is nobody's to gain.
            with contextlib.suppress(InvalidName):
                yield canonical(f"{inner}/{name}")
