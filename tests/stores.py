"""Where the servers of tests keep their stores: each in a file, or where `STORE` says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgresql import Database

#: The last one gives the URL of the store of a server's folder.
_PLACES: list[Callable[[Path], str]] = []


def in_a_file(folder: Path) -> str:
    """The store of a server that nobody has told of another."""
    return f"sqlite:///{folder / 'data' / 'authorization' / 'store.sqlite'}"


def store_url(folder: Path, file: str = "") -> str:
    """The URL of the store that goes with `folder`: a server's, or a test's own in `file`."""
    if _PLACES:
        return _PLACES[-1](folder)
    return f"sqlite:///{folder / file}" if file else in_a_file(folder)


@contextlib.contextmanager
def kept(place: Callable[[Path], str]) -> Iterator[None]:
    """Inside, servers keep their stores where `place` says for their folders."""
    _PLACES.append(place)
    try:
        yield
    finally:
        _PLACES.pop()


@contextlib.contextmanager
def kept_in_databases(new: Callable[[], Database]) -> Iterator[None]:
    """Inside, each folder has a database that `new` has made, which is gone afterwards."""
    made: dict[Path, Database] = {}

    def place(folder: Path) -> str:
        if folder not in made:
            made[folder] = new()
        return made[folder].url

    with kept(place):
        try:
            yield
        finally:
            for each in made.values():
                each.drop()
