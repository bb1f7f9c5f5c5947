"""A house of its own for each test: real files, asked in this process or in real ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from postgresql import FILE, SHARED, kinds

from jupyter_authorized_server.cli import main
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from postgresql import Database

PROGRAM = str(Path(sys.executable).parent / "jupyter-authz")
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


@dataclass(frozen=True, kw_only=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, kw_only=True)
class Desk:
    folder: Path
    #: URL of a store that is in no file.
    kept: str = ""

    @property
    def store_path(self) -> Path:
        return self.folder / "data" / "authorization" / "store.sqlite"

    @property
    def audit_path(self) -> Path:
        return self.folder / "data" / "authorization" / "audit.jsonl"

    @property
    def policy_dir(self) -> Path:
        return self.folder / "config" / "authorization"

    @property
    def environment(self) -> dict[str, str]:
        names = ("config", "data", "runtime")
        return {
            **os.environ,
            **{
                variable: str(self.folder / name)
                for variable, name in zip(FOLDERS, names, strict=True)
            },
        }

    def policy(self, **files: str) -> None:
        self.policy_dir.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.policy_dir / name.replace("_", ".")).write_text(text, "utf-8")

    def ask(self, *args: str, stdin: str | bytes | None = None) -> Answer:
        """Run the command in this process."""
        result = CliRunner().invoke(main, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(code=result.exit_code, out=result.stdout, err=result.stderr)

    def start(self, *args: str | bytes) -> subprocess.Popen[bytes]:
        """Start the command in a process of its own, which Ctrl-C reaches."""
        # A shell has what it starts in the background ignore it, and all that is started there.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                [PROGRAM, *args],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self, *args: str | bytes, stdin: bytes = b"", timeout: float = 120) -> Answer:
        """Run the command in a process of its own."""
        done = subprocess.run(
            [PROGRAM, *args],
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def records(self) -> list[dict[str, Any]]:
        if not self.audit_path.exists():
            return []
        return [json.loads(line) for line in self.audit_path.read_text("utf-8").splitlines()]

    def store(self) -> Store:
        return Store.open(self.kept or f"sqlite:///{self.store_path}")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with ada (editor on /team, in `team`), bob (viewer everywhere), eve (nothing)."""
    path = tmp_path_factory.mktemp("furnished") / "store.sqlite"
    _furnish(f"sqlite:///{path}")
    return path


def _furnish(url: str) -> None:
    with Store.open(url) as store:
        for name in ("ada", "bob", "eve"):
            store.add_person(name, now=1)
        store.add_group("team", now=1)
        store.add_member("team", "user:ada")
        for principal, level, resource in (
            ("user:ada", "editor", "contents:/team"),
            ("user:bob", "viewer", "server:"),
        ):
            store.add_grant(
                principal=principal, level=level, resource=resource, now=1, granted_by="os:setup"
            )


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(folder=tmp_path)
    for variable in FOLDERS:
        monkeypatch.setenv(variable, desk.environment[variable])
    return desk


#: With which stores the tests of a module run that say nothing of files, unless `STORE` says it
#: for all; those of other modules run with a file.
_USUAL = {
    "test_grant": (FILE, SHARED),
    "test_link": (FILE, SHARED),
    "test_wish": (FILE, SHARED),
    "test_grant_file": (SHARED,),
    "test_group": (SHARED,),
    "test_survey": (SHARED,),
    "test_token": (SHARED,),
    "test_view": (SHARED,),
}
#: Tests for which a file is enough: of what is refused before the store is asked, and of a
#: terminal.
_IN_A_FILE = ("test_bad_input", "test_everyone_is_meant", "test_until_may")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of those modules run with a store in PostgreSQL too."""
    if "desk" in metafunc.fixturenames:
        usual = _USUAL.get(metafunc.module.__name__.rpartition(".")[2], (FILE,))
        name, named = metafunc.function.__name__, metafunc.function.__code__.co_names
        alone = "store_path" in named or name.startswith(_IN_A_FILE)
        metafunc.parametrize("desk", [FILE] if alone else kinds(usual), indirect=True)


@pytest.fixture
def desk(request: pytest.FixtureRequest, empty: Desk, furnished: Path) -> Desk:
    empty.store_path.parent.mkdir(parents=True, mode=0o700)
    if request.param == SHARED:
        database: Database = request.getfixturevalue("database")
        database.empty()
        _furnish(database.url)
        settings = {"JupyterAuthorization": {"store_url": database.url}}
        place = empty.folder / "config" / "jupyter_server_config.json"
        place.parent.mkdir()
        place.write_text(json.dumps(settings), "utf-8")
        return replace(empty, kept=database.url)
    shutil.copy(furnished, empty.store_path)
    return empty
