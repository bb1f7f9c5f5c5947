"""One method of an endpoint, described: what checks a request is what OpenAPI shows."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from tornado import web

from ... import mistakes
from ...errors import InvalidName

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .handler import AdminHandler

    Schema = Mapping[str, Any]

#: Longest text shown of a value that is refused.
_SHOWN = 80
#: The answer of what removes something.
REMOVED: Mapping[str, Any] = {
    "type": "object",
    "required": ["removed"],
    "properties": {"removed": {"type": "string"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a method takes and answers.

    Args:
        summary: one sentence, the method's docstring.
        query: JSON schema of each query argument; `array` where it may be repeated.
        required: query arguments that must be there.
        body: JSON schema of the body; None where there is none.
        answer: JSON schema of the answer.
        status: of the answer when all went well.
        safe: whether it only reads, as every GET does.
        personal: whether it shows what is somebody's own, which no scope reaches.
    """

    summary: str
    query: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: Schema | None = None
    answer: Schema = field(default_factory=lambda: {"type": "object"})
    status: int = 200
    safe: bool = False
    personal: bool = False

    def check_body(self, body: object) -> None:
        """Raise unless `body` is what the schema says.

        Raises:
            InvalidName: the first mistake, and where it is.
        """
        if self.body is not None:
            check(body, self.body, "the body of the request")


def check(value: object, schema: Schema, what: str) -> None:
    """Raise unless `value` is as `schema` says.

    Raises:
        InvalidName: the first mistake, and where it is.
    """
    # The first as the schema has it: of a list that is too long no item is looked at.
    for error in Draft202012Validator(schema).iter_errors(value):
        at = ".".join(str(part) for part in error.absolute_path)
        said = error.message
        shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
        named = f"`{at[:_SHOWN]}`" if at else what
        raise InvalidName(mistakes.not_as_it_must_be(named, shown))


def operation(
    **described: Any,
) -> Callable[[Callable[..., Awaitable[object]]], Callable[..., Awaitable[None] | None]]:
    """Make a method that returns its answer one that checks, answers and says why not.

    Args:
        described: the fields of `Operation` but its summary.
    """

    def decorate(
        method: Callable[..., Awaitable[object]],
    ) -> Callable[..., Awaitable[None] | None]:
        found = {"safe": method.__name__ == "get", **described}
        made = Operation(summary=(method.__doc__ or "").strip(), **found)

        @web.authenticated
        @functools.wraps(method)
        async def answered(handler: AdminHandler, *path: str) -> None:
            await handler.serve(made, method, path)

        answered.operation = made  # type: ignore[attr-defined]  # why: read by `operations`
        return answered

    return decorate


def operations(handler: type[Any]) -> dict[str, Operation]:
    """The operations of a handler class, by HTTP method."""
    found = {}
    for name in ("get", "post", "patch", "delete"):
        made = getattr(getattr(handler, name, None), "operation", None)
        if isinstance(made, Operation):
            found[name.upper()] = made
    return found
