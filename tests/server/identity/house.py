"""A real Jupyter server in a thread, with people in a real store, and a browser to visit it."""

from __future__ import annotations

import asyncio
import contextlib
import html
import http.client
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from jupyter_server.serverapp import ServerApp
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.credentials import Secret, hash_password, new_secret
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.identity import LocalIdentityProvider
from jupyter_authorized_server.server.wiring import KEY, Wiring
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: When the tests take place; their clock stands still unless they move it.
NOW = 1_900_000_000.0
PASSWORD = "correct horse battery"


@cache
def hashed(password: str) -> str:
    """Hashing costs; once for each password is enough."""
    return hash_password(password)


@dataclass(kw_only=True)
class Answer:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def alert(self) -> str:
        """The sentence in the page's alert."""
        found = re.search(r'role="alert">(.*?)</p>', self.body, re.DOTALL)
        return html.unescape(found[1]) if found else ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Browser:
    """Keeps cookies, sends forms; a person's browser on one address."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"User-Agent": "a test", **(headers or {})}
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        with contextlib.closing(connection):
            connection.request(method, path, body=body or None, headers=sent)
            answer = connection.getresponse()
            # A socket that opened stays open; there is nothing to read to its end.
            text = b"" if answer.status == 101 else answer.read()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return Answer(status=answer.status, headers=answer.headers, body=text.decode())

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], *, xsrf: bool = True) -> Answer:
        """Send a form as the page of that path would."""
        if xsrf:
            if "_xsrf" not in self.cookies:
                self.get("/base/login")
            fields = {"_xsrf": self.cookies["_xsrf"], **fields}
        return self.send(
            "POST",
            path,
            urllib.parse.urlencode(fields).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )

    def sign_in(self, name: str, password: str = PASSWORD, next_url: str = "") -> Answer:
        query = f"?next={urllib.parse.quote(next_url)}" if next_url else ""
        return self.post(f"/base/login{query}", {"username": name, "password": password})

    def handshake(self, path: str, **headers: str) -> Answer:
        """Ask for a websocket."""
        return self.get(
            path,
            **{
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                **headers,
            },
        )

    @property
    def me(self) -> str:
        """Who the server says is asking; empty for nobody."""
        answer = self.get("/base/api/me")
        return str(answer.json["identity"]["username"]) if answer.status == 200 else ""

    @property
    def login_cookie(self) -> str:
        """Name of the cookie that says who is signed in; empty when there is none."""
        return next((name for name in self.cookies if name.startswith("username-")), "")


class _App(ServerApp):
    """Leaves the signals to the process that the tests run in."""

    def init_signal(self) -> None:
        pass


class Served:
    """One server for many tests: they exchange the store under it."""

    def __init__(self, root: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.app: ServerApp = self.do(lambda: self._start(root))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _start(self, root: Path) -> ServerApp:
        app = _App(
            identity_provider_class=LocalIdentityProvider,
            base_url="/base/",
            root_dir=str(root),
            cookie_secret=b"a secret of the tests",
            log_level=50,
        )
        app.initialize(argv=[], find_extensions=False, new_httpserver=False)
        socket, self.port = bind_unused_port()
        self._server = HTTPServer(app.web_app)
        self._server.add_socket(socket)
        return app

    def do(self, function: Callable[[], Any]) -> Any:
        """Run `function` where the server runs, so that it sees no half of a request."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    @property
    def provider(self) -> LocalIdentityProvider:
        provider = self.app.identity_provider
        assert isinstance(provider, LocalIdentityProvider)
        return provider

    def stop(self) -> None:
        async def end() -> None:
            self._server.stop()
            await self._server.close_all_connections()
            await self.app._cleanup()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(kw_only=True)
class House:
    """A server with a fresh store: an owner, a reader, one who is disabled."""

    served: Served
    store: Store
    point: DecisionPoint
    audit_file: Path
    now: float = NOW

    def browser(self) -> Browser:
        return Browser(self.served.port)

    def add_person(self, name: str, password: str = PASSWORD, display_name: str = "") -> None:
        self.store.add_person(
            name, display_name=display_name, password_hash=hashed(password), now=self.now
        )

    def add_token(self, person: str, *, expires: float | None = None) -> Secret:
        secret = new_secret()
        self.store.add_token(
            secret.id, secret.hash, f"t-{secret.id}", person, expires, now=self.now
        )
        return secret

    def refresh(self) -> None:
        """What the poll does."""
        self.served.do(self.point.refresh)

    def records(self, kind: str) -> list[dict[str, Any]]:
        lines = self.audit_file.read_text("ascii").splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]


@contextlib.contextmanager
def house_at(served: Served, folder: Path, *, people: bool = True) -> Iterator[House]:
    """A house whose store and audit file are in `folder`."""
    store = Store.open(f"sqlite:///{folder / 'store.sqlite'}")
    audit = Audit(folder / "audit.jsonl")
    point = DecisionPoint(store, policy_dir=None, audit=audit)
    house = House(served=served, store=store, point=point, audit_file=folder / "audit.jsonl")
    if people:
        house.add_person("ada", display_name="Ada L.")
        house.add_person("bob", "another password")
        house.add_person("eve")
        store.set_disabled("eve", disabled=True)
        store.add_group("team", now=NOW)
        store.add_member("team", "user:ada")
    point.refresh()
    config = JupyterAuthorization()

    def move_in() -> None:
        served.app.web_app.settings[KEY] = Wiring(config=config, point=point)
        served.provider.clock = lambda: house.now

    served.do(move_in)
    try:
        yield house
    finally:
        served.do(lambda: served.app.web_app.settings.pop(KEY))
        audit.close()
        store.close()
