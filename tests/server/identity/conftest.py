from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from server.identity.house import Browser, House, Served, house_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(variable, str(home / variable.lower()))
        patch.setenv("JUPYTER_TOKEN", "a-token-of-the-server")
        (home / "root").mkdir()
        served = Served(home / "root")
        yield served
        served.stop()


@pytest.fixture
def house(served: Served, tmp_path: Path) -> Iterator[House]:
    with house_at(served, tmp_path) as house:
        yield house


@pytest.fixture
def empty_house(served: Served, tmp_path: Path) -> Iterator[House]:
    with house_at(served, tmp_path, people=False) as house:
        yield house


@pytest.fixture
def browser(house: House) -> Browser:
    return house.browser()
