"""A store of its own for each test, in a real file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
def store(url: str, path: Path, new_file: Path) -> Iterator[Store]:
    path.parent.mkdir()
    shutil.copyfile(new_file, path)
    with Store.open(url, busy_timeout=0.5) as store:
        yield store


@pytest.fixture
def house(store: Store) -> Store:
    """Ada and Bob; the group `team` with Ada in it; nothing granted."""
    store.add_person("ada", now=1)
    store.add_person("bob", now=1)
    store.add_group("team", now=1)
    store.add_member("team", "user:ada")
    return store
