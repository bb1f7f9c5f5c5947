"""`grant`, `revoke` and `grants`: who has which level on what, until when."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .. import acts
from ..errors import InvalidName, UnknownName
from ..policy.model import EVERYONE, Principal, parse_principal
from ..policy.vocabulary import LEVEL_SENTENCES, parse_level, parse_resource
from .desk import actor
from .noun import Noun
from .output import note, say, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..policy.model import Grant
    from .desk import Desk, View


@click.command()
@click.argument("principal")
@click.argument("level")
@click.argument("resource")
@click.option(
    "--until", metavar="WHEN", help="When it ends: `2027-01-31`, `friday`, or `2h`, `3d`, `1w`."
)
@click.option("--from", "starts", metavar="WHEN", help="When it begins; at once if not given.")
@click.option("--note", "why", metavar="TEXT", default="", help="Why, for whoever reads it later.")
@click.option("--uses", type=int, metavar="N", help="How often it counts; always if not given.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether everyone is meant.")
@click.pass_obj
def grant(
    desk: Desk,
    *,
    principal: str,
    level: str,
    resource: str,
    until: str | None,
    starts: str | None,
    why: str,
    uses: int | None,
    yes: bool,
) -> None:
    """Give a principal a level on a resource.

    It holds for all that is below the resource, too.
    A principal is `user:NAME`, `group:NAME` or `everyone`; on a terminal it asks whether
    everyone is meant.

    Example: `jupyter authz grant group:team editor contents:/team --until 2w`
    """
    to = parse_principal(principal)
    word = parse_level(level)
    on = parse_resource(resource).name
    begin, end = desk.moment(starts), desk.moment(until, last=True)
    if to == EVERYONE and not yes and sys.stdin.isatty():
        sentence = f"this lets everyone who can sign in use it: they {LEVEL_SENTENCES[word]}"
        click.confirm(f"{sentence}; is that meant?", abort=True, err=True)
    with desk.change() as change:
        given = change.store.add_grant(
            principal=to,
            level=word.word,
            resource=on,
            now=desk.now,
            starts=begin,
            ends=end,
            granted_by=actor(),
            note=why,
            uses=uses,
        )
        change.record(*acts.given(given, uses=uses))
    often = "" if uses is None else f", {uses} times"
    say(f"granted `{given.level}` on `{given.resource}` to `{given.principal}`"
        f"{_span(desk, given)}{often}: {given.id}")  # fmt: skip
    say(f"they {LEVEL_SENTENCES[word]}")
    say(f"take it back with: jupyter authz revoke {given.id}")


@click.command()
@click.argument("what", metavar="GRANT_ID | PRINCIPAL [LEVEL] RESOURCE", nargs=-1, required=True)
@click.option("--all", "all_", is_flag=True, help="Take all back where several match.")
@click.pass_obj
def revoke(desk: Desk, what: tuple[str, ...], all_: bool) -> None:
    """Take a grant back.

    Says what other grants still reach that principal there.

    Example: `jupyter authz revoke user:ada editor contents:/team`
    """
    if len(what) == 1 and _drop_orphan(desk, what[0]):
        return
    before = desk.view()
    found = _matching(before, what)
    if len(found) > 1 and not all_:
        _show(desk, found)
        msg = (
            f"these {len(found)} grants match, so none was taken back; name one by its id, or "
            "all with `--all`"
        )
        raise InvalidName(msg)
    with desk.change() as change:
        for each in found:
            taken = change.store.remove_grant(each.id)
            change.record(*acts.taken_back(taken))
            change.say(
                f"took back `{taken.level}` on `{taken.resource}` from `{taken.principal}`: "
                f"{taken.id}"
            )
    gone = {each.id for each in found}
    for principal, resource in dict.fromkeys((each.principal, each.resource) for each in found):
        _tell_what_remains(desk, before, principal, resource, gone)


def _drop_orphan(desk: Desk, id_: str) -> bool:
    """Take back the orphan `id_` for good; False where there is none."""
    with desk.store() as store:
        if id_ not in {each.grant.id for each in store.orphans()}:
            return False
    with desk.change() as change:
        taken = change.store.remove_orphan(id_).grant
        change.record(*acts.taken_back(taken))
    say(f"took back `{taken.level}` on `{taken.resource}` from `{taken.principal}`: {taken.id}")
    return True


def _matching(view: View, what: tuple[str, ...]) -> list[Grant]:
    """The grants of the store that the arguments of `revoke` mean; at least one.

    Raises:
        InvalidName: they mean nothing.
        UnknownName: they mean no grant that can be taken back here.
    """
    match what:
        case (id_,):
            every = [each for each in view.grants if each.id == id_]
            said = f"no grant has the id `{id_[:60]}`"
        case (principal, *levels, resource) if len(levels) <= 1:
            who, on = parse_principal(principal), parse_resource(resource).name
            level = parse_level(levels[0]).word if levels else None
            every = [
                each
                for each in view.grants
                if each.principal == who and each.resource == on and level in {None, each.level}
            ]
            said = f"`{who}` has no grant of {f'`{level}`' if level else 'its own'} on `{on}`"
        case _:
            msg = "name a grant's id, or a principal, perhaps a level, and a resource"
            raise InvalidName(msg)
    found = [each for each in every if each.source == "store"]
    if every and not found:
        places = ", ".join(each.source for each in every[:5])
        msg = f"this grant is written in a policy file: remove it there, at {places}"
        raise UnknownName(msg)
    if not found:
        msg = f"{said}; `jupyter authz grants list` shows those there are"
        raise UnknownName(msg)
    return found


def _tell_what_remains(
    desk: Desk, view: View, principal: str, resource: str, gone: set[str]
) -> None:
    """The grants that still reach `resource`: the principal's, its groups', everyone's."""
    groups = view.directory.groups_of(principal)
    keys = Principal(name=principal, groups=groups).keys
    chain = parse_resource(resource).chain
    remaining = [
        each
        for each in view.grants
        if each.id not in gone
        and each.principal in keys
        and each.resource in chain
        and (each.ends is None or each.ends > desk.now)
    ]
    if not remaining:
        say(f"no other grant reaches `{principal}` on `{resource}`")
        return
    say(f"`{principal}` still reaches `{resource}` through:")
    _show(desk, remaining)


