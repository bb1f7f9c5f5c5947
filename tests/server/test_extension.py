from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from serving import add_people, refused_start, serving

if TYPE_CHECKING:
    from pathlib import Path

CANNOT_ENFORCE = 78


def test_a_foreign_authorizer_keeps_the_server_from_starting(tmp_path: Path) -> None:
    status, log = refused_start(
        tmp_path,
        config="c.ServerApp.authorizer_class = 'jupyter_server.auth.AllowAllAuthorizer'",
    )
    assert status == CANNOT_ENFORCE
    assert "`ServerApp.authorizer_class` is `AllowAllAuthorizer`" in log
    assert "PolicyAuthorizer" in log


def test_a_policy_that_does_not_load_keeps_the_server_from_starting(tmp_path: Path) -> None:
    status, log = refused_start(
        tmp_path,
        policy={
            "a.cedar": "permit(principal, action, resource);\npermit(principal, action, ;\n",
            "b.cedar": 'forbid(principal, action == Jupyter::Action::"dance", resource);\n',
        },
    )
    assert status == CANNOT_ENFORCE
    assert f"{tmp_path / 'policy' / 'a.cedar'}:2:" in log
    assert f"{tmp_path / 'policy' / 'b.cedar'}:1:" in log


@pytest.mark.parametrize("inside", ["(" * 10_000, "!" * 10_000])
def test_a_policy_that_would_overflow_the_parser_is_refused(tmp_path: Path, inside: str) -> None:
    text = f"permit(principal, action, resource) when {{ {inside} true }};"
    status, log = refused_start(tmp_path, policy={"deep.cedar": text})
    assert status == CANNOT_ENFORCE
    assert "deep.cedar:1:" in log


def test_a_policy_folder_that_does_not_exist_keeps_the_server_from_starting(
    tmp_path: Path,
) -> None:
    status, log = refused_start(
        tmp_path, config=f"c.JupyterAuthorization.policy_dir = {str(tmp_path / 'nowhere')!r}"
    )
    assert status == CANNOT_ENFORCE
    assert "nowhere" in log


def test_a_store_that_is_no_store_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "data" / "authorization").mkdir(parents=True)
    path = tmp_path / "garbage.sqlite"
    path.write_bytes(os.urandom(8192))
    status, log = refused_start(
        tmp_path, config=f"c.JupyterAuthorization.store_url = 'sqlite:///{path}'"
    )
    assert status == CANNOT_ENFORCE
    assert "garbage.sqlite" in log


def test_an_extension_that_cannot_be_imported_keeps_the_server_from_starting(
    tmp_path: Path,
) -> None:
    # Jupyter would log this and go on: open.
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cedarpy.py").write_text("raise ImportError('no wheel for this machine')")
    status, log = refused_start(tmp_path, env={"PYTHONPATH": str(broken)})
    assert status == CANNOT_ENFORCE
    assert "nothing could be enforced" in log


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("timezone = 'Mars/Base'", "`Mars/Base` is no time zone"),
        ("polcy_dir = '/etc/policy'", "did you mean `policy_dir`?"),
    ],
)
def test_a_setting_that_cannot_be_keeps_the_server_from_starting(
    tmp_path: Path, line: str, said: str
) -> None:
    status, log = refused_start(tmp_path, config=f"c.JupyterAuthorization.{line}")
    assert 78 == status
    assert said in log
    assert "Traceback" not in log


@pytest.mark.parametrize("app", ["server", "lab", "notebook", "nbclassic", "authorized-server"])
def test_every_application_is_guarded_once_the_extension_is_enabled(
    tmp_path: Path, app: str
) -> None:
    with serving(tmp_path, app=app, people={"vera": "viewer"}) as server:
        assert server.request("GET", "/api/contents", "vera").status == 200
        assert server.request("POST", "/api/contents", "vera", body=b"{}").status == 403
        assert server.request("GET", "/api/contents").status == 403
        page = server.request("GET", "/")
        assert page.status in {302, 301}


def test_authorized_server_enforces_although_the_extension_is_disabled(tmp_path: Path) -> None:
    with serving(
        tmp_path,
        app="authorized-server",
        people={"vera": "viewer"},
        config="c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': False}",
    ) as server:
        assert server.request("POST", "/api/contents", "vera", body=b"{}").status == 403
        assert server.request("GET", "/lab", "vera").status == 200


