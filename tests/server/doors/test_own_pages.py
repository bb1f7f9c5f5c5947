"""What JupyterLab and Notebook keep once for everybody: it is one's own here, or refused."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from serving import Answer, Serving, add_people, serving
from talking import notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

THEME = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
PLUGIN = "@jupyterlab/celltags-extension:plugin"
SPACE = {"data": {"docmanager-extension:recents": ["hr/pay.ipynb"]}, "metadata": {"id": "mine"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("pages")
    notebook(folder / "root" / "hr" / "pay.ipynb", "1")
    people = {"mona": "manager", "vera": "viewer", "nora": None, "adam": "admin"}
    with serving(
        folder,
        people=people,
        extensions=("jupyterlab", "notebook", "notebook_shim", "jupyter_resource_usage"),
    ) as running:
        yield running


def config(server: Serving, who: str, page: str) -> dict[str, Any]:
    """What a page tells its scripts."""
    answer = server.request("GET", page, who)
    assert 200 == answer.status, answer.text
    found = re.search(
        r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', answer.text, re.DOTALL
    )
    assert found is not None
    read: dict[str, Any] = json.loads(found.group(1))
    return read


def test_settings_are_each_persons_own(server: Serving) -> None:
    sent = {"raw": '{"theme": "JupyterLab Dark"}'}
    assert 204 == server.request("PUT", THEME, "mona", json_body=sent).status
    assert "Dark" in server.request("GET", THEME, "mona").json["raw"]
    for who in ("vera", "adam"):
        assert "Dark" not in server.request("GET", THEME, who).json["raw"]
        assert 200 == server.request("GET", "/lab/api/settings", who).status
    assert 204 == server.request("PUT", THEME, "vera", json_body={"raw": "{}"}).status
    assert "Dark" in server.request("GET", THEME, "mona").json["raw"]


def test_the_name_of_settings_leads_to_no_other_file_of_the_machine(server: Serving) -> None:
    (server.root / "hr" / "pay.json").write_text('{"pay": 1}')
    folder = str(server.root / "hr")
    up = "../" * len(folder.split("/")) * 3
    assert 204 == server.request("PUT", THEME, "mona", json_body={"raw": '{"theme": "m"}'}).status
    names = (
        f"{folder}:pay",
        f"{up}{folder[1:]}:pay",
        f"@jupyterlab/apputils-extension:{up}{folder[1:]}/pay",
        f"@jupyterlab/apputils-extension:{folder}/pay",
        f"x/.{folder}/:pay",
        "../user%3Amona/@jupyterlab/apputils-extension:themes",
    )
    for name in names:
        for method, sent in (("GET", None), ("PUT", {"raw": '{"by": "vera"}'})):
            url = f"/lab/api/settings/{quote(name, safe='')}"
            answer = server.request(method, url, "vera", json_body=sent)
            assert (404, False) == (answer.status, "pay" in answer.text), (method, name)
    assert ["pay.ipynb", "pay.json"] == sorted(
        path.name for path in (server.root / "hr").iterdir()
    )
    assert "theme" in server.request("GET", THEME, "mona").text


def test_settings_that_take_the_server_long_to_read_are_not_taken(server: Serving) -> None:
    """Upstream's own parser reads some thirty kilobytes a second, and all wait meanwhile."""
    page = json.dumps({"theme": 'it\'s "//" /* x */' * 2000}, indent=1)
    slow = "{theme: 'x', " + "/**/" * 1000 + "}"
    for raw, status in (
        (page, 204),
        (f'// Theme\n/* of "mine" */ {page}', 204),
        ("{theme: 'Other', /* \" */ 'adaptive-theme': false, // it's\n}", 204),
        ("x" * 70_000, 413),
        (slow, 413),
        ('"\\"' * 20_000, 413),
        ("/*/" + "[1," * 3000, 413),
        ("[" * 2000, 400),
        ("{", 400),
        ("", 400),
        ('{"theme": "\ud800"}', 400),
        (5, 400),
    ):
        answer = server.request("PUT", THEME, "vera", json_body={"raw": raw})
        assert (status, str(raw)[:40]) == (answer.status, str(raw)[:40]), answer.text
        assert status == 204 or " " in answer.json["message"], answer.text
    assert "Other" == server.request("GET", THEME, "vera").json["settings"]["theme"]


