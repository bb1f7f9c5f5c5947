"""Which handler a request is routed to, found before it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import isclass
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

if TYPE_CHECKING:
    from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
    from tornado.routing import Rule


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


def match(router: Any, request: HTTPServerRequest) -> tuple[HTTPMessageDelegate, Target] | None:
    """The first rule that matches, as Tornado's own routers find it."""
    for rule in router.rules:
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
