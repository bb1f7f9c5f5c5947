"""Surface that a handler's author declares in the code: `@authorized(action, resource)`.

What is declared nowhere is unnamed, and asked about as such.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from tornado.web import HTTPError, RequestHandler

from ... import sentences
from ...policy.model import MAX_ID, Resource
from ...policy.vocabulary import TYPE, UNNAMED, UPSTREAM_WORDS, Word, parse_action
from ..surface import Asks, Question
from .admission import admission

if TYPE_CHECKING:
    from ..surface import Call

Method = TypeVar("Method", bound=Callable[..., Any])

_log = logging.getLogger(__name__)

_ATTRIBUTE = "__jupyter_authorized__"
_WORDS = {
    "GET": "read",
    "HEAD": "read",
    "OPTIONS": "read",
    "POST": "write",
    "PUT": "write",
    "PATCH": "write",
    "DELETE": "write",
}


@overload
def authorized(action: Method) -> Method: ...
@overload
def authorized(
    action: str | None = None, resource: str | None = None, message: str | None = None
) -> Callable[[Method], Method]: ...
def authorized(action: Any = None, resource: str | None = None, message: str | None = None) -> Any:
    """Declare what a handler's method asks, and have it asked; before a class, each method.

    Used as `@authorized`, `@authorized("write", "contents")` or with a finer action of
    the vocabulary. Two things follow: the guard knows the route, so that it need not be
    refused to everyone but administrators; and the method itself asks once more through
    the server's authorizer, on each call anew. (Upstream's decorator of the same name
    keeps the action and resource of whoever called first.)

    Args:
        action: `read`, `write`, `execute` or an action of the vocabulary; by default
            the word of the HTTP method.
        resource: a word of the vocabulary or of Jupyter's own; by default the
            handler's `auth_resource`.
        message: for the person, on a refusal.
    """
    if callable(action):
        return authorized(None, resource, message)(action)

    def decorate(method: Method) -> Method:
        if isinstance(method, type):
            return cast("Method", _each(method, decorate))

        @wraps(method)
        async def asking(self: Any, *args: Any, **kwargs: Any) -> Any:
            # Worked out from this handler and this request, never remembered.
            asked = action or _WORDS.get(str(self.request.method).upper(), "execute")
            on = resource or getattr(self, "auth_resource", "")
            found = admission(self.request)
            # A plain Tornado handler knows of nobody: the guard does.
            user = self.current_user if found is None else found.user
            answer: Any = False
            if user is not None:
                answer = self.settings["authorizer"].is_authorized(self, user, asked, on)
                if isawaitable(answer):
                    answer = await answer
            if answer is not True:
                text = message or sentences.not_allowed_on(asked, str(on))
                raise HTTPError(403, text)
            result = method(self, *args, **kwargs)
            return await result if isawaitable(result) else result

        setattr(asking, _ATTRIBUTE, (action, resource))
        return cast("Method", asking)

    return decorate


def _each(handler: Any, decorate: Callable[[Any], Any]) -> Any:
    """The class `handler`, whose methods have all been declared."""
    for name in map(str.lower, _WORDS):
        method = getattr(handler, name)
        if method is not getattr(RequestHandler, name) and not hasattr(method, _ATTRIBUTE):
            setattr(handler, name, decorate(method))
    return handler


def declared(handler: type[RequestHandler], method: str) -> Asks | None:
    """What the author of `handler` declares for `method`; None if nothing usable."""
    function = getattr(handler, method.lower(), None)
    found = getattr(function, _ATTRIBUTE, None)
    if found is None:
        return None
    action = found[0] or _WORDS[method]
    word = found[1] or getattr(handler, "auth_resource", "")
    type_ = word if word in TYPE else UPSTREAM_WORDS.get(str(word))
    if type_ is None:
        # A word of its own: one may be let in by name, else it is an administrator's.
        return None
    try:
        action = parse_action(action, type=type_)
    except ValueError:
        return None
    return Asks(
        resource=str(word),
        questions=(Question(action=action, type=type_, where=_whole(type_)),),
    )


def _whole(type_: str) -> Callable[[Call], Resource]:
    # A contents route whose path we cannot know is asked about everything there is.
    resource = Resource(type=type_, id="/" if type_ == "contents" else "")
    return lambda _: resource


#: The words an author may use for the action.
WORDS = tuple(word.value for word in Word)


_told: set[str] = set()


def unnamed(handler: type[RequestHandler] | None, pattern: str) -> tuple[str, Resource]:
    """The question about a route that no surface table names; logged once."""
    name = "no handler" if handler is None else f"{handler.__module__}.{handler.__qualname__}"
    if name not in _told:
        _told.add(name)
        _log.warning(
            "the route %r of %s is in no surface table, so only an `admin` may use it",
            pattern,
            name,
        )
    type_, action = UNNAMED
    return action, Resource(type=type_, id=name[:MAX_ID])
