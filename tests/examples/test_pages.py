"""The blocks of the pages: commands in their order, each page in a world of its own, requests,
answers.

The tutorial and the README have `test_tutorial`, the examples `test_examples`; `test_docs` has
what is Python and what is a policy.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from examples.pages import blocks, steps
from examples.reader import PASSWORD, ROOT_DIR, World, at_the_database
from examples.serving import ROOT
from serving import Serving, give_password, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgresql import Database

PAGES = [
    path
    for folder in ("how-to", "explanation", "reference", "decisions")
    for path in sorted((ROOT / "docs" / folder).glob("*.md"))
]
#: `test_examples` types what stands in the page of the examples.
TYPED = [path for path in PAGES if steps(path) and path.stem != "examples"]
#: Those that have a test of their own, and what is for contributors.
OTHERS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
]
#: When the pages were written, so that what they name is still to come.
NOW = 1795637820.0
#: What is not run here, by how it begins, and why.
NOT_RUN = {
    "docker": "it is not here",
    "python tests/mutants.py": "takes ten minutes",
}


#: An extension that nobody has.
_THIRD_PARTY = """
from tornado.web import RequestHandler

class Open(RequestHandler):
    def get(self):
        self.write("open")

def _load_jupyter_server_extension(app):
    app.web_app.add_handlers(".*$", [(app.base_url + "third-party/open", Open)])

def _jupyter_server_extension_points():
    return [{"module": "third_party_extension"}]
"""
#: Of the server on which a policy is tried; on the page, its folder is `policy`.
_TRIED = {
    "deadline.cedar": """@id("deadline")
