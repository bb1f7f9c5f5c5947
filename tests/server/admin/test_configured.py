"""Pages are told what the configuration's own function takes away, as the doors do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Serving, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
from jupyter_server.base.handlers import JupyterHandler

async def later(answer):
    return answer

def user_is_authorized(self, user, action, resource):
    if action == "execute":
        raise RuntimeError("broken")
    return later(True) if action == "read" else "no"

JupyterHandler.user_is_authorized = user_is_authorized
"""
SENTENCE = "This server's configuration does not allow it."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("configured")
    (folder / "root" / "team").mkdir(parents=True)
    (folder / "root" / "team" / "a.txt").write_text("a")
    people = {"adam": "admin", "vera": [("viewer", "contents:/team")]}
    with serving(folder, people=people, config=CONFIG) as running:
        yield running


def actions(server: Serving, who: str) -> dict[str, dict[str, object]]:
    found = server.request("GET", "/api/authz/me?resource=contents:/team/a.txt", who)
    assert 200 == found.status
    actions: dict[str, dict[str, object]] = found.json["resources"]["contents:/team/a.txt"][
        "actions"
    ]
    return actions


def test_what_the_configuration_takes_away_is_not_said_to_be_allowed(server: Serving) -> None:
    found = actions(server, "adam")
    assert {"allowed": True} == found["open"]
    assert {"allowed": False, "reason": SENTENCE} == found["save"] == found["launch"]
    body = {"type": "file", "format": "text", "content": "b"}
    answer = server.request("PUT", "/api/contents/team/a.txt", "adam", json_body=body)
    assert (403, SENTENCE) == (answer.status, answer.json["message"])
    # What a front end goes by: one that is told it can write begins by doing so.
    file = server.request("GET", "/api/contents/team/a.txt", "adam").json
    folder = server.request("GET", "/api/contents/team", "adam").json
    assert [False] * 3 == [each["writable"] for each in (file, folder, *folder["content"])]


def test_what_the_policy_denies_is_denied_for_its_own_reason(server: Serving) -> None:
    found = actions(server, "vera")
    assert found["open"]["allowed"]
    assert not found["save"]["allowed"]
    assert SENTENCE != found["save"]["reason"]


def test_terminals_too(server: Serving) -> None:
    found = server.request("GET", "/api/authz/me", "adam").json["abilities"]["terminals"]
    assert {"allowed": False, "reason": SENTENCE} == found["start"]
