"""`policy suggest`: the grants that would have allowed what was denied, as a diff."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import suggestion, trial
from ..chain import newest
from ..errors import ConfigurationError
from ..policy_folder import read_policy
from .mistake import telling
from .output import note, write_json

if TYPE_CHECKING:
    from .desk import Desk

#: The policy file that the diff adds to.
FILE = "suggested.yaml"


@click.command()
@click.option("--since", metavar="TIME", help="Only what was recorded at that time or later.")
@click.option("--denied", is_flag=True, help="Also real denials, not only those of shadow mode.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@telling
def suggest(desk: Desk, *, since: str | None, denied: bool, as_json: bool) -> int:
    """Propose the grants that would have allowed what was recorded as denied.

    For after a time in shadow mode.
    Prints a diff that adds them to a file of the policy folder, to be read before it is used:
    not everything that somebody tried should be allowed.
    What a rule forbids is named apart, since no grant helps there.

    Example: `jupyter authz policy suggest --since 2027-01-24 > suggestion.diff`
    """
    place = desk.config.policy_folder()
    first = desk.moment(since, past=True)
    with desk.store() as store:
        state = store.state()
    asked = trial.Trial(
        read_policy(place, desk.config.owner),
        context=trial.context_at(desk.now, desk.config.zone),
        state=state,
        homes=desk.config.homes,
    )
    path = Path(desk.config.audit_file)
    try:
        records = [
            record
            for _, record in newest(path)
            if first is None or float(record.get("time", 0)) >= first
        ]
    except OSError as error:
        msg = f"the audit file `{path}` cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    found, beyond = suggestion.suggest(suggestion.needs(records, shadow=not denied), asked)
    if as_json:
        write_json(
            {
                "grants": [
                    {
                        "principal": each.principal,
                        "level": each.level,
                        "resource": each.resource,
                        "needs": each.needs,
                    }
                    for each in found
                ],
                "forbidden": [
                    {
                        "principal": need.principal,
                        "action": need.action,
                        "resource": need.resource,
                        "reason": decision.reason_admin,
                    }
                    for need, decision in beyond
                ],
            }
        )
        return 0
    for need, decision in beyond:
        note(f"note: {need.principal} {need.action} {need.resource}: {decision.reason_admin}")
    file = (place or Path("policy")) / FILE
    before = file.read_text("utf-8") if file.exists() else ""
    if not found:
        note("nothing is missing")
        return 0
    after = _with(before, found)
    for line in difflib.unified_diff(
        _lines(before), _lines(after), str(file), str(file), lineterm=""
    ):
        # As it is: a line that was cut or changed would be another policy.
        click.echo(line)
    return 0


def _with(before: str, found: list[suggestion.Suggestion]) -> str:
    """The file with the grants added."""
    lines = [before.rstrip("\n")] if before.strip() else ["grants:"]
    for each in found:
        lines += [
            f"- principal: {_quoted(each.principal)}",
            f"  level: {each.level}",
            f"  resource: {_quoted(each.resource)}",
        ]
    return "\n".join(lines) + "\n"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _quoted(name: str) -> str:
    """`name` as a text of YAML, on one line and with nothing in it that cannot be seen.

    A text of JSON is one, but for what YAML alone takes for the end of a line.
    """
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}"
        for each in json.dumps(name, ensure_ascii=False)
    )