forbid (principal, action, resource in Jupyter::Folder::"/solutions");
permit (
  principal == Jupyter::User::"ana", action == Jupyter::Action::"open",
  resource in Jupyter::Folder::"/homework"
);
"""
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The one to which all pages come: in shadow mode, where ada administers."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("homework/ana", "solutions/1", "team/a"):
        file = folder / "root" / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    people = {"ada": "admin", "ana": None, "bob": None}
    shadow = "c.JupyterAuthorization.mode = 'shadow'"
    with serving(folder, people=people, policy=_TRIED, config=shadow) as made:
        yield made


def _administer(world: World) -> None:
    world.write("bobs-password", PASSWORD + "\n")
    office = "// The office.\npermit (principal, action, resource;\n"
    world.write("new-policy/office.cedar", office)


def _test_a_policy(world: World) -> None:
    (case,) = blocks(ROOT / "docs" / "how-to" / "test-a-policy.md", "toml")
    world.write("policy-tests/deadline.toml", case)
    students = "groups:\n  students:\n    members: [user:ana]\n"
    homework = (
        'permit (principal in Jupyter::Group::"students", action in [Jupyter::Action::"open"{}], '
        'resource in Jupyter::Folder::"/homework");\n'
    )
    for name in ("policy", "new-policy"):
        world.write(f"{name}/people.yaml", "people:\n  ana: {}\n" + students)
        world.write(f"{name}/deadline.cedar", homework.format(', Jupyter::Action::"save"'))
    for name in ("ana", *(f"sheet-{number}" for number in range(12))):
        world.write(f"notebooks/homework/{name}.ipynb", "")


def _without_saving(world: World) -> None:
    policy = world.folder / "policy" / "deadline.cedar"
    policy.write_text(policy.read_text().replace(', Jupyter::Action::"save"', ""))


def _watch_a_server(world: World) -> None:
    (question,) = blocks(ROOT / "docs" / "how-to" / "watch-a-server.md", "json")
    world.write("question.json", question)


def _share_a_store(world: World) -> None:
    world.prepare("users add ada --no-password")
    url = f"sqlite:///{world.folder}/data/authorization/store.sqlite"
    world.write("old_config.py", f"c.JupyterAuthorization.store_url = {url!r}\n")


#: What there is before somebody reads the page, or a line of it.
PREPARED: dict[str, Callable[[World], None]] = {
    "administer": _administer,
    # With one call that the profile lets through as it is.
    "choose-a-deployment": lambda world: world.write(
        "default.json", '{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}'
    ),
    "find-out-why-not": lambda world: world.prepare("users add bob --no-password"),
    "give-an-agent-a-token": lambda world: world.prepare("users add ada --no-password"),
    "let-managers-share": lambda world: world.prepare(
        "users add mia --no-password",
        "users add bob --no-password --level viewer --on contents:/team/minutes",
    ),
    "run-a-class-with-a-deadline": lambda world: world.prepare(
        "users add ada --no-password", "users add bob --no-password"
    ),
    "share-a-folder-read-only": lambda world: world.prepare("users add bob --no-password"),
    "share-a-store": _share_a_store,
    "test-a-policy": _test_a_policy,
    "watch-a-server": _watch_a_server,
}


def _sign_in(world: World) -> None:
    with world.store() as store:
        session = ("5c0e7a91d2f4", "0" * 64, "bob", NOW + 1e6, "192.0.2.7", "Mozilla/5.0", NOW)
        store.add_login_session(*session)


def _wish(world: World) -> None:
    with world.store() as store:
        store.add_wish(
            person="bob", level="editor", resource="contents:/team", note="for the report", now=NOW
        )


def _extend(world: World) -> None:
    world.write("python/third_party_extension.py", _THIRD_PARTY)
    enabled = {"ServerApp": {"jpserver_extensions": {"third_party_extension": True}}}
    world.write("config/jupyter_server_config.json", json.dumps(enabled))
    places = (str(world.folder / "python"), os.environ.get("PYTHONPATH", ""))
    world.patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))


def _give_another_name(world: World) -> None:
    world.prepare("users add ada --no-password --level editor --on contents:/team")
    world.write("notebooks/hr/pay.txt", "")
    (world.folder / "notebooks" / "team").mkdir()
    os.link(world.folder / "notebooks/hr/pay.txt", world.folder / "notebooks/team/mine.txt")


def _try_a_policy(world: World) -> None:
    assert world.server is not None
    looks = world.server.request("GET", "/api/contents/solutions/1.ipynb?content=0", "bob")
    give_password(world.server.folder, "ana", world.server.kept)
    cookies = world.server.sign_in("ana")
    xsrf = re.search("_xsrf=([^;]+)", cookies)
    assert xsrf is not None
    saves = world.server.request(
        "PUT",
        "/api/contents/homework/ana.ipynb",
        json_body={"type": "file", "format": "text", "content": "{}"},
        headers={"Cookie": cookies, "X-XSRFToken": xsrf[1]},
    )
    assert (200, 200) == (looks.status, saves.status)


BEFORE: dict[str, Callable[[World], None]] = {
    "jupyter authz users sessions bob": _sign_in,
    "jupyter authz requests list": _wish,
    f"jupyter authz policy diff ./policy ./new-policy --root {ROOT_DIR}": _without_saving,
    "jupyter authz routes --check": _extend,
    f"jupyter authz reach --user user:ada --root {ROOT_DIR}": _give_another_name,
    "jupyter authz audit tail --kind decision -n 2": _try_a_policy,
}


def _nothing(_world: World) -> None:
    pass


#: What is typed where the server runs.
OF_A_SERVER = ("jupyter authz audit tail --kind decision -n 2", "curl")


@pytest.mark.parametrize("page", TYPED, ids=lambda path: path.stem)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "time", lambda: NOW)
    world = World(tmp_path, monkeypatch)
    PREPARED.get(page.stem, _nothing)(world)
    with contextlib.ExitStack() as stack:
        if page.stem == "share-a-store":
            database: Database = request.getfixturevalue("database")
            url = stack.enter_context(at_the_database(database, "jupyter", monkeypatch))
            (setting,) = blocks(page, "python")
            there = re.sub(r'"postgresql[^"]+"', repr(url), setting)
            assert there != setting
            world.write("config/jupyter_server_config.py", there)
        for step in steps(page):
            if f"{step.command}\n".startswith(tuple(NOT_RUN)):
                continue
            if step.command.startswith(OF_A_SERVER):
                world.go_to(request.getfixturevalue("server"))
            BEFORE.get(step.command, _nothing)(world)
            world.type(step)


def test_what_is_not_run_is_on_a_page() -> None:
    typed = [f"{step.command}\n" for page in TYPED for step in steps(page)]
    assert [] == [each for each in NOT_RUN if not any(one.startswith(each) for one in typed)]


def _requests() -> list[tuple[Path, str]]:
    """The blocks of pages that show a request; the words of the commands are no block of these."""
    return [
        (page, block)
        for page in PAGES
        for block in blocks(page, "text")
        if re.match(r"[A-Z]+ /", block)
    ]


@pytest.mark.parametrize(
    ("page", "block"), _requests(), ids=lambda each: getattr(each, "stem", "")
)
def test_the_requests_of_a_page_are_answered(server: Serving, page: Path, block: str) -> None:
    line, _, body = block.partition("\n")
    method, path = line.split(" ", 1)
    answer = server.request(
        method,
        quote(path, safe="/?="),
        "ada",
        json_body=json.loads(body) if body.strip() else None,
    )
    assert answer.status in {200, 201}, f"{page}: {answer.text}"
    if asked := re.search(r"permissions=(.*)", path):
        assert set(json.loads(asked[1])) <= set(answer.json["permissions"])


def test_the_record_that_a_page_shows_has_the_shape_of_a_real_one(server: Serving) -> None:
    (shown,) = map(json.loads, blocks(ROOT / "docs/decisions/0004-records-in-a-file.md", "json"))
    assert 403 == server.request("POST", "/api/shutdown", "bob").status
    real = next(each for each in server.audit if each.get("decision") == "deny")
    assert {key: type(value) for key, value in shown.items()} == {
        key: type(value) for key, value in real.items() if key in shown
    }


def test_each_block_of_a_page_is_of_a_kind_that_a_test_reads() -> None:
    """A block without a kind is read by nobody."""
    read = {"console", "python", "cedar", "yaml", "toml", "json", "text"}
    others = {
        f"{page.name}: {kind}"
        for page in (*PAGES, *OTHERS)
        for kind in re.findall(r"^ *```(\S*)", page.read_text("utf-8"), re.MULTILINE)[::2]
        if kind not in read and not kind.startswith("{")
    }
    assert set() == others
