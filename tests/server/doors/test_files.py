"""What the doors to files tell, and what they do: links, bodies, listings, exchanges."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING

import pytest
from serving import Serving, give_password, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Answer

CAFE = "caf\N{LATIN SMALL LETTER E WITH ACUTE}.ipynb"
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
RULE = """
@id("secret") forbid(principal == Jupyter::User::"vera", action,
  resource == Jupyter::File::"/team/secret.ipynb");
@id("no-uploads") forbid(principal == Jupyter::User::"ursa",
  action == Jupyter::Action::"upload", resource);
"""
#: In the server: a folder becomes a link while a file in it is opened, and is one again.
SWAPS = """
import os, tornado.web
from jupyter_authorized_server.server.surface.descent import Folder
def swapping(do):
    def around(*args, **kwargs):
        if not any(str(each).rpartition("/")[2] == "swapped.txt" for each in args):
            return do(*args, **kwargs)
        sub, apart = ROOT + "/team/swap", ROOT + "/team/.apart"
        os.rename(sub, apart)
        os.symlink("../hr", sub)
        try:
            return do(*args, **kwargs)
        finally:
            os.unlink(sub)
            os.rename(apart, sub)
    return around
tornado.web.open = swapping(open)
Folder.open = swapping(Folder.open)
"""
DOORS = {
    "contents": "/api/contents{}",
    "model": "/api/contents{}?content=0&hash=1",
    "checkpoints": "/api/contents{}/checkpoints",
    "files": "/files{}",
    "view": "/view{}",
    "export": "/nbconvert/script{}",
    "notebook": "/notebooks{}",
    "edit": "/edit{}",
    "classic": "/nbclassic/notebooks{}",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("files")
    root = folder / "root"
    for name in ("team/sub", "hr/inner", "deep/one/two", "up/ursa", "up/cora"):
        (root / name).mkdir(parents=True)
    (folder / "outside").mkdir()
    for path in (
        "root/team/b.ipynb",
        "root/team/secret.ipynb",
        "root/team/.hidden.ipynb",
        "root/hr/pay.ipynb",
        "root/deep/one/two/there.ipynb",
        "root/deep/not.ipynb",
        "outside/x.ipynb",
        f"root/team/{CAFE}",
    ):
        (folder / path).write_text(json.dumps(NOTEBOOK))
    (root / "team" / "again.ipynb").symlink_to("b.ipynb")
    (root / "team" / "pay.ipynb").symlink_to("../hr/pay.ipynb")
    (root / "team" / "hr").symlink_to("../hr")
    (root / "team" / "deep").symlink_to("../hr/inner")
    (root / "hr" / "b.ipynb").symlink_to("../team/b.ipynb")
    (root / "team" / "out").symlink_to("../../outside")
    (root / "team" / "loop").symlink_to("loop")
    (root / "hr" / "loop").symlink_to("loop")
    (root / "hr" / "out").symlink_to("../../outside")
    os.mkfifo(root / "hr" / "pipe")
    (root / "team" / "swap").mkdir()
    (root / "team" / "swap" / "swapped.txt").write_text("mine")
    (root / "hr" / "swapped.txt").write_text("a secret of hr")
    os.link(root / "hr" / "pay.ipynb", root / "team" / "hard.ipynb")
    # The hard link would have pay.ipynb, too, refused to everybody but the owner.
    (root / "hr" / "pay.ipynb").unlink()
    (root / "hr" / "pay.ipynb").write_text(json.dumps(NOTEBOOK))
    os.link(root / "team" / "hard.ipynb", root / "hr" / "other-name.ipynb")
    with serving(
        folder,
        people={
            "owen": [("manager", "contents:/")],
            "vera": [("viewer", "contents:/team")],
            "cora": [
                ("contributor", "contents:/team"),
                ("contributor", "contents:/up"),
                ("runner", "kernelspecs:python3"),
            ],
            "ursa": [("contributor", "contents:/up")],
            "mona": [("manager", "contents:/team")],
            "dora": [("viewer", "contents:/deep/one/two")],
            "nora": None,
        },
        policy={"secret.cedar": RULE},
        extensions=("notebook", "nbclassic", "notebook_shim"),
        config=(
            "c.FileContentsManager.delete_to_trash = False\n"
            "c.FileContentsManager.always_delete_dir = True\n"
            f"ROOT = {str(root)!r}\n{SWAPS}"
        ),
    ) as running:
        yield running


#: Ways of asking for a part of a file, or whether it has changed.
CONDITIONS: tuple[dict[str, str], ...] = (
    {},
    {"Range": "bytes=0-1"},
    {"Range": "bytes=999999-"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"x"'},
    {"If-Modified-Since": "Fri, 01 Jan 2038 00:00:00 GMT"},
    {"If-Unmodified-Since": "Mon, 01 Jan 1990 00:00:00 GMT"},
    {"Accept": "application/json"},
)


@pytest.mark.parametrize("who", ["vera", "nora"])
def test_no_door_answers_otherwise_for_a_file_that_may_not_be_seen_than_for_none(
    server: Serving, who: str
) -> None:
    def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        headers = {name: value for name, value in answer.headers.items() if name != "Date"}
        return answer.status, answer.body, headers

    seen, unseen = ("/hr/none.ipynb", "/hr/pay.ipynb"), ("/team/none.ipynb", "/team/secret.ipynb")
    for door, url in DOORS.items():
        for method in ("GET", "HEAD", "OPTIONS"):
            for headers in CONDITIONS if method == "GET" else CONDITIONS[:2]:
                for none, there in (seen, unseen) if who == "vera" else (seen,):
                    asked = (door, method, headers, there)
                    missing = server.request(method, url.format(none), who, headers=headers)
                    hidden = server.request(method, url.format(there), who, headers=headers)
                    assert (asked, told(missing)) == (asked, told(hidden))


BODIES: tuple[object, ...] = (
    [],
    "text",
    7,
    {"type": 7},
    {"type": ["file"], "format": "text", "content": "x"},
    {"type": "file", "format": 7, "content": "x"},
    {"type": "file", "format": "text", "content": 7},
    {"type": "file", "format": "text", "content": None},
    {"type": "file", "format": "base64", "content": "*"},
    {"type": "file", "format": "base64", "content": {"a": 1}},
    {"type": "file", "format": "text", "content": "\ud800"},
    {"type": "file", "format": "text", "content": "x", "chunk": "first"},
    {"type": "notebook", "format": "json", "content": "x"},
    {"type": "notebook", "format": "json", "content": {"cells": 7}},
    {"type": "notebook", "format": "json", "content": [1]},
    {"type": "directory", "content": 7, "copy_from": 7},
    {"copy_from": {"path": "hr/pay.ipynb"}},
    {"copy_from": ["hr/pay.ipynb"]},
)


def test_a_body_of_wrong_types_is_a_bad_request_and_changes_nothing(server: Serving) -> None:
    def files() -> dict[str, bytes]:
        found = (each for each in (server.root / "team").rglob("*") if each.is_file())
        return {str(each): each.read_bytes() for each in found}

    before = files()
    for number, body in enumerate(BODIES):
        for method, path in (
            ("PUT", "/api/contents/team/b.ipynb"),
            ("PUT", f"/api/contents/team/new{number}.txt"),
            ("POST", "/api/contents/team/sub"),
        ):
            if method == "POST" and (not isinstance(body, dict) or "copy_from" not in body):
                continue
            answer = server.request(method, path, "cora", json_body=body)
            assert (400, False) == (answer.status, str(server.root) in answer.text), (path, body)
    for name, wrong in (
        ("type", 7),
        ("type", ["notebook"]),
        ("ext", {"a": 1}),
        ("ext", 7),
        ("ext", "\0"),
        ("ext", "/../../hr/new.txt"),
    ):
        answer = server.request("POST", "/api/contents/team", "cora", json_body={name: wrong})
        assert answer.status in {400, 404}, (name, wrong, answer.text)
    for to in (7, ["x"], {"a": 1}, "", "\0", "../x", "/" * 5_000, "x" * 300, None):
        answer = server.request(
            "PATCH", "/api/contents/team/b.ipynb", "cora", json_body={"path": to}
        )
        assert answer.status in {400, 403, 404}, (to, answer.text)
    assert before == files()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "team/b.ipynb/x", {"type": "file", "format": "text", "content": ""}, 404),
        ("PUT", "team/b.ipynb/x", {"type": "directory"}, 404),
        ("PUT", "team/none/x", {"type": "file", "format": "text", "content": ""}, 404),
        ("PATCH", "team/b.ipynb", {"path": "team/b.ipynb/x"}, 404),
        ("PATCH", "team/b.ipynb", {"path": "team/leads-nowhere"}, 409),
    ],
)
def test_a_name_that_cannot_be_made_is_no_fault_of_the_server(
    server: Serving, method: str, path: str, body: dict[str, str], status: int
) -> None:
    link = server.root / "team" / "leads-nowhere"
    link.symlink_to("nothing")
    try:
        answer = server.request(method, f"/api/contents/{path}", "cora", json_body=body)
    finally:
        link.unlink()
    assert status == answer.status, answer.text


@pytest.mark.parametrize("who", ["vera", "nora"])
@pytest.mark.parametrize("path", ["/team/secret.ipynb", "/hr/pay.ipynb", "/hr/none", "/team/loop"])
def test_whatever_is_done_to_what_one_may_not_see_it_is_not_there(
    server: Serving, who: str, path: str
) -> None:
    body = {"type": "notebook", "format": "json", "content": NOTEBOOK}
    there = f"/api/contents{path}"
    for method, url, sent in (
        ("GET", there, None),
        ("PUT", there, body),
        ("POST", there, {"type": "file"}),
        ("PATCH", there, {"path": "team/mine.ipynb"}),
        ("DELETE", there, None),
        ("GET", f"{there}/checkpoints", None),
        ("POST", f"{there}/checkpoints", {}),
        ("POST", f"{there}/checkpoints/checkpoint", {}),
        ("DELETE", f"{there}/checkpoints/checkpoint", None),
        ("POST", f"{there}/trust", {}),
    ):
        answer = server.request(method, url, who, json_body=sent)
        assert answer.status == 404, (method, url, answer.text)
        assert answer.json == {
            "message": "There is nothing here.",
            "reason": "There is nothing here.",
            "decision_id": None,
        }


@pytest.mark.parametrize("who", ["owen", "cora", "nora"])
def test_a_change_of_a_hidden_path_is_a_bad_request_whether_or_not_it_is_there(
    server: Serving, who: str
) -> None:
    for path in ("/team/.hidden.ipynb", "/team/.none.ipynb", "/hr/.none/x.ipynb"):
        there = f"/api/contents{path}"
        for method, url, sent in (
            ("PUT", there, {"type": "file", "format": "text", "content": ""}),
            ("POST", there, {"type": "file"}),
            ("PATCH", there, {"path": "team/mine.ipynb"}),
            ("PATCH", "/api/contents/team/none.ipynb", {"path": path}),
            ("DELETE", there, None),
        ):
            answer = server.request(method, url, who, json_body=sent)
            assert answer.status == 400, (method, url, answer.text)
            assert answer.json["message"] == "The path is that of a hidden file."
    assert (server.root / "team" / ".hidden.ipynb").exists()


def test_what_one_sees_and_may_not_do_is_refused_with_the_reason(server: Serving) -> None:
    for method, path, sent in (
        ("PUT", "/api/contents/team/b.ipynb", {"type": "notebook", "content": NOTEBOOK}),
        ("PUT", "/api/contents/team/new.ipynb", {"type": "notebook", "content": NOTEBOOK}),
        ("POST", "/api/contents/team", {"type": "file"}),
        ("PATCH", "/api/contents/team/b.ipynb", {"path": "team/c.ipynb"}),
        ("DELETE", "/api/contents/team/b.ipynb", None),
        ("POST", "/api/contents/team/b.ipynb/checkpoints", {}),
        ("POST", "/api/contents/team/b.ipynb/trust", {}),
    ):
        answer = server.request(method, path, "vera", json_body=sent)
        assert answer.status == 403, (method, path, answer.text)
        assert answer.json["decision_id"]
        assert answer.json["message"].startswith("You ")
    page = server.request(
        "POST", "/api/contents/team/b.ipynb/trust", "vera", headers={"Accept": "text/html"}
    )
    assert (403, "<!DOCTYPE html>") == (page.status, page.text[:15])


def test_the_second_path_of_a_request_is_judged_too(server: Serving) -> None:
    for source in ("hr/pay.ipynb", "team/pay.ipynb", "team/../hr/pay.ipynb", "team/hr/pay.ipynb"):
        answer = server.request(
            "POST", "/api/contents/team", "cora", json_body={"copy_from": source}
        )
        assert answer.status == 404, source
    for target in ("hr/mine.ipynb", "team/../hr/mine.ipynb", "team/hr/mine.ipynb", "mine.ipynb"):
        sent = {"path": target}
        answer = server.request("PATCH", "/api/contents/team/b.ipynb", "cora", json_body=sent)
        assert answer.status == 404, target
    assert (server.root / "team" / "b.ipynb").exists()


def test_a_second_path_that_leads_nowhere_tells_nothing_of_a_folder_one_may_not_see(
    server: Serving,
) -> None:
    def told(answer: Answer) -> tuple[int, str]:
        return answer.status, re.sub(r"[0-9a-f]{16}", "", answer.text)

    for method, url, name in (
        ("POST", "/api/contents/team", "copy_from"),
        ("PATCH", "/api/contents/team/b.ipynb", "path"),
        ("POST", "/api/kernels", "path"),
        ("POST", "/api/sessions", "path"),
    ):
        for who in ("vera", "nora"):
            said = {
                told(server.request(method, url, who, json_body={name: path, "type": "notebook"}))
                for path in ("hr/none.ipynb", "hr/pay.ipynb", "hr/loop", "hr/out/x", "hr/pipe")
            }
            assert 1 == len(said), (method, url, who, said)


def test_a_file_that_somebody_brings_is_an_upload_and_a_forbidden_one_leaves_nothing(
    server: Serving,
) -> None:
    text = {"type": "file", "format": "text", "content": "x"}
    for name, body, statuses in (
        ("a.txt", text, (403, 201)),
        ("b.bin", {**text, "format": "base64", "content": "eA=="}, (403, 201)),
        ("c.ipynb", {"type": "notebook", "format": "json", "content": NOTEBOOK}, (403, 201)),
        ("d.txt", {**text, "chunk": 1}, (403, 201)),
        ("e.txt", {**text, "content": ""}, (201, 201)),
        ("f", {"type": "directory", "content": "x"}, (201, 201)),
        # What is there is saved, unless it comes in parts.
        ("e.txt", text, (200, 200)),
        ("e.txt", {**text, "chunk": 2}, (403, 200)),
    ):
        for who, status in zip(("ursa", "cora"), statuses, strict=True):
            found = server.request("PUT", f"/api/contents/up/{who}/{name}", who, json_body=body)
            assert status == found.status, (who, name, found.text)
    assert ["e.txt", "f"] == sorted(each.name for each in (server.root / "up/ursa").iterdir())
    # Nobody brings what the server copies, or makes anew.
    for body in ({"copy_from": "up/ursa/e.txt"}, {"type": "notebook"}):
        answer = server.request("POST", "/api/contents/up/ursa", "ursa", json_body=body)
        assert 201 == answer.status, answer.text


def test_a_kernel_is_not_started_for_a_file_that_only_a_link_makes_ones_own(
    server: Serving,
) -> None:
    for path in ("hr/pay.ipynb", "team/pay.ipynb", "team/hr/x.ipynb", "team/../hr/pay.ipynb"):
        sent = {
            "path": path,
            "type": "notebook",
            "name": "x",
            "kernel": {"name": "python3"},
        }
        answer = server.request("POST", "/api/sessions", "cora", json_body=sent)
        assert answer.status == 403, path
    assert server.request("GET", "/api/sessions", "cora").status in {200, 403}


def test_the_deletion_of_a_link_asks_about_the_link_and_the_file(server: Serving) -> None:
    (server.root / "team" / "mine").symlink_to("b.ipynb")
    (server.root / "hr" / "theirs").symlink_to("../team/b.ipynb")
    assert server.request("DELETE", "/api/contents/team/pay.ipynb", "mona").status == 404
    assert server.request("DELETE", "/api/contents/hr/theirs", "mona").status == 404
    assert (server.root / "hr" / "theirs").is_symlink()
    assert server.request("DELETE", "/api/contents/team/mine", "mona").status == 204
    assert (server.root / "team" / "b.ipynb").exists()


def listed(server: Serving, path: str, who: str) -> dict[str, bool] | int:
    answer = server.request("GET", f"/api/contents{path}", who)
    if answer.status != 200:
        return answer.status
    return {str(each["name"]): bool(each["writable"]) for each in answer.json["content"]}


def test_a_listing_shows_what_may_be_read_and_whether_it_may_be_written(server: Serving) -> None:
    shared = {"b.ipynb", "again.ipynb", "sub", "swap", CAFE}
    for who, writable, names, tops in (
        ("vera", False, shared, {"team"}),
        ("cora", True, {*shared, "secret.ipynb"}, {"team", "up"}),
    ):
        assert listed(server, "/team", who) == dict.fromkeys(names, writable)
        assert listed(server, "", who) == dict.fromkeys(tops, writable)


def test_whoever_has_one_folder_walks_there_from_the_root(server: Serving) -> None:
    assert listed(server, "", "dora") == {"deep": False}
    assert listed(server, "/deep", "dora") == {"one": False}
    assert listed(server, "/deep/one?type=directory", "dora") == {"two": False}
    assert listed(server, "/deep/one/two", "dora") == {"there.ipynb": False}
    assert listed(server, "/team", "dora") == 404
    assert listed(server, "", "nora") == 404
    for page in ("/tree", "/tree/deep", "/nbclassic/tree/deep/one"):
        assert server.request("GET", page, "dora").status == 200, page
        assert server.request("GET", page, "nora").status == 404, page
    assert server.request("GET", "/files/deep", "dora").status == 403
    for url in ("/files/deep/not.ipynb", "/view/deep/not.ipynb", "/tree/team"):
        assert server.request("GET", url, "dora").status == 404, url
    for path in ("/api/contents/deep", "/api/contents/deep/one"):
        assert server.request("DELETE", path, "dora").status == 403


def test_whoever_is_signed_in_has_the_pages_and_their_own_settings_and_nothing_more(
    server: Serving,
) -> None:
    assert server.request("GET", "/api/me", "nora").status == 200
    assert server.request("GET", "/api/kernelspecs", "nora").status == 200
    assert server.request("GET", "/api/status", "nora").status == 403
    assert server.request("POST", "/api/kernels", "nora", json_body={}).status == 403


def test_what_somebody_was_shown_is_kept_by_no_cache_unasked(server: Serving) -> None:
    asked = ("api/contents/team", "api/contents/team/b.ipynb", "api/me", "api/sessions", "tree")
    for path in asked:
        answer = server.request("GET", f"/{path}", "vera")
        assert (200, "no-store") == (answer.status, answer.headers["Cache-Control"]), path
    # A browser asks again, and keeps it for who may see it then.
    file = server.request("GET", "/files/team/b.ipynb", "vera")
    assert ["no-cache"] == file.headers.get_all("Cache-Control")
    # What is the same for everybody it may keep.
    style = server.request("GET", "/static/style/index.css")
    assert ["no-cache"] == style.headers.get_all("Cache-Control")


def test_a_missing_file_is_no_denial_and_a_denial_that_shows_nothing_is_recorded(
    server: Serving,
) -> None:
    before = len(server.audit)
    assert server.request("GET", "/api/contents/team/nothing", "vera").status == 404
    assert len(server.audit) == before
    assert server.request("GET", "/api/contents/hr/pay.ipynb", "vera").status == 404
    (record,) = server.audit[before:]
    assert (record["kind"], record["principal"]) == ("decision", "user:vera")
    assert record["resource"] == "contents:/hr/pay.ipynb"


def test_a_page_that_is_not_there_says_nothing_of_who_may_see_it(server: Serving) -> None:
    text = server.request("GET", "/files/hr/pay.ipynb", "vera").text
    assert "There is nothing here." in text
    assert not re.search(r"Reference|hr/pay|policy", text)


def test_a_file_becomes_a_link_between_two_requests_and_is_judged_anew(server: Serving) -> None:
    path = server.root / "team" / "sub" / "swap.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    url = "/api/contents/team/sub/swap.ipynb"
    assert server.request("GET", url, "vera").status == 200
    path.unlink()
    path.symlink_to("../../hr/pay.ipynb")
    assert server.request("GET", url, "vera").status == 404
    path.unlink()


def test_a_folder_that_is_exchanged_there_and_back_is_not_downloaded(server: Serving) -> None:
    url = "/files/team/swap/swapped.txt"
    for method, headers, expected in (
        ("GET", {}, b"mine"),
        ("GET", {"Range": "bytes=1-2"}, b"in"),
        ("GET", {"Range": "bytes=-2"}, b"ne"),
        ("HEAD", {}, b""),
        ("GET", {"If-Modified-Since": "Fri, 01 Jan 2038 00:00:00 GMT"}, b""),
    ):
        answer = server.request(method, url, "vera", headers=headers)
        assert (method, headers, expected) == (method, headers, answer.body)
        assert answer.headers["Content-Length"] in {None, str(len(expected or b"mine"))}
    assert 416 == server.request("GET", url, "vera", headers={"Range": "bytes=9-"}).status
    assert 404 == server.request("GET", "/files/hr/swapped.txt", "vera").status


#: Where copies of a file are kept, and how they are called.
COPIES = (
    "/.git/objects/0a/bc",
    "/.ipynb_checkpoints/secret-checkpoint.ipynb",
    "/.Trash-0/files/secret.ipynb",
    "/.~secret.ipynb",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of the root of the file system, which shows what is hidden."""
    folder = tmp_path_factory.mktemp("top")
    for name in ("root", "shown", "work", "kept", "free/.git"):
        (folder / name).mkdir(parents=True)
    (folder / "work" / "a.txt").write_text("kept")
    (folder / "shown" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    (folder / "shown" / "b").symlink_to("../b.txt")
    (folder / "free" / ".git" / "HEAD").write_text("a secret")
    for copy in ("/secret.ipynb", *COPIES):
        (folder / f"kept{copy}").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"kept{copy}").write_text(json.dumps(NOTEBOOK | {"metadata": {"a": "a secret"}}))
    (folder / "kept" / "way.ipynb").symlink_to(".~secret.ipynb")
    top = str(folder.resolve())
    rule = f"""forbid(principal == Jupyter::User::"mona", action in Jupyter::Action::"read",
      resource == Jupyter::File::"{top}/kept/secret.ipynb");"""
    with serving(
        folder,
        people={
            "vera": [("viewer", f"contents:{top}/shown")],
            "edda": [("editor", f"contents:{top}/work")],
            "mona": [("manager", f"contents:{top}/{name}") for name in ("kept", "free")],
            "olga": [("manager", f"contents:{top}/kept")],
        },
        policy={"secret.cedar": rule},
        config=(
            "c.FileContentsManager.root_dir = '/'\n"
            "c.ContentsManager.allow_hidden = True\n"
            "c.FileContentsManager.delete_to_trash = False\n"
        ),
    ) as running:
        yield running


