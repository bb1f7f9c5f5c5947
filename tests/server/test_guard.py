from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from serving import Serving, give_password, refused_start, serving

from jupyter_authorized_server.credentials import new_secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNNAMED = (
    "/early/plain",
    "/early/with-arguments/x",
    "/early/jupyter",
    "/early/preflight",
    "/early/contents/a",
    "/early/static/secret",
    "/early/moved",
    "/early/nested",
    "/early/delegate",
    "/early/router",
    "/late/plain",
)
HOOK = (
    '@id("hook") permit(principal == Jupyter::Guest::"anonymous", '
    'action == Jupyter::Action::"call", resource) when '
    '{ resource == Jupyter::Route::"hostile.Hook" || '
    'resource == Jupyter::Route::"hostile.HookSocket" };'
)
#: Answered by ours, in place of a handler that inherits Jupyter's own method.
PREFLIGHTS = {("OPTIONS", "/early/preflight"), ("OPTIONS", "/early/contents/a")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("guard")
    (folder / "marks").mkdir()
    (folder / "marks" / "secret").write_text("secret")
    with serving(
        folder,
        people={
            "vera": "viewer",
            "edda": "editor",
            "mona": "manager",
            "adam": "admin",
            "nobody": None,
        },
        extensions=("hostile",),
        env={"HOSTILE": str(folder / "marks")},
        policy={
            "one.cedar": (
                '@id("one-route") permit(principal == Jupyter::User::"vera", '
                'action == Jupyter::Action::"call", '
                'resource == Jupyter::Route::"hostile.Streaming");'
                '@id("shown") permit(principal, action == Jupyter::Action::"call", '
                'resource == Jupyter::Route::"hostile.Shown");'
            ),
            "hook.cedar": HOOK,
        },
    ) as running:
        time.sleep(0.7)
        yield running


def marks(server: Serving) -> set[str]:
    return {path.name for path in (server.folder / "marks").iterdir()} - {"secret"}


@pytest.fixture(autouse=True)
def _no_marks(server: Serving) -> None:
    for name in marks(server):
        (server.folder / "marks" / name).unlink()


@pytest.mark.parametrize("path", UNNAMED)
@pytest.mark.parametrize("who", [None, "nobody", "vera", "edda", "mona"])
def test_an_unnamed_route_is_refused_before_anything_of_it_runs(
    server: Serving, path: str, who: str | None
) -> None:
    for method in METHODS:
        answer = server.request(method, path, who, headers={"X-Requested-With": "XMLHttpRequest"})
        if (method, path) in PREFLIGHTS:
            assert answer.status in {200, 204}
            continue
        assert 400 <= answer.status < 500, (method, answer.status, answer.text)
        assert b"reached" not in answer.body
        assert b"secret" not in answer.body
    assert set() == marks(server)


def test_an_admin_may_use_an_unnamed_route(server: Serving) -> None:
    answer = server.request("GET", "/early/plain", "adam")
    assert (answer.status, answer.body) == (200, b"reached")
    assert "plain-method" in marks(server)


def test_no_image_in_a_document_asks_for_an_unnamed_route(server: Serving) -> None:
    give_password(server.folder, "adam")
    give_password(server.folder, "vera")
    here, image = f"http://127.0.0.1:{server.port}", {"Sec-Fetch-Dest": "image"}
    adam, vera = ({"Cookie": server.sign_in(who)} for who in ("adam", "vera"))

    def asked(path: str, headers: dict[str, str]) -> int:
        return server.request("GET", path, headers=headers).status

    for headers in (
        image,
        {"Sec-Fetch-Dest": "video"},
        # As browsers ask where the address is neither HTTPS nor this machine's own.
        {"Accept": "image/avif,image/webp,*/*;q=0.8"},
        {"Accept": "*/*", "Range": "bytes=0-"},
        image | {"Referer": f"{here}/files/a.md"},
        image | {"Referer": f"{here}/nowhere"},
        image | {"Referer": f"{here}/early/declared"},
        image | {"Referer": "http://elsewhere.example/early/plain"},
        image | {"Referer": "http://["},
    ):
        for path in ("/early/plain", "/early/nested", "/early/router"):
            assert 403 == asked(path, adam | headers), (path, headers)
    assert set() == marks(server)
    # What a page of the extension shows is asked for, and files are shown by any.
    assert 200 == asked("/early/plain", adam | image | {"Referer": f"{here}/early/plain?a"})
    assert 200 == asked("/early/static/secret", adam | image)
    for kind in ("iframe", "script", "style", "empty"):
        assert 200 == asked("/early/plain", adam | {"Sec-Fetch-Dest": kind}), kind
    assert 200 == server.request("GET", "/early/plain", "adam", headers=image).status
    # A rule speaks of this one; it has no such method.
    assert 405 == asked("/early/streaming", vera | image)


def test_whoever_is_led_to_an_unnamed_route_is_asked_first(server: Serving) -> None:
    give_password(server.folder, "adam")
    here = f"http://127.0.0.1:{server.port}"
    adam = {"Cookie": server.sign_in("adam"), "Accept": "text/html,*/*;q=0.8"}

    def asked(path: str, site: str = "", referer: str = "", kind: str = "document") -> Any:
        told = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind} if site else {}
        told |= {"Referer": referer} if referer else {}
        return server.request("GET", path, headers=adam | told)

    lab, evil = f"{here}/lab/tree/a.ipynb", "http://evil.example/"
    for path in ("/early/plain", "/early/nested?a=1", "/early/router", "/early/jupyter"):
        for site, referer in (
            ("same-origin", lab),
            ("same-origin", ""),
            ("same-site", f"http://127.0.0.1:1/{path}"),
            ("cross-site", evil),
            ("cross-site", ""),
            # As where the address is neither HTTPS nor this machine's own.
            ("", lab),
            ("", evil),
            ("", ""),
        ):
            answer = asked(path, site, referer)
            assert (403, True) == (answer.status, '<a href="">Open it' in answer.text), answer.text
            assert "same-origin" == answer.headers["Referrer-Policy"]
    # What another site has a browser fetch nobody looks at.
    for kind in ("empty", "script", "style", "iframe"):
        for site in ("same-site", "cross-site"):
            answer = asked("/early/plain", site, evil, kind)
            assert (403, False) == (answer.status, "Open it" in answer.text), kind
    assert set() == marks(server)
    # That page leads to where it is; the extension's own pages, and what is typed, are no links.
    for site in ("same-origin", ""):
        assert b"reached" == asked("/early/plain", site, f"{here}/early/plain").body
    assert b"reached" == asked("/early/plain", "none").body
    assert b"secret" == asked("/early/static/secret", "cross-site", evil).body


