from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.sandbox.disk import kept_by

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{}",
        "sqlite+pysqlite:///{}",
        "sqlite:///{}?timeout=5",
        "sqlite:///file:{}?mode=rwc&uri=true",
        "sqlite:///{}%3Fb",
    ],
)
def test_the_store_is_the_servers_own_however_its_address_is_written(
    tmp_path: Path, url: str
) -> None:
    config = JupyterAuthorization(store_url=url.format(tmp_path / "shared" / "store.sqlite"))
    found = [path for path in kept_by(config) if path.startswith(str(tmp_path / "shared"))]
    name = "store.sqlite?b" if "%3F" in url else "store.sqlite"
    assert found == [str(tmp_path / "shared" / name)]


def test_a_store_that_is_no_file_is_kept_nowhere() -> None:
    config = JupyterAuthorization(store_url="postgresql://ada:secret@db/authorization")
    assert not any("secret" in path for path in kept_by(config))
