"""Extensions that others bring: nbdime, proxies, archives, each named in a table."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import serving

from jupyter_authorized_server.server.doors import nbdime as door
from jupyter_authorized_server.server.surface import places
from jupyter_authorized_server.server.surface.git import ROUTES as GIT_ROUTES
from jupyter_authorized_server.server.surface.nbdime import ROUTES
from jupyter_authorized_server.server.wiring import KEY, Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(sys.prefix) / "others"
EXTENSIONS = (
    "jupyterlab_git",
    "nbdime",
    "jupyter_server_proxy",
    "jupyter_archive",
    "jupyter_server_ydoc",
)
PACKAGES = (*EXTENSIONS, "jupyter_server_fileid")
PEOPLE = {
    "adam": "admin",
    "mona": "manager",
    "vera": [("viewer", "contents:/team"), ("viewer", "contents:/pair")],
    "gita": None,
    "paco": [("viewer", "contents:/pack")],
    "inga": None,
    "nora": None,
}
POLICY = {
    "reach.cedar": """
@id("reach") permit(principal == Jupyter::User::"inga",
  action in [Jupyter::Action::"internet", Jupyter::Action::"network"], resource);
""",
    "packed.cedar": """
@id("packed") forbid(principal == Jupyter::User::"vera",
  action == Jupyter::Action::"download", resource == Jupyter::File::"/team/secret.txt");
""",
}

#: In the server: it tells in a file which folders it goes through.
WALKS = """
from pathlib import Path
from jupyter_authorized_server.server.surface import whole
def telling(inside):
    def around(disk, folder, **kwargs):
        with open(Path(disk.path("/")).parent / "walked", "a") as walked:
            walked.write(folder + "\\n")
        return inside(disk, folder, **kwargs)
    return around
whole._inside = telling(whole._inside)
import os
from jupyter_archive import handlers
def swapping(make_writer):
    def around(handler, form):
        top = Path(handler.contents_manager.root_dir, "pack")
        if (top.parent.parent / "swap").exists():
            (top.parent.parent / "swap").unlink()
            os.rename(top / "sub", top / "apart")
            os.symlink("../loose", top / "sub")
        return make_writer(handler, form)
    return around
