"""A contents root with people and rules, for each kind of manager that Jupyter Server has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from filing import World
from jupyter_server.services.contents.filemanager import (
    AsyncFileContentsManager,
    FileContentsManager,
)
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
    LargeFileManager,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = [FileContentsManager, AsyncFileContentsManager, LargeFileManager, AsyncLargeFileManager]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    """The kind of manager; a module for which some are enough has a fixture of its own."""
    found: type[Any] = request.param
    return found


@pytest.fixture
def world(tmp_path: Path, kind: type[Any]) -> Iterator[World]:
    """A world of each kind."""
    found = World(tmp_path, kind)
    yield found
    found.store.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[World]:
    """A world of one kind, where the others do the same."""
    found = World(tmp_path, AsyncLargeFileManager)
    yield found
    found.store.close()
