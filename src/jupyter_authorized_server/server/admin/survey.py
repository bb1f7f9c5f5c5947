"""`/api/authz/who-can` and `/what-can`: questions about many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import inquiry
from ...policy.model import parse_principal
from ...policy.vocabulary import parse_action, parse_action_of_any
from .handler import PAGING, AdminHandler, page_of
from .operation import operation

if TYPE_CHECKING:
    from ...policy.model import Decision

_TEXT = {"type": "string"}
THROUGH = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"kind": _TEXT, "id": _TEXT, "scope": _TEXT, "inherited_from": _TEXT},
    },
}


def through(decision: Decision) -> list[dict[str, str]]:
    """What allows it."""
    return [
        {
            "kind": each.kind,
            "id": each.id,
            "scope": each.scope,
            "inherited_from": each.inherited_from,
        }
        for each in decision.determining
    ]


class WhoCanHandler(AdminHandler):
    """Everybody who may do something."""

    @operation(
        query={**PAGING, "action": _TEXT, "resource": _TEXT},
        required=("resource",),
        answer=page_of(
            {
                "type": "object",
                "required": ["principal", "display_name", "through"],
                "properties": {"principal": _TEXT, "display_name": _TEXT, "through": THROUGH},
            }
        ),
    )
    async def get(self) -> dict[str, Any]:
        """Who may do an action on a resource now, and through what."""
        resources = self.admitted("review") or self.admitted("administer")
        action = parse_action(self.query("action") or "read", type=resources[0].type)
        names = {each.name: each.display_name for each in self.point.state.people}
        decisions: dict[str, Decision] = {}

        def visible(principal: str) -> bool:
            who = self.point.principal(principal)
            found = [self.decide(action, each, who) for each in resources]
            decisions[principal] = found[0]
            return all(each.allowed for each in found)

        guests = (
            each.name for each in inquiry.guests(self.point, action, resources[0], door="http")
        )
        return await self.page(
            (*inquiry.candidates(self.point, action, resources[0]), *guests),
            key=lambda principal: (principal,),
            visible=visible,
            show=lambda principal: {
                "principal": principal,
                "display_name": names.get(name := principal.removeprefix("user:")) or name,
                "through": through(decisions[principal]),
            },
        )


class WhatCanHandler(AdminHandler):
    """Where somebody may do something."""

    @operation(
        query={**PAGING, "principal": _TEXT, "action": _TEXT},
        answer=page_of(
            {"type": "object", "required": ["resource"], "properties": {"resource": _TEXT}}
        ),
    )
    async def get(self) -> dict[str, Any]:
        """The places named by a grant or rule where an action is allowed now."""
        action = parse_action_of_any(self.query("action") or "open")
        asked = self.query("principal") or self.principal.name
        own = asked == self.principal.name
        who = self.principal if own else self.point.principal(parse_principal(asked))
        return await self.page(
            inquiry.what_can(self.point, who, action, door="http"),
            key=lambda each: (each,),
            show=lambda each: {"resource": each},
        )
