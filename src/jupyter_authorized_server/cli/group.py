"""`groups`: principals under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import acts
from ..errors import DuplicateName, UnknownName
from ..policy.model import parse_principal
from .desk import member_name
from .noun import Noun
from .output import say, write_json, write_table

if TYPE_CHECKING:
    from ..store import State
    from .desk import Change, Desk

_MEMBERS = click.argument("members", metavar="MEMBER...", nargs=-1, required=True)


@click.group(cls=Noun, alone="list")
def groups() -> None:
    """List, add and remove groups, and fill them.

    A MEMBER is a person, `ada`, or another group, `group:NAME`.

    Example: `jupyter authz groups list`
    """


@groups.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """Show all groups with their members.

    Example: `jupyter authz groups list --json`
    """
    view = desk.view()
    directory = view.directory
    rows = [
        {
            "name": name,
            "members": list(members),
            "all_members": list(directory.members_of(name)),
            "sources": [
                *("store" for group in view.state.groups if group.name == name),
                *(entry.place for entry in view.document.groups if entry.name == name),
            ],
        }
        for name, members in sorted(directory.groups.items())
    ]
    if as_json:
        write_json(rows)
        return
    write_table(
        ("group", "members", "source"),
        [(row["name"], ", ".join(row["members"]), ", ".join(row["sources"])) for row in rows],
        empty="no groups yet; `jupyter authz groups add NAME MEMBER` adds one",
    )


@groups.command()
@click.argument("name")
@click.argument("members", metavar="[MEMBER]...", nargs=-1)
@click.pass_obj
def add(desk: Desk, name: str, members: tuple[str, ...]) -> None:
    """Add a group, with its first members.

    Example: `jupyter authz groups add team ada bob`
    """
    name = _group(name)
    written = _members(members)
    with desk.change() as change:
        _require(change.store.state(), written)
        change.store.add_group(name, now=desk.now)
        change.record(*acts.group_added(name))
        change.say(f"added `group:{name}`")
        _join(change, name, written)


@groups.command()
@click.argument("name")
@click.pass_obj
def remove(desk: Desk, name: str) -> None:
    """Remove a group with its grants; its members stay.

    Example: `jupyter authz groups remove team`
    """
    name = _group(name)
    with desk.change() as change:
        lost = [g.id for g in change.store.state().grants if g.principal == f"group:{name}"]
        change.store.remove_group(name)
        change.record(*acts.group_removed(name, lost))
    say(f"removed `group:{name}`, with grants: {', '.join(lost) or 'none'}")


@groups.command()
@click.argument("group")
@_MEMBERS
@click.pass_obj
def join(desk: Desk, group: str, members: tuple[str, ...]) -> None:
    """Put people or groups into a group.

    Example: `jupyter authz groups join team ada group:guests`
    """
    name = _group(group)
    written = _members(members)
    with desk.change() as change:
        _require(change.store.state(), (f"group:{name}", *written))
        _join(change, name, written)


@groups.command()
@click.argument("group")
@_MEMBERS
@click.pass_obj
def leave(desk: Desk, group: str, members: tuple[str, ...]) -> None:
    """Take people or groups out of a group.

    Example: `jupyter authz groups leave team ada`
    """
    name = _group(group)
    written = _members(members)
    with desk.change() as change:
        state = change.store.state()
        _require(state, (f"group:{name}",))
        inside = next(each.members for each in state.groups if each.name == name)
        for member in written:
            if member not in inside:
                msg = (
                    f"`{member}` is not directly in `group:{name}`, so nothing was changed; "
                    "`jupyter authz groups list` shows its members"
                )
                raise UnknownName(msg)
        for member in written:
            change.store.remove_member(name, member)
            change.record(*acts.left(name, member))
            change.say(f"`{member}` is no longer in `group:{name}`")


def _join(change: Change, name: str, members: tuple[str, ...]) -> None:
    for member in members:
        try:
            change.store.add_member(name, member)
        except DuplicateName:
            change.say(f"`{member}` is in `group:{name}` already")
            continue
        change.record(*acts.joined(name, member))
        change.say(f"`{member}` is in `group:{name}` now")


def _group(text: str) -> str:
    return parse_principal(f"group:{text.removeprefix('group:')}").removeprefix("group:")


def _members(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member_name(text) for text in texts))


def _require(state: State, written: tuple[str, ...]) -> None:
    """See that all exist in the store, so that nothing is done by halves."""
    there = {f"user:{person.name}" for person in state.people}
    there |= {f"group:{group.name}" for group in state.groups}
    missing = [name for name in written if name not in there]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing[:5])
        msg = (
            f"there is no {names} in the store, so nothing was changed; `jupyter authz users "
            "list` and `jupyter authz groups list` show who there is"
        )
        raise UnknownName(msg)
