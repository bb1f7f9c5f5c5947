from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, serving
from talking import Client, notebook, start

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("doors")
    notebook(folder / "root" / "team" / "a.ipynb", "6 * 7")
    people = {"edda": "editor", "vera": "viewer", "mona": "manager", "adam": "admin"}
    people["zora"] = "viewer"
    with serving(folder, people=people) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: Serving) -> str:
    return start(server, "edda", "team/a.ipynb")


@pytest.fixture(autouse=True)
def _nobody_is_connected(server: Serving) -> None:
    """What another test has closed the server may still know."""
    until_there_is_none(server, "adam")


def until_there_is_none(server: Serving, who: str) -> None:
    end = time.monotonic() + 60
    while doors(server, who):
        assert time.monotonic() < end
        time.sleep(0.05)


def doors(server: Serving, who: str, query: str = "") -> list[dict[str, Any]]:
    answer = server.request("GET", f"/api/authz/live{query}", who)
    assert 200 == answer.status, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_one_sees_the_own_sockets_and_an_administrator_all(server: Serving, kernel: str) -> None:
    vera, edda = (Client(server, kernel, who) for who in ("vera", "edda"))
    [mine] = doors(server, "vera")
    assert ("user:vera", f"kernels:{kernel}", True, True) == (
        mine["principal"],
        mine["resource"],
        mine["allowed"],
        mine["mine"],
    )
    assert "127.0.0.1" == mine["address"]
    assert [] == doors(server, "mona")
    assert ["user:vera", "user:edda"] == [each["principal"] for each in doors(server, "adam")]
    assert ["user:edda"] == [
        each["principal"] for each in doors(server, "adam", "?principal=user:edda")
    ]
    assert "contents:/team/a.ipynb" == mine["within"]
    for query, seen in (("TEAM/A", 2), ("edda", 1), ("nosuch", 0), ("GET", 0)):
        assert seen == len(doors(server, "adam", f"?q={query}"))
    assert [] == doors(server, "vera", "?q=edda")
    assert server.tokens["vera"] not in server.request("GET", "/api/authz/live", "adam").text
    for client in (vera, edda):
        client.close()


def revoked(server: Serving) -> float:
    name = "jupyter_authorization_revoked_sockets_total "
    text = server.request("GET", "/metrics", "adam").text
    return float(text.partition(f"\n{name}")[2].splitlines()[0])


def test_the_metrics_count_a_socket_whose_right_ended_once(server: Serving, kernel: str) -> None:
    before = revoked(server)
    zora = Client(server, kernel, "zora")
    with server.store() as store:
        [grant] = [each for each in store.state().grants if each.principal == "user:zora"]
        store.remove_grant(grant.id)
    end = time.monotonic() + 60
    while revoked(server) == before:
        assert time.monotonic() < end
        time.sleep(0.05)
    with server.store() as store:
        store.add_group("others", now=1)
    time.sleep(0.6)
    assert before + 1 == revoked(server)
    assert 1000 == zora.closed()[0]


def test_a_socket_is_ended_by_its_owner_or_an_administrator(server: Serving, kernel: str) -> None:
    vera = Client(server, kernel, "vera")
    [door] = doors(server, "vera")
    path = f"/api/authz/live/{door['id']}"
    for other in ("edda", "mona"):
        assert 404 == server.request("DELETE", path, other).status
    assert 404 == server.request("DELETE", "/api/authz/live/0123", "adam").status
    assert 200 == server.request("DELETE", path, "adam").status
    assert (1000, "An administrator has disconnected you.") == vera.closed(60)
    until_there_is_none(server, "vera")
    again = Client(server, kernel, "vera")
    [door] = doors(server, "vera")
    assert 200 == server.request("DELETE", f"/api/authz/live/{door['id']}", "vera").status
    assert 1000 == again.closed(60)[0]
    assert ["user:adam", "user:vera"] == [
        each["principal"] for each in server.audit if each["kind"] == "disconnect"
    ]
