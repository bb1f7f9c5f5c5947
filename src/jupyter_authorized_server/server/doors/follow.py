"""Door: grants go where their file goes, and end with it.

A move or deletion through the contents manager takes the grants along, in step with
the act: a note in the store says that it is under way, so that a server that is killed
in between finds out afterwards where the file is. What moves by itself, by a kernel or
a shell, is looked for every few seconds and known again by its `identity`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from ... import far
from ...errors import StoreError, UnsafePath
from ...policy.ledger import Ledger
from ...policy.paths import ancestors
from ...store import Move
from ..acting import ACTING, SERVER, as_server
from ..surface import descent
from ..surface.disk import disk_of
from ..surface.inode import identity
from ..surface.places import place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ...policy.model import Grant
    from ...policy.snapshot import Snapshot
    from ..wiring import Wiring

_log = logging.getLogger(__name__)

#: Seconds between two looks at what happened to the files by itself.
SECONDS = 2.0
#: Most names that are looked through for a file that went away.
MOST = 200_000
#: Errors that say nothing of a folder: one that is not looked into may hold what went away.
_UNTOLD = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO}
_RENAMES = frozenset({"rename", "rename_file", "update"})
_DELETES = frozenset({"delete", "delete_file"})
_SAVES = frozenset({"save", "new"})
_MAKES = frozenset({"save", "new", "copy", "restore_checkpoint"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one look at the disk found, by path."""

    noted: dict[str, str | None] = field(default_factory=dict)
    moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    back: dict[str, str | None] = field(default_factory=dict)


