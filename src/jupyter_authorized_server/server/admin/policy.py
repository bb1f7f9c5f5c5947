"""`/api/authz/policy`: which policy is in force."""

from __future__ import annotations

from typing import Any

from ...errors import PolicyError
from . import moment
from .handler import AdminHandler
from .operation import operation

_TEXT = {"type": "string"}
POLICY = {
    "type": "object",
    "required": ["revision", "since", "mode", "files", "newer", "gone", "rules", "problems"],
    "properties": {
        "revision": {"type": "integer"},
        "since": _TEXT,
        "mode": {"enum": ["enforce", "shadow"]},
        "files": {"type": "array", "items": _TEXT},
        "newer": {"type": "array", "items": _TEXT},
        "gone": {"type": "array", "items": _TEXT},
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": _TEXT, "effect": _TEXT, "source": _TEXT, "text": _TEXT},
            },
        },
        "problems": {"type": "array", "items": _TEXT},
    },
}


class PolicyHandler(AdminHandler):
    """The policy in force."""

    @operation(answer=POLICY)
    async def get(self) -> dict[str, Any]:
        """Files, rules and revision in force, which files are newer or gone, and why not."""
        point = self.point
        problem = point.problem
        if isinstance(problem, PolicyError):
            problems = [str(each) for each in problem.mistakes]
        else:
            problems = [] if problem is None else [str(problem)]
        return {
            "revision": point.revision,
            "since": moment.shown(point.policy_since),
            "mode": "enforce" if point.shadow is None else "shadow",
            "files": [*point.files.files()],
            "newer": [*point.files.newer()],
            "gone": [*point.files.gone()],
            "rules": [
                {
                    "id": each.id,
                    "effect": each.effect.value,
                    "source": each.source,
                    "text": each.text,
                }
                for each in point.policy.rules
            ],
            "problems": problems,
        }