handlers.make_writer = swapping(handlers.make_writer)
"""


def environment() -> Mapping[str, str]:
    paths = (str(serving.PACKAGE), str(serving.TESTS), str(FOLDER))
    # What is packed waits for who reads it: so it can be seen to end.
    small = {"JA_IOSTREAM_MAX_BUFFER_SIZE": "65536", "JA_HANDLER_MAX_BUFFER_LENGTH": "8"}
    return {"PYTHONPATH": os.pathsep.join(paths), **small}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not FOLDER.is_dir():
        missing = "the other extensions are not installed; `make check` does it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(missing)
        pytest.skip(missing)  # why: in CI it fails, above


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Serving]:
    folder = tmp_path_factory.mktemp("others")
    root = folder / "root"
    for name in ("team", "loose", "pair"):
        (root / name).mkdir(parents=True)
    for name in ("team/a.txt", "team/.hidden", "loose/x.txt", "pair/a.txt"):
        (root / name).write_text(name)
    with serving.serving(
        folder,
        people=PEOPLE,
        policy=POLICY,
        extensions=(*EXTENSIONS, "jupyter_server_fileid"),
        env=environment(),
        config=WALKS,
    ) as running:
        yield running


def ask(server: serving.Serving, who: str, path: str, **body: Any) -> serving.Answer:
    return server.request("POST", f"/git{path}", who, json_body=body)


def test_every_route_of_theirs_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    enabled = dict.fromkeys((*EXTENSIONS, *serving.OTHERS), True)
    (tmp_path / "config" / "jupyter_server_config.py").write_text(
        f"c.ServerApp.jpserver_extensions = {enabled!r}"
    )
    command = [str(Path(sys.executable).parent / "jupyter-authz"), "routes", "--json"]
    env = serving.environment(tmp_path, environment())
    done = subprocess.run(command, capture_output=True, check=True, env=env)
    found = json.loads(done.stdout)
    rows = found["routes"] if isinstance(found, dict) else found
    theirs = [row for row in rows if row["package"] in PACKAGES]
    assert len(theirs) > 80
    assert [row for row in rows if row["guard"] == "unnamed"] == []
    # Here is a sandbox, so who may read a repository needs no more for git to read it.
    [status] = [
        row
        for row in theirs
        if row["handler"].endswith(".GitStatusHandler") and row["method"] == "POST"
    ]
    assert "viewer" == status["level"]


def notebook(text: str) -> str:
    cell = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def compare(server: serving.Serving, who: str, door: str = "diff", **body: Any) -> serving.Answer:
    return server.request("POST", f"/nbdime/api/{door}", who, json_body=body)


def test_nbdime_compares_what_one_may_open_on_both_sides(server: serving.Serving) -> None:
    for path, text in {"pair/n1": "OLD", "pair/n2": "NEW", "loose/n": "SECRET-42"}.items():
        (server.root / f"{path}.ipynb").write_text(notebook(text))
    (server.folder / "outside.ipynb").write_text(notebook("SECRET-42"))
    (server.root / "pair" / "out.ipynb").symlink_to(server.folder / "outside.ipynb")
    (server.root / "pair" / "in.ipynb").symlink_to("../loose/n.ipynb")
    found = compare(server, "vera", base="pair/n1.ipynb", remote="/pair/n2.ipynb")
    assert (200, "OLD") == (found.status, found.json["base"]["cells"][0]["source"]), found.text
    assert "NEW" in json.dumps(found.json["diff"])
    assert 200 == compare(server, "vera", base=os.devnull, remote="pair/n2.ipynb").status
    assert 422 == compare(server, "vera", base="pair/a.txt", remote="pair/n2.ipynb").status
    missing = compare(server, "vera", base="pair/n1.ipynb", remote="loose/none.ipynb")
    assert 404 == missing.status
    for path in (
        "loose/n.ipynb",
        "pair/../loose/n.ipynb",
        "pair/in.ipynb",
        "pair/out.ipynb",
        str(server.root / "loose" / "n.ipynb"),
        str(server.folder / "outside.ipynb"),
        "../outside.ipynb",
        f"checkpoint:{server.folder}/outside.ipynb",
        "git:../outside.ipynb",
        "git:loose/n.ipynb",
        "checkpoint:loose/n.ipynb",
    ):
        for sides in (
            {"base": path, "remote": "pair/n1.ipynb"},
            {"base": "pair/n1.ipynb", "remote": path},
        ):
            found = compare(server, "vera", **sides)
            assert 404 == found.status, sides
            # What is no path at all is told so, whatever the disk has.
            is_path = ".." not in path and not sides["remote"].startswith(("git", "check"))
            assert not is_path or missing.body == found.body, sides


def test_nbdime_compares_with_the_checkpoint_of_what_one_may_open(server: serving.Serving) -> None:
    path = server.root / "pair" / "kept.ipynb"
    path.write_text(notebook("OLD"))
    assert (
        201 == server.request("POST", "/api/contents/pair/kept.ipynb/checkpoints", "mona").status
    )
    path.write_text(notebook("NEW"))
    found = compare(server, "vera", base="checkpoint:pair/kept.ipynb")
    assert (200, "OLD") == (found.status, found.json["base"]["cells"][0]["source"]), found.text
    [copy] = (server.root / "pair" / ".ipynb_checkpoints").glob("kept-*")
    copy.unlink()
    (server.root / "loose" / "m.ipynb").write_text(notebook("SECRET-42"))
    copy.symlink_to("../../loose/m.ipynb")
    assert "SECRET-42" not in compare(server, "vera", base="checkpoint:pair/kept.ipynb").text


def test_nbdime_has_git_read_a_repository_in_a_sandbox(server: serving.Serving) -> None:
    repo = server.root / "pair" / "repo"
    (repo / "in").mkdir(parents=True, exist_ok=True)
    (repo / "in" / "a.ipynb").write_text(notebook("OLD"))
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*"]
    for line in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *who, "-C", str(repo), *line], check=True)
    (repo / "in" / "a.ipynb").write_text(notebook("NEW"))
    ran = server.folder / "ran"
    for name in ("filter.evil.clean", "core.fsmonitor"):
        subprocess.run(
            ["git", "-C", str(repo), "config", name, f"sh -c 'touch {ran}; cat'"], check=True
        )
    (repo / ".gitattributes").write_text("*.ipynb filter=evil\n")
    refs = {"ref_local": {"git": "HEAD"}, "ref_remote": {"special": "WORKING"}}
    for who_asks, status in {"vera": 200, "gita": 404}.items():
        found = compare(server, who_asks, base="git:pair/repo/in/a.ipynb")
        again = compare(server, who_asks, "gitdiff", file_path="pair/repo/in/a.ipynb", **refs)
        assert (status, status) == (found.status, again.status), found.text + again.text
    found = compare(server, "vera", "gitdiff", file_path="pair/repo/in/a.ipynb", **refs)
    assert "OLD" == found.json["base"]["cells"][0]["source"]
    assert "NEW" in json.dumps(found.json["diff"])
    assert not ran.exists()
    for ref in ({"git": "--output=x"}, {"git": "HEAD:../../.."}, {"git": "none"}):
        body: dict[str, Any] = {**refs, "ref_local": ref, "file_path": "pair/repo/in/a.ipynb"}
        assert 422 == compare(server, "vera", "gitdiff", **body).status
    wrong: tuple[object, ...] = ({}, {"git": "1", "special": "index"}, "1", {"special": "working"})
    for said in wrong:
        body = {**refs, "ref_local": said, "file_path": "pair/repo/in/a.ipynb"}
        assert 400 == compare(server, "vera", "gitdiff", **body).status
    told = [
        compare(server, "vera", "isgit", path=path).json
        for path in ("pair/repo/in/a.ipynb", "pair/a.txt")
    ]
    assert [{"is_git": True}, {"is_git": False}] == told
    assert 404 == compare(server, "gita", "isgit", path="pair/repo/in/a.ipynb").status


def test_what_a_page_of_git_compares_is_compared_in_a_sandbox(server: serving.Serving) -> None:
    old, new, other = (notebook(each) for each in ("OLD", "NEW", "OTHER"))
    found = ask(server, "nora", "/diffnotebook", previousContent=old, currentContent=new)
    assert (200, "OLD") == (found.status, found.json["base"]["cells"][0]["source"]), found.text
    assert "NEW" in json.dumps(found.json["diff"])
    body = {"previousContent": "", "currentContent": json.loads(new)}
    assert "NEW" in json.dumps(ask(server, "nora", "/diffnotebook", **body).json["diff"])
    body = {"previousContent": new, "currentContent": other, "baseContent": old}
    found = ask(server, "nora", "/diffnotebook", **body)
    assert "OTHER" in json.dumps(found.json["merge_decisions"]), found.text
    assert "id" not in found.json["base"]["cells"][0]
    body = {"previousContent": {"cells": 7}, "currentContent": new}
    assert "no notebook" in ask(server, "nora", "/diffnotebook", **body).json["message"]
    body = {"previousContent": " " * (32 << 20), "currentContent": new}
    assert "too large" in ask(server, "nora", "/diffnotebook", **body).json["message"]


def test_notebooks_that_are_compared_for_minutes_hold_up_nobody(server: serving.Serving) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(45):
            held.enter_context(lasting(server))
        for _ in range(3):
            assert 200 == server.request("GET", "/api/contents/team/a.txt", "vera").status


@contextlib.contextmanager
def lasting(server: serving.Serving) -> Iterator[None]:
    """A comparison of much with much, which nobody waits for in the end."""
    cells = [
        [" ".join(str(n * side) for n in range(i, i + 99)) for i in range(200)] for side in (7, 9)
    ]
    previous, current = (
        json.dumps(
            {
                "cells": [
                    {"cell_type": "markdown", "id": f"c{n}", "metadata": {}, "source": each}
                    for n, each in enumerate(side)
                ],
                "metadata": {},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
        for side in cells
    )
    asking = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": f"token {server.tokens['gita']}"}
    body = json.dumps({"previousContent": previous, "currentContent": current})
    asking.request("POST", "/git/diffnotebook", body, headers)
    try:
        yield
    finally:
        asking.close()


class Notebook(BaseHTTPRequestHandler):
    """What listens on this machine, and is a notebook."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(notebook("FETCHED").encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # why: the base's name
        pass


