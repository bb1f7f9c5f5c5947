"""`/api/authz/check` and `/explain`: may somebody do something, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import inquiry, mistakes
from ...errors import InvalidName, Nowhere
from ...policy.explanation import as_json
from ...policy.model import Decision, Principal, parse_principal
from ...policy.vocabulary import ABILITY, parse_action
from ..surface.ours import MOST_QUESTIONS
from ..surface.places import SERVER
from .handler import AdminHandler, sentence
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTION = {
    "type": "object",
    "required": ["action", "resource"],
    "additionalProperties": False,
    "properties": {
        "principal": {"type": "string"},
        "action": {"type": "string"},
        "resource": {"type": "string"},
    },
}


class Asking(AdminHandler):
    """One question: a principal, or whoever asks, an action and a resource."""

    def who(self, asked: Mapping[str, Any]) -> Principal:
        """About whom.

        Raises:
            InvalidName: no principal that asks for anything.
            UnknownName: nobody here.
        """
        text = asked.get("principal")
        if text is None or text == self.principal.name:
            return self.principal
        name = parse_principal(text)
        if not name.startswith(("user:", "token:")):
            raise InvalidName(mistakes.asks_for_nothing(name))
        return self.point.principal(name)

    def answer_to(self, who: Principal, asked: Mapping[str, Any]) -> Decision:
        """The decision, of all that the resource means the first that denies.

        Raises:
            InvalidName: no action or resource.
        """
        resources = self.meant(asked["resource"])
        action = parse_action(asked["action"], type=resources[0].type)
        decisions = [
            self.decide(action, each, None if who is self.principal else who) for each in resources
        ]
        return next((each for each in decisions if not each.allowed), decisions[0])


class CheckHandler(Asking):
    """Many questions at once."""

    @operation(
        safe=True,
        body={
            "type": "object",
            "required": ["requests"],
            "additionalProperties": False,
            "properties": {
                "requests": {"type": "array", "maxItems": MOST_QUESTIONS, "items": QUESTION}
            },
        },
        answer={
            "type": "object",
            "required": ["decisions"],
            "properties": {
                "decisions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["allowed", "reason", "id"],
                        "properties": {
                            "allowed": {"type": "boolean"},
                            "reason": {"type": "string"},
                            "id": {"type": ["string", "null"]},
                        },
                    },
                }
            },
        },
    )
    async def post(self) -> dict[str, Any]:
        """Whether each of these would be allowed; nothing is recorded."""
        return {"decisions": await self.each(self.body["requests"], self._one)}

    def _one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            decision = self.answer_to(self.who(asked), asked)
        except Nowhere as error:
            # One of many, which are answered all the same.
            return {"allowed": False, "reason": sentence(str(error)), "id": None}
        reason = "" if decision.allowed else sentence(decision.reason_user)
        return {"allowed": decision.allowed, "reason": reason, "id": decision.id or None}


class ExplainHandler(Asking):
    """One question, and the whole decision."""

    @operation(
        safe=True,
        body=QUESTION,
        answer={
            "type": "object",
            "required": ["answer", "principal", "action", "resource", "needs", "reason_user"],
        },
    )
    async def post(self) -> dict[str, Any]:
        """One decision with its reasons; rules are named only to who may share it."""
        who = self.who(self.body)
        decision = self.answer_to(who, self.body)
        found = as_json(decision, who.groups)
        resources = self.meant(self.body["resource"])
        told = self.told_as(self.body["resource"], resources)
        if told != resources[0].name:
            found["resource"] = told
        type_ = decision.resource.partition(":")[0]
        found["needs"] = ABILITY[type_, decision.action].level.word
        if self._sees_rules():
            on = next((each for each in resources if each.name == decision.resource), resources[0])
            found["could_grant"] = list(inquiry.givers(self.point, decision, on))
        else:
            # A rule's name and place, and a grant to a group, are not for everybody.
            found["reason_admin"], found["would_allow"] = "", []
            found["determining"] = [
                each
                for each in found["determining"]  # type: ignore[attr-defined]  # why: a list there
                if each["kind"] == "grant" and each["scope"] in who.keys
            ]
        return found

    def _sees_rules(self) -> bool:
        if self.allows("explain", SERVER):
            return True
        resources = self.meant(self.body["resource"])
        shareable = (resources[0].type, "share") in ABILITY
        return shareable and self.allows("share", *resources)
