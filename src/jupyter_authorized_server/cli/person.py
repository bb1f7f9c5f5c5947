"""`users`: who may sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import acts, mistakes
from ..errors import DuplicateName, InvalidName, UnknownName
from ..policy.vocabulary import parse_level, parse_resource
from .desk import actor, person_name
from .noun import Noun
from .output import argument, say, write_json, write_table
from .password import ask_password

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..store import Person
    from .desk import Desk

_FROM_STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group(cls=Noun, alone="list")
def users() -> None:
    """List, add and remove people, and their login sessions.

    Example: `jupyter authz users list`
    """


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(desk: Desk, as_json: bool) -> None:
    """Show everybody in the store and the policy files.

    Example: `jupyter authz users list --json`
    """
    view = desk.view()
    groups_of = view.directory.groups_of
    stored = {person.name for person in view.state.people}
    rows = [
        {
            "name": person.name,
            "display_name": person.display_name,
            "has_password": person.has_password,
            "disabled": person.disabled,
            "service": person.service,
            "groups": list(groups_of(f"user:{person.name}")),
            "created": person.created,
            "source": "store",
        }
        for person in view.state.people
    ]
    rows += [
        {
            "name": entry.name,
            "display_name": entry.display_name,
            "has_password": False,
            "disabled": False,
            "service": False,
            "groups": list(groups_of(f"user:{entry.name}")),
            "created": None,
            "source": entry.place,
        }
        for entry in view.document.people
        if entry.name not in stored
    ]
    if as_json:
        write_json(rows)
        return
    write_table(
        ("name", "shown as", "state", "groups", "added", "source"),
        [
            (
                row["name"],
                row["display_name"],
                _state(
                    disabled=row["disabled"] is True,
                    has_password=row["has_password"] is True,
                    service=row["service"] is True,
                ),
                ", ".join(groups_of(f"user:{row['name']}")),
                desk.show(row["created"] if isinstance(row["created"], float) else None),
                row["source"],
            )
            for row in rows
        ],
        empty="nobody yet; `jupyter authz users add NAME --level admin` adds the first",
    )


def _state(*, disabled: bool, has_password: bool, service: bool) -> str:
    if disabled:
        return "disabled service" if service else "disabled"
    if service:
        return "service"
    return "active" if has_password else "no password"


@users.command()
@click.argument("name")
@click.option("--name", "display_name", metavar="TEXT", default="", help="What pages show.")
@_FROM_STDIN
@click.option("--no-password", is_flag=True, help="Let them in by token only, for now.")
@click.option(
    "--service", is_flag=True, help="Add a program that is nobody's, and comes with tokens alone."
)
@click.option("--level", help="Grant this level at once.")
@click.option(
    "--on", metavar="RESOURCE", help="What the level is granted on; `server:` if not given."
)
@click.pass_obj
def add(
    desk: Desk,
    *,
    name: str,
    display_name: str,
    password_stdin: bool,
    no_password: bool,
    service: bool,
    level: str | None,
    on: str | None,
) -> None:
    """Add a person; asks for a password unless told otherwise.

    With `--service` it is a program of nobody's, which has no password and never gets one.

    Example: `jupyter authz users add ada --name "Ada Lovelace" --level editor --on contents:/team`
    """
    if password_stdin and no_password:
        raise InvalidName("`--password-stdin` and `--no-password` exclude each other")
    if password_stdin and service:
        raise InvalidName("a service has no password; leave `--password-stdin` out")
    if on is not None and level is None:
        raise InvalidName("`--on` needs a `--level` to grant there")
    name = person_name(name)
    word = None if level is None else parse_level(level).word
    resource = parse_resource("server:" if on is None else on).name
    with desk.change() as change:
        if any(person.name == name for person in change.store.state().people):
            raise DuplicateName(mistakes.person_there(name))
        without = no_password or service
        hashed = None if without else ask_password(name, from_stdin=password_stdin)
        added = change.store.add_person(
            name, display_name=display_name, password_hash=hashed, now=desk.now, service=service
        )
        change.record(*acts.person_added(added))
        change.say(f"added `user:{name}`" + (", a service" if service else ""))
        if service:
            make = f"jupyter authz tokens add {argument(name)} NAME"
            change.say(f"it needs a token: `{make}`")
        if word is None:
            grant = f"jupyter authz grant {argument(f'user:{name}')} LEVEL RESOURCE"
            change.say(f"they may do nothing yet; `{grant}`")
            return
        given = change.store.add_grant(
            principal=f"user:{name}",
            level=word,
            resource=resource,
            now=desk.now,
            granted_by=actor(),
        )
        change.record(*acts.given(given))
        change.say(
            f"granted `{given.level}` on `{given.resource}` to `{given.principal}`: {given.id}"
        )


@users.command()
@click.argument("name")
@click.pass_obj
def remove(desk: Desk, name: str) -> None:
    """Remove a person, with all that is theirs here.

    Their memberships, grants, tokens and login sessions go, their files stay.

    Example: `jupyter authz users remove ada`
    """
    name = person_name(name)
    with desk.change() as change:
        lost = [g.id for g in change.store.state().grants if g.principal == f"user:{name}"]
        change.store.remove_person(name)
        change.record(*acts.person_removed(name, lost))
    say(f"removed `user:{name}`, with grants: {', '.join(lost) or 'none'}")


@users.command()
@click.argument("name")
@_FROM_STDIN
@click.pass_obj
def password(desk: Desk, name: str, password_stdin: bool) -> None:
    """Give a person a new password.

    That ends all their login sessions.

    Example: `jupyter authz users password ada`
    """
    name = person_name(name)
    with desk.change() as change:
        _require(name, change.store.state().people)
        if any(each.name == name and each.service for each in change.store.state().people):
            raise InvalidName(mistakes.service_without_password(name))
        hashed = ask_password(name, from_stdin=password_stdin)
        change.store.set_password_hash(name, hashed)
        change.record("password_set", {"person": f"user:{name}"})
    say(f"the password of `user:{name}` is changed; their login sessions are ended")


@users.command()
@click.argument("name")
@click.pass_obj
def disable(desk: Desk, name: str) -> None:
    """Shut a person out at once, without removing anything of theirs.

    Example: `jupyter authz users disable ada`
    """
    name = person_name(name)
    with desk.change() as change:
        change.store.set_disabled(name, disabled=True)
        change.record(*acts.person_disabled(name, disabled=True))
    undo = f"jupyter authz users enable {argument(name)}"
    say(f"`user:{name}` is disabled; `{undo}` lets them in again")


@users.command()
@click.argument("name")
@click.pass_obj
def enable(desk: Desk, name: str) -> None:
    """Let a disabled person in again.

    Example: `jupyter authz users enable ada`
    """
    name = person_name(name)
    with desk.change() as change:
        change.store.set_disabled(name, disabled=False)
        change.record(*acts.person_disabled(name, disabled=False))
    say(f"`user:{name}` is enabled")


@users.command()
@click.argument("name", required=False)
@click.option("--end", metavar="ID", help="Sign that one browser out.")
@click.option("--end-all", metavar="NAME", help="Sign this person out everywhere.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def sessions(
    desk: Desk, name: str | None, end: str | None, end_all: str | None, as_json: bool
) -> None:
    """Show who is signed in, or sign somebody out.

    Each login session is one browser.

    Example: `jupyter authz users sessions --end-all ada`
    """
    if sum(given is not None for given in (name, end, end_all)) > 1:
        raise InvalidName("give one of NAME, `--end ID` and `--end-all NAME`")
    if end is not None:
        _end(desk, end)
    elif end_all is not None:
        _end_all(desk, person_name(end_all))
    else:
        _list_sessions(desk, None if name is None else person_name(name), as_json=as_json)


def _end(desk: Desk, id_: str) -> None:
    with desk.change() as change:
        found = change.store.login_session(id_)
        if found is None or not change.store.end_login_session(id_):
            msg = "no login session has that id; `jupyter authz users sessions` lists them"
            raise UnknownName(msg)
        change.record(*acts.session_ended(found[0]))
    say(f"the login session `{id_}` is ended")


def _end_all(desk: Desk, name: str) -> None:
    with desk.change() as change:
        many = change.store.end_login_sessions(name)
        change.record(*acts.signed_out(name, many))
    say(f"`user:{name}` is signed out everywhere: {many} login session{'s' * (many != 1)} ended")


def _list_sessions(desk: Desk, name: str | None, *, as_json: bool) -> None:
    with desk.store() as store:
        found = [each for each in store.login_sessions(name) if each.expires > desk.now]
    if as_json:
        write_json(
            [
                {
                    "id": each.id,
                    "person": each.person,
                    "created": each.created,
                    "expires": each.expires,
                    "last_seen": each.last_seen,
                    "address": each.address,
                    "agent": each.agent,
                }
                for each in found
            ]
        )
        return
    write_table(
        ("id", "person", "since", "last seen", "until", "address", "browser"),
        [
            (
                each.id,
                each.person,
                desk.show(each.created),
                desk.show(each.last_seen),
                desk.show(each.expires),
                each.address,
                each.agent,
            )
            for each in found
        ],
        empty="nobody is signed in",
    )


def _require(name: str, people: Iterable[Person]) -> None:
    if all(person.name != name for person in people):
        msg = f"there is no person `{name}`; `jupyter authz users list` shows who there is"
        raise UnknownName(msg)
