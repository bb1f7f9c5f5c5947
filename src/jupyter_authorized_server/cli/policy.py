"""`policy`: the rules, people, groups and grants that are written in files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from .. import policy_folder
from ..errors import PolicyError
from ..policy.model import EVERYONE, Effect
from . import trial
from .mistake import DOES_NOT_LOAD, tell
from .noun import Noun
from .output import note, say, write_json, write_table
from .suggestion import suggest

if TYPE_CHECKING:
    from pathlib import Path

    from ..errors import Mistake
    from ..policy.document import Document
    from ..policy.rule import Rule
    from .desk import Desk


_CALLED = {"User": "the person", "Group": "the group"}
#: Each of these gives out what is in a file, and is a right of its own.
_GIVE_OUT = ("open", "download", "copy", "export")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    rules: tuple[Rule, ...]
    document: Document


@click.group(cls=Noun)
def policy() -> None:
    """Look at the policy files.

    Example: `jupyter authz policy validate`
    """


@policy.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def validate(desk: Desk, folder: str | None, as_json: bool) -> int:
    """Show every mistake in policy files.

    They are read as the server reads them; each mistake comes with its file and line.
    A note tells of a rule that may keep back less than it seems to, and of a rule, grant or
    group that names a person or group that is not known here.
    Without DIR, those that the server reads.
    Exits 3 where they do not load.

    Example: `jupyter authz policy validate ./new-policy`
    """
    place = desk.policy_folder(folder)
    found, mistakes = _checked(place)
    notes = [] if found is None else [*_left_open(found), *_unknown(desk, found)]
    if as_json:
        write_json(
            {
                "loads": not mistakes,
                "folder": None if place is None else str(place),
                "mistakes": [
                    {"source": each.source, "line": each.line, "message": each.message}
                    for each in mistakes
                ],
                "notes": notes,
            }
        )
    elif mistakes:
        tell(mistakes)
    elif found is not None:
        say(f"loads: {_sizes(found)}")
        for each in notes:
            note(f"note: {each}")
    return DOES_NOT_LOAD if mistakes else 0


@policy.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(desk: Desk, as_json: bool) -> int:
    """Show the rules in force, the built-in ones included.

    Exits 3 where the policy does not load.

    Example: `jupyter authz policy show --json`
    """
    place = desk.policy_folder(None)
    found, mistakes = _checked(place)
    if found is None:
        tell(mistakes)
        return DOES_NOT_LOAD
    if as_json:
        write_json(
            {
                "folder": None if place is None else str(place),
                "rules": [
                    {
                        "id": rule.id,
                        "effect": rule.effect.value,
                        "source": rule.source,
                        "text": rule.text,
                    }
                    for rule in found.rules
                ],
                "people": [each.name for each in found.document.people],
                "groups": [each.name for each in found.document.groups],
                "grants": [each.id for each in found.document.grants],
            }
        )
        return 0
    say(f"folder: {place or 'none; only the built-in rules are in force'}")
    say(_sizes(found))
    write_table(
        ("effect", "rule", "source", "text"),
        [
            (rule.effect.value, rule.id, rule.source, " ".join(rule.text.split()))
            for rule in found.rules
        ],
        empty="no rules",
    )
    return 0


def _checked(folder: Path | None) -> tuple[_Loaded | None, tuple[Mistake, ...]]:
    """The policy as the server would load it, or every mistake that keeps it from loading."""
    _tell_what_is_not_read(folder)
    try:
        found = policy_folder.read_policy(folder)
    except PolicyError as error:
        return None, error.mistakes
    return _Loaded(rules=found.rules, document=found.document), ()


def _tell_what_is_not_read(folder: Path | None) -> None:
    if folder is None:
        return
    inside = sorted(folder.iterdir())
    read = policy_folder.policy_files(folder)
    others = [each.name for each in inside if each not in read]
    endings = " and ".join(f"`*{suffix}`" for suffix in policy_folder.POLICY_SUFFIXES)
    if others:
        names = ", ".join(f"`{name}`" for name in others[:10])
        note(f"note: not read, since only {endings} are: {names}")
    if not read:
        note(f"note: `{folder}` holds no policy file; only the built-in rules are in force")


def _unknown(desk: Desk, found: _Loaded) -> list[str]:
    """Whom the files name that there is not here; who comes in by a hub may come later."""
    known = desk.directory(found.document)
    if known is None:
        return []
    names = {
        *(("User", each) for each in known.people),
        *(("Group", each) for each in (*known.groups, EVERYONE)),
    }
    named = [
        (rule.source, f"`{rule.id}`", pair)
        for rule in found.rules
        for pair in dict.fromkeys(rule.entities())
    ]
    written = [(each.source, "the grant", each.principal) for each in found.document.grants]
    for group in found.document.groups:
        written += [(group.place, f"the group `{group.name}`", each) for each in group.members]
    for source, what, member in written:
        kind, _, name = member.partition(":")
        named.append((source, what, (kind.capitalize(), name)))
    return [
        f"{source}: {what} names {_CALLED[kind]} `{name}`, which neither the policy "
        "files nor the store know; until something is called so, it speaks of nobody"
        for source, what, (kind, name) in named
        if kind in _CALLED and (kind, name) not in names
    ]


def _left_open(found: _Loaded) -> list[str]:
    """Where a rule keeps back less than whoever wrote it may have meant."""
    notes = []
    for rule in found.rules:
        kept = [action for action in _GIVE_OUT if rule.covers("contents", action)]
        if rule.effect is Effect.FORBID and "open" in kept and len(kept) < len(_GIVE_OUT):
            left = ", ".join(f"`{action}`" for action in _GIVE_OUT if action not in kept)
            notes.append(
                f"{rule.source}: `{rule.id}` forbids `open` and leaves {left}, which give out "
                'the same; to keep contents back, forbid `action in Jupyter::Action::"read"`'
            )
    return notes


def _sizes(found: _Loaded) -> str:
    document = found.document
    return (
        f"{len(found.rules)} rules with the built-in ones, {len(document.people)} people, "
        f"{len(document.groups)} groups, {len(document.grants)} grants"
    )


policy.add_command(trial.test)
policy.add_command(trial.diff)
policy.add_command(suggest)
