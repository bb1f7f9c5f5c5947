"""What a person may touch and their process may not, and which rule makes the difference.

A view shows folders whole, whatever the hour and the address. What the policy says more
finely than that is lost to a kernel, on the safe side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..policy.model import Resource
from ..policy.paths import ancestors
from .view import READING, WRITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..decision_point import DecisionPoint
    from ..policy.model import Determinant, Principal
    from .disk import Disk
    from .view import View

#: Files and folders that are looked at.
MOST = 100_000
_AT_TIMES = "it hangs on a condition, which a process cannot follow"
_NOT_WHOLE = "no right holds for a whole folder around it"
_OTHERS_CODE = "code that others wrote runs in it, so it changes nothing"


class Lost(NamedTuple):
    """Something that a person may read or change and their process may not.

    Args:
        path: canonical contents path of a file, or of a folder with all that is in it.
        how: `reads` or `changes`.
        why: a sentence.
        rules: that make it so, each with the file and line it stands in.
    """

    path: str
    how: str
    why: str
    rules: tuple[str, ...] = ()


class Losses:
    """Compares the rights of `principal` with a view of theirs.

    Args:
        may_write: False where others' code runs in the process.
    """

    def __init__(
        self,
        point: DecisionPoint,
        principal: Principal,
        view: View,
        disk: Disk,
        *,
        may_write: bool,
    ) -> None:
        self._point = point
        self._principal = principal
        self._view = view
        self._disk = disk
        self._may_write = may_write
        #: How much was looked at; the search ends at `MOST`.
        self.looked_at = 0

    def __iter__(self) -> Iterator[Lost]:
        yield from self._unread("/")
        for path in self._view.read_only:
            yield from self._unwritten(path)

    @property
    def complete(self) -> bool:
        """Whether all was looked at."""
        return self.looked_at < MOST

    def _allowed(self, action: str, path: str) -> bool:
        on = Resource(type="contents", id=path)
        return self._point.decide(
            self._principal, action, on, door="sandbox", record=False
        ).allowed

    def _unread(self, folder: str) -> Iterator[Lost]:
        """What is in `folder`, may be read and is not shown."""
        waiting = [folder]
        while waiting and self.complete:
            here = waiting.pop()
            if self._view.reads(here):
                continue
            for name, kind in sorted(self._disk.entries(here)):
                self.looked_at += 1
                path = f"{here.rstrip('/')}/{name}"
                if kind == "folder":
                    waiting.append(path)
                elif self._allowed("open", path):
                    yield Lost(path, "reads", *self._why_unread(path, kind))

    def _why_unread(self, path: str, kind: str) -> tuple[str, tuple[str, ...]]:
        if kind != "file":
            return f"it is no file but a {kind}", ()
        left = {each.path: each.why for each in self._view.left_out}
        for folder in ancestors(path):
            if folder in left:
                return left[folder], self._rules(READING, folder)
        rules = self._rules(READING, ancestors(path)[1]) or self._rules(READING, path)
        return (_AT_TIMES if rules else _NOT_WHOLE), rules

    def _unwritten(self, folder: str) -> Iterator[Lost]:
        """`folder`, which is shown to be read, if something in it may be changed."""
        if not any(self._allowed(action, folder) for action in WRITING):
            return
        if not self._may_write:
            yield Lost(folder, "changes", _OTHERS_CODE)
            return
        lacking = [
            action
            for action in WRITING
            if not self._point.cover(self._principal, action, folder).whole
        ]
        words = ", ".join(f"`{action}`" for action in lacking)
        why = f"to change a folder takes {words} too, on all that is in it"
        yield Lost(folder, "changes", why, self._rules(lacking, folder))

    def _rules(self, actions: Iterable[str], folder: str) -> tuple[str, ...]:
        found = [
            _named(rule)
            for action in actions
            for rule in self._point.exceptions(self._principal, action, folder)
        ]
        return tuple(dict.fromkeys(found))


def _named(rule: Determinant) -> str:
    return rule.id if rule.id == rule.source else f"{rule.id} ({rule.source})"
