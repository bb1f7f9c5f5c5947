"""What JupyterLab and Notebook keep once for everybody: it is one's own here, or refused."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from serving import Serving, add_people, serving
from talking import notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

THEME = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
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
            # What comes last, by a change of its own, is the level.
            if 200 == server.request("GET", "/api/contents/hr/pay.ipynb", "pete").status:
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
        ("GET", "/lab/api/plugins", None),
        ("POST", "/lab/api/plugins", {"cmd": "disable", "plugin_name": "@jupyterlab/x:y"}),
        ("GET", "/lab/api/extensions", None),
        ("POST", "/lab/api/extensions", {"cmd": "install", "extension_name": "x"}),
        ("GET", "/api/build", None),
        ("POST", "/api/build", None),
        ("PUT", "/api/config/notebook", {"a": 1}),
        ("PATCH", "/api/config/notebook", {"a": 1}),
    ):
        answer = server.request(method, path, "mona", json_body=sent)
        found = 404 if path == "/api/build" and answer.status == 404 else 403
        assert found == answer.status, (method, path, answer.text)
    told = {who: server.request("GET", "/api/metrics/v1", who).status for who in ("nora", "adam")}
    assert {"nora": 403, "adam": 200} == told
    # News and licences are the same for everybody, and say nothing of anybody.
    for path in ("/lab/api/news", "/lab/api/update", "/api/licenses/report.json"):
        assert server.request("GET", path, "nora").status in {403, 404}


def test_what_somebody_trusts_keeps_or_sees_is_no_part_of_the_shared_configuration(
    server: Serving,
) -> None:
    before = server.request("GET", "/api/config/notebook", "vera").json
    assert (
        200 == server.request("PATCH", "/api/config/notebook", "adam", json_body={"a": 1}).status
    )
    assert {**before, "a": 1} == server.request("GET", "/api/config/notebook", "vera").json