def test_no_pattern_that_is_tried_for_ever_reaches_the_licences(server: Serving) -> None:
    url = "/lab/api/licenses/?full_text=false&bundles="
    for name in ("@jupyterlab/application-top", "@jupyterlab/.*", ".*"):
        assert 200 == server.request("GET", f"{url}{name}", "vera").status
    for pattern in ("a*", "(.+)+!", ".*.*", ".*a", ".**"):
        assert 400 == server.request("GET", url + quote(pattern), "vera").status
    # An argument can come in a form, too.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.request("GET", url, "vera", body=b"bundles=a*", headers=form)
    assert 400 == answer.status


def test_workspaces_with_what_was_opened_last_are_each_persons_own(server: Serving) -> None:
    url = "/lab/api/workspaces/mine"
    assert 204 == server.request("PUT", url, "mona", json_body=SPACE).status
    for who in ("vera", "adam"):
        assert "pay" not in server.request("GET", url, who).text
        assert "pay" not in server.request("GET", "/lab/api/workspaces", who).text
        server.request("DELETE", url, who)
    assert "hr/pay.ipynb" in server.request("GET", url, "mona").text
    for name in ("../../people/user%3Amona/mine", "%2e%2e/user%3Amona/mine", "user:mona/mine"):
        answer = server.request("GET", f"/lab/api/workspaces/{name}", "vera")
        assert "pay" not in answer.text


def test_who_has_the_name_of_somebody_removed_has_nothing_of_theirs(server: Serving) -> None:
    def comes() -> None:
        server.tokens |= add_people(server.folder, {"pete": "manager"})
        end = time.monotonic() + 30
        while time.monotonic() < end:
            # What comes last, by a change of its own, is the level. A refusal is in the records.
            if 200 == server.request("GET", "/api/contents/hr", "pete").status:
                break
            time.sleep(0.05)

    def has() -> dict[str, bool]:
        def answer(path: str) -> str:
            found = server.request("GET", path, "pete")
            assert 200 == found.status, found.text
            return found.text

        asked = {
            "settings": THEME,
            "workspaces": "/lab/api/workspaces",
            "records": "/api/authz/audit",
            "grants": "/api/authz/grants?principal=user:pete",
            "tokens": "/api/authz/tokens",
            "requests": "/api/authz/requests",
            "links": "/api/authz/links",
        }
        found = {each: "pay" in answer(path) for each, path in asked.items()}
        cells = json.loads(answer("/api/contents/hr/pay.ipynb"))["content"]["cells"]
        return {**found, "trust": cells[0]["metadata"]["trusted"]}

    comes()
    grant = {"principal": "user:pete", "level": "runner", "resource": "contents:/hr/pay.ipynb"}
    link = {"level": "viewer", "resource": "contents:/hr/pay.ipynb"}
    for method, path, sent, status in (
        ("PUT", THEME, {"raw": '{"theme": "pay"}'}, 204),
        ("PUT", "/lab/api/workspaces/mine", SPACE, 204),
        ("POST", "/api/contents/hr/pay.ipynb/trust", None, 201),
        ("POST", "/api/authz/grants", grant, 201),
        ("POST", "/api/authz/links", link, 201),
        ("POST", "/api/authz/tokens", {"name": "pay"}, 201),
        (
            "POST",
            "/api/authz/requests",
            {"level": "admin", "resource": "server:", "note": "pay"},
            201,
        ),
    ):
        answer = server.request(method, path, "pete", json_body=sent)
        assert status == answer.status, answer.text
    assert {True} == {*has().values()}, has()
    assert 200 == server.request("DELETE", "/api/authz/people/pete", "adam").status
    comes()
    assert {False} == {*has().values()}, has()


def test_a_page_tells_nothing_of_what_somebody_else_has_opened(server: Serving) -> None:
    for page in ("/lab/workspaces/payroll/tree/hr/pay.ipynb", "/doc/tree/hr/pay.ipynb"):
        opened = config(server, "mona", page)
        assert "hr/pay.ipynb" == opened["treePath"]
        for other in ("/consoles/x", "/tree", "/lab", "/lab/workspaces/own"):
            seen = json.dumps(config(server, "nora" if other != "/tree" else "vera", other))
            assert ("hr/pay" in seen, "payroll" in seen) == (False, False), (page, other)