def test_an_unnamed_route_is_logged_once(server: Serving) -> None:
    server.request("GET", "/early/jupyter", "vera")
    server.request("GET", "/early/jupyter", "vera")
    assert server.log.count("'/early/jupyter' of hostile.Jupyter is in no surface table") == 1


def test_a_policy_may_let_a_person_use_one_unnamed_route(server: Serving) -> None:
    answer = server.request("PUT", "/early/streaming", "vera", body=b"x" * 300_000)
    assert (answer.status, answer.body) == (200, b"300000")
    assert server.request("PUT", "/early/streaming", "edda", body=b"x").status == 403


def test_a_route_for_all_principals_is_for_whoever_has_signed_in(server: Serving) -> None:
    assert b"reached" == server.request("POST", "/early/shown", "nobody", body=b"").body
    assert "shown-method" in marks(server)
    for name in marks(server):
        (server.folder / "marks" / name).unlink()
    assert 403 == server.request("POST", "/early/shown", body=b"").status
    assert set() == marks(server)


def test_a_rule_that_names_anonymous_lets_nobody_call_a_route_and_no_more(server: Serving) -> None:
    answer = server.request("GET", "/early/hook")
    # What it does there is asked of nobody, too; and nobody is signed in.
    assert {"user": "None", "status": 404} == answer.json
    assert "adam" in server.request("GET", "/early/hook", "adam").json["user"]
    assert 403 == server.request("GET", "/early/hook", "vera").status
    # Upstream's own rule stands behind it.
    assert 403 == server.request("POST", "/early/hook", body=b"").status
    assert 403 == server.request("GET", "/api/contents").status
    [record] = [each for each in server.audit if each.get("request") == "GET /early/hook"][:1]
    assert ("anonymous", "allow", "call") == (
        record["principal"], record["decision"], record["action"],
    )  # fmt: skip


