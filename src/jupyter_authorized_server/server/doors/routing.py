"""Which handler a request is routed to, found before it is made.

A router tries a hundred patterns on each path. Which of them was the first to fit is
remembered, for as long as the router's rules are the same; what is found then is made
and judged as ever, so that a wrong memory could at most lead to another judged handler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import isclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tornado.routing import PathMatches
from tornado.web import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
    from tornado.routing import Rule

#: Paths that are remembered for one router, and how long one may be.
MOST_PATHS, LONGEST_PATH = 512, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request would go.

    Args:
        handler: the handler class; None for a target that is no RequestHandler.
        pattern: of the rule, without base URL and the closing `$`.
        arguments: for the handler's `initialize`.
    """

    handler: type[RequestHandler] | None
    pattern: str
    arguments: dict[str, Any]
    path_args: list[bytes | None]
    path_kwargs: dict[str, bytes | None]


@dataclass(slots=True, kw_only=True)
class _Memory:
    """Of one router: its rules as they were, and the first whose pattern fits a path."""

    rules: list[Rule]
    first: dict[str, int]


_MEMORIES: WeakKeyDictionary[Any, _Memory] = WeakKeyDictionary()


def _memory(router: Any) -> _Memory:
    """What is remembered for the rules of `router` as they are now."""
    rules = list(router.rules)
    try:
        found = _MEMORIES.get(router)
        if found is None or found.rules != rules:
            found = _MEMORIES[router] = _Memory(rules=rules, first={})
    except TypeError:
        # Somebody's router that cannot be a key.
        return _Memory(rules=rules, first={})
    return found


def _rules(router: Any, path: str) -> Iterator[Rule]:
    """The rules of `router` in order, but for patterns known not to fit `path`."""
    if len(path) > LONGEST_PATH:
        yield from router.rules
        return
    memory = _memory(router)
    first = memory.first.get(path)
    for number, rule in enumerate(memory.rules):
        if type(rule.matcher) is not PathMatches:
            # It may look at more than the path.
            yield rule
        elif first is None:
            if rule.matcher.regex.match(path):
                first = number
                if len(memory.first) >= MOST_PATHS:
                    memory.first.clear()
                memory.first[path] = first
                yield rule
        elif number >= first:
            yield rule


def match(router: Any, request: HTTPServerRequest) -> tuple[HTTPMessageDelegate, Target] | None:
    """The first rule that matches, as Tornado's own routers find it."""
    for rule in _rules(router, request.path):
        params = rule.matcher.match(request)
        if params is None:
            continue
        if hasattr(rule.target, "rules") and hasattr(rule.target, "find_handler"):
            found = match(rule.target, request)
            if found is not None:
                return found
            continue
        if rule.target_kwargs:
            params["target_kwargs"] = rule.target_kwargs
        inner = router.get_target_delegate(rule.target, request, **params)
        if inner is None:
            continue
        is_handler = isclass(rule.target) and issubclass(rule.target, RequestHandler)
        return inner, Target(
            handler=rule.target if is_handler else None,
            pattern=pattern_of(rule, _base_url(router)),
            arguments=dict(rule.target_kwargs or {}),
            path_args=list(params.get("path_args", ())),
            path_kwargs=dict(params.get("path_kwargs", {})),
        )
    return None


def _base_url(router: Any) -> str:
    application = getattr(router, "application", None)
    return "/" if application is None else str(application.settings.get("base_url", "/"))


def pattern_of(rule: Rule, base_url: str) -> str:
    """The URL pattern of `rule` without the base URL and the closing `$`."""
    regex = getattr(rule.matcher, "regex", None)
    if regex is None:
        return repr(rule.matcher)
    pattern = str(regex.pattern).removesuffix("$")
    prefix = base_url.rstrip("/")
    # Tornado escapes the prefix of its static routes, Jupyter's own are as they stand.
    for spelling in (prefix, re.escape(prefix)):
        if prefix and pattern.startswith(spelling + "/"):
            return pattern[len(spelling) :]
    return pattern
