from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import talking
from serving import serving

if TYPE_CHECKING:
    from pathlib import Path

PATCH = """
from jupyter_server.base.handlers import JupyterHandler

{function}

JupyterHandler.user_is_authorized = user_is_authorized
"""
READ_ONLY = PATCH.format(
    function="def user_is_authorized(self, user, action, resource):\n    return action == 'read'"
)


def test_a_patched_method_takes_away_from_what_the_policy_allows(tmp_path: Path) -> None:
    with serving(tmp_path, people={"adam": "admin", "nora": None}, config=READ_ONLY) as server:
        assert 200 == server.request("GET", "/api/contents", "adam").status
        assert 403 == server.request("POST", "/api/contents", "adam", body=b"{}").status
        assert 403 == server.request("POST", "/api/kernels", "adam", body=b"{}").status
        named = quote('{"contents:/a": ["open", "save"], "contents": ["read", "write"]}')
        told = server.request("GET", f"/api/me?permissions={named}", "adam").json["permissions"]
        assert {"contents:/a": ["open"], "contents": ["read"], "updatable_fields": []} == told
        # And it gives nothing that the policy does not.
        assert 404 == server.request("GET", "/api/contents", "nora").status


@pytest.mark.parametrize(
    "answer",
    ["'deny'", "1", "None", "[True]", "(_ for _ in ()).throw(ValueError('broken'))", "object()"],
)
def test_a_patched_method_that_answers_no_bool_denies(tmp_path: Path, answer: str) -> None:
    function = f"def user_is_authorized(self, user, action, resource):\n    return {answer}"
    config = PATCH.format(function=function)
    with serving(tmp_path, people={"adam": "admin"}, config=config) as server:
        assert 403 == server.request("GET", "/api/contents", "adam").status


def test_a_patched_coroutine_is_awaited(tmp_path: Path) -> None:
    function = (
        "async def user_is_authorized(self, user, action, resource):\n"
        "    return user.username == 'adam' and resource != 'kernelspecs'"
    )
    config = PATCH.format(function=function)
    people = {"adam": "admin", "amy": "admin"}
    with serving(tmp_path, people=people, config=config) as server:
        for _ in range(2):
            assert 200 == server.request("GET", "/api/contents", "adam").status
            assert 403 == server.request("GET", "/api/contents", "amy").status
            assert 403 == server.request("GET", "/api/kernelspecs", "adam").status


def test_the_handler_method_authorizer_asks_the_method_alone(tmp_path: Path) -> None:
    config = READ_ONLY + (
        "\nc.ServerApp.authorizer_class = 'jupyter_authorized_server.HandlerMethodAuthorizer'"
        "\nc.JupyterAuthorization.denied_status = 401"
    )
    (tmp_path / "marks").mkdir()
    with serving(
        tmp_path,
        people={"nora": None, "oscar": "admin"},
        config=config,
        extensions=("hostile",),
        env={"HOSTILE": str(tmp_path / "marks")},
    ) as server:
        assert 200 == server.request("GET", "/api/contents", "nora").status
        assert 401 == server.request("POST", "/api/contents", "nora", body=b"{}").status
        assert 403 == server.request("GET", "/api/contents").status
        # A function of two words cannot tell what an unknown route does.
        assert 401 == server.request("GET", "/early/jupyter", "nora").status
        assert [] == list((tmp_path / "marks").iterdir())
        # Nor is whoever may read everything an administrator of others.
        store = server.store()
        [token] = [each.id for each in store.tokens() if each.person == "oscar"]
        store.close()
        stream = server.connect("/api/events/subscribe", "oscar")
        server.request("POST", "/api/contents", "oscar", body=b"{}")
        [theirs] = server.request("GET", "/api/authz/live", "oscar").json["items"]
        for path in (f"tokens/{token}", f"live/{theirs['id']}"):
            assert 404 == server.request("DELETE", f"/api/authz/{path}", "nora").status
        for path in ("live", "audit"):
            items = server.request("GET", f"/api/authz/{path}", "nora").json["items"]
            assert not [each for each in items if each["principal"] == "user:oscar"], path
        assert 200 == server.request("GET", "/api/me", "oscar").status
        stream.close()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_a_method_takes_from_an_administrator_is_no_way_to_others(
    tmp_path: Path, kind: str
) -> None:
    function = (
        f"{kind} user_is_authorized(self, user, action, resource):\n"
        "    return user.username == 'adam' or action == 'read'"
    )
    people = {"adam": "admin", "amy": "admin"}
    with serving(tmp_path, people=people, config=PATCH.format(function=function)) as server:
        store = server.store()
        tokens = {each.person: each.id for each in store.tokens()}
        store.close()
        adam, amy = (server.connect("/api/events/subscribe", who) for who in people)
        assert 403 == server.request("POST", "/api/contents", "amy", body=b"{}").status
        records = "jupyter_authorized_server/audit"
        while records not in adam.recv():
            pass
        assert 200 == server.request("GET", "/api/contents", "adam").status
        heard = [amy.recv()]
        while "contents_service" not in heard[-1]:
            heard.append(amy.recv())
        assert [] == [each for each in heard if records in each]
        for stream in (adam, amy):
            stream.close()
        ended = f"/api/authz/tokens/{tokens['adam']}"
        assert 404 == server.request("DELETE", ended, "amy").status
        items = server.request("GET", "/api/authz/audit", "amy").json["items"]
        assert {"user:amy"} == {each["principal"] for each in items}
        items = server.request("GET", "/api/authz/audit", "adam").json["items"]
        assert "user:amy" in {each["principal"] for each in items}
        ended = f"/api/authz/tokens/{tokens['amy']}"
        assert 200 == server.request("DELETE", ended, "adam").status