def test_a_socket_that_a_rule_lets_nobody_open_closes_with_the_rule(server: Serving) -> None:
    socket = server.connect("/early/hook-socket")
    assert "reached" == socket.recv()
    path = server.folder / "policy" / "hook.cedar"
    path.write_text("")
    try:
        socket.settimeout(10)
        assert "" == socket.recv()
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: the library's
        assert 302 == server.request("GET", "/early/hook").status
    finally:
        path.write_text(HOOK)
        until = time.monotonic() + 60
        while server.request("GET", "/early/hook").status != 200 and time.monotonic() < until:
            time.sleep(0.1)


def test_a_plain_websocket_is_refused_at_the_handshake(server: Serving) -> None:
    for who in (None, "vera", "mona"):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            server.connect("/early/socket", who)
        assert refused.value.status_code == 403
    assert set() == marks(server)


def test_a_plain_websocket_works_for_an_admin(server: Serving) -> None:
    socket = server.connect("/early/socket", "adam")
    assert socket.recv() == "reached"
    socket.send("and back")
    assert socket.recv() == "and back"
    socket.close()


def test_what_an_author_declares_names_the_route(server: Serving) -> None:
    assert server.request("GET", "/early/declared", "vera").body == b"read"
    assert server.request("POST", "/early/declared", "vera", body=b"").status == 403
    assert server.request("POST", "/early/declared", "edda", body=b"").body == b"written"
    assert server.request("GET", "/early/declared", "nobody").status == 403


def test_a_plain_handler_that_declares_something_is_asked_about_like_any(server: Serving) -> None:
    assert server.request("GET", "/early/declared-plainly", "vera").body == b"read plainly"
    assert server.request("GET", "/early/declared-plainly", "nobody").status == 403
    socket = server.connect("/early/declared-socket", "vera")
    assert socket.recv() == "reached"
    socket.close()
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        server.connect("/early/declared-socket", "nobody")


def test_the_page_of_another_site_changes_nothing_where_a_handler_does_not_look(
    server: Serving,
) -> None:
    give_password(server.folder, "edda")
    own, form = f"http://127.0.0.1:{server.port}", "application/x-www-form-urlencoded"
    sent = {"Cookie": server.sign_in("edda"), "Content-Type": form}
    for origin in ("http://127.0.0.1:1", "https://elsewhere.example", "null"):
        answer = server.request(
            "POST", "/early/declared-plainly", body=b"", headers={**sent, "Origin": origin}
        )
        assert (403, set()) == (answer.status, marks(server)), answer.text
    # Its own page does, and a program, which no other site can have send its token.
    for who, headers in (
        (None, {**sent, "Origin": own}),
        ("edda", {"Origin": "https://a.example"}),
    ):
        answer = server.request("POST", "/early/declared-plainly", who, body=b"", headers=headers)
        assert (200, b"written plainly") == (answer.status, answer.body)


def test_an_author_says_in_their_own_words_why_not(server: Serving) -> None:
    answer = server.request("PATCH", "/early/declared", "adam", body=b"")
    assert (403, "only birds do") == (answer.status, answer.json["message"])


def test_what_is_declared_before_a_class_holds_for_each_method_that_says_nothing_itself(
    server: Serving,
) -> None:
    asked = [
        ("GET", "whole"),
        ("POST", "whole"),
        ("GET", "bare"),
        ("POST", "bare"),
        ("PUT", "bare"),
    ]

    def answers(who: str) -> list[int]:
        return [
            server.request(
                method, f"/early/declared-{name}", who, body=None if method == "GET" else b""
            ).status
            for method, name in asked
        ]

    assert [200, 403, 200, 403, 403] == answers("vera")
    assert not {"declared-whole-method", "declared-bare-method"} & marks(server)
    assert [403] * 5 == answers("nobody")
    assert [200] * 5 == answers("edda")
    assert 405 == server.request("DELETE", "/early/declared-whole", "adam", body=b"").status


