"""`tokens`: what programs sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import acts
from ..credentials import new_secret
from ..errors import InvalidName
from .desk import person_name
from .noun import Noun
from .output import note, say, write_json, write_table

if TYPE_CHECKING:
    from ..store import Store
    from .desk import Desk

#: Tokens of one name that are told at once.
_SHOWN = 10


@click.group(cls=Noun, alone="list")
def tokens() -> None:
    """List, add and revoke API tokens.

    Example: `jupyter authz tokens list`
    """


@tokens.command()
@click.argument("person")
@click.argument("name")
@click.option(
    "--expires",
    "--until",
    metavar="WHEN",
    help="When it ends: `2027-01-31`, `friday`, or `2h`, `3d`, `1w`.",
)
@click.option(
    "--only",
    type=(str, str),
    multiple=True,
    metavar="LEVEL RESOURCE",
    help="What of the person's rights it has; may be given several times.",
)
@click.pass_obj
def add(
    desk: Desk, person: str, name: str, expires: str | None, only: tuple[tuple[str, str], ...]
) -> None:
    """Make a token that lets a program ask as a person.

    It is printed this once, alone on standard output; only its hash is kept.
    With `--only` it has no more than that, and never more than the person.

    Example: `jupyter authz tokens add ada agent --only viewer contents:/team --expires 2h`
    """
    owner = person_name(person)
    secret = new_secret()
    with desk.change() as change:
        token = change.store.add_token(
            secret.id,
            secret.hash,
            name,
            owner,
            desk.moment(expires, last=True),
            desk.now,
            scope=only or None,
        )
        change.record(*acts.token_added(token))
    until = "without end" if token.expires is None else f"until {desk.show(token.expires)}"
    note(f"token `{token.name}` of `user:{owner}`, {until}; keep it, it is not shown again:")
    say(secret.text)
    note(f"take it back with: jupyter authz tokens revoke {token.id}")


@tokens.command("list")
@click.argument("person", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(desk: Desk, person: str | None, as_json: bool) -> None:
    """Show the tokens there are, also expired ones; never their secrets.

    Example: `jupyter authz tokens list ada`
    """
    with desk.store() as store:
        found = store.tokens(None if person is None else person_name(person))
    if as_json:
        write_json(
            [
                {
                    "id": each.id,
                    "name": each.name,
                    "person": each.person,
                    "created": each.created,
                    "expires": each.expires,
                    "last_used": each.last_used,
                    "scope": None if each.scope is None else [list(pair) for pair in each.scope],
                }
                for each in found
            ]
        )
        return
    write_table(
        ("id", "person", "name", "only", "made", "until", "last used"),
        [
            (
                each.id,
                each.person,
                each.name,
                ", ".join(f"{level} {on}" for level, on in each.scope or ()),
                desk.show(each.created),
                desk.show(each.expires),
                desk.show(each.last_used) or "never",
            )
            for each in found
        ],
        empty="no tokens",
    )


@tokens.command()
@click.argument("which", metavar="ID | NAME")
@click.pass_obj
def revoke(desk: Desk, which: str) -> None:
    """Remove a token; whoever holds it is let in no more.

    Where several are called so, none is removed, and it says which there are.

    Example: `jupyter authz tokens revoke agent`
    """
    with desk.change() as change:
        token = change.store.remove_token(_id_of(change.store, which))
        change.record(*acts.token_revoked(token))
    say(f"token `{token.name}` of `user:{token.person}` is revoked")


def _id_of(store: Store, which: str) -> str:
    """The id of the token that is meant by an id or a name; what is neither stays.

    Raises:
        InvalidName: several have that name.
    """
    called = () if store.token(which) else store.tokens_named(which)
    if len(called) > 1:
        each = ", ".join(f"`{one.id}` of `user:{one.person}`" for one in called[:_SHOWN])
        more = f" and {len(called) - _SHOWN} more" if len(called) > _SHOWN else ""
        msg = f"{len(called)} tokens have that name; name one by its id: {each}{more}"
        raise InvalidName(msg)
    return called[0].id if called else which