def test_nbdime_fetches_an_address_for_who_a_rule_gives_the_network(
    server: serving.Serving,
) -> None:
    with HTTPServer(("127.0.0.1", 0), Notebook) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{listening.server_port}/n.ipynb"
        # An administrator may, and has the network of their kernels: here none.
        for who, status in {"vera": 403, "mona": 403, "adam": 422, "inga": 200}.items():
            found = compare(server, who, base=address, remote=os.devnull)
            assert (who, status) == (who, found.status), found.text
        assert "FETCHED" == found.json["base"]["cells"][0]["source"]
        for scheme in ("file:///etc/passwd", "ftp://127.0.0.1/x", "pair/x://"):
            assert 400 == compare(server, "inga", base=os.devnull, remote=scheme).status
        listening.shutdown()


@pytest.mark.parametrize(
    ("backend", "version", "bare"),
    [(object(), "4.0.4", False), (object(), "4.1.0", True), (None, "4.0.4", True)],
)
def test_nbdime_is_for_administrators_where_it_is_not_confined(
    backend: object, version: str, bare: bool
) -> None:
    made = Wiring.__new__(Wiring)
    made.nbdime = made.compares = None
    made.confinement = SimpleNamespace(launcher=SimpleNamespace(backend=backend))
    kinds = {
        name: type(name, (), {"post": lambda _: None})
        for name in ("ExtensionApiDiffHandler", "GitDiffHandler", "IsGitHandler")
    }
    module = SimpleNamespace(build_config=dict, **kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nbdime", SimpleNamespace(__version__=version))
        patch.setitem(sys.modules, "nbdime.webapp.nb_server_extension", module)
        git = SimpleNamespace(get_nbdiff=None)
        door.install({"git": git}, made)
    call: Any = SimpleNamespace(settings={KEY: made, "git": git})
    asked = [
        each.where(call) == places.SERVER
        for route in (*ROUTES, *GIT_ROUTES)
        for entry in route.methods.values()
        for each in getattr(entry, "questions", ())
        if each.action == "administer" and each.bare
    ]
    assert [bare] * 4 == asked


def test_no_port_is_forwarded_for_a_manager(server: serving.Serving) -> None:
    for path in (f"/proxy/{server.port}/api", "/proxy/example.org:80/", "/proxy/absolute/1/x"):
        for method in ("GET", "POST", "DELETE"):
            assert server.request(method, path, "mona").status == 403


def test_a_folder_is_packed_with_what_one_may_download(server: serving.Serving) -> None:
    token = "?archiveToken=1&archiveFormat=tgz"
    assert server.request("GET", f"/directories/team{token}", "vera").status == 200
    hidden = server.request("GET", f"/directories/team{token}&downloadHidden=true", "vera")
    assert hidden.status == 404
    (server.root / "team" / "secret.txt").write_text("secret")
    assert server.request("GET", f"/directories/team{token}", "vera").status in {403, 404}
    assert server.request("GET", f"/directories/loose{token}", "vera").status == 404
    assert server.request("GET", f"/directories/team/a.txt{token}", "vera").status == 404
    assert server.request("GET", f"/extract-archive/team/a.zip{token}", "mona").status == 403


def test_no_image_or_link_in_a_notebook_unpacks_anything(server: serving.Serving) -> None:
    with zipfile.ZipFile(server.root / "loose" / "sent.zip", "w") as archive:
        archive.writestr("unpacked.txt", "unpacked")
    serving.give_password(server.folder, "adam")
    cookies = server.sign_in("adam")
    asked = {"Cookie": cookies, "Referer": f"{server.url}notebooks/loose/n.ipynb"}
    path, made = "/extract-archive/loose/sent.zip", server.root / "loose" / "unpacked.txt"
    refused = server.request("GET", path, headers=asked)
    assert (403, False) == (refused.status, made.exists())
    # As the extension's own script asks.
    xsrf = next(each[6:] for each in cookies.split("; ") if each.startswith("_xsrf="))
    assert 200 == server.request("GET", path, headers={**asked, "X-XSRFToken": xsrf}).status
    assert "unpacked" == made.read_text()
    made.unlink()
    assert 200 == server.request("GET", path, "adam", headers={"Referer": server.url}).status
    assert made.exists()


def packed(answer: serving.Answer) -> dict[str, bytes]:
    if answer.body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.body)) as found:
            return {each.filename: found.read(each) for each in found.infolist()}
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        files = [each for each in archive.getmembers() if each.isreg()]
        return {each.name: archive.extractfile(each).read() for each in files}  # type: ignore[union-attr]  # why: a file