@click.group(cls=Noun, alone="list", invoke_without_command=True)
@click.option("--orphans", is_flag=True, help="Show those whose file is gone.")
@click.option("--json", "as_json", is_flag=True, help="With `--orphans`: print JSON.")
@click.pass_context
def grants(context: click.Context, *, orphans: bool, as_json: bool) -> None:
    """Look at the grants; `grant` and `revoke` change them.

    A grant whose file is gone is an orphan: it counts for nothing, until the file is
    back or somebody adopts it.

    Example: `jupyter authz grants list`, `jupyter authz grants --orphans`
    """
    if context.invoked_subcommand is not None or not orphans:
        return
    desk: Desk = context.obj
    with desk.store() as store:
        found = store.orphans()
    if as_json:
        write_json([{**asdict(each.grant), "lost": each.lost} for each in found])
        return
    write_table(
        ("id", "principal", "level", "resource", "gone since"),
        [
            (
                each.grant.id,
                each.grant.principal,
                each.grant.level,
                each.grant.resource,
                desk.show(each.lost),
            )
            for each in found
        ],
        empty="no orphans",
    )
    if found:
        say("let one count again with: jupyter authz grants adopt ID")


@grants.command()
@click.argument("id_", metavar="ID")
@click.pass_obj
def adopt(desk: Desk, id_: str) -> None:
    """Let an orphan count again, for what is at its path now.

    Example: `jupyter authz grants adopt g-0123456789ab`
    """
    with desk.change() as change:
        given = change.store.adopt(id_, desk.now)
        change.record(*acts.given(given))
    say(f"`{given.level}` on `{given.resource}` counts again for `{given.principal}`: {given.id}")


@grants.command("list")
@click.option("--principal", metavar="P", help="Only those that name this principal.")
@click.option("--resource", metavar="R", help="Only those that stand on this resource.")
@click.option("--expired", is_flag=True, help="Those that have ended, instead of the others.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(
    desk: Desk, principal: str | None, resource: str | None, expired: bool, as_json: bool
) -> None:
    """Show the grants of the store and the policy files.

    Example: `jupyter authz grants list --principal group:team`
    """
    who = None if principal is None else parse_principal(principal)
    on = None if resource is None else parse_resource(resource).name
    found = [
        each
        for each in desk.view().grants
        if who in {None, each.principal}
        and on in {None, each.resource}
        and (each.ends is not None and each.ends <= desk.now) == expired
    ]
    if as_json:
        with desk.store() as store:
            left = store.counted()
        write_json([{**asdict(each), "uses_left": left.get(each.id)} for each in found])
    elif found:
        _show(desk, found)
    else:
        note("no such grant; `jupyter authz grant PRINCIPAL LEVEL RESOURCE` gives one")


def _show(desk: Desk, grants: Sequence[Grant]) -> None:
    with desk.store() as store:
        left = store.counted()
    write_table(
        ("id", "principal", "level", "resource", "from", "until", "left", "given by", "note"),
        [
            (
                each.id,
                each.principal,
                each.level,
                each.resource,
                desk.show(each.starts),
                desk.show(each.ends),
                left.get(each.id, "always"),
                each.granted_by,
                each.note,
            )
            for each in grants
        ],
        empty="no grants",
    )


def _span(desk: Desk, grant: Grant) -> str:
    begin = f" from {desk.show(grant.starts)}" if grant.starts is not None else ""
    return begin + (f" until {desk.show(grant.ends)}" if grant.ends is not None else "")