class Follower:
    """Keeps the grants of one contents manager with their files.

    Args:
        manager: whose files; of one that keeps none on a disk only its own acts are
            followed.
    """

    def __init__(self, wired: Wiring, manager: Any) -> None:
        self._wired = wired
        self._manager = manager
        self._disk = disk_of(manager)
        self._root = self._identity("/") or ""
        self._known: dict[str, str] = {}
        self._under_way = 0
        self._turn = 0
        self._paths: tuple[Ledger, frozenset[str]] = (Ledger(), frozenset())
        self._others: tuple[int, frozenset[str]] = (-1, frozenset())
        self._due = 0.0

    def _identity(self, path: str) -> str | None:
        return None if self._disk is None else identity(self._disk.path(path))

    def _granted(self) -> frozenset[str]:
        """The paths that grants of the store, links, scopes and requests stand on.

        The root is none of them, since it goes nowhere.
        """
        point = self._wired.point
        snapshot = point.snapshot
        if self._paths[0] is not snapshot.ledger:
            self._paths = (snapshot.ledger, _taken_over(*self._paths, snapshot))
        # Invariant: the revision grows with each of the others.
        if self._others[0] != point.revision:
            self._others = (point.revision, point.store.standing() - {"/"})
        return self._paths[1] | self._others[1] if self._others[1] else self._paths[1]

    async def act(
        self, name: str, do: Callable[[], Awaitable[Any]], path: object, new: object
    ) -> Any:
        """Do what the method `name` of the manager does, and take the grants along."""
        try:
            here = place_of(self._manager, path).entry
            there = None if new is None else place_of(self._manager, new).entry
        except UnsafePath:
            # Nothing that may be judged stands on such a path, so no grant does.
            return await do()
        if name in _DELETES or (name in _RENAMES and there not in {here, None}):
            return await self._moving(here, there, do)
        made = there or here
        if name not in _MAKES:
            return await do()
        self._settle(self._first_missing(made))
        is_new = self._identity(made) is None
        try:
            result = await do()
        except BaseException:  # why: raised again below
            if is_new and name in _SAVES:
                self._clear(made)
            raise
        if made in self._known:
            self._note({made: self._identity(made)})
        return result

    def _clear(self, made: str) -> None:
        """Leave no part of a new file whose saving failed, as on a full disk."""
        if self._disk is not None:
            with contextlib.suppress(OSError, UnsafePath):
                found = descent.held(self._disk, made)
                found.folder.remove(found.name)

    async def _moving(self, old: str, new: str | None, do: Callable[[], Awaitable[Any]]) -> Any:
        if new is not None:
            self._settle(new)
        if not any(_is_in(path, old) for path in self._granted()):
            return await do()
        store = self._wired.point.store
        was = self._identity(old) or ""
        move = store.begin_move(self._root, old, new, was, time.time())
        self._under_way += 1
        try:
            result = await do()
        except BaseException:  # why: raised again below
            self._end(move, done=await self._has_moved(move))
            raise
        finally:
            self._under_way -= 1
            self._turn += 1
        self._end(move, done=True)
        return result

    async def _has_moved(self, move: Move) -> bool:
        """Whether the file of a move that was begun is where it was to go."""
        if self._disk is not None:
            gone = self._identity(move.old) != move.identity
            return gone and (move.new is None or self._identity(move.new) is not None)
        with as_server():
            if await ensure_async(self._manager.exists(move.old.strip("/"))):
                return False
            new = move.new
            return new is None or bool(await ensure_async(self._manager.exists(new.strip("/"))))

    def _end(self, move: Move, *, done: bool) -> None:
        point = self._wired.point
        try:
            taken = point.store.end_move(move, done=done)
            for path in [each for each in self._known if _is_in(each, move.old)]:
                if done:
                    there = self._known.pop(path)
                    if move.new is not None:
                        self._known[move.new + path[len(move.old) :]] = there
            point.refresh()
        except StoreError as error:
            _log.error("grants could not follow `%s`, and will later: %s", move.old, error)
            return
        self._record("grants_moved" if move.new else "grants_removed", taken, to=move.new)

    def _record(self, kind: str, taken: Iterable[Grant], *, to: str | None = None) -> None:
        acting = ACTING.get()
        for each in taken:
            self._wired.point.audit.note(
                kind,
                actor=SERVER if acting is None else acting.principal.name,
                fields={
                    "grant": each.id,
                    "grantee": each.principal,
                    "level": each.level,
                    "resource": each.resource,
                    "to": to,
                },
            )

    async def recover(self) -> None:
        """End what was under way when a server was killed.

        Raises:
            StoreError: the store cannot be read.
        """
        for move in self._wired.point.store.moves():
            if move.root == self._root:
                self._end(move, done=await self._has_moved(move))

    def _first_missing(self, path: str) -> str:
        """The highest folder above `path` that is made with it, or `path` itself."""
        if self._disk is None:
            return path
        above = reversed(ancestors(path)[1:-1])
        return next((each for each in above if self._identity(each) is None), path)

    def _settle(self, path: str) -> None:
        """Before something is made at `path`: nobody has the rights on what was there."""
        lost = [
            each
            for each, was in self._known.items()
            if _is_in(each, path) and self._identity(each) != was
        ]
        if lost:
            self._lose(lost)

    def _lose(self, paths: list[str]) -> None:
        point = self._wired.point
        lost = point.store.lose(self._root, paths, time.time())
        for path in paths:
            self._known.pop(path, None)
        point.refresh()
        self._record("grants_lost", lost)
        for each in lost:
            _log.warning(
                "the file that `%s` stands on is gone, so the grant %s counts no longer; "
                "`jupyter authz grants --orphans` shows it",
                each.resource,
                each.id,
            )

    def _note(self, found: dict[str, str | None]) -> None:
        changed = {path: now for path, now in found.items() if self._known.get(path) != now}
        if not changed:
            return
        self._wired.point.store.identify(self._root, changed)
        for path, now in changed.items():
            if now is None:
                self._known.pop(path, None)
            else:
                self._known[path] = now

    async def look(self) -> None:
        """See what became of the files that grants stand on, and follow them.

        What an act of this server did meanwhile is left for the next look.
        """
        if self._disk is None or self._under_way:
            return
        turn = self._turn
        try:
            self._known = self._wired.point.store.identities(self._root)
            seen = await asyncio.to_thread(self._see, self._granted(), dict(self._known))
            if seen is None or self._under_way or turn != self._turn:
                return
            self._take_over(seen)
        except (StoreError, OSError) as error:
            _log.error("grants cannot follow their files now: %s", error)

    async def look_if_due(self) -> None:
        """As `look`, but so seldom that it takes a twentieth of the time at most."""
        begun = time.monotonic()
        if begun >= self._due:
            await self.look()
            now = time.monotonic()
            self._due = now + 19 * (now - begun)

    def _is_away(self) -> bool:
        """Whether nothing can be told now of what went where.

        The whole root is gone, as with a disk that is not mounted, or something in it does not
        answer.
        """
        if self._disk is not None and far.is_silent(self._disk.path("/")):
            return True
        return self._identity("/") != self._root

    def _see(self, granted: frozenset[str], known: dict[str, str]) -> _Seen | None:
        """In a thread of its own: the disk may be slow."""
        if self._is_away():
            return None
        seen = _Seen()
        astray: dict[str, str] = {}
        for path in granted | known.keys():
            now = self._identity(path) if path in granted else None
            if known.get(path) == now:
                continue
            if path in granted and path in known:
                astray[known[path]] = path
            else:
                seen.noted[path] = now
        orphans = [each for each in self._wired.point.store.orphans() if each.root == self._root]
        found = self._search({*astray, *(each.identity for each in orphans)}) if astray else {}
        for was, path in astray.items():
            if was in found:
                seen.moved[path] = (found[was], was)
            else:
                seen.lost.append(path)
        for orphan in orphans:
            at = orphan.grant.resource.removeprefix("contents:")
            if self._identity(at) == orphan.identity:
                seen.back[orphan.grant.id] = at
            elif orphan.identity in found:
                seen.back[orphan.grant.id] = found[orphan.identity]
        return seen

    def _search(self, wanted: set[str]) -> dict[str, str]:
        """Where under the root the files with these identities are now.

        Raises:
            OSError: it cannot be told.
        """
        assert self._disk is not None  # noqa: S101  # why: looked at only with a disk
        numbers = {int(each.partition(":")[0]) for each in wanted}
        found: dict[str, str] = {}
        waiting, passed = [""], 0
        while waiting and len(found) < len(wanted):
            folder = waiting.pop()
            try:
                with os.scandir(self._disk.path(folder or "/")) as entries:
                    here = [each for each in entries if not each.name.startswith(".")]
            except UnsafePath:
                continue
            except OSError as error:
                if error.errno in _UNTOLD:
                    raise
                continue
            passed += len(here)
            if passed > MOST:
                _log.warning("more than %d names; what went away is not looked for", MOST)
                return {}
            for each in here:
                path = f"{folder}/{each.name}"
                if each.inode() in numbers:
                    is_ = identity(each.path)
                    if is_ in wanted:
                        found[is_] = path
                if each.is_dir(follow_symlinks=False):
                    waiting.append(path)
        return found

    def _take_over(self, seen: _Seen) -> None:
        point = self._wired.point
        self._note(seen.noted)
        gone: list[str] = []
        # Folders first: what is in them comes along, or is seen to at the next look.
        for old in sorted(seen.moved, key=len):
            if any(_is_in(old, above) for above in gone):
                continue
            gone.append(old)
            new, was = seen.moved[old]
            move = Move(id="", root=self._root, old=old, new=new, identity=was, begun=time.time())
            self._end(move, done=True)
        lost = [path for path in seen.lost if not any(_is_in(path, above) for above in gone)]
        if lost:
            self._lose(lost)
        if seen.back:
            back = point.store.found_again(seen.back, time.time())
            point.refresh()
            self._record("grants_found", back)


def _is_in(path: str, folder: str) -> bool:
    """Whether a canonical path is another one or below it."""
    return path == folder or path.startswith(f"{folder}/")


def _taken_over(before: Ledger, paths: frozenset[str], snapshot: Snapshot) -> frozenset[str]:
    """The paths that grants of the store stand on, which were `paths` for those `before`."""
    changes = snapshot.ledger.changes(before)
    touched = {each.resource for _, *pair in changes for each in pair if each is not None}
    now = set(paths)
    for resource in touched:
        path = resource.removeprefix("contents:")
        if not resource.startswith("contents:/") or path == "/":
            continue
        # Grants of policy files say where they stand themselves.
        if any(each.source == "store" for each in snapshot.index.on(resource)):
            now.add(path)
        else:
            now.discard(path)
    return frozenset(now)
