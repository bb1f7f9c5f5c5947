"""A real Jupyter server in a process of its own, with people, and a client to visit it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import http.cookiejar
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ports import free_port
from stores import in_a_file, store_url
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_authorized_server.credentials import hash_password
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
PASSWORD = "a password of the tests"
#: Seconds for a server to start in, on a machine that does other things too.
PATIENCE = 90.0


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a server, or of `jupyter authz`, that keeps all it has in `home`."""
    ours = {
        **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        "JUPYTER_PATH": str(home / "front"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "COV_", "COVERAGE"))
    }
    return {**kept, **ours}


def furnish(home: Path, people: Mapping[str, str]) -> None:
    """Put `people` into the store in `home`: names, and levels on the server or nothing."""
    store = Store.open(store_url(home))
    hashed = hash_password(PASSWORD)
    now = time.time()
    try:
        for name, level in people.items():
            store.add_person(name, password_hash=hashed, now=now)
            if level:
                store.add_grant(
                    principal=f"user:{name}",
                    level=level,
                    resource="server:",
                    now=now,
                    granted_by="policy",
                )
    finally:
        store.close()


@dataclass(kw_only=True)
class Served:
    """A server that is running."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def root(self) -> Path:
        """Where its files are."""
        return self.home / "notebooks"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.home / "server.log").read_text("utf-8", "replace")

    @property
    def refusals(self) -> list[dict[str, Any]]:
        """The audit records of what was refused."""
        file = self.home / "data" / "authorization" / "audit.jsonl"
        records = [json.loads(line) for line in file.read_text("ascii").splitlines()]
        return [record for record in records if "login" not in record["kind"]]

    def visitor(self, name: str, password: str = PASSWORD) -> Visitor:
        """Somebody who has signed in."""
        visitor = Visitor(self.url)
        assert visitor.sign_in(name, password) == 200, self.log
        return visitor


def dress(home: Path) -> None:
    """Have a server in `home` show this checkout's front ends, whatever else is installed."""
    made, name = ROOT / "labextension", "jupyter-authorized-server"
    if (home / "front").exists() or not (made / "dist" / "classic").is_dir():
        return
    for kind in ("labextensions", "nbextensions"):
        (home / "front" / kind).mkdir(parents=True)
    (home / "front" / "labextensions" / name).symlink_to(made / "dist")
    # Jupyter serves nothing of these through a link.
    shutil.copytree(made / "dist" / "classic", home / "front" / "nbextensions" / name)
    shutil.copytree(made / "nbconfig", home / "config" / "nbconfig")


@contextlib.contextmanager
def serving(
    home: Path,
    *options: str,
    people: Mapping[str, str],
    config: Path | None = None,
    command: str = "lab",
) -> Iterator[Served]:
    """A server of `jupyter COMMAND` that keeps all it has in `home`.

    Args:
        home: its folder; `notebooks` in it is the contents root.
        options: more for its command line.
        people: names, and the level of each on the server.
        config: the configuration file.
        command: which application.
    """
    for name in ("config", "data", "runtime", "notebooks"):
        (home / name).mkdir(exist_ok=True)
    furnish(home, people)
    dress(home)
    port = free_port()
    line = [
        str(BIN / f"jupyter-{command}"),
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home / 'notebooks'}",
        *options,
    ]
    if os.geteuid() == 0:
        line.append("--allow-root")
    if (kept := store_url(home)) != in_a_file(home):
        line.append(f"--JupyterAuthorization.store_url={kept}")
    if config is not None:
        line.append(f"--config={config}")
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            line,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=surroundings(home),
            cwd=home,
            start_new_session=True,
        )
    served = Served(url=f"http://127.0.0.1:{port}", home=home, process=process)
    with ending(served):
        await_answer(served)
        yield served


@contextlib.contextmanager
def ending(served: Served) -> Iterator[None]:
    """Stops `served` at the end."""
    try:
        yield
    finally:
        served.process.send_signal(signal.SIGTERM)
        try:
            served.process.wait(20)
        except subprocess.TimeoutExpired:
            served.process.kill()
            served.process.wait()


def await_answer(served: Served) -> None:
    """Return once `served` answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert served.process.poll() is None, served.log
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            urllib.request.urlopen(f"{served.url}/api", timeout=5),  # noqa: S310  # why: the server of the test
        ):
            return
        time.sleep(0.1)
    raise AssertionError(served.log)


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, sends the XSRF cookie back."""

    url: str
    jar: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def ask(
        self, method: str, path: str, body: object = None, *, form: bool = False
    ) -> tuple[int, Any]:
        """Status and answer; JSON is decoded."""
        data = None
        headers = {"X-Requested-With": "XMLHttpRequest"}
        if form:
            assert isinstance(body, dict)
            data = urllib.parse.urlencode(body).encode()
        elif body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self.cookie("_xsrf"):
            headers["X-XSRFToken"] = self.cookie("_xsrf")
        request = urllib.request.Request(  # noqa: S310  # why: a server of the test
            self.url + path, data=data, headers=headers, method=method
        )
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        try:
            with opener.open(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def status(self, method: str, path: str, body: object = None) -> int:
        """Status alone."""
        return self.ask(method, path, body)[0]

    def cookie(self, name: str) -> str:
        """Value of the cookie `name`; empty where there is none."""
        return next((c.value or "" for c in self.jar if c.name == name), "")

    @property
    def cookies(self) -> str:
        """As the header of a handshake."""
        return "; ".join(f"{c.name}={c.value}" for c in self.jar)

    def sign_in(self, name: str, password: str = PASSWORD) -> int:
        """Through the page that a person sees; the status of the last answer."""
        self.ask("GET", "/login")
        fields = {"username": name, "password": password, "_xsrf": self.cookie("_xsrf")}
        return self.ask("POST", "/login?next=/api", fields, form=True)[0]


def run_in(visitor: Visitor, kernel: str, code: str) -> str:
    """What `code` prints in a kernel, or the words of its error."""
    return asyncio.run(_run(visitor, kernel, code))


async def _run(visitor: Visitor, kernel: str, code: str) -> str:
    url = f"{visitor.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    handshake = HTTPRequest(url, headers={"Cookie": visitor.cookies}, connect_timeout=30)
    connection = await websocket_connect(handshake)
    header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "version": "5.4"}
    header |= {"username": "", "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": False}
    content |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
    await connection.write_message(json.dumps({**message, "content": content}))
    try:
        return await _said(connection)
    finally:
        connection.close()
        while await connection.read_message() is not None:
            pass


async def _said(connection: WebSocketClientConnection) -> str:
    said = ""
    while True:
        text = await asyncio.wait_for(connection.read_message(), 60)
        assert isinstance(text, str), "the kernel's connection was closed"
        answer = json.loads(text)
        if answer["parent_header"].get("msg_id") != "1":
            continue
        kind, content = answer["header"]["msg_type"], answer["content"]
        if kind == "stream":
            said += content["text"]
        elif kind == "error":
            said += content["evalue"]
        elif kind == "status" and content["execution_state"] == "idle":
            return said


def run(visitor: Visitor, path: str, code: str) -> str:
    """What `code` prints in a kernel that `visitor` starts for `path`, or the refusal."""
    body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    status, session = visitor.ask("POST", "/api/sessions", body)
    if status != 201:
        return f"no session: {status} {session['message']}"
    try:
        return run_in(visitor, session["kernel"]["id"], code)
    except HTTPClientError as error:
        return f"no connection: {error.code}"
    finally:
        visitor.status("DELETE", f"/api/sessions/{session['id']}")
