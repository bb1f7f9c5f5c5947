"""jupyterlab-git: its programs in a sandbox with the repository alone; hostile repositories."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import serving

from jupyter_authorized_server.server.doors import git as door
from jupyter_authorized_server.server.surface import places
from jupyter_authorized_server.server.surface.git import ROUTES
from jupyter_authorized_server.server.wiring import KEY, Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(sys.prefix) / "others"
STARTS = ("runner", "kernelspecs:")
GITAS = ("repo", "divided", "evil", "own", "last", "bent")
PEOPLE = {
    "adam": "admin",
    "gita": [*(("manager", f"contents:/{name}") for name in GITAS), STARTS],
    "edda": [("editor", "contents:/repo"), STARTS],
    "mona": [("manager", "contents:/repo")],
    "vera": [("viewer", "contents:/repo"), ("viewer", "contents:/evil")],
    "temp": [STARTS],
    "nora": None,
}
POLICY = {
    "git.cedar": """
@id("secret") forbid(principal == Jupyter::User::"gita", action == Jupyter::Action::"open",
  resource == Jupyter::File::"/divided/secret.txt");
"""
}
SECONDS = 120.0
#: Of what lasted.
ANSWERS: list[serving.Answer] = []
#: What is planted in a repository: it tells wherever it runs that it did, and what it finds.
PAYLOAD = """#!/bin/sh
echo "$1" >> {folder}/ran
cat {folder}/root/other/secret.txt {folder}/root/own/secret.txt > {evil}/.git/stolen
env > {evil}/.git/surroundings
cat /dev/null "$2"
"""


def environment() -> Mapping[str, str]:
    paths = (str(serving.PACKAGE), str(serving.TESTS), str(FOLDER))
    return {"PYTHONPATH": os.pathsep.join(paths), "HIDDEN_KEY": "HIDDEN-42"}


def git(folder: Path, *args: str) -> str:
    names = [("user.name", "t"), ("user.email", "t@example.org"), ("safe.directory", "*")]
    known = [word for name, value in names for word in ("-c", f"{name}={value}")]
    command = ["git", *known, "-C", str(folder), *args]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def repository(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-b", "main")
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")


def make_evil(folder: Path) -> None:
    """A repository with everything planted in it that is known to be run or followed."""
    evil = folder / "root" / "evil"
    repository(evil, a="a\n", b="b\n")
    kept = evil / ".git"
    payload = kept / "payload"
    payload.write_text(PAYLOAD.format(folder=folder, evil=evil))
    payload.chmod(0o755)
    for name in ("pre-commit", "post-commit", "post-checkout", "post-index-change"):
        hook = kept / "hooks" / name
        hook.write_text(f"#!/bin/sh\nexec {payload} {name} /dev/null\n")
        hook.chmod(0o755)
    for key, value in {
        "core.fsmonitor": f"{payload} fsmonitor /dev/null; :",
        "filter.evil.clean": f"{payload} clean",
        "diff.evil.textconv": f"{payload} textconv",
        "diff.external": f"{payload} external",
        "core.sshCommand": f"{payload} ssh /dev/null; :",
        "credential.helper": f"!{payload} helper /dev/null; :",
        "alias.status": f"!{payload} alias /dev/null",
        "remote.far.url": "ssh://host.invalid/x",
        "remote.own.url": "http://127.0.0.1:9/x",
    }.items():
        git(evil, "config", key, value)
    (evil / ".gitattributes").write_text("*.txt filter=evil diff=evil\n")
    # What others have, as this repository's own.
    objects = folder / "root" / "other" / ".git" / "objects"
    (kept / "objects" / "info").mkdir(exist_ok=True)
    (kept / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    (evil / "link.ipynb").symlink_to(folder / "root" / "other" / "secret.ipynb")
    (evil / "a.txt").write_text("changed\n")


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not FOLDER.is_dir():
        missing = "the other extensions are not installed; `make check` does it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(missing)
        pytest.skip(missing)  # why: in CI it fails, above


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Serving]:
    folder = tmp_path_factory.mktemp("git")
    root = folder / "root"
    # The contents root lies in a repository itself.
    repository(folder)
    repository(root / "repo", a="a")
    repository(root / "divided", secret="secret")
    repository(root / "other", secret="SECRET-42")
    for name in ("slow", "last"):
        repository(root / name, a="a")
    for name in ("repo/sub", "own", "loose", "linked", "bent"):
        (root / name).mkdir()
    (root / "own" / "secret.txt").write_text("SECRET-42")
    cell = {"cell_type": "code", "outputs": [{}], "metadata": {}, "source": ""}
    (root / "other" / "secret.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    (root / "linked" / ".git").write_text(f"gitdir: {root / 'repo' / '.git'}\n")
    make_evil(folder)
    extensions = ("jupyterlab_git",)
    with serving.serving(
        folder,
        people=PEOPLE,
        policy=POLICY,
        extensions=extensions,
        env=environment(),
        config=f"WHERE = {str(folder / 'looks')!r}\n{LOOKS}",
    ) as running:
        yield running
        # A server does not wait for a program that does not end.
        commit = asks_for_what_lasts(running, "gita", "last")
        assert 0 == running.stop()
        commit.join(SECONDS)


#: In the server: it tells in a file how many notebooks are read at once.
LOOKS = """
import time
from jupyter_authorized_server.server.doors.git import _Door
now = []
def slowly(looks):
    def around(*args, **kwargs):
        now.append(None)
        with open(WHERE, "a") as told:
            told.write(f"{len(now)}\\n")
        time.sleep(0.2)
        try:
            return looks(*args, **kwargs)
        finally:
            now.pop()
    return around
