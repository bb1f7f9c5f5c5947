from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import serving

from jupyter_authorized_server.server.admin.page import _BUILT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    people = {"vera": "viewer", "finn": [("viewer", "contents:/team")]}
    folder = tmp_path_factory.mktemp("page")
    with serving(folder, people=people, base_url="/a%20b/") as running:
        yield running


@pytest.mark.parametrize("who", ["vera", "finn"])
@pytest.mark.parametrize("path", ["/a%20b/authz", "/a%20b/authz/"])
def test_whoever_is_signed_in_gets_the_page_and_it_holds_no_data(
    server: Serving, who: str, path: str
) -> None:
    answer = server.request("GET", path, who)
    assert 200 == answer.status
    assert "text/html; charset=UTF-8" == answer.headers["Content-Type"]
    assert 'data-base="/a%20b/"' in answer.text
    assert who not in answer.text


def test_nothing_of_the_page_may_come_from_elsewhere(server: Serving) -> None:
    policy = server.request("GET", "/a%20b/authz", "vera").headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy.partition("default-src")[2]


def test_who_has_not_signed_in_is_led_to_the_login_page(server: Serving) -> None:
    answer = server.request("GET", "/a%20b/authz", headers={"Accept": "text/html"})
    assert (302, True) == (answer.status, "login" in answer.headers["Location"])


@pytest.mark.parametrize("name", ["page.py", "../page.py", "%2e%2e/page.py", "static/page.js"])
def test_no_other_file_is_served(server: Serving, name: str) -> None:
    assert server.request("GET", f"/a%20b/authz/{name}", "vera").status in {403, 404}


@pytest.mark.skipif(  # why: `make test` builds it
    not (_BUILT / "page.js").exists(), reason="the page is not built"
)
@pytest.mark.parametrize(
    ("name", "kind"), [("page.js", "text/javascript"), ("page.css", "text/css")]
)
def test_script_and_style_are_served_as_what_they_are(
    server: Serving, name: str, kind: str
) -> None:
    answer = server.request("GET", f"/a%20b/authz/{name}", "vera")
    assert (200, f"{kind}; charset=UTF-8") == (answer.status, answer.headers["Content-Type"])
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert 0 < len(answer.body) < 250_000