def test_the_root_of_the_file_system_is_served_by_the_same_rules(whole: Serving) -> None:
    folder, running = whole.folder, whole
    top = str(folder.resolve())
    assert listed(running, "", "vera") == {top.split("/")[1]: False}
    there = f"/api/contents{top}/work/a.txt/checkpoints"
    assert running.request("POST", there, "edda").status == 201
    (folder / "work" / "a.txt").write_text("changed")
    assert running.request("POST", f"{there}/checkpoint", "edda").status == 204
    assert (folder / "work" / "a.txt").read_text() == "kept"
    assert listed(running, f"{top}/shown", "vera") == {"a.txt": False}
    assert running.request("GET", f"/files{top}/shown/a.txt", "vera").body == b"a"
    assert running.request("GET", f"/files{top}/b.txt", "vera").status == 404
    assert running.request("GET", f"/api/contents{top}/shown/b", "vera").status == 404


def test_no_door_shows_a_copy_that_is_hidden_beside_a_file_that_one_may_not_read(
    whole: Serving,
) -> None:
    top = str(whole.folder.resolve())
    kept, contents = f"{top}/kept", f"/api/contents{top}"
    doors = (*DOORS.values(), "/api/contents{}?content=1&type=file&format=base64")
    hidden = (*COPIES, "/way.ipynb", "/.git", "/.git/objects", "/.ipynb_checkpoints", "/.Trash-0")
    told = [
        (door, path)
        for path in hidden
        for door in doors
        if not door.startswith(("/notebooks", "/edit", "/nbclassic"))
        and whole.request("GET", door.format(kept + path), "mona").status != 404
    ]
    assert [] == told
    assert {} == listed(whole, f"{top}/kept", "mona")
    for path in (*COPIES, "/.git"):
        copied = {"copy_from": f"{kept}{path}"}
        there = f"{contents}/kept{path}"
        moved = whole.request("PATCH", there, "mona", json_body={"path": f"{top}/free/out"})
        assert (path, 404) == (path, moved.status)
        assert 404 == whole.request("POST", f"{contents}/free", "mona", json_body=copied).status
    # It is theirs who may read all that is beside it.
    for path in COPIES:
        assert b"a secret" in whole.request("GET", f"/files{kept}{path}", "olga").body
    assert b"a secret" == whole.request("GET", f"/files{top}/free/.git/HEAD", "mona").body