def test_a_declared_word_of_ones_own_is_an_administrators(server: Serving) -> None:
    assert server.request("PUT", "/early/declared", "mona", body=b"").status == 403
    assert server.request("PUT", "/early/declared", "adam", body=b"").body == b"own word"


@pytest.mark.parametrize("first", ["GET", "POST"])
def test_a_shared_method_is_judged_as_each_call_is(server: Serving, first: str) -> None:
    order = ["GET", "POST"] if first == "GET" else ["POST", "GET"]
    answers = {m: server.request(m, "/early/shared", "vera", body=b"").status for m in order}
    assert answers == {"GET": 200, "POST": 403}


def test_a_strange_method_is_not_allowed(server: Serving) -> None:
    assert server.request("BREW", "/early/plain", "adam").status == 405
    refused = server.request("DELETE", "/api/kernelspecs", "vera")
    assert (405, "GET, OPTIONS") == (refused.status, refused.headers["Allow"])
    assert set() == marks(server)


def test_a_refusal_says_why_and_can_be_found_in_the_audit_file(server: Serving) -> None:
    answer = server.request("POST", "/api/contents/", "vera", json_body={"type": "file"})
    assert answer.status == 403
    assert answer.json["message"] == answer.json["reason"]
    [record] = [r for r in server.audit if r["id"] == answer.json["decision_id"]]
    expected = {
        "principal": "user:vera",
        "action": "create",
        "resource": "contents:/",
        "decision": "deny",
        "door": "http",
        "request": "POST /api/contents/",
    }
    assert expected == {key: record[key] for key in expected}


def test_a_refusal_of_nobody_is_recorded_and_a_way_to_the_log_in_page_is_not(
    server: Serving,
) -> None:
    before = len(server.audit)
    assert 403 == server.request("GET", "/api/contents").status
    [record] = server.audit[before:]
    assert ("denial", "anonymous") == (record["kind"], record["principal"])
    # The last is of an API, and upstream leads from there to the log-in page too.
    for page in ("/files/a", "/api/spec.yaml"):
        assert 302 == server.request("GET", page).status
    assert before + 1 == len(server.audit)


def test_a_path_above_the_root_is_not_found_and_recorded(server: Serving) -> None:
    before = len(server.audit)
    assert 404 == server.request("GET", "/api/contents/a/../../b", "adam").status
    [record] = server.audit[before:]
    assert "above the contents root" in record["reason"]


def test_each_record_is_an_event_too(server: Serving) -> None:
    socket = server.connect("/api/events/subscribe", "adam")
    assert 403 == server.request("POST", "/api/contents/", "vera", body=b"{}").status
    denial = server.audit[-1]
    event = {"id": ""}
    while event["id"] != denial["id"]:
        event = json.loads(socket.recv())
    socket.close()
    assert event["schema_id"].endswith("jupyter_authorized_server/audit/v1")
    assert "user:vera" == event["principal"]


def test_no_secret_in_an_address_is_logged_when_a_request_fails(server: Serving) -> None:
    secret = server.tokens["adam"]
    query = f"?session_id=x&token={secret}"
    kernel = "0f9a8b6c-1111-2222-3333-444455556666"
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        server.connect(f"/api/kernels/{kernel}/channels{query}")
    # One that upstream has not thought of: there is a folder in the place of the file.
    assert 204 == server.request("PUT", "/api/config/y", "adam", json_body={}).status
    kept = next((server.folder / "config" / "serverconfig" / "people").glob("*/y.json"))
    kept.with_name("x.json").mkdir()
    assert 500 == server.request("PUT", f"/api/config/x{query}", "adam", json_body={}).status
    assert f"{kernel}/channels?session_id=x&token=[secret]" in server.log
    assert "Uncaught exception PUT /api/config/x?session_id=x&token=[secret]" in server.log
    assert secret not in server.log


