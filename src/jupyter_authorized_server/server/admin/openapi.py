"""The OpenAPI document, made of what checks the requests."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...policy.vocabulary import ACTIONS, Level
from .operation import Operation, operations
from .replay import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .handler import AdminHandler

_GROUP = re.compile(r"\([^()]*\)")
ERROR = {
    "type": "object",
    "required": ["message", "reason", "decision_id"],
    "properties": {
        "message": {"type": "string"},
        "reason": {"type": "string"},
        "decision_id": {"type": ["string", "null"]},
    },
}
#: What a change may say: that it is sent again, and what it was made knowing.
_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "the same for each time that one request is sent: it happens once",
        "schema": {"type": "string", "pattern": f"^[ -~]{{1,{LONGEST}}}$"},
    },
    {
        "name": "If-Match",
        "in": "header",
        "description": "the `ETag` that was answered: 412 where somebody has changed it since",
        "schema": {"type": "string"},
    },
]
_REFUSALS = {
    "400": "not as it must be",
    "401": "not signed in, where that is not 403",
    "403": "not allowed",
    "404": "not there, or not to be known of",
    "409": "in conflict with what there is",
    "412": "changed by somebody else meanwhile",
    "413": "too long",
    "503": "the store is out of reach",
}


def document(
    routes: Iterable[tuple[str, type[AdminHandler]]], base_url: str = "/"
) -> dict[str, Any]:
    """The whole interface below `base_url`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_authorized_server",
            "version": version("jupyter-authorized-server"),
        },
        "servers": [{"url": base_url}],
        "security": [{"token": []}],
        "paths": {
            path_of(pattern): {
                method.lower(): _described(made, "{id}" in path_of(pattern))
                for method, made in operations(handler).items()
            }
            for pattern, handler in routes
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"}
            },
            "schemas": {
                "Error": ERROR,
                "Level": {"enum": [level.word for level in Level]},
                "Action": {"enum": list(ACTIONS)},
            },
        },
    }


def path_of(pattern: str) -> str:
    """The pattern of a route as OpenAPI writes it."""
    return _GROUP.sub("{id}", pattern).replace("\\", "")


def _described(made: Operation, has_id: bool) -> dict[str, Any]:
    content = {"application/json": {"schema": made.answer}}
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    done = {"200", str(made.status)}
    found: dict[str, Any] = {
        "summary": made.summary,
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in made.required,
                "schema": schema,
            }
            for name, schema in made.query.items()
        ],
        "responses": {
            **{code: {"description": "done", "content": content} for code in done},
            **{
                code: {"description": said, "content": refusal} for code, said in _REFUSALS.items()
            },
        },
    }
    if has_id:
        found["parameters"].append(
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        )
    if not made.safe:
        found["parameters"] += _HEADERS[: 2 if has_id else 1]
    if made.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": made.body}},
        }
    return found
