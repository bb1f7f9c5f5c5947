"""A store of its own for each test: in a real file, and in a real PostgreSQL database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from postgresql import FILE, SHARED, kinds

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgresql import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.sqlite"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store, made once: Alembic takes a while."""
    path = tmp_path_factory.mktemp("new") / "store.sqlite"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def file_store(url: str, path: Path, new_file: Path) -> Iterator[Store]:
    path.parent.mkdir()
    shutil.copyfile(new_file, path)
    with Store.open(url, busy_timeout=0.5) as store:
        yield store


@pytest.fixture
def shared_store(database: Database) -> Iterator[Store]:
    database.empty()
    with Store.open(database.url, busy_timeout=0.5) as store:
        yield store


#: Modules whose tests are about what is in a store, wherever it is.
_ON_BOTH = frozenset(
    {
        "test_files",
        "test_grants",
        "test_guests",
        "test_journals",
        "test_keeper",
        "test_ledger",
        "test_links",
        "test_login_sessions",
        "test_many_grants",
        "test_owners",
        "test_people",
        "test_setup_link",
        "test_standing",
        "test_store",
        "test_tokens",
        "test_transfer",
        "test_uses",
        "test_wishes",
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of those modules that ask for a store run on both."""
    if "store" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in _ON_BOTH
        about_files = {"url", "path"} & set(metafunc.fixturenames)
        found = kinds((FILE, SHARED)) if both and not about_files else [FILE]
        metafunc.parametrize("store", found, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


@pytest.fixture
def house(store: Store) -> Store:
    """Ada and Bob; the group `team` with Ada in it; nothing granted."""
    store.add_person("ada", now=1)
    store.add_person("bob", now=1)
    store.add_group("team", now=1)
    store.add_member("team", "user:ada")
    return store
