"""Under a JupyterHub: it says who asks and whose the server is, and the policy the rest."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import serving
import websocket
from ports import free_port
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """
import json
from pathlib import Path
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner

FOLDER = Path({folder!r})

class Written(Proxy):
    # The test is the way between browser and servers; this tells it where they are.
    routes = {{}}
    should_start = False
    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {{"routespec": routespec, "target": target, "data": data}}
        (FOLDER / "routes").write_text(json.dumps(self.routes))
    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)
    async def get_all_routes(self):
        return self.routes

c.JupyterHub.proxy_class = Written
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "correct horse battery"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.notebook_dir = str(FOLDER / "root")
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.JupyterHub.services = [{{"name": "ada", "api_token": "{service}"}}]
c.JupyterHub.load_groups = {{"team": {{"users": ["bob"]}}}}
c.JupyterHub.load_roles = [
    {{"name": "team", "scopes": ["access:servers!user=ada"], "groups": ["team"]}},
    {{"name": "service", "scopes": ["access:servers"], "services": ["ada"]}},
]
"""
SERVICE = "0123456789abcdef" * 2
POLICY = """
people:
  bob: {}
grants:
  - principal: user:bob
    level: viewer
    resource: contents:/shared
"""


class Way(HTTPAdapter):
    """Sends what is for the hub to the hub, and what is for a server to that server."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        url = str(request.url)
        path = urlsplit(url).path
        routes = json.loads((self._folder / "routes").read_text())
        best = max((each for each in routes if path.startswith(each)), key=len)
        target = urlsplit(routes[best]["target"])
        request.url = urlsplit(url)._replace(netloc=target.netloc).geturl()
        response = super().send(request, *args, **kwargs)
        request.url = response.url = url
        return response


class Hub:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public = free_port()
        self.url = f"http://127.0.0.1:{self.public}"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount(self.url, Way(self.folder))
        return session

    def sign_in(self, name: str) -> requests.Session:
        session = self.session()
        session.get(f"{self.url}/hub/login")
        xsrf = next(each.value for each in session.cookies if each.name == "_xsrf")
        answer = session.post(
            f"{self.url}/hub/login?next=/hub/home",
            data={"username": name, "password": "correct horse battery", "_xsrf": xsrf},
        )
        assert answer.status_code == 200, answer.text
        return session

    def open(self, session: requests.Session, path: str) -> requests.Response:
        """A page of ada's server, with the person's consent where the hub asks for it."""
        answer = session.get(self.url + path)
        if answer.status_code == 200 and "/hub/api/oauth2/authorize" in answer.url:
            cookies = {each.path: each.value for each in session.cookies if each.name == "_xsrf"}
            answer = session.post(
                answer.url,
                data={"scopes": "access:servers!server=ada/", "_xsrf": cookies["/hub/"]},
                headers={"Referer": answer.url},
            )
        return answer


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    for name in ("root/shared", "root/own", "config", "data", "runtime", "home", "policy"):
        (folder / name).mkdir(parents=True)
    (folder / "root/shared/a.txt").write_text("a")
    (folder / "root/own/b.txt").write_text("b")
    (folder / "policy/people.yaml").write_text(POLICY)
    (folder / "config/jupyter_server_config.py").write_text(
        f"c.JupyterAuthorization.policy_dir = {str(folder / 'policy')!r}\n"
        "c.JupyterAuthorization.sandbox = 'off'\n"
        "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': True}\n"
        # As after some minutes.
        "c.HubOAuth.cache_max_age = 1\n"
        "from jupyter_authorized_server.server.doors import recognised\n"
        "recognised.SECONDS = 0.3\n"
    )
    found = Hub(folder)
    (folder / "hub.py").write_text(
        CONFIG.format(
            folder=str(folder),
            public=found.public,
            hub=free_port(),
            python=sys.executable,
            environment=serving.environment(folder),
            service=SERVICE,
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(folder / "hub.py")],
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": ""},
        )
    try:
        _wait(found, process)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(hub: Hub, process: subprocess.Popen[bytes]) -> None:
    """Until ada's own server answers; she starts it."""
    end = time.monotonic() + 150
    session = None
    while time.monotonic() < end:
        log = (hub.folder / "log").read_text()
        assert process.poll() is None, log
        assert "not starting" not in log, log
        with contextlib.suppress(OSError, ValueError, requests.ConnectionError):
            if session is None:
                session = hub.sign_in("ada")
                session.get(f"{hub.url}/hub/spawn/ada")
            if "/user/ada/" in json.loads((hub.folder / "routes").read_text()):
                return
        time.sleep(0.3)
    pytest.fail((hub.folder / "log").read_text())


