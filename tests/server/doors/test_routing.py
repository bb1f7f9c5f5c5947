from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.routing import Matcher, PathMatches, Rule, RuleRouter
from tornado.web import Application, RequestHandler

from jupyter_authorized_server.server.doors import routing
from jupyter_authorized_server.server.doors.routing import LONGEST_PATH, MOST_PATHS, match

if TYPE_CHECKING:
    from collections.abc import Callable


class First(RequestHandler):
    pass


class Second(RequestHandler):
    pass


class Third(RequestHandler):
    pass


HANDLERS = (First, Second, Third)


class Connection:
    """As much of one as a request asks of it."""

    context = None

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        pass


def request(path: str, host: str = "here") -> HTTPServerRequest:
    line = RequestStartLine("GET", path, "HTTP/1.1")
    headers = HTTPHeaders({"Host": host})
    return HTTPServerRequest(start_line=line, headers=headers, connection=Connection())  # type: ignore[arg-type]  # why: a request that nobody sent


def handler(application: Application, path: str, host: str = "here") -> object:
    found = match(application.default_router, request(path, host))
    return None if found is None else found[1].handler


def test_a_route_that_comes_later_takes_a_path_that_is_remembered() -> None:
    application = Application([(r"/a/.*", First), (r"/.*", Second)])
    assert handler(application, "/b") is Second
    application.add_handlers(".*", [(r"/b", Third)])
    assert handler(application, "/b") is Third


def test_a_route_in_the_place_of_another_is_found_on_a_path_that_is_remembered() -> None:
    application = Application([(r"/a", First), (r"/.*", Second)])
    assert handler(application, "/a") is First
    inner = application.wildcard_router
    inner.rules[0] = Rule(PathMatches(r"/a"), Third)
    assert handler(application, "/a") is Third
    del inner.rules[0]
    assert handler(application, "/a") is Second


def test_a_rule_that_looks_at_more_than_the_path_is_asked_each_time() -> None:
    class There(Matcher):
        def match(self, asked: HTTPServerRequest) -> dict[str, Any] | None:
            return {} if asked.host == "there" else None

    application = Application([(r"/a", First)])
    application.wildcard_router.rules.insert(0, Rule(There(), Second))
    assert [handler(application, "/a", host) for host in ("here", "there", "here")] == [
        First,
        Second,
        First,
    ]


def test_a_pattern_that_fits_by_a_method_of_its_own_is_asked_each_time() -> None:
    class Sometimes(PathMatches):
        def match(self, asked: HTTPServerRequest) -> dict[str, Any] | None:
            return {} if asked.host == "there" else None

    application = Application([(r"/a", First)])
    application.wildcard_router.rules.insert(0, Rule(Sometimes(r"/never"), Second))
    assert [handler(application, "/a", host) for host in ("here", "there", "here")] == [
        First,
        Second,
        First,
    ]


def test_a_router_in_a_router_that_finds_nothing_passes_the_path_on() -> None:
    application = Application([(r"/.*", Second)])
    inner = RuleRouter([Rule(PathMatches(r"/a/b"), First)])
    application.wildcard_router.rules.insert(0, Rule(PathMatches(r"/a/.*"), inner))
    for _ in range(2):
        assert handler(application, "/a/c") is Second


def test_however_many_paths_are_asked_for_few_are_remembered() -> None:
    application = Application([(r"/.*", First)])
    for number in range(MOST_PATHS + 5):
        assert handler(application, f"/{number}") is First
    assert handler(application, "/" + "x" * LONGEST_PATH) is First
    kept = routing._MEMORIES[application.wildcard_router].first
    assert len(kept) == 5
    assert max(map(len, kept)) <= LONGEST_PATH


def test_a_router_that_can_be_no_key_is_asked_each_time() -> None:
    class Strange(RuleRouter):
        __hash__ = None  # type: ignore[assignment]  # why: that is what is strange

    application = Application([(r"/.*", Second)])
    inner = Strange([Rule(PathMatches(r"/a"), First)])
    application.wildcard_router.rules.insert(0, Rule(PathMatches(r"/a"), inner))
    assert [handler(application, "/a") for _ in range(2)] == [First, First]


@settings(max_examples=60, deadline=None)
@given(
    patterns=st.lists(
        st.sampled_from([r"/", r"/a", r"/a/.*", r"/.*", r"/b", r"/a/b"]), max_size=6
    ),
    paths=st.lists(st.sampled_from(["/", "/a", "/a/b", "/a/c", "/b", "/c"]), max_size=8),
    changes=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 6)), max_size=3),
)
def test_the_same_rule_is_found_as_tornado_finds(
    patterns: list[str], paths: list[str], changes: list[tuple[int, int]]
) -> None:
    rules = [(pattern, type("Own", (RequestHandler,), {})) for pattern in patterns]
    application = Application(rules)
    moves = dict(changes)
    for number, path in enumerate(paths):
        inner = application.wildcard_router.rules
        if number in moves and inner:
            inner.insert(0, inner.pop(moves[number] % len(inner)))
        asked = request(path)
        plain: Any = application.default_router.find_handler(asked)
        expected = getattr(plain, "handler_class", None)
        assert handler(application, path) is expected