@contextlib.contextmanager
def begun(server: Serving, path: str, headers: dict[str, str]) -> Iterator[HTTPResponse]:
    """The answer to somebody who reads the first of it and no more."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers=headers)
    shown = connection.getresponse()
    assert (200, 1) == (shown.status, len(shown.read(1)))
    yield shown
    shown.close()
    connection.close()


def test_a_download_ends_with_the_right_to_it_and_with_the_login(server: Serving) -> None:
    folder, size = server.root / "team" / "long", 256 << 20
    folder.mkdir()
    (folder / "long.bin").touch()
    os.truncate(folder / "long.bin", size)
    grant = {"principal": "user:nora", "level": "viewer", "resource": "contents:/team/long"}
    given = server.request("POST", "/api/authz/grants", "owen", json_body=grant).json["id"]
    give_password(server.folder, "owen")
    cookies, path = server.sign_in("owen"), "/files/team/long/long.bin"
    by_token = [{"Authorization": f"token {server.tokens[who]}"} for who in ("nora", "owen")]
    with (
        begun(server, path, by_token[0]) as without_right,
        begun(server, path, {"Cookie": cookies, "Referer": server.url}) as signed_out,
        begun(server, path, by_token[1]) as other,
    ):
        removed = server.request("DELETE", f"/api/authz/grants/{given}", "owen")
        assert 200 == removed.status
        assert 200 == server.request("GET", "/logout", headers={"Cookie": cookies}).status
        # For a second one answer is enough, and what is on its way arrives.
        time.sleep(1.1)
        for shown in (without_right, signed_out):
            with pytest.raises(IncompleteRead) as cut:
                shown.read()
            assert len(cut.value.partial) < size // 2
        # What the same person has begun with another login goes on.
        assert size // 2 == len(other.read(size // 2))
    denied = [each for each in server.audit if each.get("resource", "").endswith("/long.bin")]
    assert ["deny"] == [each["decision"] for each in denied if each["decision"] == "deny"]
    shutil.rmtree(folder)
