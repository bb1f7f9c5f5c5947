"""`links`: what hands a level to whoever redeems it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import acts, inquiry
from ..credentials import new_secret
from ..errors import AuthorizationError, InvalidName
from ..policy.vocabulary import LEVEL_SENTENCES, parse_level, parse_resource
from .desk import person_name
from .noun import Noun
from .output import note, say, write_json, write_table

if TYPE_CHECKING:
    from ..policy.vocabulary import Level
    from .desk import Desk

_COLUMNS = ("id", "level", "resource", "made by", "until", "used", "of", "guests", "note")


@click.group(cls=Noun, alone="list")
def links() -> None:
    """List, make and remove links.

    Example: `jupyter authz links list`
    """


@links.command()
@click.argument("person")
@click.argument("level")
@click.argument("resource")
@click.option("--until", metavar="WHEN", default="24h", help="When it ends; a day from now.")
@click.option("--uses", type=int, metavar="N", help="How many people may redeem it.")
@click.option("--grants-until", metavar="WHEN", help="When what it hands out ends.")
@click.option("--guests", is_flag=True, help="Also for who has not signed in; `viewer` only.")
@click.option("--note", "why", metavar="TEXT", default="", help="Why, for whoever reads it later.")
@click.pass_obj
def add(
    desk: Desk,
    *,
    person: str,
    level: str,
    resource: str,
    until: str,
    uses: int | None,
    grants_until: str | None,
    guests: bool,
    why: str,
) -> None:
    """Make a link in the name of a person, who must be able to give as much.

    A link for guests shows what the rules let `anonymous` see, and no more.

    Its secret is printed this once, alone on standard output; only its hash is kept.

    Example: `jupyter authz links add ada viewer contents:/team --uses 30`
    """
    owner, secret = person_name(person), new_secret()
    word, on = parse_level(level), parse_resource(resource).name
    ends = desk.moment(until, last=True)
    if ends is None:
        msg = "a link has an end; name one"
        raise InvalidName(msg)
    with desk.change() as change:
        made = change.store.add_link(
            secret.id,
            secret.hash,
            person=owner,
            level=word.word,
            resource=on,
            expires=ends,
            now=desk.now,
            grant_ends=desk.moment(grants_until, last=True),
            uses=uses,
            note=why,
            guests=guests,
        )
        change.record(*acts.link_added(made))
    if _may_give(desk, owner, word, made.resource):
        note(f"whoever redeems it until {desk.show(made.expires)}, {LEVEL_SENTENCES[word]}")
    else:
        note(
            f"note: `user:{owner}` may not give that now, so nobody gets anything by it until "
            f"they may; `jupyter authz grant user:{owner} manager {made.resource}` lets them"
        )
    page = "guest" if guests else "link"
    note(f"open it as `/authz/{page}?key=` and this, below the server's address:")
    say(secret.text)
    note(f"remove it with: jupyter authz links remove {made.id}")


def _may_give(desk: Desk, owner: str, level: Level, resource: str) -> bool:
    """Whether `owner` may give that now, as whoever redeems the link will need them to."""
    on = parse_resource(resource)
    try:
        with desk.point() as point:
            maker = point.principal(f"user:{owner}")
            return all(
                point.decide(maker, action, each, door="http", record=False, lift=False).allowed
                for action, each in [("share", on), *inquiry.needed(on, level.word)]
            )
    except AuthorizationError:
        return True  # A policy that does not load says nothing about it.


@links.command("list")
@click.option("--expired", is_flag=True, help="Those that have ended, instead of the others.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(desk: Desk, *, expired: bool, as_json: bool) -> None:
    """Show the links there are; never their secrets.

    Example: `jupyter authz links list`
    """
    with desk.store() as store:
        found = [each for each in store.links() if (each.expires <= desk.now) == expired]
    if as_json:
        write_json(
            [
                {
                    "id": each.id,
                    "person": each.person,
                    "level": each.level,
                    "resource": each.resource,
                    "created": each.created,
                    "expires": each.expires,
                    "grant_ends": each.grant_ends,
                    "uses": each.uses,
                    "used": each.used,
                    "note": each.note,
                    "guests": each.guests,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.id,
            each.level,
            each.resource,
            each.person,
            desk.show(each.expires),
            each.used,
            "any" if each.uses is None else each.uses,
            "yes" if each.guests else "no",
            each.note,
        )
        for each in found
    ]
    write_table(_COLUMNS, rows, empty="no links")


@links.command()
@click.argument("id_", metavar="ID")
@click.pass_obj
def remove(desk: Desk, id_: str) -> None:
    """Remove a link; what it has handed out stays until it is taken back.

    Example: `jupyter authz links remove 0a1b2c3d4e5f`
    """
    with desk.change() as change:
        gone = change.store.remove_link(id_)
        change.record(*acts.link_removed(gone))
    say(f"the link `{gone.id}` to `{gone.resource}` is removed; {gone.used} have used it")
