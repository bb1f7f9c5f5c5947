"""Report: every live route of every enabled extension, and what guards it.

The guard itself is asked about each row, so the report cannot differ from what is
enforced. Run as a program (`python -m jupyter_authorized_server.server.report FILE`)
it builds a server without starting it, writes the rows as JSON into FILE and ends;
`jupyter authz routes` does that, in a process and folders of its own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.serverapp import ServerApp
from tornado.web import RequestHandler

from ..policy.vocabulary import ABILITY, Level
from .doors import git, languages, nbdime
from .doors.entry import entry_of
from .doors.routing import Target, pattern_of
from .extension import check_installed
from .surface import SURFACE, Asks, Public
from .wiring import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornado.web import Application

_EXTENSION = "jupyter_authorized_server"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question that a request to a route amounts to.

    Args:
        type: the resource type.
        action: of the vocabulary.
        word: which of read, write, execute it refines.
        level: the lowest level that has it.
    """

    type: str
    action: str
    word: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method of one live route.

    Args:
        pattern: of the URL, without the base URL; empty where no route matches.
        package: top-level package of the handler.
        handler: its class, `module.QualName`.
        method: of HTTP; `*` for a target that is no handler.
        guard: `asks` (a surface table names it), `declared` (its author does),
            `public`, or `unnamed`: then it is refused to all but `admin`.
        reason: why it is public.
        questions: those that can arise; each that does must be allowed.
        level: the lowest level that suffices whatever arises; empty if public.
    """

    pattern: str
    package: str
    handler: str
    method: str
    guard: str
    reason: str = ""
    questions: tuple[Asked, ...] = ()
    level: str = ""


def rows(application: Application) -> list[Row]:
    """A row for each method that a live route of `application` has."""
    found = [
        row
        for handler, pattern in _targets(application.default_router, "/")
        for row in _methods(application, handler, pattern)
    ]
    # Who asks for what no rule matches gets this one.
    default = application.settings.get("default_handler_class")
    if isclass(default) and issubclass(default, RequestHandler):
        found += _methods(application, default, "")
    return found


def _targets(router: Any, base_url: str) -> Iterator[tuple[Any, str]]:
    """Every target with its pattern, in the order in which Tornado tries them."""
    own = getattr(router, "application", None)
    if own is not None:
        base_url = str(own.settings.get("base_url", "/"))
    for rule in router.rules:
        if hasattr(rule.target, "rules") and hasattr(rule.target, "find_handler"):
            yield from _targets(rule.target, base_url)
        else:
            yield rule.target, pattern_of(rule, base_url)


def _methods(application: Application, target: Any, pattern: str) -> Iterator[Row]:
    if not (isclass(target) and issubclass(target, RequestHandler)):
        module = getattr(target, "__module__", None) or type(target).__module__
        name = f"{module}.{getattr(target, '__qualname__', type(target).__qualname__)}"
        yield _unnamed(pattern=pattern, handler=name, method="*")
        return
    # A handler may also answer before its method is called, in `prepare`: then it has
    # none of its own, and those that a table names are shown, or else one for all.
    route = SURFACE.find(target, pattern)
    named = set() if route is None else set(route.methods)
    methods = [method for method in _METHODS if method in named or _has(target, method)]
    for method in methods:
        yield _row(application, target, pattern, method)
    if not methods:
        name = f"{target.__module__}.{target.__qualname__}"
        yield _unnamed(pattern=pattern, handler=name, method="*")


def _has(handler: type[RequestHandler], method: str) -> bool:
    own = getattr(handler, method.lower(), None)
    return own is not None and own is not getattr(RequestHandler, method.lower())


def _row(
    application: Application, handler: type[RequestHandler], pattern: str, method: str
) -> Row:
    name = f"{handler.__module__}.{handler.__qualname__}"
    target = Target(handler=handler, pattern=pattern, arguments={}, path_args=[], path_kwargs={})
    entry = entry_of(application, method, target)
    if isinstance(entry, Public):
        return Row(
            pattern=pattern,
            package=_package(name),
            handler=name,
            method=method,
            guard="public",
            reason=entry.reason,
        )
    if not isinstance(entry, Asks):
        return _unnamed(pattern=pattern, handler=name, method=method)
    wired = wiring(application.settings)
    asked = [each for each in entry.questions if not (each.bare and getattr(wired, each.bare))]
    questions = tuple(dict.fromkeys(_asked(each.type, each.action) for each in asked))
    return Row(
        pattern=pattern,
        package=_package(name),
        handler=name,
        method=method,
        guard="declared" if SURFACE.find(handler, pattern) is None else "asks",
        questions=questions,
        level=max(ABILITY[each.type, each.action].level for each in asked).word,
    )


def _unnamed(*, pattern: str, handler: str, method: str) -> Row:
    return Row(
        pattern=pattern,
        package=_package(handler),
        handler=handler,
        method=method,
        guard="unnamed",
        questions=(_asked("routes", "call"),),
        level=Level.ADMIN.word,
    )


def _asked(type_: str, action: str) -> Asked:
    ability = ABILITY[type_, action]
    return Asked(type=type_, action=action, word=ability.word.value, level=ability.level.word)


def _package(handler: str) -> str:
    return handler.partition(".")[0]


class _Unstarted(ServerApp):
    """A server that is built to be looked at."""

    def migrate_config(self) -> None:
        """Leave a configuration folder as it is; a server that starts would tidy it."""


def main(argv: list[str]) -> None:
    """Build a server with the arguments after the first, and write its rows into that.

    The server is never started: it opens no port, starts no kernel, prints no set-up
    link. Ends the process with status 78 where it could not enforce.
    """
    file, *arguments = argv
    app = _Unstarted.instance()
    app.jpserver_extensions = {**app.jpserver_extensions, _EXTENSION: True}
    app.initialize(arguments, new_httpserver=False)
    check_installed(app.web_app)
    wired = wiring(app.web_app.settings)
    git.install(app.web_app.settings, wired)
    nbdime.install(app.web_app.settings, wired)
    languages.install(wired)
    Path(file).write_text(json.dumps([asdict(row) for row in rows(app.web_app)]), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