@pytest.mark.parametrize("form", ["zip", "tgz"])
def test_what_is_packed_is_what_was_asked_about_whatever_is_put_in_its_place(
    server: serving.Serving, form: str
) -> None:
    top = server.root / "pack"
    (top / "sub" / "in").mkdir(parents=True, exist_ok=True)
    (top / "sub" / "in" / "a.txt").write_text("mine")
    (top / "b.txt").write_text("b")
    (top / ".hidden").write_text("hidden")
    if not (top / "again.txt").is_symlink():
        (top / "again.txt").symlink_to("b.txt")
        # One to another folder, and one back from there.
        (top / "linked").symlink_to("sub")
        (top / "sub" / "in" / "back").symlink_to("../..")
    url = f"/directories/pack?archiveToken=1&archiveFormat={form}"
    unlinked = {"pack/b.txt": b"b", "pack/again.txt": b"b", "pack/sub/in/a.txt": b"mine"}
    usual = {**unlinked, "pack/linked/in/a.txt": b"mine"}
    assert usual == packed(server.request("GET", url, "paco"))
    assert unlinked == packed(server.request("GET", f"{url}&followSymlinks=false", "paco"))
    # When the packing begins, a link is put in the place of the folder.
    (server.folder / "swap").touch()
    found = packed(server.request("GET", url, "paco"))
    assert (top / "sub").is_symlink()
    (top / "sub").unlink()
    (top / "apart").rename(top / "sub")
    assert {"pack/b.txt": b"b", "pack/again.txt": b"b"} == {
        name: each for name, each in found.items() if "apart" not in name
    }
    assert b"loose/x.txt" not in found.values()
    # What a link leads to is asked about as what it is, before anything is packed.
    (top / "other").symlink_to("../loose")
    try:
        assert 404 == server.request("GET", url, "paco").status
        assert b"loose/x.txt" in packed(server.request("GET", url, "adam")).values()
        # One folder of which each leads to the next twice would be packed for ever.
        for number in range(20):
            (top / f"many/{number}").mkdir(parents=True)
            for name in ("left", "right"):
                (top / f"many/{number}/{name}").symlink_to(f"../{number + 1}")
        (top / "many/20").mkdir()
        assert 404 == server.request("GET", url, "adam").status
    finally:
        (top / "other").unlink()
        shutil.rmtree(top / "many")