def test_a_token_that_is_over_or_never_was_is_said_to_be_so_and_what_to_do(
    server: Serving,
) -> None:
    ended, store = new_secret(), server.store()
    store.add_token(ended.id, ended.hash, "ended", "vera", time.time() - 1, time.time() - 2)
    store.close()
    for text in (ended.text, "x", "\xff\xfe", f"{server.tokens['vera']}x"):
        answer = server.request("GET", "/api/me", headers={"Authorization": f"token {text}"})
        told = answer.json["message"]
        assert (403, "This token", "`/authz`.") == (answer.status, told[:10], told[-9:])
    assert "Sign in first." == server.request("GET", "/api/me").json["message"]


def test_another_host_name_is_refused(server: Serving) -> None:
    answer = server.request("GET", "/api/me", "adam", headers={"Host": "evil.example"})
    assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/contents/", b"not json"),
        ("POST", "/api/contents/", b"[1]"),
        ("PATCH", "/api/contents/a", b'{"path": 1}'),
        ("POST", "/api/contents/", b'{"copy_from": {"a": 1}}'),
        ("POST", "/api/sessions", b'{"kernel": "x", "path": "a"}'),
        ("POST", "/api/contents/", b"[" * 100_000),
        ("POST", "/api/contents/", b"\xff\xfe"),
    ],
)
def test_a_body_that_cannot_be_judged_is_a_bad_request(
    server: Serving, method: str, path: str, body: bytes
) -> None:
    answer = server.request(method, path, "adam", body=body)
    assert answer.status == 400, answer.text
    assert "message" in answer.json


def test_an_address_that_is_not_utf8_is_a_bad_request(server: Serving) -> None:
    before = len(server.log)
    for path in ("/api/contents/%ff%fe", "/api/none/%ff", "/static/%ff"):
        answer = server.request("GET", path, "adam")
        assert (400, True) == (answer.status, "not valid UTF-8" in answer.text), path
    for path in ("/%ff", "/static/%ff"):
        answer = server.request("GET", path)
        assert (400, True) == (answer.status, "not valid UTF-8" in answer.text), path
    assert "Uncaught exception" not in server.log[before:]


def test_the_id_of_a_new_kernel_is_chosen_by_the_server(server: Serving) -> None:
    body = {"name": "python3", "kernel_id": "0a0a0a0a-0000-4000-8000-000000000000"}
    answer = server.request("POST", "/api/kernels", "mona", json_body=body)
    assert answer.status == 403


def test_a_large_body_reaches_the_handler_whole(server: Serving) -> None:
    text = "x" * 2_000_000
    body = {"type": "file", "format": "text", "content": text}
    assert server.request("PUT", "/api/contents/large.txt", "adam", json_body=body).status == 201
    assert text == (server.root / "large.txt").read_text()


def test_an_authorizer_swapped_while_running_changes_nothing_at_the_guard(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    with serving(
        tmp_path,
        people={"vera": "viewer"},
        extensions=("hostile",),
        env={"HOSTILE": str(tmp_path / "marks"), "HOSTILE_AUTHORIZER": "later"},
    ) as server:
        end = time.monotonic() + 60
        while not (tmp_path / "marks" / "swapped").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        assert server.request("DELETE", "/api/contents/a", "vera").status == 403
        assert server.request("GET", "/early/plain", "vera").status == 403


def test_an_authorizer_swapped_at_load_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    status, log = refused_start(
        tmp_path,
        extensions=("hostile",),
        env={"HOSTILE": str(tmp_path / "marks"), "HOSTILE_AUTHORIZER": "load"},
    )
    assert status == 78
    assert "AllowAllAuthorizer" in log


def test_a_base_url_with_special_characters_is_guarded_alike(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    with serving(
        tmp_path,
        people={"vera": "viewer"},
        extensions=("hostile",),
        env={"HOSTILE": str(tmp_path / "marks")},
        base_url="/user/ada-x.y~z/",
    ) as server:
        base = server.base_url
        assert server.request("GET", f"{base}api/contents", "vera").status == 200
        assert server.request("POST", f"{base}api/contents", "vera", body=b"{}").status == 403
        assert server.request("GET", f"{base}early/plain", "vera").status == 403
        assert server.request("GET", f"{base}static/style/index.css").status == 200 or (
            server.request("GET", f"{base}static/style/index.css").status == 404
        )