def test_a_method_that_forbids_writing_lets_a_kernel_start(tmp_path: Path) -> None:
    function = (
        "def user_is_authorized(self, user, action, resource):\n    return action != 'write'"
    )
    config = PATCH.format(function=function)
    with serving(tmp_path, people={"adam": "admin"}, config=config) as server:
        body = {"path": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
        assert 201 == server.request("POST", "/api/sessions", "adam", json_body=body).status
        assert 403 == server.request("PUT", "/api/contents/a", "adam", body=b"{}").status


#: Lets adam execute while a file is there, which two ways of writing the method ask.
SWITCH = """
import asyncio, os
SWITCH = {switch!r}
{kind} user_is_authorized(self, user, action, resource):
    {wait}
    return user.username == 'amy' or action != 'execute' or os.path.exists(SWITCH)"""


@pytest.mark.parametrize(
    ("authorizer", "kind", "wait"),
    [
        ("PolicyAuthorizer", "def", "pass"),
        ("HandlerMethodAuthorizer", "async def", "await asyncio.sleep(0.01)"),
    ],
)
def test_a_method_is_asked_about_each_message_to_a_kernel(
    tmp_path: Path, authorizer: str, kind: str, wait: str
) -> None:
    switch = tmp_path / "switch"
    function = SWITCH.format(switch=str(switch), kind=kind, wait=wait)
    config = PATCH.format(function=function) + (
        f"\nc.ServerApp.authorizer_class = 'jupyter_authorized_server.{authorizer}'"
    )
    people = {"adam": "admin", "amy": "admin"}
    with serving(tmp_path, people=people, config=config) as server:
        kernel = talking.start(server, "amy", "a.ipynb")
        amy, adam = (talking.Client(server, kernel, who) for who in ("amy", "adam"))
        amy.text("kept = 42")

        def until(expected: str) -> None:
            end = time.monotonic() + 60
            while (said := adam.text("print(kept)")) != expected:
                assert time.monotonic() < end, said
                time.sleep(0.1)

        refused = "This server's configuration does not allow it."
        assert refused == adam.text("print(kept)")
        switch.touch()
        until("42\n")
        switch.unlink()
        until(refused)
        assert 1 <= len(
            [
                each
                for each in server.audit
                if each.get("determining") == ["user_is_authorized (configuration)"]
                and each["principal"] == "user:adam"
                and each["resource"] == f"kernels:{kernel}"
            ]
        )
        # Where no message is asked about, what upstream asks at the handshake counts.
        assert 403 == server.request("POST", f"/api/kernels/{kernel}/restart", "adam").status
        assert "42\n" == amy.text("print(kept)")
        for client in (amy, adam):
            client.close()


def test_the_method_is_given_jupyters_own_words(tmp_path: Path) -> None:
    function = (
        "def user_is_authorized(self, user, action, resource):\n"
        "    with open('words', 'a') as file:\n"
        "        print(user.username, action, resource, file=file)\n"
        "    return True"
    )
    with serving(
        tmp_path, people={"adam": "admin"}, config=PATCH.format(function=function)
    ) as server:
        for method, path in (
            ("GET", "/api/contents/a"),
            ("PUT", "/api/contents/a"),
            ("DELETE", "/api/contents/a"),
            ("POST", "/api/sessions"),
            ("GET", "/api/kernelspecs"),
            ("GET", "/nbconvert/html/a.ipynb"),
            ("GET", "/api/status"),
        ):
            server.request(method, path, "adam", body=b'{"path": "a"}')
        words = set((tmp_path / "home" / "words").read_text().splitlines())
        expected = {
            "adam read contents",
            "adam write contents",
            "adam execute sessions",
            "adam read kernelspecs",
            "adam read nbconvert",
            "adam read server",
        }
        assert expected <= words