_Door._has_outputs = slowly(_Door._has_outputs)
"""


def ask(server: serving.Serving, who: str, path: str, **body: Any) -> serving.Answer:
    return server.request("POST", f"/git{path}", who, json_body=body)


def asks_for_what_lasts(server: serving.Serving, who: str, name: str) -> threading.Thread:
    """A commit in the repository `name` that has begun, and does not end by itself."""
    hook, began = (
        server.root / name / ".git" / "hooks" / "pre-commit",
        server.root / name / "began",
    )
    hook.write_text("#!/bin/sh\ntouch began\nsleep 7070\n")
    hook.chmod(0o755)
    began.unlink(missing_ok=True)
    body = {"commit_msg": "slow"}

    def commit() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            ANSWERS.append(ask(server, who, f"/{name}/commit", **body))

    asking = threading.Thread(target=commit)
    asking.start()
    end = time.monotonic() + SECONDS
    while not began.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    return asking


def ran(server: serving.Serving) -> list[str]:
    """What was planted and ran outside of a sandbox."""
    told = server.folder / "ran"
    return sorted(set(told.read_text().split())) if told.exists() else []


def test_git_reads_a_repository_for_who_may_read_all_of_it(server: serving.Serving) -> None:
    for who, status in {"adam": 200, "gita": 200, "vera": 200, "nora": 404}.items():
        found = ask(server, who, "/repo/status")
        assert (who, found.status) == (who, status), found.text
    assert "first" == ask(server, "gita", "/repo/sub/log").json["commits"][-1]["commit_msg"]
    content = {"filename": "a.txt", "reference": {"git": "HEAD"}}
    assert "a" == ask(server, "vera", "/repo/content", **content).json["content"]
    # Its panel is not there for whom this is refused.
    told = server.request("GET", "/git/settings?version=0.55.0", "vera")
    assert (200, "0.55.0") == (told.status, json.loads(told.body)["serverVersion"])


def test_git_writes_for_who_may_change_all_of_it_and_run_code_there(
    server: serving.Serving,
) -> None:
    (server.root / "repo" / "new.txt").write_text(f"new {time.monotonic_ns()}")
    for who in ("vera", "edda", "mona"):
        assert (who, 403) == (who, ask(server, who, "/repo/add", add_all=True).status)
        options = {"user.name": who}
        assert 403 == ask(server, who, "/repo/config", options=options).status
        assert 201 == ask(server, who, "/repo/config").status
    # As the page does it: one by one, each in a list, and also what is not there any more.
    outside = ask(server, "gita", "/repo/add", add_all=False, filename=["../other/secret.txt"])
    assert 404 == outside.status
    (server.root / "repo" / "gone.txt").write_text("gone")
    for _ in range(2):
        added = ask(server, "gita", "/repo/add", add_all=False, filename=["gone.txt", "new.txt"])
        assert 200 == added.status, added.text
        (server.root / "repo" / "gone.txt").unlink(missing_ok=True)
    assert 200 == ask(server, "gita", "/repo/add", add_all=True).status
    done = ask(server, "gita", "/repo/commit", commit_msg="second")
    assert 200 == done.status, done.text
    said = git(server.root / "repo", "log", "--format=%s %an %ae")
    assert ["second gita gita@localhost", "first t t@example.org"] == said.splitlines()[-2:]


def test_a_repository_is_made_ignores_and_is_cloned(server: serving.Serving) -> None:
    made = f"/own/made{time.monotonic_ns()}"
    (server.root / made[1:]).mkdir()
    done = ask(server, "gita", f"{made}/init")
    assert 200 == done.status, done.text
    for name in ("x.log", "y.log"):
        (server.root / made[1:] / name).touch()
        assert 200 == ask(server, "gita", f"{made}/ignore", file_path=name).status
    path = f"/git{made}/ignore"
    assert "x.log\ny.log\n" == server.request("GET", path, "gita").json["content"]
    assert 200 == ask(server, "gita", f"{made}/ignore", content="z").status
    assert "z\n" == (server.root / made[1:] / ".gitignore").read_text()
    # What is in the folder can be cloned into it, and nothing that is beside it.
    bare = server.root / made[1:] / "bare.git"
    git(server.root, "clone", "--bare", str(server.root / made[1:]), str(bare))
    for versioning in (True, False):
        for url, status in ((str(bare), 200), (str(server.root / "other"), 500)):
            answer = ask(server, "gita", f"{made}/clone", clone_url=url, versioning=versioning)
            assert (url, status) == (url, answer.status), answer.text
        clone = server.root / made[1:] / "bare"
        assert versioning is (clone / ".git").exists()
        shutil.rmtree(clone)


def test_git_tells_nothing_of_a_repository_with_a_file_one_may_not_open(
    server: serving.Serving,
) -> None:
    refused = ask(server, "gita", "/divided/status")
    assert refused.status in {403, 404}
    assert "secret" not in refused.text
    assert 200 == ask(server, "adam", "/divided/status").status


def test_git_finds_no_repository_around_the_root_or_behind_a_file(
    server: serving.Serving,
) -> None:
    found = ask(server, "adam", "/loose/show_top_level")
    assert str(server.folder) not in found.text.replace(str(server.root), "")
    assert 404 == ask(server, "adam", "/linked/status").status


@pytest.mark.parametrize(
    "path", ["/repo/%252e%252e/divided", "/repo/../divided", "/repo/./sub", "/%2e%2e", "/a%2525"]
)
def test_git_takes_a_path_in_one_spelling_only(server: serving.Serving, path: str) -> None:
    assert 404 == ask(server, "gita", f"{path}/status").status


@pytest.mark.parametrize("name", ["../divided/secret.txt", "/etc/passwd", "..", 7, ["a"]])
def test_git_takes_only_names_in_the_repository(server: serving.Serving, name: object) -> None:
    body = {"filename": name, "reference": {"special": "WORKING"}}
    assert ask(server, "gita", "/repo/content", **body).status in {400, 404}


def test_what_a_repository_has_git_run_is_run_in_a_sandbox_that_has_the_repository_alone(
    server: serving.Serving,
) -> None:
    evil = server.root / "evil"
    stolen, surroundings = evil / ".git" / "stolen", evil / ".git" / "surroundings"
    # Without a sandbox it runs, and finds what it looks for.
    (evil / "a.txt").write_text(f"changed {time.monotonic_ns()}\n")
    for line in ("status", "diff", "diff --no-ext-diff", "add -A", "commit -m plain", "fetch far"):
        git(evil, *line.split(" ", 2))
    wanted = {"fsmonitor", "clean", "textconv", "external", "pre-commit", "post-commit", "ssh"}
    assert set() == wanted - {*ran(server)}
    assert "SECRET-42" * 2 == stolen.read_text()
    for each in (server.folder / "ran", stolen, surroundings):
        each.unlink()
    # Of what only reads, whoever asks, nothing at all comes.
    (evil / "b.txt").write_text(f"changed {time.monotonic_ns()}\n")
    reads: dict[str, dict[str, Any]] = {
        "status": {}, "diff": {}, "log": {}, "branch": {},
        "changed_files": {"base": "HEAD", "remote": "WORKING"},
        "content": {"filename": "b.txt", "reference": {"special": "INDEX"}},
        "detailed_log": {"selected_hash": "HEAD"},
    }  # fmt: skip
    for who in ("vera", "gita"):
        for name, body in reads.items():
            answer = ask(server, who, f"/evil/{name}", **body)
            assert answer.status == 200 or name not in {"status", "log", "branch"}
    for name in ("submodules", "check_notebooks", "stash", "remote/show", "ignore"):
        server.request("GET", f"/git/evil/{name}", "gita")
    assert ([], False, False) == (ran(server), stolen.exists(), surroundings.exists())
    # For who may change it, it runs, and has nothing of the server's or of theirs.
    writes: dict[str, dict[str, Any]] = {
        "add": {"add_all": True},
        "commit": {"commit_msg": "evil"},
        "remote/fetch": {"auth": {"username": "gita", "password": "PASS-42"}},
        "clone": {"clone_url": f"ext::{evil}/.git/payload ext /dev/null"},
        "checkout": {"checkout_branch": False, "checkout_all": True},
    }
    for name, body in writes.items():
        ask(server, "gita", f"/evil/{name}", **body)
    assert surroundings.exists()
    assert ([], "") == (ran(server), stolen.read_text())
    said = surroundings.read_text()
    assert "HIDDEN-42" not in said
    assert str(server.folder / "home") not in said
    kept = (server.folder / "home").rglob("*")
    assert [] == [each for each in kept if "git" in each.name]
    assert "PASS-42" not in server.log + (evil / ".git" / "config").read_text()


def test_no_other_repositorys_objects_files_or_notebooks_come_out_of_a_hostile_one(
    server: serving.Serving,
) -> None:
    evil, kept = server.root / "evil", server.root / "evil" / ".git"
    blob = git(server.root / "other", "rev-parse", "HEAD").strip()
    assert "SECRET-42" in git(evil, "show", f"{blob}:secret.txt")
    body = {"filename": "secret.txt", "reference": {"git": blob}}
    assert "SECRET" not in ask(server, "gita", "/evil/content", **body).text
    (evil / ".gitignore").symlink_to("../other/secret.txt")
    try:
        for who in ("vera", "gita"):
            assert "SECRET" not in server.request("GET", "/git/evil/ignore", who).text
        for written in ({"file_path": "b.txt"}, {"content": "x"}, {}):
            assert 500 == ask(server, "gita", "/evil/ignore", **written).status
        assert "SECRET-42" == (server.root / "other" / "secret.txt").read_text()
    finally:
        (evil / ".gitignore").unlink()
    pipe = evil / "pipe.ipynb"
    pipe.unlink(missing_ok=True)
    pipe.write_text("{}")
    git(evil, "add", "link.ipynb", "pipe.ipynb")
    pipe.unlink()
    os.mkfifo(pipe)
    found = server.request("GET", "/git/evil/check_notebooks", "vera")
    pipe.unlink()
    assert {"notebooks_with_outputs": [], "has_outputs": False} == found.json
    states = []
    for there in (server.root / "other", server.root / "none"):
        (kept / "rebase-merge").unlink(missing_ok=True)
        (kept / "rebase-merge").symlink_to(there)
        states.append(ask(server, "vera", "/evil/status").json["state"])
        (kept / "rebase-merge").unlink()
    assert states[0] == states[1]


def test_notebooks_are_looked_at_one_after_the_other_for_one_person(
    server: serving.Serving,
) -> None:
    repo = server.root / "own" / f"staged{time.monotonic_ns()}"
    repository(repo, a="a")
    cell = {"cell_type": "code", "outputs": [{}], "metadata": {}, "source": ""}
    # One that is not valid hides nothing and ends nothing.
    (repo / "a.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    (repo / "b.ipynb").write_text("[]")
    git(repo, "add", "a.ipynb", "b.ipynb")
    with ThreadPoolExecutor() as pool:
        path = f"/git/own/{repo.name}/check_notebooks"
        found = pool.map(lambda _: server.request("GET", path, "gita"), range(4))
        assert [["a.ipynb"]] * 4 == [
            each.json.get("notebooks_with_outputs", each.text) for each in found
        ]
    looks = (server.folder / "looks").read_text().split()
    assert (True, {"1"}) == (len(looks) >= 4, set(looks))


def test_a_repository_whose_files_are_elsewhere_has_none_of_them(server: serving.Serving) -> None:
    name = f"bent/{time.monotonic_ns()}"
    bent = server.root / name
    repository(bent)
    git(bent, "config", "core.worktree", str(server.root / "other"))
    assert "secret.txt" in git(bent, "status", "--porcelain", "-u")
    assert "secret" not in ask(server, "gita", f"/{name}/status").text
    (server.root / "other" / "secret.ipynb").touch()
    ask(server, "gita", f"/{name}/checkout", checkout_branch=False, checkout_all=True)
    ask(server, "gita", f"/{name}/add", add_all=True)
    assert "" == git(bent, "ls-files")


def test_who_has_no_network_is_told_so(server: serving.Serving) -> None:
    answer = ask(server, "gita", "/evil/remote/fetch")
    assert 500 == answer.status
    assert "This server gives git no network here" in answer.json["message"]


def test_git_ends_when_the_right_to_it_does(server: serving.Serving) -> None:
    with server.store() as store:
        given = store.add_grant(
            principal="user:temp",
            level="manager",
            resource="contents:/slow",
            now=time.time(),
            granted_by="os:t",
        )
        end = time.monotonic() + SECONDS
        while ask(server, "temp", "/slow/branch").status != 200:
            assert time.monotonic() < end
        asking = asks_for_what_lasts(server, "temp", "slow")
        store.remove_grant(given.id)
    asking.join(SECONDS)
    assert "git was not run to its end" in ANSWERS.pop().json["message"]


def wired(*, backend: object, version: str) -> dict[str, Any]:
    """The settings of an application with jupyterlab-git of a release, after `install`."""
    made = Wiring.__new__(Wiring)
    made.git, made.confinement = None, None
    if backend != "off":
        made.confinement = SimpleNamespace(launcher=SimpleNamespace(backend=backend))
    settings = {"git": SimpleNamespace(clone=None, _Git__execute=None), KEY: made}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jupyterlab_git_core", SimpleNamespace(__version__=version))
        door.install(settings, made)
    return settings


def unconfined_is_asked(settings: dict[str, Any]) -> list[bool]:
    """Of each route that starts git, whether it asks for `unconfined`."""
    call: Any = SimpleNamespace(settings=settings)
    asked = [
        each.where(call) == places.SERVER
        for route in ROUTES
        for entry in route.methods.values()
        for each in getattr(entry, "questions", ())
        if each.action == "unconfined"
    ]
    assert 43 == len(asked)
    return asked


@pytest.mark.parametrize(
    ("backend", "version", "bare"),
    [
        (object(), "0.55.0", False),
        (object(), "0.55.9", False),
        (object(), "0.56.0", True),
        (object(), "0.550.0", True),
        (object(), "", True),
        (None, "0.55.0", True),
        ("off", "0.55.0", True),
    ],
)
def test_git_is_for_who_may_run_programs_unconfined_where_it_is_not_confined(
    backend: object, version: str, bare: bool
) -> None:
    settings = wired(backend=backend, version=version)
    assert {bare} == {*unconfined_is_asked(settings)}
    # Another object in its place is not the one that is confined.
    settings["git"] = SimpleNamespace()
    assert {True} == {*unconfined_is_asked(settings)}
