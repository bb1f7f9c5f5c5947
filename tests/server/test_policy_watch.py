"""A running server takes over its policy files, or says why not, without a restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORBID = 'forbid(principal == Jupyter::User::"tim", action, resource in Jupyter::Folder::"/");\n'
FILE = "/api/contents/a.txt"
#: Where one should not keep them: in the contents root.
RULES = "conf/policy"


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    assert found
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("watched")
    rules = folder / "root" / RULES
    rules.mkdir(parents=True)
    (rules / "a.cedar").write_text("// nothing yet\n")
    people = {"tim": "editor", "mona": [("manager", "contents:/")]}
    config = f"c.JupyterAuthorization.policy_dir = {str(rules)!r}"
    with serving(folder, people=people, config=config) as made:
        (made.root / "a.txt").write_text("a")
        yield made


def put(path: Path, text: str) -> None:
    """Have the file be `text` at one moment, so that no half of it is ever there."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def kinds(server: Serving, kind: str) -> list[dict[str, Any]]:
    return [record for record in server.audit if record["kind"] == kind]


def test_a_change_is_in_force_without_a_restart_and_a_broken_one_is_not(server: Serving) -> None:
    rules: Path = server.root / RULES / "a.cedar"
    assert server.request("GET", FILE, "tim").status == 200
    put(rules, FORBID)
    until(lambda: server.request("GET", FILE, "tim").status != 200)
    until(lambda: kinds(server, "policy_changed"))
    revision = kinds(server, "policy_changed")[0]["revision"]

    put(rules, "// the forbid is gone\npermit(\n")
    refused = until(lambda: kinds(server, "policy_refused"))[0]
    assert refused["mistakes"][0].startswith(f"{rules}:2: ")
    assert f"not taken over: {rules}:2: " in server.log
    assert server.request("GET", FILE, "tim").status != 200
    assert len(kinds(server, "policy_changed")) == 1

    put(rules, "// mended\n")
    until(lambda: server.request("GET", FILE, "tim").status == 200)
    until(lambda: len(kinds(server, "policy_changed")) == 2)
    assert kinds(server, "policy_changed")[1]["revision"] > revision
    assert len(kinds(server, "policy_refused")) == 1


def test_nobody_reaches_the_policy_files_through_the_contents(server: Serving) -> None:
    (server.root / "link").symlink_to(RULES)
    contents, rule = "/api/contents", "permit(principal, action, resource);"
    (server.root / "mine.cedar").write_text(rule)
    (server.root / "other" / "policy").mkdir(parents=True)
    made = {"type": "file", "format": "text", "content": rule}
    for method, path, sent in (
        ("GET", f"{contents}/{RULES}", None),
        ("GET", f"/files/{RULES}/a.cedar", None),
        ("PUT", f"{contents}/{RULES}/b.cedar", made),
        ("PUT", f"{contents}/link/b.cedar", made),
        ("POST", f"{contents}/{RULES}", {"copy_from": "mine.cedar"}),
        ("PATCH", f"{contents}/mine.cedar", {"path": f"{RULES}/b.cedar"}),
        ("DELETE", f"{contents}/{RULES}/a.cedar", None),
        # Nor is the way there another one.
        ("PATCH", f"{contents}/conf", {"path": "away"}),
        ("DELETE", f"{contents}/conf", None),
        ("PATCH", f"{contents}/other", {"path": "conf"}),
    ):
        answer = server.request(method, path, "mona", json_body=sent)
        assert 404 == answer.status, (method, path, answer.text)
    # What cannot be opened is not listed, nor what leads to it.
    listed = [server.request("GET", f"{contents}/{at}", "mona").json for at in ("", "conf")]
    top, conf = ({each["name"] for each in found["content"]} for found in listed)
    assert (True, False, set()) == ("conf" in top, "link" in top, conf)
    assert ["a.cedar"] == [each.name for each in (server.root / RULES).iterdir()]
    assert f"not there for anybody: `/{RULES}/`" in server.log
    assert 201 == server.request("PUT", f"{contents}/conf/b.cedar", "mona", json_body=made).status


def test_shadow_mode_refuses_nothing_and_says_so_aloud(tmp_path: Path) -> None:
    config = "c.JupyterAuthorization.mode = 'shadow'"
    with serving(tmp_path, people={"vera": "viewer"}, config=config) as made:
        saved = made.request(
            "PUT",
            FILE,
            "vera",
            json_body={"type": "file", "format": "text", "content": "vera was here"},
        )
        assert saved.status == 201
        assert (made.root / "a.txt").read_text() == "vera was here"
        shadowed = [each for each in made.audit if each.get("shadow")]
        assert {each["action"] for each in shadowed} == {"create", "upload"}
        assert "NOTHING IS ENFORCED" in made.log
        assert made.request("GET", FILE).status == 403
