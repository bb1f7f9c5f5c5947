"""A server extension as an attacker, or a careless author, would write it.

Each handler notes whatever part of it ran, by making a file in `$HOSTILE`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_server.auth import AllowAllAuthorizer
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, FileFindHandler, JupyterHandler
from jupyter_server.services.contents.handlers import ContentsHandler
from tornado import web
from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.routing import Matcher, Rule, RuleRouter
from tornado.websocket import WebSocketHandler

from jupyter_authorized_server import authorized

MARKS = Path(os.environ.get("HOSTILE", "."))


def mark(name: str) -> None:
    (MARKS / name).touch()


class Plain(web.RequestHandler):
    """Plain Tornado, acting in every place where a handler can act."""

    label = "plain"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        mark(f"{self.label}-constructor")
        super().__init__(*args, **kwargs)

    def initialize(self, **kwargs: Any) -> None:
        mark(f"{self.label}-initialize")

    def set_default_headers(self) -> None:
        mark(f"{self.label}-headers")

    def prepare(self) -> None:
        mark(f"{self.label}-prepare")

    def check_xsrf_cookie(self) -> None:
        mark(f"{self.label}-xsrf")

    def get(self, *args: Any) -> None:
        mark(f"{self.label}-method")
        self.write("reached")

    head = post = put = patch = delete = options = get


class Late(Plain):
    label = "late"


class Shown(Plain):
    label = "shown"


class Jupyter(JupyterHandler):
    """Jupyter's, without any decorator."""

    async def prepare(self) -> None:  # type: ignore[override]  # why: upstream has it without `async`
        mark("jupyter-prepare")
        await super().prepare()

    def get(self) -> None:
        mark("jupyter-method")
        self.write("reached")

    post = put = patch = delete = get


class Preflight(APIHandler):
    """OPTIONS of an unnamed API handler must not reach its preparations either."""

    async def prepare(self) -> None:  # type: ignore[override]  # why: as upstream's own do it
        mark("preflight-prepare")
        await super().prepare()


class Hook(JupyterHandler):
    """What a program calls that has no account here, and proves itself in its own way."""

    @allow_unauthenticated
    async def get(self) -> None:
        status = 200
        try:
            await self.contents_manager.get("")  # type: ignore[no-untyped-call]  # why: upstream's
        except web.HTTPError as error:
            status = error.status_code
        self.finish({"user": repr(self.current_user), "status": status})

    def post(self) -> None:
        """Upstream's own rule for it: whoever is nobody signs in first."""
        self.finish("reached")