def test_an_archive_is_cut_off_when_the_right_to_the_folder_ends(server: serving.Serving) -> None:
    folder = server.root / "loose" / "long"
    folder.mkdir()
    for name in ("a.bin", "b.bin"):
        (folder / name).write_bytes(os.urandom(16 << 20))
    grant = {"principal": "user:nora", "level": "viewer", "resource": "contents:/loose/long"}
    given = server.request("POST", "/api/authz/grants", "adam", json_body=grant).json["id"]
    headers = {"Authorization": f"token {server.tokens['nora']}"}
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in "ab"]
    begun = []
    for connection, form in zip(connections, ("zip", "tgz"), strict=True):
        url = f"/directories/loose/long?archiveToken=1&archiveFormat={form}"
        connection.request("GET", url, headers=headers)
        begun.append(connection.getresponse())
        assert (200, 1) == (begun[-1].status, len(begun[-1].read(1)))
    assert 200 == server.request("DELETE", f"/api/authz/grants/{given}", "adam").status
    # For a second one answer is enough, and what is on its way arrives.
    time.sleep(1.1)
    for shown in begun:
        with pytest.raises(http.client.IncompleteRead) as cut:
            shown.read()
        assert len(cut.value.partial) < 16 << 20
        shown.close()
    for connection in connections:
        connection.close()
    denied = [each for each in server.audit if each.get("resource", "").endswith("/long")]
    assert 2 == sum(each.get("decision") == "deny" for each in denied)
    shutil.rmtree(folder)


