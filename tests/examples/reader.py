"""Somebody who types what a page says, and sees that it prints what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from postgresql import programs

from jupyter_authorized_server.cli import main
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from examples.pages import Step
    from postgresql import Database
    from serving import Serving

#: The contents root of the pages, and where their servers answer.
ROOT_DIR, SERVER = "/srv/notebooks", "http://127.0.0.1:8888"
PASSWORD = "correct horse battery"
#: Of these the page shows the first lines.
_ABRIDGED = ("jupyter authz policy diff",)
#: Of these the machine may have more said.
_PARTLY = ("jupyter authz reach",)
#: Since when a page has its server tried, before which no server of a test has run.
_BEGUN = "2027-01-24"
_IDS = re.compile(r"\b(?:[gw]-)?[0-9a-f]{12}(?:[0-9a-f]{4})?\b")
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{12}\.[\w-]+"), "SECRET"),
    (_IDS, "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d"), "TIME"),
    (re.compile(r"\brevision:? \d+"), "revision"),
    (re.compile(r"\b\d+ (records|rows)"), r"N \1"),
    (re.compile(r"\bos:\w+"), "os:NAME"),
    (re.compile(r"\baddress=\S+"), "address=ADDRESS"),
    (re.compile(r"\d+ attempts closed"), "N attempts closed"),
    (re.compile(r"^confined by bubblewrap .*", re.MULTILINE), "confined by bubblewrap"),
    (re.compile(r"[ ─]{2,}"), "  "),
)


def settled(text: str) -> list[str]:
    """The lines of `text` without what is another at each run."""
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


class World:
    """A folder in which a reader types what a page says."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        #: The server to which the reader has come, if to any.
        self.server: Serving | None = None
        self.patch = patch
        #: The ids of the page, and those that they have here.
        self._ids: dict[str, str] = {}
        self._settle(folder)

    def _settle(self, home: Path) -> None:
        for name in ("config", "data", "runtime"):
            self.patch.setenv(f"JUPYTER_{name.upper()}_DIR", str(home / name))

    def go_to(self, server: Serving) -> None:
        """Type from now on where `server` runs."""
        self.server = server
        self._settle(server.folder)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def store(self) -> Store:
        return Store.open(f"sqlite:///{self.folder}/data/authorization/store.sqlite")

    def ask(self, words: list[str], stdin: str = "") -> tuple[int, str, str]:
        """Exit code of a command, what it prints, and what goes to its standard output."""
        result = CliRunner().invoke(main, words, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output, result.stdout

    def prepare(self, *commands: str) -> None:
        for command in commands:
            code, said, _ = self.ask(shlex.split(command))
            assert 0 == code, said

    def type(self, step: Step) -> None:
        """Type one command and see that it prints what the page says."""
        program = step.command.split()[0]
        ways = {"cat": self._cat, "pip": _pip, "createdb": _createdb}
        in_a_shell = program in {"curl", "python3"}
        ways.get(program, self._shell if in_a_shell else self._command)(step)

    def _cat(self, step: Step) -> None:
        """A file that was made is as the page says; one that was not comes from the page."""
        name = step.command.removeprefix("cat ")
        if (self.folder / name).exists():
            text = self._known((self.folder / name).read_text("utf-8").strip())
            assert step.prints == text, text
        else:
            self.write(name, step.prints + "\n")

    def _known(self, text: str) -> str:
        """`text` as a page has it, which begins where its server's folders are."""
        return text.replace(f"{self.server.folder}/", "") if self.server else text

    def _shell(self, step: Step) -> None:
        program = step.command.split()[0]
        if shutil.which(program) is None:
            pytest.skip(f"the page uses {program}")  # why: a reader has it
        command, token = step.command, ""
        if self.server is not None:
            command = command.replace(f"{SERVER}/", self.server.url)
            token = self.server.tokens["ada"]
        answer = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, "TOKEN": token},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = answer.stdout + answer.stderr
        assert (0, settled(step.prints)) == (answer.returncode, settled(answer.stdout)), said

    def _command(self, step: Step) -> None:
        command, said = step.command.replace(_BEGUN, "2001-01-01"), step.prints
        command, _, target = command.partition(" > ")
        command, _, source = command.partition(" < ")
        here = command.replace(ROOT_DIR, str(self.folder / "notebooks"))
        words = [self._ids.get(word, word) for word in shlex.split(here)][2:]
        stdin = (self.folder / source).read_text() if source else ""
        if said.startswith("Password for"):
            # Typed at a terminal twice; here it comes from a pipe.
            said = "\n".join(said.splitlines()[2:])
            words, stdin = [*words, "--password-stdin"], PASSWORD
        code, printed, out = self.ask(words, stdin)
        if target:
            self.write(target, out)
            printed = printed.replace(out, "")
        assert code in _ends(command, printed), f"{command}: {printed}"
        if not said:
            return
        expected, found = settled(said), settled(self._known(printed))
        if command.startswith(_ABRIDGED):
            found = found[: len(expected)]
        if command.startswith(_PARTLY):
            found = [line for line in found if line in expected]
        assert expected == found, printed
        self._ids.update(zip(_IDS.findall(said), _IDS.findall(printed), strict=False))


def _ends(command: str, printed: str) -> tuple[int, ...]:
    """With what a command may end that does what its page says."""
    finds = ("jupyter authz policy diff", "jupyter authz reach", "jupyter authz routes --check")
    if printed.startswith("deny") or command.startswith(finds):
        return (1,)
    if command.startswith("jupyter authz policy validate"):
        return (3,)
    return (0,)


def _pip(step: Step) -> None:
    """What is to be installed has the parts that the page names, and they are here."""
    wanted = Requirement(shlex.split(step.command)[-1])
    found = metadata.distribution(wanted.name)
    assert wanted.extras <= set(found.metadata.get_all("Provides-Extra", ()))
    for each in map(Requirement, found.requires or ()):
        if each.marker is not None and any(
            each.marker.evaluate({"extra": extra}) for extra in wanted.extras
        ):
            assert each.specifier.contains(metadata.version(each.name)), each


def _createdb(step: Step) -> None:
    where = programs()
    assert where is not None
    program, *rest = shlex.split(step.command)
    subprocess.run([str(where / program), *rest], check=True, timeout=60)


@contextlib.contextmanager
def at_the_database(database: Database, name: str, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Inside, PostgreSQL's programs go to that server, where `name` is free; its URL."""
    patch.setenv("PGHOST", str(database.sockets))
    patch.setenv("PGUSER", database.owner)
    made = replace(database, name=name)
    made.drop()
    try:
        yield made.url
    finally:
        made.drop()