def test_what_changes_the_pages_of_everybody_is_refused_to_who_does_not_administer(
    server: Serving,
) -> None:
    for method, path, sent in (
        ("GET", "/lab/api/extensions", None),
        ("POST", "/lab/api/extensions", {"cmd": "install", "extension_name": "x"}),
        ("GET", "/api/build", None),
        ("POST", "/api/build", None),
    ):
        answer = server.request(method, path, "mona", json_body=sent)
        found = 404 if path == "/api/build" and answer.status == 404 else 403
        assert found == answer.status, (method, path, answer.text)
    told = {who: server.request("GET", "/api/metrics/v1", who).status for who in ("nora", "adam")}
    assert {"nora": 403, "adam": 200} == told
    # News and licences are the same for everybody, and say nothing of anybody; what was seen
    # of them is a section of one's own configuration.
    for path in ("/lab/api/news", "/lab/api/update", "/api/licenses/report.json"):
        assert server.request("GET", path, "nora").status in {403, 404}


def turn(server: Serving, who: str, cmd: str, name: Any = PLUGIN) -> Answer:
    sent = {"cmd": cmd, "plugin_name": name}
    return server.request("POST", "/lab/api/plugins", who, json_body=sent)


def off(server: Serving, who: str, page: str = "/lab") -> list[str]:
    found: list[str] = config(server, who, page)["disabledExtensions"]
    return found


def test_a_plugin_is_turned_off_in_the_pages_of_who_does_it_and_in_no_others(
    server: Serving,
) -> None:
    answer = turn(server, "vera", "disable")
    assert (201, "ok") == (answer.status, answer.json["status"]), answer.text
    for page in ("/lab", "/tree", "/lab/workspaces/own"):
        assert PLUGIN in off(server, "vera", page), page
        assert PLUGIN not in off(server, "adam", page), page
    assert 201 == turn(server, "adam", "disable", "@jupyterlab/running-extension").status
    assert "@jupyterlab/running-extension" not in off(server, "vera")
    assert 201 == turn(server, "vera", "enable").status
    assert PLUGIN not in off(server, "vera")
    assert not (server.folder / "config" / "labconfig" / "page_config.json").exists()


def test_what_an_administrator_turned_off_for_all_is_turned_on_for_oneself_unless_it_is_locked(
    server: Serving,
) -> None:
    shared = server.folder / "config" / "labconfig" / "page_config.json"
    shared.parent.mkdir(exist_ok=True)
    try:
        shared.write_text(json.dumps({"disabledExtensions": {PLUGIN: True}}))
        assert 201 == turn(server, "vera", "enable").status
        assert (False, True) == (PLUGIN in off(server, "vera"), PLUGIN in off(server, "mona"))
        for rule in (PLUGIN, PLUGIN.partition(":")[0]):
            said = {"disabledExtensions": {PLUGIN: True}, "lockedExtensions": {rule: True}}
            shared.write_text(json.dumps(said))
            # What was chosen before the lock counts no more, and nobody chooses anew.
            assert PLUGIN in off(server, "vera"), rule
            for who in ("vera", "adam"):
                for name in (PLUGIN, PLUGIN.partition(":")[0]):
                    answer = turn(server, who, "enable", name)
                    assert "error" == answer.json["status"], name
                    assert "locked" in answer.json["message"], name
            locks = server.request("GET", "/lab/api/plugins", "vera").json
            assert {"lockRules": [rule], "allLocked": False} == locks
            assert 201 == turn(server, "vera", "disable", "@jupyterlab/x:y").status
    finally:
        shared.unlink()


def test_a_page_asks_for_what_is_built_only_where_that_is_told(server: Serving) -> None:
    """It would be refused, and recorded, each time that somebody opens JupyterLab."""
    for page in ("/lab", "/tree"):
        for who in ("vera", "mona"):
            assert config(server, who, page).get("buildCheck") in {False, None}, (who, page)
    assert config(server, "adam", "/lab")["buildCheck"] is True


def test_a_plugin_without_a_name_is_a_bad_request(server: Serving) -> None:
    for name, status in ((5, 400), (["a"], 400), (None, 400), ("x" * 5000, 413), ("", 422)):
        assert (status, name) == (turn(server, "vera", "disable", name).status, name)
    bodies: tuple[Any, ...] = ({}, [], {"cmd": 1}, {"plugin_name": "x"})
    for sent in bodies:
        answer = server.request("POST", "/lab/api/plugins", "vera", json_body=sent)
        assert (400, sent) == (answer.status, sent), answer.text


