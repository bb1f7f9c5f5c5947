"""`check` and `explain`: may this principal do this action on this resource?"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import click

from .. import inquiry
from ..errors import InvalidName
from ..policy import explanation
from ..policy.model import ANONYMOUS, Answer, Decision, Reasons, parse_principal
from ..policy.vocabulary import ABILITY, parse_action, parse_resource
from .output import argument, say, write_json, write_table
from .view import explain_views

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..policy.model import Principal
    from .desk import Desk

ALLOWED, DENIED, UNDECIDED = 0, 1, 2


def _how(command: Callable[..., int]) -> Callable[..., int]:
    """The options of a question: as if when and from where, and how it is answered."""
    for decorate in reversed(
        (
            click.option("--at", metavar="TIME", help="As if it were that time (ISO 8601)."),
            click.option("--address", metavar="IP", help="As if asked from that address."),
            click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON."),
        )
    ):
        command = decorate(command)
    return command


@click.command()
@click.argument("principal")
@click.argument("action")
@click.argument("resource")
@_how
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit code answers.")
@click.pass_obj
def check(
    desk: Desk,
    *,
    principal: str,
    action: str,
    resource: str,
    at: str | None,
    address: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Ask whether a person may do something.

    Says why in one sentence.
    Exits 0 for allow, 1 for deny, 2 where it could not be decided.
    Nothing is recorded.

    Example: `jupyter authz check user:ada save contents:/team/a.ipynb`
    """
    who, decision, could = _decide(desk, principal, action, resource, at=at, address=address)
    if as_json and not quiet:
        write_json(explanation.as_json(decision, who.groups, could))
    elif not quiet:
        say(f"{decision.answer.value}: {decision.reason_admin or decision.reason_user}")
    return _code(decision)


@click.command()
@click.argument("principal", required=False)
@click.argument("action", required=False)
@click.argument("resource", required=False)
@_how
@click.option(
    "--view", "of_view", is_flag=True, help="Show instead what a person's kernels are shown."
)
@click.option("--user", metavar="PRINCIPAL", help="With `--view`: only this person's kernels.")
@click.option(
    "--root",
    metavar="FOLDER",
    default=".",
    show_default="the current folder",
    help="With `--view`: the server's contents root.",
)
@click.pass_obj
def explain(
    desk: Desk,
    *,
    principal: str | None,
    action: str | None,
    resource: str | None,
    at: str | None,
    address: str | None,
    as_json: bool,
    of_view: bool,
    user: str | None,
    root: str,
) -> int:
    """Show a whole decision, with what determined it; or the view of a person's kernels.

    On deny also what would allow it, who could give that, and what the person is told.
    Exits as `check` does.

    With `--view`, the folders that a person's kernels are shown, and what the person may
    touch and the kernels may not, with the rules that make it so; and for each kernelspec
    and for terminals the network, folders and devices of the machine that a rule gives them,
    tried where that can fail; exits 0.

    Example: `jupyter authz explain user:ada save contents:/team/a.ipynb --at 2027-01-31T18:00`

    Example: `jupyter authz explain --view --user user:ada --root /srv/notebooks`
    """
    if of_view:
        if {action, at, address} != {None} or None not in (principal, user):
            msg = "`--view` goes with one person, `--root` and `--json` alone"
            raise click.UsageError(msg)
        return explain_views(desk, user=user or principal, root=root, as_json=as_json)
    if principal is None or action is None or resource is None:
        msg = "say PRINCIPAL, ACTION and RESOURCE, or `--view`"
        raise click.UsageError(msg)
    if user is not None:
        msg = "`--user` goes with `--view`"
        raise click.UsageError(msg)
    who, decision, could = _decide(desk, principal, action, resource, at=at, address=address)
    if as_json:
        write_json(explanation.as_json(decision, who.groups, could))
        return _code(decision)
    ability = ABILITY[decision.resource.partition(":")[0], decision.action]
    say(f"{decision.answer.value}: {decision.reason_admin or decision.reason_user}")
    if decision.reason_user and not decision.allowed:
        say(f"the person is told: {decision.reason_user}")
    say(f"principal: {decision.principal}")
    groups = ", ".join(f"group:{group}" for group in who.groups)
    say(f"groups: {groups or 'none'}")
    say(f"action: {decision.action} (a {ability.word.value}, from level {ability.level.word})")
    say(f"resource: {decision.resource}")
    say(f"revision: {decision.revision}")
    for text in decision.would_allow:
        say(f"would allow: {text}")
    if could:
        say(f"could give it: {', '.join(could)}")
    write_table(
        ("effect", "kind", "id", "source", "names", "stands on", "until"),
        [
            (
                each.effect.value,
                each.kind,
                each.id,
                each.source,
                each.scope or "anyone",
                each.inherited_from or decision.resource,
                desk.show(each.ends),
            )
            for each in decision.determining
        ],
        empty="no rule and no grant had a part in it",
    )
    return _code(decision)


def _decide(
    desk: Desk, principal: str, action: str, resource: str, *, at: str | None, address: str | None
) -> tuple[Principal, Decision, tuple[str, ...]]:
    """Who was asked about, with their groups, the decision, and who could give what it lacks.

    Raises:
        AuthorizationError: it could not be decided.
    """
    name = parse_principal(principal)
    if name != ANONYMOUS and not name.startswith(("user:", "token:")):
        msg = (
            f"`{name}` does not ask for anything itself; name a person, `user:NAME`, a token, "
            "`token:NAME`, or `anonymous`"
        )
        raise InvalidName(msg)
    on = parse_resource(resource)
    asked = parse_action(action, type=on.type)
    with desk.point(at=desk.moment(at)) as point:
        if name.removeprefix("user:") in point.disabled:
            who = point.principal(ANONYMOUS)
            return who, _disabled(name, asked, on.name, point.revision), ()
        who = point.principal(name)
        decision = point.decide(
            who, asked, on, door="cli", address=_address(address), record=False
        )
        return who, decision, inquiry.givers(point, decision, on)


def _disabled(name: str, action: str, resource: str, revision: int) -> Decision:
    """What every door answers somebody who is disabled: nobody is let in to be judged."""
    enable = f"`jupyter authz users enable {argument(name.removeprefix('user:'))}`"
    return Decision(
        answer=Answer.DENY,
        principal=name,
        action=action,
        resource=resource,
        revision=revision,
        reasons=Reasons(
            would_allow=(enable,),
            user=f"`{name}` is disabled",
            admin=f"`{name}` is disabled; {enable} lets them in again",
        ),
    )


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        msg = f"`{text[:60]}` is no IP address; write one such as `192.0.2.7` or `2001:db8::7`"
        raise InvalidName(msg) from None


def _code(decision: Decision) -> int:
    if decision.allowed:
        return ALLOWED
    # An error is a deny at every door; here it is also the news that something is broken.
    failed = any(each.kind == "error" for each in decision.determining)
    return UNDECIDED if failed and decision.principal != ANONYMOUS else DENIED
