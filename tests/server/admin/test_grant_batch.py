"""What somebody may give may change while it is asked; the rest is in `test_grant`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from jupyter_authorized_server.errors import Outdated
from jupyter_authorized_server.server.admin.asker import Refused
from jupyter_authorized_server.server.admin.grant_batch import GrantBatchHandler


@dataclass
class Asked:
    """A request of three grants, in the middle of which something changes, some times."""

    changes: int
    revision: int = 1
    looked_at: list[tuple[int, int]] = field(default_factory=list)
    body: Any = field(default_factory=lambda: {"grants": [{}, {}, {}]})

    @property
    def point(self) -> Asked:
        return self

    def admitted(self, _action: str) -> tuple[()]:
        return ()

    async def _numbered(self, number: int, _body: object, _admitted: object) -> int:
        self.looked_at.append((self.revision, number))
        if self.changes and number == 2:
            self.changes -= 1
            self.revision += 1
        return number


def checked(asked: Any) -> Any:
    return asyncio.run(GrantBatchHandler._checked(asked))


@pytest.mark.parametrize("changes", [0, 1, 4])
def test_all_are_asked_about_again_where_something_changed_meanwhile(changes: int) -> None:
    asked = Asked(changes)
    assert [1, 2, 3] == checked(asked)
    # What counts in the end was asked at one revision, the last one.
    assert [(asked.revision, n) for n in (1, 2, 3)] == asked.looked_at[-3:]
    assert 3 * (changes + 1) == len(asked.looked_at)


def test_where_it_never_rests_nothing_is_given() -> None:
    with pytest.raises(Outdated, match="send it again"):
        checked(Asked(1000))


def test_what_may_not_be_given_any_more_is_refused() -> None:
    class Losing(Asked):
        async def _numbered(self, number: int, body: object, admitted: object) -> int:
            if self.revision > 1:
                raise Refused("not any more")
            return await super()._numbered(number, body, admitted)

    with pytest.raises(Refused, match="not any more"):
        checked(Losing(1))
