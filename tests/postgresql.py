"""A real PostgreSQL server for tests, in a folder of its own, on a socket of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "house"
#: Kinds of store: in a file, or in a database that servers share.
FILE, SHARED = "file", "shared"


def kinds(usual: tuple[str, ...]) -> list[str]:
    """The kinds of store with which a test runs: those in `STORE`, else the `usual` ones.

    A test that would run with PostgreSQL alone runs with a file where there is none.
    """
    if wanted := os.environ.get("STORE", "").split():
        return wanted
    return [FILE] if usual == (SHARED,) and not (_is_in_ci() or programs()) else list(usual)


def _is_in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


@dataclass(frozen=True, kw_only=True)
class Database:
    """A server that runs, with one database."""

    sockets: Path
    owner: str
    name: str = _NAME

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{self.owner}@/{self.name}?host={self.sockets}"

    def execute(self, sql: str, *, database: str = "") -> None:
        with psycopg.connect(
            host=str(self.sockets),
            user=self.owner,
            dbname=database or self.name,
            autocommit=True,
        ) as connection:
            connection.execute(sql.encode())

    def another(self, name: str) -> Database:
        """A second one that is as this one is now, to which nobody may be connected."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self.name}", database="postgres")
        return replace(self, name=name)

    def drop(self) -> None:
        """Have it be gone, whoever is connected."""
        drop = f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"
        self.execute(drop, database="postgres")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Inside, its processes take connections and answer nothing."""
        main = int((self.sockets / "data" / "postmaster.pid").read_text().split()[0])

        def send(number: int) -> None:
            for each in (main, *_children(main)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, number)

        send(signal.SIGSTOP)
        try:
            yield
        finally:
            send(signal.SIGCONT)

    def empty(self) -> None:
        """Have the store be as a new one."""
        self.execute(
            "DO $$ BEGIN EXECUTE 'TRUNCATE ' || (SELECT string_agg(quote_ident(tablename), ', ') "
            "FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'revision')); END $$; "
            "UPDATE revision SET number = 0, people = 0, grants = 0, noted = 0"
        )


def _children(parent: int) -> list[int]:
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, rest = each.read_text().partition(" (")
            if int(rest.rpartition(") ")[2].split()[1]) == parent:
                found.append(int(pid))
    return found


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, newest version first."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return installed[0].parent if installed else None


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Database]:
    """A new server, ended afterwards; the test is skipped where there is none to start."""
    where = programs()
    if where is None:
        if _is_in_ci():
            pytest.fail("there is no PostgreSQL, and `CI` is true")
        pytest.skip(  # why: in CI it fails
            "there is no PostgreSQL; `apt-get install postgresql` as root"
        )
    owner = _owner()
    # The path of a socket is at most 107 bytes long, and the owner has to get there.
    sockets = Path(tempfile.mkdtemp(prefix="pg"))
    data = sockets / "data"
    if owner != pwd.getpwuid(os.getuid()).pw_name:
        shutil.chown(sockets, owner)
    change = ["setpriv", "--reuid", owner, "--regid", owner, "--init-groups"]
    as_owner = [] if os.geteuid() else change
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    def run(program: str, *arguments: str) -> None:
        with (folder / "log").open("ab") as log:
            done = subprocess.run(
                [*as_owner, str(where / program), *arguments],
                env=environment,
                cwd=sockets,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        assert done.returncode == 0, (folder / "log").read_text(errors="replace")

    try:
        run("initdb", "-D", str(data), "-A", "trust", "-U", owner, "--no-sync", "-E", "UTF8")
        options = f"-k {sockets} -h '' -F -c max_connections=60"
        start = ("-w", "-t", "120", "-l", str(sockets / "log"), "-o", options, "start")
        run("pg_ctl", "-D", str(data), *start)
        try:
            made = Database(sockets=sockets, owner=owner)
            made.execute(f"CREATE DATABASE {_NAME}", database="postgres")
            yield made
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _owner() -> str:
    """Whose server it is: PostgreSQL refuses to run as root."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip(  # why: it would not start
        "PostgreSQL does not run as root, and there is no other user"
    )
