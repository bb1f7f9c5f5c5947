"""The searches of AuthZEN 1.0: which subjects, resources or actions an allow is given for.

Each result is found by `inquiry` and holds by the point question that the evaluation
asks, so that no search says more than the evaluations would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import inquiry
from ...errors import AuthorizationError
from ...policy.vocabulary import ABILITY, TYPE, parse_action
from .authzen import ACTION, NAMED, Evaluating
from .handler import MOST, PAGE, cursor_of, key_of
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...policy.model import Principal, Resource

_OF_A_TYPE = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string"}, "properties": {"type": "object"}},
}
_PAGE = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "maxLength": 4096},
        "limit": {"type": "integer", "minimum": 1},
        "properties": {"type": "object"},
    },
}
_FOUND = {
    "type": "object",
    "required": ["page", "results"],
    "properties": {
        "page": {
            "type": "object",
            "required": ["next_token"],
            "properties": {"next_token": {"type": "string"}},
        },
        "results": {"type": "array", "items": {"type": "object"}},
    },
}


def _body(**parts: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a search with these parts; `action` is missing where it is looked for."""
    return {
        "type": "object",
        "required": list(parts),
        "properties": {**parts, "context": {"type": "object"}, "page": _PAGE},
    }


class _Searching(Evaluating):
    """What the searches have in common: pages, and that nothing is found is no error."""

    def found(self, results: Iterable[dict[str, str]]) -> dict[str, Any]:
        """One page of `results`, in the order of their values.

        Raises:
            InvalidName: the page's token is none of ours.
        """
        asked = self.body.get("page", {})
        limit = min(MOST, asked.get("limit", PAGE))
        after = key_of(asked.get("token") or None, "token")
        try:
            every = sorted((tuple(each.values()), each) for each in results)
        except AuthorizationError:
            # As with an evaluation, what does not exist here is allowed nothing.
            every = []
        left = [(key, each) for key, each in every if after is None or key > after]
        shown = left[:limit]
        more = cursor_of(shown[-1][0]) if len(left) > limit else ""
        return {"page": {"next_token": more}, "results": [each for _, each in shown]}

    def all_allow(self, who: Principal, action: str, resources: Iterable[Resource]) -> bool:
        """Whether `who` may do `action` on each of `resources`."""
        return all(self.decide(action, each, who).allowed for each in resources)


class SubjectSearchHandler(_Searching):
    """Who may do this action on this resource?"""

    @operation(
        safe=True,
        body=_body(subject=_OF_A_TYPE, action=ACTION, resource=NAMED),
        answer=_FOUND,
    )
    async def post(self) -> dict[str, Any]:
        """The search for subjects of AuthZEN 1.0: people (`user`), or tokens (`token`)."""
        self.check_content_type()
        return self.found(self._subjects())

    def _subjects(self) -> Iterator[dict[str, str]]:
        kind = self.body["subject"]["type"]
        resources = self.named(self.body["resource"])
        action = parse_action(self.body["action"]["name"], type=resources[0].type)
        people = inquiry.candidates(self.point, action, resources[0])
        if kind == "user":
            names: Iterable[str] = people
        elif kind == "token":
            # A token is allowed nothing that its owner is not.
            owners = {each.removeprefix("user:") for each in people}
            tokens = self.point.store.tokens()
            names = [f"token:{each.id}" for each in tokens if each.person in owners]
        else:
            names = ()
        for name in names:
            try:
                who = self.point.principal(name)
            except AuthorizationError:
                # A token that is over, or was revoked just now.
                continue
            if self.all_allow(who, action, resources):
                yield {"type": kind, "id": name.partition(":")[2]}


class ResourceSearchHandler(_Searching):
    """On which resources of a type may this subject do this action?"""

    @operation(
        safe=True,
        body=_body(subject=NAMED, action=ACTION, resource=_OF_A_TYPE),
        answer=_FOUND,
    )
    async def post(self) -> dict[str, Any]:
        """The search for resources of AuthZEN 1.0: places that a grant or rule names."""
        self.check_content_type()
        return self.found(self._resources())

    def _resources(self) -> Iterator[dict[str, str]]:
        type_ = self.body["resource"]["type"]
        if type_ not in TYPE:
            return
        who = self.subject(self.body["subject"])
        action = parse_action(self.body["action"]["name"], type=type_)
        for each in inquiry.what_can(self.point, who, action, door="http"):
            kind, _, id_ = each.partition(":")
            if kind == type_:
                yield {"type": type_, "id": id_}


class ActionSearchHandler(_Searching):
    """Which actions may this subject do on this resource?"""

    @operation(safe=True, body=_body(subject=NAMED, resource=NAMED), answer=_FOUND)
    async def post(self) -> dict[str, Any]:
        """The search for actions of AuthZEN 1.0, in the words of the vocabulary."""
        self.check_content_type()
        return self.found(self._actions())

    def _actions(self) -> Iterator[dict[str, str]]:
        who = self.subject(self.body["subject"])
        resources = self.named(self.body["resource"])
        for type_, action in ABILITY:
            if type_ == resources[0].type and self.all_allow(who, action, resources):
                yield {"name": action}
