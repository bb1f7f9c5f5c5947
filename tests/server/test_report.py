from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jupyter_server.base.handlers import APIHandler, MainHandler, Template404
from stores import store_url
from tornado.routing import HostMatches, Rule
from tornado.web import Application, RequestHandler

from jupyter_authorized_server import authorized
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.identity import LocalIdentityProvider
from jupyter_authorized_server.server.report import Asked, Row, rows
from jupyter_authorized_server.server.wiring import KEY, Wiring
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = __name__
ADMIN_ONLY = (Asked(type="routes", action="call", word="execute", level="admin"),)


class Strange(RequestHandler):
    def get(self) -> None: ...

    def delete(self) -> None: ...


class Early(RequestHandler):
    def prepare(self) -> None: ...


class Declared(APIHandler):
    @authorized("write", "contents")
    def put(self) -> None: ...

    @authorized("read", "a-word-of-its-own")
    def get(self) -> None: ...


def delegate(request: object) -> None: ...


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wiring]:
    with Store.open(store_url(tmp_path, "store.sqlite")) as store:
        point = DecisionPoint(store, policy_dir=None, audit=Audit(None))
        yield Wiring(config=JupyterAuthorization(), point=point)


def application(wired: Wiring, *handlers: object, **more: object) -> Application:
    settings = {
        KEY: wired,
        "base_url": "/base/",
        "identity_provider": LocalIdentityProvider(),
        **more,
    }
    return Application(list(handlers), **settings)  # type: ignore[arg-type]  # why: settings are any values


def test_a_route_of_nobody_s_table_is_unnamed_method_by_method(wired: Wiring) -> None:
    assert rows(application(wired, (r"/base/strange", Strange))) == [
        Row(
            pattern="/strange",
            package=HERE.partition(".")[0],
            handler=f"{HERE}.Strange",
            method=method,
            guard="unnamed",
            questions=ADMIN_ONLY,
            level="admin",
        )
        for method in ("GET", "DELETE")
    ]


def test_a_route_in_a_table_shows_its_questions(wired: Wiring) -> None:
    found = rows(application(wired, (r"/base/$", MainHandler)))
    by_method = {row.method: row for row in found}
    assert by_method["GET"].guard == "asks"
    assert by_method["GET"].level == "viewer"
    assert by_method["GET"].questions == (
        Asked(type="server", action="use", word="read", level="viewer"),
    )


def test_what_an_author_declares_is_told_from_the_tables(wired: Wiring) -> None:
    found = {row.method: row for row in rows(application(wired, (r"/base/declared", Declared)))}
    assert (found["PUT"].guard, found["PUT"].level) == ("declared", "editor")
    # A word that means nothing here names nothing.
    assert found["GET"].guard == "unnamed"


def test_routes_of_other_hosts_and_late_ones_are_seen(wired: Wiring) -> None:
    app = application(wired)
    app.add_handlers("other.example", [(r"/base/late", Strange)])
    assert [row.pattern for row in rows(app)] == ["/late", "/late"]


def test_a_target_that_is_no_handler_is_unnamed(wired: Wiring) -> None:
    app = application(wired)
    app.default_router.rules.insert(0, Rule(HostMatches(".*"), delegate))
    (row,) = rows(app)
    assert (row.guard, row.method, row.handler) == ("unnamed", "*", f"{HERE}.delegate")


def test_what_no_rule_matches_is_a_row(wired: Wiring) -> None:
    found = rows(application(wired, default_handler_class=Template404))
    assert found
    assert {(row.pattern, row.guard) for row in found} == {("", "public")}


def test_a_handler_that_answers_in_prepare_is_seen(wired: Wiring) -> None:
    (row,) = rows(application(wired, (r"/base/early", Early)))
    assert (row.guard, row.method, row.pattern) == ("unnamed", "*", "/early")


def test_a_default_handler_of_somebody_else_is_unnamed(wired: Wiring) -> None:
    found = rows(application(wired, default_handler_class=Strange))
    assert {(row.pattern, row.guard) for row in found} == {("", "unnamed")}
