from __future__ import annotations

import json
import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, add_people, serving, start, wait
from talking import Client, notebook
from talking import start as start_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RULES = """
@id("no-python")
forbid (
  principal == Jupyter::User::"nils",
  action in [Jupyter::Action::"list", Jupyter::Action::"launch"],
  resource == Jupyter::KernelSpec::"python3"
);
"""

TEAM = [("editor", "contents:/team"), ("runner", "kernelspecs:python3")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("lists")
    for path in ("team/a.ipynb", "private/b.ipynb"):
        notebook(folder / "root" / path, "6 * 7")
    people = {
        "tim": TEAM,
        "many": [("editor", "contents:/private"), ("runner", "kernelspecs:python3")],
        "edda": "editor",
        "vera": "viewer",
        "nils": "editor",
        "nora": None,
        "mona": "manager",
        "adam": "admin",
    }
    with serving(
        folder,
        people=people,
        policy={"specs.cedar": RULES},
        config="c.JupyterAuthorization.max_kernels = 2",
    ) as running:
        yield running


def eventually(expected: object, ask: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while (answer := ask()) != expected:
        assert time.monotonic() < end, answer
        time.sleep(0.1)


def ids(server: Serving, what: str, who: str) -> set[str]:
    answer = server.request("GET", f"/api/{what}", who)
    assert 200 == answer.status, answer.text
    return {each["id"] for each in answer.json}


def stop(server: Serving, *kernels: str) -> None:
    for kernel in kernels:
        assert 204 == server.request("DELETE", f"/api/kernels/{kernel}", "mona").status


def test_lists_hold_what_may_be_watched_and_no_more(server: Serving) -> None:
    team = start_kernel(server, "edda", "team/a.ipynb")
    private = start_kernel(server, "edda", "private/b.ipynb")
    seen = {who: ids(server, "kernels", who) for who in ("tim", "vera", "nora")}
    assert {"tim": {team}, "vera": {team, private}, "nora": set()} == seen
    assert set() == ids(server, "sessions", "nora")
    assert 1 == len(ids(server, "sessions", "tim"))
    assert 2 == len(ids(server, "sessions", "vera"))
    assert 1 == server.request("GET", "/api/status", "adam").json["kernels"] - 1
    stop(server, team, private)


def test_a_session_does_not_show_the_name_of_a_file_that_may_not_be_known(
    server: Serving,
) -> None:
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = server.request("POST", "/api/sessions", "edda", json_body=body).json
    assert {session["id"]} == ids(server, "sessions", "tim")
    moved = {"path": "private/secret-name.ipynb"}
    path = f"/api/sessions/{session['id']}"
    assert 200 == server.request("PATCH", path, "edda", json_body=moved).status
    assert "secret-name" not in server.request("GET", "/api/sessions", "tim").text
    assert {session["id"]} == ids(server, "sessions", "vera")
    stop(server, session["kernel"]["id"])


def test_a_kernelspec_can_be_hidden_from_one_person(server: Serving) -> None:
    def specs(who: str) -> set[str]:
        return set(server.request("GET", "/api/kernelspecs", who).json["kernelspecs"])

    assert "python3" in specs("edda")
    assert "python3" not in specs("nils")
    assert 403 == server.request("GET", "/api/kernelspecs/python3", "nils").status
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "PYTHON3"}}
    assert 403 == server.request("POST", "/api/sessions", "nils", json_body=body).status
    assert 403 == server.request("POST", "/api/kernels", "nils", json_body={}).status


def test_the_variables_of_a_kernelspec_are_told_to_who_may_start_it(server: Serving) -> None:
    told = {"argv": ["true"], "display_name": "Keyed", "language": "x", "env": {"KEY": "secret"}}
    folder = server.folder / "data" / "kernels" / "keyed"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(told))
    (folder / "logo-svg.svg").write_text("<svg/>")
    files = ("kernel.json", "kernel.json/", "./kernel.json", "x/..%2fkernel.json")
    paths = ("/api/kernelspecs/keyed", *(f"/kernelspecs/keyed/{file}" for file in files))

    def env(who: str) -> object:
        listed = server.request("GET", "/api/kernelspecs", who).json["kernelspecs"]
        return listed["keyed"]["spec"]["env"]

    try:
        assert ({}, {"KEY": "secret"}) == (env("vera"), env("edda"))
        assert [403] * 5 == [server.request("GET", path, "vera").status for path in paths]
        assert 200 == server.request("GET", "/kernelspecs/keyed/logo-svg.svg", "vera").status
        assert "secret" in server.request("GET", paths[0], "edda").text
        assert "secret" in server.request("GET", paths[1], "edda").text
    finally:
        shutil.rmtree(folder)