def test_the_first_start_prints_one_set_up_link(tmp_path: Path) -> None:
    with serving(tmp_path, config="c.ServerApp.default_url = '/somewhere/else'") as server:
        end = time.monotonic() + 10
        while "/authz/setup?token=" not in server.log and time.monotonic() < end:
            time.sleep(0.1)
        assert server.log.count("/authz/setup?token=") == 1
        address = next(w for w in server.log.split() if "/authz/setup?token=" in w)
        path = address.partition(f":{server.port}")[2]
        assert server.request("GET", path).status == 200


def test_a_store_that_breaks_while_running_opens_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, people={"cora": "contributor"}) as server:
        assert 200 == server.request("GET", "/api/contents", "cora").status
        path = tmp_path / "data" / "authorization" / "store.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("DROP TABLE owners")
        begun = server.request("POST", "/api/kernels", "cora", json_body={})
        assert (503, True) == (begun.status, "cannot reach its store" in begun.text)
        assert "the owner of a kernel cannot be kept" in server.log
        connection.execute("DROP TABLE grants")
        # Until there is a new revision, what is known of the last one counts.
        connection.execute("UPDATE revision SET number = number + 1")
        connection.commit()
        connection.close()
        end = time.monotonic() + 60
        while 200 == server.request("GET", "/api/contents", "cora").status:
            assert time.monotonic() < end
            time.sleep(0.05)
        made = server.request("POST", "/api/contents", "cora", json_body={"type": "file"})
        assert (503, True) == (made.status, "cannot reach its store" in made.text), made.text
        assert [] == [*server.root.iterdir()]


def test_the_store_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    with serving(tmp_path):
        folder = tmp_path / "data" / "authorization"
        assert (folder / "audit.jsonl").stat().st_mode & 0o777 == 0o600
        assert (folder / "store.sqlite").stat().st_mode & 0o777 == 0o600


def test_what_is_ones_own_is_there_after_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    theme = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
    kept = (
        ("PUT", theme, {"raw": '{"theme": "mine"}'}),
        (
            "PUT",
            "/lab/api/workspaces/default",
            {"data": {"mine": 1}, "metadata": {"id": "default"}},
        ),
        ("PATCH", "/api/config/cells", {"mine": 1}),
        ("POST", "/lab/api/plugins", {"cmd": "disable", "plugin_name": "mine:x"}),
    )
    pages = (theme, "/lab/api/workspaces/default", "/api/config/cells", "/lab")
    people = {"vera": "viewer", "edda": "editor"}
    with serving(tmp_path, people=people, extensions=("jupyterlab",)) as server:
        for method, path, sent in kept:
            answer = server.request(method, path, "vera", json_body=sent)
            assert answer.status in {200, 201, 204}, answer.text
        tokens = server.tokens
    with serving(tmp_path, extensions=("jupyterlab",)) as server:
        server.tokens = tokens
        for page in pages:
            for who in people:
                answer = server.request("GET", page, who)
                assert (200, who == "vera") == (answer.status, "mine" in answer.text), page


def test_what_is_kept_by_who_is_another_one_at_each_request_is_kept_for_all(
    tmp_path: Path,
) -> None:
    """So does upstream's provider call a program with its token; it has to administer."""
    config = """
c.ServerApp.identity_provider_class = "jupyter_server.auth.PasswordIdentityProvider"
c.IdentityProvider.token = "known"
"""
    rules = "permit(principal, action, resource);"
    with serving(tmp_path, config=config, policy={"all.cedar": rules}) as server:
        server.tokens = {"program": "known"}
        for method, sent in (("PUT", {"a": 1}), ("PATCH", {"b": 2})):
            answer = server.request(method, "/api/config/cells", "program", json_body=sent)
            assert answer.status in {200, 204}, answer.text
        assert {"a": 1, "b": 2} == server.request("GET", "/api/config/cells", "program").json
        kept = tmp_path / "config" / "serverconfig"
        assert ["cells.json"] == [path.name for path in kept.iterdir()]


def test_people_are_never_added_by_looking(tmp_path: Path) -> None:
    add_people(tmp_path, {"vera": "viewer"})
    with serving(tmp_path) as server:
        with server.store() as store:
            state = store.state()
        assert [person.name for person in state.people] == ["vera"]
