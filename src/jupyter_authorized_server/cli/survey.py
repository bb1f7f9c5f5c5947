"""`who-can` and `what-can`: questions about many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import inquiry
from ..policy.model import parse_principal
from ..policy.vocabulary import parse_action, parse_action_of_any, parse_resource
from .output import write_json, write_table

if TYPE_CHECKING:
    from .desk import Desk


@click.command("who-can")
@click.argument("action")
@click.argument("resource")
@click.option("--at", metavar="TIME", help="As if it were that time (ISO 8601).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def who_can(desk: Desk, *, action: str, resource: str, at: str | None, as_json: bool) -> int:
    """Show everybody who may do something, and through what.

    Exits 0 where somebody may, 1 where nobody does.

    Example: `jupyter authz who-can save contents:/team/a.ipynb`
    """
    on = parse_resource(resource)
    asked = parse_action(action, type=on.type)
    with desk.point(at=desk.moment(at)) as point:
        found = [
            (who, point.decide(who, asked, on, door="cli", record=False))
            for who in (
                *inquiry.who_can(point, asked, on, door="cli"),
                *inquiry.guests(point, asked, on, door="cli"),
            )
        ]
    if as_json:
        write_json(
            [
                {
                    "principal": who.name,
                    "through": [
                        {"kind": each.kind, "id": each.id, "scope": each.scope}
                        for each in decision.determining
                    ],
                }
                for who, decision in found
            ]
        )
    else:
        write_table(
            ("principal", "through", "named", "stands on"),
            [
                (who.name, f"{each.kind} {each.id}", each.scope, each.inherited_from or on.name)
                for who, decision in found
                for each in decision.determining[:1]
            ],
            empty="nobody",
        )
    return 0 if found else 1


@click.command("what-can")
@click.argument("principal")
@click.argument("action", default="open")
@click.option("--at", metavar="TIME", help="As if it were that time (ISO 8601).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def what_can(desk: Desk, *, principal: str, action: str, at: str | None, as_json: bool) -> int:
    """Show where a person may do something: the places that grants and rules name.

    What is below one of them is not told apart; a rule may forbid it.
    Exits 0 where there is such a place, 1 where there is none.

    Example: `jupyter authz what-can user:ada save`
    """
    name, act = parse_principal(principal), parse_action_of_any(action)
    with desk.point(at=desk.moment(at)) as point:
        who = point.principal(name)
        found = list(inquiry.what_can(point, who, act, door="cli"))
    if as_json:
        write_json(found)
    else:
        write_table(("resource",), [(each,) for each in found], empty="nowhere")
    return 0 if found else 1
