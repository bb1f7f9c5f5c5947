"""AuthZEN 1.0: the decision point for other programs, in the words of that standard.

`subject` is our principal. What a client says of a subject or resource beyond its name
(`properties`) decides nothing, since anybody can say anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join

from ...errors import AuthorizationError, InvalidName
from ...policy.model import ANONYMOUS, parse_principal
from ...policy.vocabulary import parse_action
from ..request_id import return_request_id
from .handler import AdminHandler
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...policy.model import Principal, Resource

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
#: Searches, by what is looked for.
SEARCH = {name: f"/access/v1/search/{name}" for name in ("subject", "resource", "action")}
CONFIGURATION = "/.well-known/authzen-configuration"
#: Most evaluations of one request.
MOST = 1000

NAMED = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {
        "type": {"type": "string"},
        "id": {"type": "string"},
        "properties": {"type": "object"},
    },
}
ACTION = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "properties": {"type": "object"}},
}
_PARTS = {
    "subject": NAMED,
    "action": ACTION,
    "resource": NAMED,
    "context": {"type": "object"},
}
_WHOLE = {"type": "object", "required": ["subject", "action", "resource"], "properties": _PARTS}
_SEMANTICS = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
_DECISION = {
    "type": "object",
    "required": ["decision"],
    "properties": {"decision": {"type": "boolean"}, "context": {"type": "object"}},
}


class Evaluating(AdminHandler):
    """What every endpoint does with one question."""

    def set_default_headers(self) -> None:
        """As everywhere here, and: the client's name for its request goes back to it."""
        super().set_default_headers()
        return_request_id(self)

    def check_content_type(self) -> None:
        """Raise unless the body says that it is JSON.

        Raises:
            InvalidName: it says something else, or nothing.
        """
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise InvalidName("the `Content-Type` is `application/json`")

    def evaluate(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One answer; what does not exist here is denied, as the standard has it."""
        try:
            return self._evaluated(asked)
        except AuthorizationError as error:
            return {"decision": False, "context": {"reason_admin": {"en": str(error)}}}

    def _evaluated(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        who = self.subject(asked["subject"])
        resources = self.named(asked["resource"])
        action = parse_action(asked["action"]["name"], type=resources[0].type)
        decisions = [self.decide(action, each, who) for each in resources]
        found = next((each for each in decisions if not each.allowed), decisions[0])
        told = {"reason_admin": {"en": found.reason_admin}}
        if not found.allowed:
            told["reason_user"] = {"en": found.reason_user}
        return {"decision": found.allowed, "context": told}

    def subject(self, said: Mapping[str, Any]) -> Principal:
        """The principal that a subject names.

        Raises:
            AuthorizationError: none, or nobody here.
        """
        kind = said["type"]
        written = ANONYMOUS if kind == ANONYMOUS else f"{kind}:{said['id']}"
        return self.point.principal(parse_principal(written))

    def named(self, said: Mapping[str, Any]) -> tuple[Resource, ...]:
        """What a resource of the standard names here.

        Raises:
            InvalidName: nothing.
        """
        return self.meant(f"{said['type']}:{said['id']}")


class EvaluationHandler(Evaluating):
    """May this subject do this action on this resource?"""

    @operation(safe=True, body=_WHOLE, answer=_DECISION)
    async def post(self) -> dict[str, Any]:
        """One evaluation of AuthZEN 1.0; a deny has the status 200 too."""
        self.check_content_type()
        return self.evaluate(self.body)


class EvaluationsHandler(Evaluating):
    """The same for many, with defaults for what they share."""

    @operation(
        safe=True,
        body={
            "type": "object",
            "properties": {
                **_PARTS,
                "evaluations": {
                    "type": "array",
                    "maxItems": MOST,
                    "items": {"type": "object", "properties": _PARTS},
                },
                "options": {
                    "type": "object",
                    "properties": {"evaluations_semantic": {"enum": list(_SEMANTICS)}},
                },
            },
        },
        answer={
            "anyOf": [
                _DECISION,
                {
                    "type": "object",
                    "required": ["evaluations"],
                    "properties": {"evaluations": {"type": "array", "items": _DECISION}},
                },
            ]
        },
    )
    async def post(self) -> dict[str, Any]:
        """Several evaluations of AuthZEN 1.0, in order."""
        self.check_content_type()
        defaults = {key: self.body[key] for key in _PARTS if key in self.body}
        items = self.body.get("evaluations")
        if not items:
            _require_whole(defaults)
            return self.evaluate(defaults)
        stop_at = _SEMANTICS[
            self.body.get("options", {}).get("evaluations_semantic", "execute_all")
        ]
        whole = [{**defaults, **item} for item in items]
        for each in whole:
            _require_whole(each)
        found = await self.each(whole, self.evaluate)
        ends = (n for n, answer in enumerate(found, start=1) if answer["decision"] is stop_at)
        return {"evaluations": found[: next(ends, None)]}


class ConfigurationHandler(AdminHandler):
    """Where to ask."""

    @operation(answer={"type": "object", "required": ["policy_decision_point"]})
    async def get(self) -> dict[str, Any]:
        """The metadata of AuthZEN 1.0: the addresses of what there is."""
        base = f"{self.request.protocol}://{self.request.host}{self.base_url}".rstrip("/")
        return {
            "policy_decision_point": base,
            "access_evaluation_endpoint": url_path_join(base, EVALUATION),
            "access_evaluations_endpoint": url_path_join(base, EVALUATIONS),
            **{
                f"search_{name}_endpoint": url_path_join(base, path)
                for name, path in SEARCH.items()
            },
        }


def _require_whole(asked: Mapping[str, Any]) -> None:
    missing = [key for key in ("subject", "action", "resource") if key not in asked]
    if missing:
        msg = f"an evaluation has no `{missing[0]}`"
        raise InvalidName(msg)
