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
    from collections.abc import Iterable, Iterator

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

    @property
    def is_text(self) -> bool:
        """Whether what the URL pattern finds in the address is UTF-8."""
        try:
            for each in (*self.path_args, *self.path_kwargs.values()):
                (each or b"").decode()
        except UnicodeDecodeError:
            return False
        return True


class _Memory:
    """Of one router: its rules as they were, and the first whose pattern fits a path."""

    __slots__ = ("_others", "first", "rules")

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        self.first: dict[str, int] = {}
        # They may look at more than the path.
        self._others = [n for n, rule in enumerate(rules) if not _is_pattern(rule)]

    def tried(self, path: str) -> Iterator[Rule]:
        """The rules in order, but for patterns known not to fit `path`."""
        first = self.first.get(path)
        if first is None:
            for number, rule in enumerate(self.rules):
                if number not in self._others and rule.matcher.regex.match(path):  # type: ignore[attr-defined]  # why: a pattern, as `_is_pattern` says
                    first = number
                    break
            else:
                first = len(self.rules)
            if len(self.first) >= MOST_PATHS:
                self.first.clear()
            self.first[path] = first
        for number in self._others:
            if number < first:
                yield self.rules[number]
        yield from self.rules[first:]


def _is_pattern(rule: Rule) -> bool:
    return type(rule.matcher) is PathMatches


_MEMORIES: WeakKeyDictionary[Any, _Memory] = WeakKeyDictionary()


def _rules(router: Any, path: str) -> Iterable[Rule]:
    """The rules of `router` that are to be tried on `path`, in order."""
    rules: Iterable[Rule] = router.rules
    if type(rules) is not list or len(path) > LONGEST_PATH:
        return rules
    try:
        found = _MEMORIES.get(router)
        if found is None or found.rules != rules:
            found = _MEMORIES[router] = _Memory(list(rules))
    except TypeError:
        # Somebody's router that cannot be a key.
        return rules
    return found.tried(path)


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