def test_what_is_configured_and_which_news_were_seen_is_each_persons_own(server: Serving) -> None:
    """JupyterLab keeps in a section what of the news was seen and dismissed."""
    news = "/api/config/jupyterlabapputilsextensionannouncements"
    for url in (news, "/api/config/cells"):
        shared = server.folder / "config" / "serverconfig" / f"{url.rpartition('/')[2]}.json"
        shared.parent.mkdir(exist_ok=True)
        shared.write_text('{"of": {"all": 1, "some": 1}}')
        sent: dict[str, Any] = {"of": {"some": {"seen": True}}, "mine": [1]}
        answer = server.request("PATCH", url, "vera", json_body=sent)
        changed = {"of": {"all": 1, "some": {"seen": True}}, "mine": [1]}
        assert (200, changed) == (answer.status, answer.json), answer.text
        assert changed == server.request("GET", url, "vera").json
        for who in ("mona", "adam", "nora"):
            found = server.request("GET", url, who)
            assert {"of": {"all": 1, "some": 1}} == found.json, who
        assert 204 == server.request("PUT", url, "adam", json_body={"of": {"all": 2}}).status
        assert {"of": {"all": 2, "some": 1}} == server.request("GET", url, "adam").json
        # What is null is as it is for all.
        sent = {"of": {"some": None}, "mine": None}
        assert 200 == server.request("PATCH", url, "vera", json_body=sent).status
        assert {"of": {"all": 1, "some": 1}} == server.request("GET", url, "vera").json
        assert '{"of": {"all": 1, "some": 1}}' == shared.read_text()


def test_a_section_that_cannot_be_kept_is_a_bad_request_and_changes_nothing(
    server: Serving,
) -> None:
    url = "/api/config/odd"
    assert 204 == server.request("PUT", url, "vera", json_body={"a": 5}).status
    deep = '{"a":' * 30_000
    for method in ("PUT", "PATCH"):
        for body, status in (
            (b"[1]", 400),
            (b"5", 400),
            (b"{", 400),
            (deep.encode()[:60_000], 400),
            (json.dumps({"a": "x" * 70_000}).encode(), 413),
        ):
            answer = server.request(method, url, "vera", body=body)
            assert (status, body[:9]) == (answer.status, body[:9]), answer.text
    assert {"a": 5} == server.request("GET", url, "vera").json
    assert 200 == server.request("PATCH", url, "vera", json_body={"b": "x" * 40_000}).status
    # Nor does it grow little by little.
    assert 413 == server.request("PATCH", url, "vera", json_body={"c": "x" * 40_000}).status
    assert {"a": 5, "b": "x" * 40_000} == server.request("GET", url, "vera").json
    assert 404 == server.request("PUT", f"/api/config/{'x' * 200}", "vera", json_body={}).status


def test_no_name_of_a_person_leads_to_what_is_anothers_or_to_no_folder(server: Serving) -> None:
    names = ("..", "vera%2f", "mona\\..\\vera", "ä" * 128, "a" * 128, "ä" * 127 + "b", "Vera")
    server.tokens |= add_people(server.folder, dict.fromkeys(names, "viewer"))
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if 200 == server.request("GET", "/api/contents/hr", names[-1]).status:
            break
        time.sleep(0.05)
    url = "/api/config/notebook"
    for number, name in enumerate(names):
        assert 204 == server.request("PUT", url, name, json_body={"is": number}).status
        sent = {"raw": json.dumps({"theme": f"n{number}"})}
        assert 204 == server.request("PUT", THEME, name, json_body=sent).status
        assert 201 == turn(server, name, "disable", f"x:{number}").status, name
    for number, name in enumerate(names):
        assert number == server.request("GET", url, name).json["is"]
        assert f"n{number}" in server.request("GET", THEME, name).json["raw"]
        assert [f"x:{number}"] == [each for each in off(server, name) if each.startswith("x:")]
    assert "is" not in server.request("GET", url, "vera").json
    kept = {path.name for path in (server.folder / "config").iterdir()}
    assert kept <= {
        "jupyter_server_config.py",
        "authorization",
        "lab",
        "labconfig",
        "serverconfig",
    }
