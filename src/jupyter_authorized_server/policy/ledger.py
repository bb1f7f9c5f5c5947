"""All grants of the store at one revision, in blocks that the next revision shares.

A changed grant costs a copy of its block and of the list of blocks, whatever the number
of grants; and what changed from one ledger to another is found by looking at the blocks
that they do not share.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .model import Grant

#: Serial numbers in one block: some hundreds of blocks at 100,000 grants.
_BLOCK = 256
#: Grants put in since the numbers were made, after which they are made anew.
_MOST_NEWER = 512
#: Grants from which on they are set aside.
_MANY = 10_000
_NOTHING: Mapping[int, Grant] = {}


@contextlib.contextmanager
def reading_many() -> Iterator[None]:
    """Lets Python's collector wait while all grants are read and indexed.

    It would look through all that is there already, again and again, and find nothing:
    with 100,000 grants that was a third of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def set_aside(number: int) -> None:
    """Has the collector leave alone all that there is now, if `number` grants are many.

    Else it would look through each of them now and then, and nothing is answered
    meanwhile: with 100,000 grants for a third of a second. What is no longer used is
    freed all the same, unless it is part of a cycle; grants are of none.
    """
    if number >= _MANY:
        gc.freeze()


class Ledger:
    """Grants by their serial number, in its order; never changes.

    Args:
        rows: serial number and grant, in rising order.
    """

    __slots__ = ("_blocks", "_grants", "_newer", "_numbers")

    def __init__(self, rows: Iterable[tuple[int, Grant]] = ()) -> None:
        blocks: dict[int, dict[int, Grant]] = {}
        number, block = -1, None
        for serial, grant in rows:
            if block is None or serial // _BLOCK != number:
                number = serial // _BLOCK
                block = blocks.setdefault(number, {})
            block[serial] = grant
        self._blocks: Mapping[int, Mapping[int, Grant]] = blocks
        self._grants: tuple[Grant, ...] | None = None
        #: The numbers of an earlier ledger by id, made when a grant is first looked for,
        #: and of what was put in since.
        self._numbers: Mapping[str, int] | None = None
        self._newer: Mapping[str, int] = {}

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All of them, in the order of giving."""
        if self._grants is None:
            self._grants = tuple(grant for _, grant in self.rows())
        return self._grants

    def rows(self) -> Iterator[tuple[int, Grant]]:
        """Serial number and grant, in rising order."""
        for block in self._blocks.values():
            yield from block.items()

    def grant(self, id: str) -> Grant | None:  # noqa: A002  # why: the field's word
        """The one whose id this is, if there is one."""
        if self._numbers is None:
            self._numbers = {grant.id: serial for serial, grant in self.rows()}
        serial = self._newer.get(id, self._numbers.get(id))
        if serial is None:
            return None
        found = self._blocks.get(serial // _BLOCK, _NOTHING).get(serial)
        # An earlier ledger's number may be nobody's by now, or another's.
        return found if found is not None and found.id == id else None

    def __len__(self) -> int:
        return sum(map(len, self._blocks.values()))

    def __eq__(self, other: object) -> bool:
        return self.grants == other.grants if isinstance(other, Ledger) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.grants)

    def __repr__(self) -> str:
        return f"<Ledger of {len(self)} grants>"

    def after(self, changed: Mapping[int, Grant | None]) -> Ledger:
        """The ledger in which the grant at each of these numbers is another one, or none."""
        blocks = dict(self._blocks)
        made: dict[int, dict[int, Grant]] = {}
        for serial, grant in changed.items():
            number = serial // _BLOCK
            block = made.get(number)
            if block is None:
                block = made[number] = dict(blocks.get(number, _NOTHING))
            if grant is None:
                block.pop(serial, None)
            else:
                block[serial] = grant
        for number, block in made.items():
            blocks[number] = dict(sorted(block.items()))
            if not block:
                del blocks[number]
        following = Ledger()
        following._blocks = dict(sorted(blocks.items()))
        if self._numbers is not None and len(self._newer) < _MOST_NEWER:
            put_in = {grant.id: serial for serial, grant in changed.items() if grant is not None}
            following._numbers, following._newer = self._numbers, {**self._newer, **put_in}
        return following

    def changes(self, before: Ledger) -> Iterator[tuple[int, Grant | None, Grant | None]]:
        """Serial number, grant before and grant now, of each that is not the same."""
        olds, news = before._blocks, self._blocks
        differing = [number for number, new in news.items() if olds.get(number) is not new]
        differing += olds.keys() - news.keys()
        for number in differing:
            old, new = olds.get(number, _NOTHING), news.get(number, _NOTHING)
            for serial in old.keys() | new.keys():
                was, is_ = old.get(serial), new.get(serial)
                if was is not is_ and was != is_:
                    yield serial, was, is_