def test_nobody_has_more_kernels_than_the_limit_also_when_starting_at_once(
    server: Serving,
) -> None:
    def one(number: int) -> int:
        if number % 2:
            body: dict[str, Any] = {"path": "private", "name": "python3"}
            return server.request("POST", "/api/kernels", "many", json_body=body).status
        body = {
            "path": f"private/{uuid.uuid4()}",
            "name": "b.ipynb",
            "type": "notebook",
            "kernel": {"name": "python3"},
        }
        return server.request("POST", "/api/sessions", "many", json_body=body).status

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(one, range(6)))
    assert [201] * 2 + [409] * 4 == sorted(answers)
    running = ids(server, "kernels", "many")
    refused = server.request("POST", "/api/kernels", "many", json_body={"path": "private"})
    sentence = "You have 2 kernels running, which is the most; shut one down first."
    assert {"message": sentence, "reason": sentence} == refused.json
    # Ended ones do not count, nor do other people's.
    stop(server, *running)
    assert 201 == one(1)
    stop(server, *ids(server, "kernels", "many"))


def test_a_session_takes_no_free_kernel_id_and_no_kernelspec_by_one(server: Serving) -> None:
    chosen = str(uuid.uuid4())
    for who in ("edda", "nils"):
        body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"id": chosen}}
        assert 403 == server.request("POST", "/api/sessions", who, json_body=body).status
    assert chosen not in ids(server, "kernels", "adam")


def test_another_kernel_of_a_session_is_judged_by_the_sessions_own_notebook(
    server: Serving,
) -> None:
    body = {"path": "private/b.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = server.request("POST", "/api/sessions", "edda", json_body=body).json
    mine = start_kernel(server, "tim", "team/a.ipynb")
    path = f"/api/sessions/{session['id']}"
    for changed in (
        {"kernel": {"name": "python3"}},
        {"kernel": {"id": mine}},
        {"path": "team/a.ipynb", "kernel": {"name": "python3"}},
    ):
        assert 403 == server.request("PATCH", path, "tim", json_body=changed).status
    changed = {"path": "team/a.ipynb", "kernel": {"name": "python3"}}
    answer = server.request("PATCH", path, "edda", json_body=changed)
    assert 200 == answer.status, answer.text
    # Started in the old notebook's folder, so that is what it is recorded for.
    kernel = answer.json["kernel"]["id"]
    assert kernel not in ids(server, "kernels", "tim")
    stop(server, kernel, mine)


def test_the_kernels_of_a_removed_person_are_nobodys(server: Serving) -> None:
    # Somebody new, so that the test can be run again.
    name = f"tom-{uuid.uuid4().hex[:8]}"
    server.tokens.update(add_people(server.folder, {name: TEAM}))
    # Whoever adds them does so in several steps, of which the server may have seen the first.
    both = "/api/authz/me?resource=contents:/team/a.ipynb&resource=kernelspecs:python3"

    def starts() -> list[bool]:
        found = server.request("GET", both, name).json.get("resources", {}).values()
        return [each["actions"]["launch"]["allowed"] for each in found]

    eventually([True, True], starts)
    kernel = start_kernel(server, name, "team/a.ipynb")
    assert kernel in ids(server, "kernels", name)
    store = server.store()
    store.remove_person(name)
    store.add_person(name, now=1)
    assert f"kernels:{kernel}" not in {owner.resource for owner in store.owners()}
    store.close()
    # Where it is confined, it ends with its owner's right to it.
    assert server.request("DELETE", f"/api/kernels/{kernel}", "mona").status in {204, 404}


def test_owners_are_restored_where_kernels_outlive_the_server(tmp_path: Path) -> None:
    notebook(tmp_path / "root" / "team" / "a.ipynb", "6 * 7")
    # A confined kernel ends with its server.
    config = (
        "c.ServerApp.kernel_manager_class = 'keeping.Keeping'\n"
        "c.JupyterAuthorization.sandbox = 'off'"
    )
    first = wait(start(tmp_path, people={"tim": TEAM, "adam": "admin"}, config=config))
    try:
        kernel = start_kernel(first, "tim", "team/a.ipynb")
        client = Client(first, kernel, "tim")
        client.text("kept = 42")
        client.close()
    finally:
        first.stop()
    again = start(tmp_path, config=config)
    again.tokens.update(first.tokens)
    try:
        wait(again)
        # Whose it is and what it is for is known again: by the folder's grant and no other
        # may it be used, and its owner may stop it.
        assert {kernel} == ids(again, "kernels", "tim")
        client = Client(again, kernel, "tim")
        assert "42\n" == client.text("print(kept)")
        client.send("shutdown_request", {"restart": False}, channel="control")
        client.close()
    finally:
        again.stop()
