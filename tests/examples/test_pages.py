"""The commands of the pages, in their order, each page in a world of its own.

The tutorial and the README have `test_tutorial`.
"""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from examples.pages import Step, steps
from examples.serving import ROOT

from jupyter_authorized_server.cli import main
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from postgresql import Database

PAGES = [
    path
    for folder in ("how-to", "explanation", "reference")
    for path in sorted((ROOT / "docs" / folder).glob("*.md"))
    if steps(path)
]
#: When the pages were written, so that what they name is still to come.
NOW = 1795637820.0
#: What is not run here, by how it begins, and why.
NOT_RUN = {
    "pip install": "takes from the internet what is installed here",
    "createdb": "the database is there",
    "scratch=": "the examples have servers of their own in test_examples",
    "export JUPYTER_DATA_DIR": "as above",
    "jupyter lab": "as above",
    "jupyter authz users add ada\n": "as above",
    "jupyter authz routes --check": "tells of an extension that nobody has; tests/cli/test_route",
    "jupyter authz audit tail --kind decision -n 1": "of a server in shadow mode; test_shadow",
    "jupyter authz policy suggest": "likewise; tests/cli/test_suggestion",
    "cat suggestion.diff": "likewise",
    "jupyter authz reach": "what the machine's sandbox lets through; tests/cli/test_reach",
    "curl": "of a server; tests/server/admin/test_authzen",
    "jq": "for Docker, which is not here",
    "docker": "likewise",
}
#: Of these the page shows the first lines.
ABRIDGED = ("jupyter authz policy diff",)
#: The contents root of the pages.
_ROOT = "/srv/notebooks"
_PASSWORD = "correct horse battery"
_IDS = re.compile(r"\b(?:[gw]-)?[0-9a-f]{12}(?:[0-9a-f]{4})?\b")
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{12}\.[\w-]+"), "SECRET"),
    (_IDS, "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d"), "TIME"),
    (re.compile(r"\brevision:? \d+"), "revision"),
    (re.compile(r"\b\d+ (records|rows)"), r"N \1"),
    (re.compile(r"\bos:\w+"), "os:NAME"),
    (re.compile(r"[ ─]{2,}"), "  "),
)


def settled(text: str) -> list[str]:
    """The lines of `text` without what is another at each run."""
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


class World:
    """A folder in which a reader types what a page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: The ids of the page, and those that they have here.
        self._ids: dict[str, str] = {}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def store(self) -> Store:
        return Store.open(f"sqlite:///{self.folder}/data/authorization/store.sqlite")

    def ask(self, words: list[str], stdin: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(main, words, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    def prepare(self, *commands: str) -> None:
        for command in commands:
            code, said = self.ask(shlex.split(command))
            assert 0 == code, said

    def type(self, step: Step) -> None:
        """Type one command and see that it prints what the page says."""
        command, said = step.command, step.prints
        if command.startswith("cat "):
            self.write(command.removeprefix("cat "), said + "\n")
            return
        command, _, source = command.partition(" < ")
        here = command.replace(_ROOT, str(self.folder / "notebooks"))
        words = [self._ids.get(word, word) for word in shlex.split(here)][2:]
        stdin = (self.folder / source).read_text() if source else ""
        if said.startswith("Password for"):
            # Typed at a terminal twice; here it comes from a pipe.
            said = "\n".join(said.splitlines()[2:])
            words, stdin = [*words, "--password-stdin"], _PASSWORD
        code, printed = self.ask(words, stdin)
        assert code in _ends(command, printed), f"{command}: {printed}"
        if not said:
            return
        expected, found = settled(said), settled(printed)
        if command.startswith(ABRIDGED):
            found = found[: len(expected)]
        assert expected == found
        self._ids.update(zip(_IDS.findall(said), _IDS.findall(printed), strict=False))


def _ends(command: str, printed: str) -> tuple[int, ...]:
    """With what a command may end that does what its page says."""
    if printed.startswith("deny") or command.startswith("jupyter authz policy diff"):
        return (1,)
    if command.startswith("jupyter authz policy validate"):
        return (3,)
    return (0,)


def _administer(world: World) -> None:
    world.write("bobs-password", _PASSWORD + "\n")
    office = "// The office.\npermit (principal, action, resource;\n"
    world.write("new-policy/office.cedar", office)


def _test_a_policy(world: World) -> None:
    page = (ROOT / "docs" / "how-to" / "test-a-policy.md").read_text("utf-8")
    case = re.search(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert case is not None
    world.write("policy-tests/deadline.toml", case[1])
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


def _share_a_store(world: World) -> None:
    world.prepare("users add ada --no-password")
    url = f"sqlite:///{world.folder}/data/authorization/store.sqlite"
    world.write("old_config.py", f"c.JupyterAuthorization.store_url = {url!r}\n")


#: What there is before somebody reads the page, or a line of it.
PREPARED: dict[str, Callable[[World], None]] = {
    "administer": _administer,
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


BEFORE: dict[str, Callable[[World], None]] = {
    "jupyter authz users sessions bob": _sign_in,
    "jupyter authz requests list": _wish,
    f"jupyter authz policy diff ./policy ./new-policy --root {_ROOT}": _without_saving,
}


def _nothing(_world: World) -> None:
    pass


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for name in ("config", "data", "runtime"):
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "time", lambda: NOW)
    world = World(tmp_path)
    PREPARED.get(page.stem, _nothing)(world)
    if page.stem == "share-a-store":
        database: Database = request.getfixturevalue("database")
        database.empty()
        url = f"c.JupyterAuthorization.store_url = {database.url!r}\n"
        world.write("config/jupyter_server_config.py", url)
    for step in steps(page):
        if not f"{step.command}\n".startswith(tuple(NOT_RUN)):
            BEFORE.get(step.command, _nothing)(world)
            world.type(step)


def test_what_is_not_run_is_on_a_page() -> None:
    typed = [f"{step.command}\n" for page in PAGES for step in steps(page)]
    assert [] == [each for each in NOT_RUN if not any(one.startswith(each) for one in typed)]
