"""Where the servers of these modules keep their stores: in a file, or in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgresql import FILE, SHARED, kinds
from stores import kept_in_databases

if TYPE_CHECKING:
    from collections.abc import Iterator

#: With which stores the tests of a module run, unless `STORE` says it for all: one each, by
#: turns, and both where the module is about what is in the store.
_USUAL = {
    "test_authzen": (FILE,),
    "test_configured": (FILE,),
    "test_frame": (SHARED,),
    "test_giving": (FILE,),
    "test_grant": (SHARED,),
    "test_guest": (SHARED,),
    "test_interface": (FILE,),
    "test_live": (FILE,),
    "test_login": (SHARED,),
    "test_page": (FILE,),
    "test_reach": (SHARED,),
    "test_record": (SHARED,),
    "test_sharing": (FILE, SHARED),
    "test_view": (SHARED,),
}
#: Waits for seconds, for what no store has a part in.
_ONCE = "test_a_page_that_waits_is_told_when_a_grant_ends"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of each module that starts a server run with these stores."""
    usual = _USUAL.get(metafunc.module.__name__.rpartition(".")[2])
    if usual is not None:
        found = kinds(usual)[: 1 if metafunc.function.__name__ == _ONCE else None]
        # The server as well, or the one of the other store would go on.
        names = [name for name in ("_store", "server") if name in metafunc.fixturenames]
        each = [(kind,) * len(names) for kind in found]
        metafunc.parametrize(names, each, indirect=True, ids=found)


@pytest.fixture(scope="module", autouse=True)
def _store(request: pytest.FixtureRequest) -> Iterator[None]:
    if getattr(request, "param", FILE) == FILE:
        yield
        return
    with kept_in_databases(request.getfixturevalue("new_database")):
        yield