def test_the_one_whom_the_hub_started_it_for_signs_in_and_is_its_admin(hub: Hub) -> None:
    ada = hub.sign_in("ada")
    assert hub.open(ada, "/user/ada/api/me").json()["message"] == "Sign in first."
    page = hub.open(ada, "/user/ada/authz")
    assert (page.status_code, page.url) == (200, f"{hub.url}/user/ada/authz")
    me = hub.open(ada, "/user/ada/api/authz/me?resource=server:").json()
    assert me["principal"]["name"] == "user:ada"
    assert me["resources"]["server:"]["level"] == "admin"
    xsrf = {each.path: str(each.value) for each in ada.cookies if each.name == "_xsrf"}
    url = f"{hub.url}/user/ada/api/contents/own"
    forged = ada.post(url, json={"type": "file"})
    assert forged.status_code == 403
    made = ada.post(url, json={"type": "file"}, headers={"X-XSRFToken": xsrf["/user/ada/"]})
    assert made.status_code == 201, made.text


def test_another_one_of_the_hub_may_what_the_policy_says(hub: Hub) -> None:
    bob = hub.sign_in("bob")
    assert hub.open(bob, "/user/ada/authz").status_code == 200
    assert hub.open(bob, "/user/ada/api/me").json()["identity"]["username"] == "bob"
    assert hub.open(bob, "/user/ada/api/contents/shared/a.txt").json()["content"] == "a"
    assert hub.open(bob, "/user/ada/api/contents/own/b.txt").status_code == 404
    names = [each["name"] for each in hub.open(bob, "/user/ada/api/contents").json()["content"]]
    assert names == ["shared"]


def test_no_page_shows_the_secret_by_which_the_hub_knows_the_server(hub: Hub) -> None:
    # With it anybody is the one whom the hub started the server for.
    (kept,) = (hub.folder / "runtime").glob("jpserver-*.json")
    secret = json.loads(kept.read_text())["token"]
    as_server = {"Authorization": f"token {secret}"}
    known = hub.session().get(f"{hub.url}/user/ada/api/me", headers=as_server)
    assert "ada" == known.json()["identity"]["username"]
    bob = hub.sign_in("bob")
    hub.open(bob, "/user/ada/authz")
    for path in ("nothing", "files/shared", "nbclassic/tree", "lab", "tree"):
        assert secret not in hub.open(bob, f"/user/ada/{path}").text, path


def test_a_socket_ends_with_the_login_at_the_hub(hub: Hub) -> None:
    routes = json.loads((hub.folder / "routes").read_text())
    url = routes["/user/ada/"]["target"].replace("http", "ws") + "/user/ada/api/events/subscribe"
    people = [hub.sign_in("ada") for _ in range(2)]
    sockets = []
    for each in people:
        hub.open(each, "/user/ada/authz")
        cookies = [f"{c.name}={c.value}" for c in each.cookies if c.path == "/user/ada/"]
        sockets.append(websocket.create_connection(url, cookie="; ".join(cookies), timeout=20))
    people[0].get(f"{hub.url}/user/ada/logout")
    told = 0
    while told != websocket.ABNF.OPCODE_CLOSE:
        told, data = sockets[0].recv_data()
    assert (1000).to_bytes(2, "big") + b"You are signed out." == data
    # The other browser of the same person is still signed in.
    hub.open(people[1], "/user/ada/api/contents/own/b.txt")
    # Not always first: she hears of what was recorded as well.
    while "own/b.txt" not in sockets[1].recv():
        pass
    for socket in sockets:
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: websocket-client has no types here


def test_who_may_not_come_here_by_the_hub_is_told_so_and_not_sent_in_circles(hub: Hub) -> None:
    answer = hub.open(hub.sign_in("cleo"), "/user/ada/authz")
    assert answer.status_code == 403
    assert len(answer.history) < 8


def test_a_service_that_is_called_like_the_owner_is_not_the_owner(hub: Hub) -> None:
    session = hub.session()
    session.headers["Authorization"] = f"token {SERVICE}"
    answer = session.get(f"{hub.url}/user/ada/api/contents/own/b.txt")
    assert answer.status_code == 403
    assert "Services of the hub are not let in here" in answer.json()["message"]