class HookSocket(JupyterHandler, WebSocketHandler):
    """The same, that stays open."""

    @allow_unauthenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        await WebSocketHandler.get(self, *args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        self.write_message("reached")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


@web.stream_request_body
class Streaming(web.RequestHandler):
    def check_xsrf_cookie(self) -> None:
        """Not what is tested here."""

    def prepare(self) -> None:
        mark("streaming-prepare")
        self.size = 0

    def data_received(self, chunk: bytes) -> None:
        mark("streaming-data")
        self.size += len(chunk)

    def put(self) -> None:
        self.write(str(self.size))


class Socket(WebSocketHandler):
    """A plain websocket."""

    def prepare(self) -> None:
        mark("socket-prepare")

    def check_origin(self, origin: str) -> bool:
        return True

    def open(self, *args: str, **kwargs: str) -> None:
        mark("socket-open")
        self.write_message("reached")

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Inherited(ContentsHandler):
    """A core handler's subclass: it may do anything in the name of the core."""

    async def get(self, path: str = "") -> None:
        mark("inherited-method")
        self.finish("reached")


class Declared(APIHandler):
    """An author who says what is asked."""

    auth_resource = "contents"

    @authorized("write", "contents")
    def post(self) -> None:
        self.write("written")

    @authorized
    def get(self) -> None:
        self.write("read")

    @authorized("read", "no-such-resource")
    def put(self) -> None:
        self.write("own word")

    @authorized("fly", "contents", message="only birds do")
    def patch(self) -> None:
        self.write("flown")


class PlainlyDeclared(web.RequestHandler):
    """Plain Tornado, which knows of no user."""

    @authorized("read", "contents")
    def get(self) -> None:
        self.write("read plainly")

    def check_xsrf_cookie(self) -> None:
        """An author who has not thought of it, or forwards elsewhere."""

    @authorized("write", "contents")
    def post(self) -> None:
        mark("declared-plainly-method")
        self.write("written plainly")


@authorized("read", "contents")
class DeclaredWhole(web.RequestHandler):
    """All of its methods at once, but for one."""

    def check_xsrf_cookie(self) -> None:
        """As above."""

    def get(self) -> None:
        self.write("read as a whole")

    @authorized("write", "contents")
    def post(self) -> None:
        mark("declared-whole-method")
        self.write("written as a whole")


@authorized
class DeclaredBare(DeclaredWhole):
    """Says nothing itself: what it inherits has been declared, and its own asks for a word."""

    auth_resource = "contents"

    def put(self) -> None:
        mark("declared-bare-method")
        self.write("written")


class DeclaredSocket(Socket):
    """A plain websocket that says what its handshake asks."""

    @authorized("read", "contents")
    async def get(self, *args: Any, **kwargs: Any) -> None:
        await super().get(*args, **kwargs)


class Shared(JupyterHandler):
    """One method under two verbs: each call must be judged as itself."""

    auth_resource = "contents"

    @authorized
    def get(self) -> None:
        self.write("shared")

    post = get


class Delegate(HTTPMessageDelegate):
    """A target that is no handler at all."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def finish(self) -> None:
        mark("delegate")


class Connection(HTTPServerConnectionDelegate):
    def start_request(self, server_conn: object, request_conn: Any) -> Delegate:
        return Delegate(request_conn)


def load(app: Any, name: str) -> None:
    base = app.web_app.settings["base_url"].rstrip("/")
    application = web.Application([(rf"{base}/{name}/nested", Plain)])
    app.web_app.add_handlers(
        ".*$",
        [
            (rf"{base}/{name}/plain", Plain),
            (rf"{base}/{name}/with-arguments/(.*)", Plain, {"a": 1}),
            (rf"{base}/{name}/jupyter", Jupyter),
            (rf"{base}/{name}/preflight", Preflight),
            (rf"{base}/{name}/streaming", Streaming),
            (rf"{base}/{name}/socket", Socket),
            (rf"{base}/{name}/shown", Shown),
            (rf"{base}/{name}/hook", Hook),
            (rf"{base}/{name}/hook-socket", HookSocket),
            (rf"{base}/{name}/contents(.*)", Inherited),
            (rf"{base}/{name}/declared", Declared),
            (rf"{base}/{name}/declared-plainly", PlainlyDeclared),
            (rf"{base}/{name}/declared-whole", DeclaredWhole),
            (rf"{base}/{name}/declared-bare", DeclaredBare),
            (rf"{base}/{name}/declared-socket", DeclaredSocket),
            (rf"{base}/{name}/shared", Shared),
            (rf"{base}/{name}/static/(.*)", FileFindHandler, {"path": [str(MARKS)]}),
            (rf"{base}/{name}/moved", web.RedirectHandler, {"url": "/elsewhere"}),
        ],
    )
    # Targets that are no handlers go in where Jupyter does not look at them.
    app.web_app.default_router.rules[:0] = [
        Rule(
            _Prefix(f"{base}/{name}/router"),
            RuleRouter([(f"{base}/{name}/router", _callable)]),
        ),
        Rule(_Prefix(f"{base}/{name}/nested"), application),
        Rule(_Prefix(f"{base}/{name}/delegate"), Connection()),
    ]


class _Prefix(Matcher):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def match(self, request: Any) -> dict[str, Any] | None:
        return {} if request.path.startswith(self.prefix) else None

    def reverse(self, *args: Any) -> None:
        return None


def _callable(request: Any) -> None:
    mark("callable")
    request.connection.write_headers(None, {}, b"")
    request.connection.finish()


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hostile"}]


def _load_jupyter_server_extension(app: Any) -> None:
    load(app, "early")
    # Found long after every extension has loaded.
    app.io_loop.call_later(0.5, lambda: app.web_app.add_handlers(".*$", [(r"/late/plain", Late)]))
    swap = os.environ.get("HOSTILE_AUTHORIZER")
    if swap == "load":
        _swap_authorizer(app)
    elif swap == "later":
        _swap_once_started(app)


def _swap_once_started(app: Any) -> None:
    # A server that has not checked its authorizer yet would not start.
    if "jupyter_authorization_poll" in app.web_app.settings:
        _swap_authorizer(app)
        mark("swapped")
    else:
        app.io_loop.call_later(0.1, _swap_once_started, app)


def _swap_authorizer(app: Any) -> None:
    app.web_app.settings["authorizer"] = AllowAllAuthorizer(
        parent=app, identity_provider=app.identity_provider
    )
