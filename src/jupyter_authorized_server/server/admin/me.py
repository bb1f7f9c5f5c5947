"""`/api/authz/me`: who asks, and what they may do with some resources, in one answer."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ... import sentences
from ...errors import InvalidName
from ...policy.model import Resource
from ...policy.vocabulary import ABILITIES, Level
from ..kernels import Owned
from ..surface.places import SERVER, running, spec
from . import moment
from .handler import AdminHandler, sentence
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...policy.vocabulary import Ability

#: Most resources of one question.
MOST = 500
#: Types of resource that a page shows, called as Jupyter's handlers call them.
_SHOWN = frozenset({"contents", "kernels", "terminals"})
#: What Jupyter's handlers call that in which the code of a document runs.
_RUNS = ("sessions", "kernels")
#: What runs code that nobody has saved, and the id of a kernel that is not there yet.
_TYPED = tuple(each for each in ABILITIES if (each.type, each.action) == ("kernels", "run"))
_NOT_YET = "-"

ACTIONS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["allowed"],
        "properties": {"allowed": {"type": "boolean"}, "reason": {"type": "string"}},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["principal", "revision", "abilities", "resources"],
    "properties": {
        "principal": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "display_name": {"type": "string"},
                "groups": {"type": "array", "items": {"type": "string"}},
                "token": {"type": ["string", "null"]},
                "viewer": {"type": ["string", "null"]},
            },
        },
        "viewed_by": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["viewer", "since"],
                "properties": {"viewer": {"type": "string"}, "since": {"type": "string"}},
            },
        },
        "revision": {"type": "integer"},
        "mode": {"enum": ["enforce", "shadow"]},
        "sandbox": {
            "type": "object",
            "required": ["backend", "confined", "runs", "why"],
            "properties": {
                "backend": {"enum": ["bubblewrap", "landlock", "none", "off", "gateway"]},
                "confined": {"type": "boolean"},
                "runs": {"type": "boolean"},
                "why": {"type": ["string", "null"]},
            },
        },
        "abilities": {
            "type": "object",
            "properties": {"terminals": ACTIONS, "administer": {"type": "boolean"}},
        },
        "resources": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "level": {"type": ["string", "null"]},
                    "owner": {"type": ["string", "null"]},
                    "shared": {"type": ["boolean", "null"]},
                    "more_at_restart": {"type": "boolean"},
                    "ended": {"enum": ["mine", "theirs", None]},
                    "actions": ACTIONS,
                    "own_kernel": ACTIONS,
                },
            },
        },
    },
}


class MeHandler(AdminHandler):
    """Who I am here and what I may do; what a page asks once for all it shows."""

    @operation(
        query={
            "resource": {"type": "array", "maxItems": MOST, "items": {"type": "string"}},
        },
        answer=_ANSWER,
    )
    async def get(self) -> dict[str, Any]:
        """Who asks, and what they may do with each resource that is named."""
        principal = self.principal
        person = self.current_user
        await self._ask_the_configuration()
        self._administers = self.allows("administer", SERVER)
        # Told is the revision of the first answer: a page that sees a later one asks again.
        revision, named = self.point.revision, self.get_query_arguments("resource")
        standing = await self.each(named, self._standing)
        return {
            "principal": {
                "name": principal.name,
                "display_name": getattr(person, "display_name", "") or principal.name,
                "groups": list(principal.groups),
                "token": self._token(),
                "viewer": None if principal.viewer is None else principal.viewer.name,
                "owner": None if principal.token is None else principal.name,
                "scope": None
                if principal.scope is None
                else [{"level": level, "resource": on} for level, on in principal.scope],
            },
            "revision": revision,
            "viewed_by": self._viewed_by(),
            "mode": "enforce" if self.point.shadow is None else "shadow",
            "sandbox": self._sandbox(),
            "abilities": {
                "terminals": self._actions("terminals", (Resource(type="terminals"),)),
                "administer": self._administers,
            },
            "resources": dict(zip(named, standing, strict=True)),
        }

    async def _ask_the_configuration(self) -> None:
        """Find out what the configuration's own function takes away, before it is said."""
        self._taken: set[tuple[str, str]] = set()
        pairs = {(each.type, each.word.value) for each in ABILITIES if each.type in _SHOWN}
        for type_, word in sorted(pairs):
            # A document's code runs in a kernel, which its session stands for.
            asked = _RUNS if (type_, word) == ("contents", "execute") else (type_,)
            if not all([await self.configured(word, each) for each in asked]):
                self._taken.add((type_, word))

    def _viewed_by(self) -> list[dict[str, str | None]]:
        """Who looks around as whoever asks at the moment."""
        now = time.time()
        return [
            {"viewer": each.viewer, "since": moment.shown(each.since)}
            for each in self.wired.views.all()
            if each.viewed == self.principal.name and each.ends > now
        ]

    def _sandbox(self) -> dict[str, Any]:
        """How the kernels and terminals of whoever asks are confined."""
        confinement = self.wired.confinement
        if self.principal.giver is not None:
            why = sentences.GUESTS_RUN_NOTHING
            return {"backend": "none", "confined": False, "runs": False, "why": why}
        if confinement is None:
            return {"backend": "off", "confined": False, "runs": True, "why": None}
        found: dict[str, Any] = confinement.standing(self.principal)
        return found

    def _token(self) -> str | None:
        if self.principal.token is None:
            return None
        found = self.point.store.token(self.principal.token)
        return None if found is None else found[0].name

    def _standing(self, text: str) -> dict[str, Any]:
        """Level and actions on one resource; what cannot be is answered like what is not."""
        kind = text.partition(":")[0]
        try:
            resources = self.meant(text)
        except InvalidName:
            nothing = {"allowed": False, "reason": sentences.NOTHING}
            actions = {each.action: nothing for each in ABILITIES if each.type == kind}
            return {
                "level": None,
                "owner": None,
                "shared": None,
                "more_at_restart": False,
                "ended": self._ended(text),
                "actions": actions,
            }
        actions = self._actions(resources[0].type, resources)
        level = self._level(resources[0].type, actions)
        if resources[0].type == "contents" and actions["launch"]["allowed"] and not self._starts:
            actions["launch"] = {"allowed": False, "reason": sentence(sentences.NO_KIND)}
        return {
            **self._own_kernel(resources[0], actions),
            "level": level,
            "owner": None if self.principal.giver is not None else resources[0].owner,
            "shared": self._shared(resources[0], actions),
            "more_at_restart": self._lacks(resources[0]),
            "ended": self._ended(text),
            "actions": actions,
        }

    def _level(self, type_: str, actions: Mapping[str, Any]) -> str | None:
        """What whoever asks is called on a resource.

        On the server itself nothing is done that a runner may do and a viewer may not, nor a
        contributor and an editor; in its top folder it is.
        """
        there = {type_: actions}
        if type_ == SERVER.type:
            there["contents"] = self._actions("contents", self.meant("contents:/"))
        return level_of(there, self._administers)

    @cached_property
    def _starts(self) -> bool:
        """Whether there is a kind of kernel that whoever asks may start, for any document.

        Which kinds a gateway has is not known here, and whether it would start one it says itself.
        """
        specs = self.kernel_spec_manager
        found = () if self.wired.kernels.elsewhere else specs.find_kernel_specs()
        return not found or any(self.allows("launch", spec(name)) for name in found)

    def _own_kernel(self, resource: Resource, actions: Mapping[str, Any]) -> dict[str, Any]:
        """What whoever asks could do in a kernel of their own that they start for `resource`.

        A console runs what is typed there, and whoever may start a kernel need not be let do
        that. Of a kernel that could not be started nothing is told.
        """
        if resource.type != "contents" or not actions["launch"]["allowed"]:
            return {}
        owned = Owned(owner=self.principal.name, path=resource.id)
        found = self._actions("kernels", (running("kernels", _NOT_YET, owned),), _TYPED)
        if found["run"]["allowed"]:
            return {"own_kernel": found}
        return {"own_kernel": {"run": {"allowed": False, "reason": sentence(sentences.NO_TYPED)}}}

    def _lacks(self, resource: Resource) -> bool:
        """Whether it is a kernel of whoever asks, which a restart would show more."""
        confinement = self.wired.confinement
        if confinement is None or resource.type != "kernels":
            return False
        found: bool = confinement.lacks(self.principal, resource)
        return found

    def _ended(self, text: str) -> str | None:
        """Whether a change of rights has ended a kernel, of whoever asks or another person's.

        Whoever may not open the document that it ran for hears nothing of another's.
        """
        type_, _, id_ = text.partition(":")
        confinement = self.wired.confinement
        origin = None if confinement is None or type_ != "kernels" else confinement.ended.get(id_)
        if origin is None:
            return None
        if origin.principal.name == self.principal.name:
            return "mine"
        if origin.path is None:
            return None
        try:
            there = self.meant(f"contents:/{origin.path.lstrip('/')}")
        except InvalidName:
            return None
        return "theirs" if self.allows("open", *there) else None

    def _shared(self, resource: Resource, actions: Mapping[str, Any]) -> bool | None:
        """Whether others were given just this; None for whoever may not see who has access."""
        if not actions.get("review", {"allowed": False})["allowed"]:
            return None
        given = self.point.snapshot.given_on((resource.name,), 0)
        return bool(given - {self.principal.name})

    def _actions(
        self,
        type_: str,
        resources: tuple[Resource, ...],
        abilities: Sequence[Ability] = ABILITIES,
    ) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for ability in abilities:
            if ability.type != type_:
                continue
            found[ability.action] = {"allowed": True}
            if (type_, ability.word.value) in self._taken:
                found[ability.action] = {
                    "allowed": False,
                    "reason": sentence(sentences.CONFIGURED),
                }
            for each in resources:
                decision = self.decide(ability.action, each)
                if not decision.allowed:
                    reason = sentence(decision.reason_user)
                    found[ability.action] = {"allowed": False, "reason": reason}
                    break
        return found


def level_of(
    actions: Mapping[str, Mapping[str, Mapping[str, Any]]], administers: bool
) -> str | None:
    """The highest level that adds an action here and all of whose actions are allowed.

    Of files an administrator has no more than a manager, and is called what they are.
    """
    if administers and all(each["allowed"] for of in actions.values() for each in of.values()):
        return Level.ADMIN.word
    held = None
    for level in Level:
        needed = [each for each in ABILITIES if each.type in actions and each.level == level]
        if not all(actions[each.type][each.action]["allowed"] for each in needed):
            break
        held = level.word if needed else held
    return held