def test_a_form_in_the_body_says_nothing_that_was_not_asked_about(
    server: serving.Serving,
) -> None:
    (server.root / "pack" / "form").mkdir(parents=True, exist_ok=True)
    (server.root / "pack" / "form" / ".hidden").write_text("hidden")
    archive = "/directories/pack/form?archiveToken=1&archiveFormat=zip"
    for url, name, value in (
        (archive, "downloadHidden", "true"),
        ("/api/fileid/id?path=pack/form", "path", "loose/x.txt"),
        ("/api/fileid/path?id=none", "id", "another"),
    ):
        field = f'Content-Disposition: form-data; name="{name}"'
        for kind, body in (
            ("application/x-www-form-urlencoded", f"{name}={value}"),
            ("multipart/form-data; boundary=x", f"--x\r\n{field}\r\n\r\n{value}\r\n--x--\r\n"),
        ):
            form = {"Content-Type": kind}
            answer = server.request("GET", url, "paco", body=body.encode(), headers=form)
            assert 400 == answer.status, (url, kind, answer.body)
    # Nor does a character that Tornado takes for a blank.
    for value in ("true%01", "%1etrue"):
        answer = server.request("GET", f"{archive}&downloadHidden={value}", "paco")
        assert 404 == answer.status, (value, answer.body)


def test_a_folder_that_one_may_not_see_is_not_gone_through(server: serving.Serving) -> None:
    (server.root / "loose" / "large").mkdir(exist_ok=True)
    archive = "?archiveToken=1&archiveFormat=tgz"
    walked = server.folder / "walked"
    walked.unlink(missing_ok=True)
    for name in ("large", "none"):
        found = server.request("GET", f"/directories/loose/{name}{archive}", "vera")
        assert 404 == found.status
        assert 404 == ask(server, "gita", f"/loose/{name}/status").status
    assert not walked.exists()
    assert 200 == server.request("GET", f"/directories/loose/large{archive}", "adam").status
    assert "/loose/large\n" == walked.read_text()


def test_a_file_id_is_told_of_what_one_may_open(server: serving.Serving) -> None:
    missing = server.request("GET", "/api/fileid/id?path=loose/none.txt", "vera")
    hidden = server.request("GET", "/api/fileid/id?path=loose/x.txt", "vera")
    assert (missing.status, hidden.status, missing.body) == (404, 404, hidden.body)
    body = {"format": "text", "type": "file"}
    server.request("PUT", "/api/collaboration/session/loose/x.txt", "adam", json_body=body)
    found = server.request("GET", "/api/fileid/id?path=loose/x.txt", "adam")
    assert 200 == found.status, found.text
    back = f"/api/fileid/path?id={found.json['id']}"
    assert "loose/x.txt" == server.request("GET", back, "adam").json["path"]
    # That it has an id now shows to nobody else, neither way.
    for path, body_of_none in (
        ("/api/fileid/id?path=loose/x.txt", missing.body),
        (back, server.request("GET", "/api/fileid/path?id=none", "vera").body),
    ):
        unseen = server.request("GET", path, "vera")
        assert (path, 404, body_of_none) == (path, unseen.status, unseen.body)
    assert server.request("GET", "/api/fileid/path", "vera").status == 400
