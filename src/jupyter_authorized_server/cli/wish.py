"""`requests`: who has asked for access, and what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import acts
from ..store import WishState
from .desk import actor
from .noun import Noun
from .output import say, write_json, write_table

if TYPE_CHECKING:
    from ..store import Wish
    from .desk import Desk


@click.group(cls=Noun, alone="list")
def requests() -> None:
    """List and answer requests for access.

    Example: `jupyter authz requests list`
    """


@requests.command("list")
@click.option("--all", "all_", is_flag=True, help="Also those that are answered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(desk: Desk, *, all_: bool, as_json: bool) -> None:
    """Show what waits for an answer.

    Example: `jupyter authz requests list --all`
    """
    with desk.store() as store:
        found = [each for each in store.wishes() if all_ or each.state is WishState.OPEN]
    if as_json:
        write_json(
            [
                {
                    "id": each.id,
                    "person": each.person,
                    "level": each.level,
                    "resource": each.resource,
                    "note": each.note,
                    "created": each.created,
                    "state": each.state.value,
                    "decided": each.decided,
                    "decided_by": each.decided_by,
                    "answer": each.answer,
                    "grant": each.grant_id,
                }
                for each in found
            ]
        )
        return
    write_table(
        ("id", "person", "level", "resource", "since", "state", "note"),
        [
            (
                each.id,
                each.person,
                each.level,
                each.resource,
                desk.show(each.created),
                each.state.value,
                each.note,
            )
            for each in found
        ],
        empty="no requests",
    )


@requests.command()
@click.argument("id_", metavar="ID")
@click.option("--level", help="Another level than was asked for.")
@click.option(
    "--until", metavar="WHEN", help="When it ends: `2027-01-31`, `friday`, or `2h`, `3d`, `1w`."
)
@click.option("--note", "said", metavar="TEXT", default="", help="For whoever asked.")
@click.pass_obj
def approve(desk: Desk, *, id_: str, level: str | None, until: str | None, said: str) -> None:
    """Give what was asked for, or less.

    Example: `jupyter authz requests approve w-0123456789ab --level viewer --until 1w`
    """
    ends = desk.moment(until, last=True)
    done = _answer(desk, id_, WishState.APPROVED, level=level, ends=ends, said=said)
    say(f"granted to `user:{done.person}` on `{done.resource}`: {done.grant_id}")
    say(f"take it back with: jupyter authz revoke {done.grant_id}")


@requests.command()
@click.argument("id_", metavar="ID")
@click.option("--note", "said", metavar="TEXT", default="", help="For whoever asked.")
@click.pass_obj
def refuse(desk: Desk, *, id_: str, said: str) -> None:
    """Refuse what was asked for.

    Example: `jupyter authz requests refuse w-0123456789ab --note "ask me on Monday"`
    """
    done = _answer(desk, id_, WishState.REFUSED, said=said)
    say(f"`user:{done.person}` is not given `{done.level}` on `{done.resource}`")


def _answer(
    desk: Desk,
    id_: str,
    state: WishState,
    *,
    said: str,
    level: str | None = None,
    ends: float | None = None,
) -> Wish:
    with desk.change() as change:
        done = change.store.answer_wish(
            id_, state, by=actor(), now=desk.now, level=level, ends=ends, answer=said
        )
        change.record(*acts.answered(done, level))
    return done
