"""Real servers for tests: a process of its own, people with tokens, requests as them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import websocket
from ports import free_port
from stores import in_a_file, store_url

import jupyter_authorized_server
from jupyter_authorized_server.credentials import hash_password, new_secret
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TESTS = Path(__file__).parent
PACKAGE = Path(jupyter_authorized_server.__file__).parents[1]
OTHERS = (
    "jupyterlab",
    "notebook",
    "nbclassic",
    "notebook_shim",
    "jupyter_lsp",
    "jupyter_resource_usage",
    "jupyter_server_fileid",
    "jupyter_server_terminals",
)
PASSWORD = "correct horse battery"


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Serving:
    """A running server and what a test needs of it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    tokens: dict[str, str]
    base_url: str = "/"
    root: Path = field(default=Path())
    kept: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def audit(self) -> list[dict[str, Any]]:
        path = self.folder / "data" / "authorization" / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def store(self) -> Store:
        return Store.open(self.kept or store_url(self.folder))

    def request(
        self,
        method: str,
        path: str,
        who: str | None = None,
        *,
        json_body: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with the path exactly as given: nothing is normalised on the way."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = dict(headers or {})
            if who is not None:
                sent["Authorization"] = f"token {self.tokens[who]}"
            if json_body is not None:
                body = json.dumps(json_body).encode()
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", sent.pop("Host", f"127.0.0.1:{self.port}"))
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None or method in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders()
            if body:
                connection.send(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def sign_in(self, who: str) -> str:
        """The cookies of a browser in which `who` has signed in with their password."""
        found = self.request("GET", "/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', found.text)
        assert xsrf is not None
        cookie = found.headers["Set-Cookie"].partition(";")[0]
        form = urlencode({"username": who, "password": PASSWORD, "_xsrf": xsrf[1]})
        answer = self.request(
            "POST",
            "/login",
            body=form.encode(),
            headers={"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert 302 == answer.status, answer.text
        made = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie")]
        return "; ".join([cookie, *made])

    def connect(self, path: str, who: str | None = None) -> websocket.WebSocket:
        """A websocket; raises websocket.WebSocketBadStatusException when refused."""
        headers = [] if who is None else [f"Authorization: token {self.tokens[who]}"]
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}{path}", header=headers, timeout=30
        )

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return int(self.process.returncode)


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
    return {
        **env,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "HOME": str(folder / "home"),
        # The package that is tested, also where another copy of it is installed.
        "PYTHONPATH": os.pathsep.join((str(PACKAGE), str(TESTS))),
        **(extra or {}),
    }


def add_people(folder: Path, people: Mapping[str, Any], kept: str = "") -> dict[str, str]:
    """Put people into the store of `folder`; returns a token for each.

    Args:
        folder: of the server.
        people: name to level on `server:`, or to a list of (level, resource), or None.
        kept: URL of another store.
    """
    (folder / "data" / "authorization").mkdir(parents=True, exist_ok=True)
    store = Store.open(kept or store_url(folder))
    tokens = {}
    now = time.time()
    for name, levels in people.items():
        store.add_person(name, password_hash=None, now=now)
        for level, resource in [(levels, "server:")] if isinstance(levels, str) else levels or []:
            store.add_grant(
                principal=f"user:{name}",
                level=level,
                resource=resource,
                now=now,
                granted_by="os:test",
            )
        secret = new_secret()
        store.add_token(secret.id, secret.hash, "test", name, None, now)
        tokens[name] = secret.text
    store.close()
    return tokens


def give_password(folder: Path, name: str, kept: str = "") -> None:
    store = Store.open(kept or store_url(folder))
    store.set_password_hash(name, hash_password(PASSWORD))
    store.close()


def start(  # why: each is one thing a test may vary
    folder: Path,
    *,
    people: Mapping[str, Any] | None = None,
    config: str = "",
    policy: Mapping[str, str] | None = None,
    app: str = "server",
    extensions: tuple[str, ...] = (),
    base_url: str = "/",
    env: Mapping[str, str] | None = None,
    cwd: str = "home",
    before: tuple[str, ...] = (),
    kept: str = "",
) -> Serving:
    """Start a server below `folder`, with `before` on its line and its store `kept` there; it
    may still be starting, or ending.
    """
    for name in ("config", "data", "runtime", "root", "home"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    kept = kept or store_url(folder)
    tokens = add_people(folder, people or {}, kept)
    lines = [config]
    if kept != in_a_file(folder):
        lines.append(f"c.JupyterAuthorization.store_url = {kept!r}")
    if policy is not None:
        rules = folder / "policy"
        rules.mkdir(exist_ok=True)
        for name, text in policy.items():
            (rules / name).write_text(text)
        lines.append(f"c.JupyterAuthorization.policy_dir = {str(rules)!r}")
    if app == "server" or extensions:
        # Others cost seconds to import and are not what most tests are about.
        off = dict.fromkeys(OTHERS, False) if app == "server" else {}
        enabled = {**off, **dict.fromkeys(extensions, True)}
        lines.append(f"c.ServerApp.jpserver_extensions = {enabled!r}")
    path = folder / "config" / "jupyter_server_config.py"
    path.write_text("\n".join(lines))
    port = free_port()
    program, *words = app.split()
    command = [
        *before,
        # What `jupyter PROGRAM` becomes, a tenth of a second sooner.
        str(Path(sys.executable).parent / f"jupyter-{program}"),
        *words,
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder / 'root'}",
        f"--ServerApp.base_url={base_url}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment(folder, env),
            cwd=folder / cwd,
        )
    return Serving(
        folder=folder,
        port=port,
        process=process,
        tokens=tokens,
        base_url=base_url,
        root=folder / "root",
        kept=kept,
    )


def wait(server: Serving, seconds: float = 60) -> Serving:
    """Wait until it answers.

    Raises:
        RuntimeError: it ended or did not answer in time; holds its log.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if server.request("GET", f"{server.base_url}api").status == 200:
                return server
        time.sleep(0.1)
    server.stop()
    raise RuntimeError(server.log)


@contextlib.contextmanager
def serving(folder: Path, **options: Any) -> Iterator[Serving]:
    """A server that answers, and is stopped afterwards."""
    server = start(folder, **options)
    try:
        yield wait(server)
    finally:
        server.stop()


def refused_start(folder: Path, **options: Any) -> tuple[int, str]:
    """Exit status and log of a server that must not start.

    Raises:
        AssertionError: it answered.
    """
    server = start(folder, **options)
    try:
        end = time.monotonic() + 60
        while server.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                server.request("GET", f"{server.base_url}api")
                raise AssertionError("it started: " + server.log)
            time.sleep(0.1)
        return int(server.process.returncode), server.log
    finally:
        server.stop()
