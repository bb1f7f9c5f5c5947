"""Surface: what a request asks, as data.

A `Route` names a handler class; an `Asks` lists the questions that one of its methods
amounts to; a `Question` pairs an action with a function that finds the resource in
the request. The guard asks them all before the handler exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...policy.vocabulary import ABILITY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ...policy.model import Resource
    from .call import Call

    Found = Resource | tuple[Resource, ...] | None
    Where = Callable[[Call], "Found | Awaitable[Found]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May the principal do `action` on the resource of `type` that `where` finds?

    Args:
        action: of the vocabulary, for `type`.
        type: of the vocabulary.
        where: the resource in a request, or several that it means at once, the named
            one first; None where the question does not arise.
        walk: whether a folder on the way to something that is granted is answered
            although it may not be listed; only for a method whose answer the contents
            manager filters.
        whole: whether all that is in a folder is found, which takes as long as there is
            much in it; so it is looked for only when everything else is allowed.
        absent: whether it is answered, by the handler's own words, also where nothing is
            there; only for who may, so it tells others nothing.
        bare: of which field of the wiring it hangs: it arises only where that names nothing
            that holds what the handler starts in a sandbox.
    """

    action: str
    type: str
    where: Where
    walk: bool = False
    whole: bool = False
    absent: bool = False
    bare: str = ""

    def __post_init__(self) -> None:
        if (self.type, self.action) not in ABILITY:
            msg = f"`{self.action}` on `{self.type}` is not in the vocabulary"
            raise ValueError(msg)

    @property
    def word(self) -> str:
        """Which of read, write, execute the action refines."""
        return ABILITY[(self.type, self.action)].word.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """A method that is answered only if every question is allowed.

    Args:
        resource: the bare word that Jupyter's own seam and `user_is_authorized` use.
        questions: at least one must arise, or the request is refused.
        own: the handler's arguments for this principal, from those of the route; for
            what upstream shares between all users of a server.
        inside: whether what comes over the socket that this opens is asked about by a
            door of its own.
        as_oneself: whether it is answered to whoever sits there, also while they look
            around as somebody else.
        service: whether what its handler does with files is the server's own work, for
            several people at once, and not that of whoever came first.
        guests: whether it is asked at all for whoever has opened a link for guests;
            everything else is refused to them.
        forwards: whether it goes on to somebody's program; see `doors.forwarding`.
        outward: whether the program that it starts goes to other machines, where a rule
            lets a person's kernels; see `doors.git`.
        acts: whether it changes something although it is a GET; then no link or image has a
            browser ask it, but only a program, or a script of a page here.
        glances: whether `content=0` asks it for the state of a file alone; other handlers
            take no notice of that.
        unsigned: HTTP status for who is not signed in, where no log-in page is the answer;
            Jupyter's is 403, other standards have 401.
    """

    resource: str
    questions: tuple[Question, ...]
    own: Callable[[Call, dict[str, Any]], dict[str, Any]] | None = None
    inside: bool = False
    as_oneself: bool = False
    service: bool = False
    guests: bool = False
    forwards: bool = False
    outward: bool = False
    acts: bool = False
    glances: bool = False
    unsigned: int = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """A method that everybody is answered, signed in or not.

    Args:
        reason: why that is safe; shown in the docs.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the methods of one handler class ask.

    Args:
        handler: the class as `module.QualName`.
        patterns: the URL patterns, without base URL and `$`, that the entry is for;
            empty means any, and is allowed only for a class that serves one thing
            wherever it is mounted (never a static file or redirect handler).
        methods: by HTTP method; HEAD is asked as GET.
    """

    handler: str
    methods: Mapping[str, Asks | Public]
    patterns: tuple[str, ...] = field(default=())


class Unanswerable(Exception):  # why: says what the request is
    """A request that cannot be judged, such as a body that is no JSON object.

    Args:
        status: HTTP status of the answer.
        message: for the person.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Surface:
    """All routes that are named, looked up by handler class and pattern."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        for route in routes:
            for pattern in route.patterns or ("",):
                key = (route.handler, pattern)
                if key in self._routes:
                    msg = f"{key} is named twice"
                    raise ValueError(msg)
                self._routes[key] = route

    def find(self, handler: type[Any], pattern: str) -> Route | None:
        """The entry for `handler` mounted at `pattern`; None if nothing names it."""
        name = f"{handler.__module__}.{handler.__qualname__}"
        return self._routes.get((name, pattern)) or self._routes.get((name, ""))

    def __iter__(self) -> Any:
        return iter({id(each): each for each in self._routes.values()}.values())
