"""What one principal may see of the files, and do with them: asked by the contents door."""

from __future__ import annotations

import asyncio
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from ... import mistakes, sentences
from ...errors import Nowhere, Unanswered, UnsafePath
from ...policy.model import Answer, Resource
from ...policy.paths import canonical
from ..acting import ACTING
from ..surface.disk import Disk, Place, disk_of
from ..surface.made import is_upload
from ..surface.places import UNKNOWN, place_of, resources
from . import moving
from .listing import Entries
from .sight import Inner, sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from .sight import Sight

#: Most entries of a folder that are looked at one by one before it is moved whole.
MOST = 50_000
#: Of those that are copied, how many are asked about before others have their turn.
_AT_ONCE = 100


class Reader:
    """One principal before one contents manager.

    Args:
        manager: whose methods answer plainly here, since one of them is at work.
    """

    def __init__(self, manager: Any, sight: Sight) -> None:
        self.manager = manager
        self._sight = sight
        self._disk = disk_of(manager)
        self._waits = iscoroutinefunction(type(manager).get)
        acting = ACTING.get()
        hooks = () if acting is None else acting.hooks
        #: Whether the configuration's own function lets nothing be changed.
        self._fixed = any(each.has_refused("write", "contents") for each in hooks)

    def _place(self, path: object) -> Place:
        try:
            return place_of(self.manager, path)
        except Unanswered:
            raise HTTPError(503, sentences.NO_ANSWER) from None
        except UnsafePath:
            raise _missing(path) from None

    async def _kind(self, place: Place) -> str:
        if place.kind != UNKNOWN:
            return place.kind
        name = place.target.strip("/")
        if await ensure_async(self.manager.dir_exists(name)):
            return "folder"
        return "file" if await ensure_async(self.manager.file_exists(name)) else ""

    def sees(self, path: object) -> bool:
        """Whether the name may be known."""
        try:
            return self._sight.sees(resources(place_of(self.manager, path)))
        except UnsafePath:
            return False

    def require(self, action: str, path: object, *, moved: bool = False) -> Place:
        """Where `path` leads, if `action` is allowed there.

        Args:
            moved: as in `places.resources`.

        Raises:
            HTTPError: it is not.
        """
        return self._require(action, self._place(path), path, moved=moved)

    def _require(self, action: str, place: Place, path: object, *, moved: bool = False) -> Place:
        on = resources(place, moved=moved)
        for each in on:
            decision = self._sight.decide(action, each, record=True)
            if decision is not None and decision.answer is Answer.ALLOW:
                continue
            if not self._sight.sees(on):
                raise _missing(path)
            raise HTTPError(403, sentence("" if decision is None else decision.reason_user))
        return place

    async def open(self, path: object) -> Place:
        """Where `path` leads, if it may be read, or walked where it is a folder.

        Raises:
            HTTPError: it may not.
        """
        place = self._place(path)
        if await self._kind(place) != "folder":
            return self._require("open", place, path)
        on = resources(place)
        if self._sight.allows("list", on) or (len(on) == 1 and self._sight.ways(on[0].id)):
            return place
        return self._require("list", place, path)

    async def read(self, path: object, do: Callable[[], Awaitable[Any]], *, is_whole: bool) -> Any:
        """What may be seen of the model that `do` reads, if `path` may be read.

        Args:
            is_whole: whether it reads what is in the file, if there is one.

        Raises:
            HTTPError: it may not; or a folder or a link was exchanged meanwhile, and what
                was read may be another file than the one that was asked about.
        """
        place = await self.open(path)
        with moving.reading(self.manager, path, place.target) as is_held:
            model = await do()
        # What is in a file was read from an open folder, and asked about as it was opened;
        # what is told of a name, or read in another way, is looked at again.
        is_same = is_held and is_whole and place.kind == "file"
        if not is_same and self._place(path).target != place.target:
            raise _missing(path)
        return self._shown(place, model)

    async def save(self, path: object, model: object) -> None:
        """Ask to change the file at `path`, or to make it.

        Args:
            model: what its sender brings; None where it is the server's.

        Raises:
            HTTPError: it may not be.
        """
        is_file = await self._kind(self._place(path)) == "file"
        self.require("save" if is_file else "create", path)
        if is_upload(model, is_there=is_file):
            self.require("upload", path)

    async def copy(self, source: object, to: object) -> None:
        """Ask to copy a file or a whole folder.

        Raises:
            HTTPError: something of it may not be read, or not be made there.
        """
        place = self.require("copy", source)
        if to is None:
            to = place.entry.rpartition("/")[0]
        kind = await self._kind(self._place(to))
        target = self.require("save" if kind == "file" else "create", to)
        if await self._kind(place) == "folder":
            _require_apart(place.target, target.target)
            name = place.entry.rpartition("/")[2]
            await self._whole(
                place.target, ("copy",), canonical(f"{target.target}/{name}"), reads=True
            )

    async def rename(self, source: object, to: object) -> None:
        """Ask to move a file or a whole folder; nobody moves what they may not read.

        Raises:
            HTTPError: something of it may not be moved, or not be made there.
        """
        place = self.require("open", source)
        if isinstance(to, str) and canonical(to) == canonical(str(source)):
            return
        self.require("rename", source, moved=True)
        target = self.require("create", to, moved=True)
        if await self._kind(place) == "folder":
            if place.entry == place.target:
                _require_apart(place.target, target.entry)
            await self._whole(place.target, ("open", "rename"), target.entry)

    async def delete(self, path: object) -> None:
        """Ask to delete a file or a whole folder.

        Raises:
            HTTPError: something of it may not be deleted.
        """
        place = self.require("delete", path, moved=True)
        if await self._kind(place) == "folder" and place.entry == place.target:
            await self._whole(place.target, ("delete",))

    async def _whole(
        self, folder: str, actions: tuple[str, ...], to: str | None = None, *, reads: bool = False
    ) -> None:
        """Ask about all that is in a folder, where it may be answered differently.

        Args:
            to: where it would be afterwards.
            reads: links in it are followed, as by a copy.
        """
        on_the_spot = any(not self._sight.is_even(action, folder) for action in actions)
        there = to is not None and not self._sight.is_even("create", to)
        if not (on_the_spot or there or reads):
            return
        if self._disk is None:
            if on_the_spot or there:
                raise _not_whole()
            return
        for number, (name, place) in enumerate(self._below(self._disk, folder), 1):
            if reads and self._waits and number % _AT_ONCE == 0:
                # Each file of a copy is asked about again; of a move all is asked at once.
                await asyncio.sleep(0)
            own = f"{folder.rstrip('/')}/{name}"
            if place is None or (reads and place.kind == "folder" and place.entry != place.target):
                # A link out of the root, or to a folder, whose files nobody has asked about.
                if reads:
                    raise _not_whole()
                asked: Iterable[Resource] = (Resource(type="contents", id=own),)
            else:
                asked = resources(place, moved=not reads)
            self._all(actions, asked)
            if there:
                self._all(("create",), (Resource(type="contents", id=f"{to}/{name}"),))

    @staticmethod
    def _below(disk: Disk, folder: str) -> Iterator[tuple[str, Place | None]]:
        try:
            # Looked at first: each name takes long to ask about.
            if disk.holds_more(folder, MOST):
                raise HTTPError(403, sentences.TOO_MUCH_AT_ONCE)
            yield from disk.below(folder)
        except Nowhere:
            raise _not_whole() from None

    def _all(self, actions: tuple[str, ...], on: Iterable[Resource]) -> None:
        for each in on:
            for action in actions:
                decision = self._sight.decide(action, each, record=True)
                if decision is None or decision.answer is not Answer.ALLOW:
                    raise _not_whole()

    def _shown(self, place: Place, model: Any) -> Any:
        """What may be seen of the model of a file or folder at `place`."""
        if not isinstance(model, dict):
            return model
        self._tell(model, resources(place))
        entries = model.get("content")
        if model.get("type") != "directory" or not isinstance(entries, list):
            return model
        on = resources(place)
        ways = None if self._sight.allows("list", on) else self._sight.ways(place.target)
        inner = Inner(self._sight, place.target)
        # What was listed from an open folder has been looked at, and is what it was then.
        apart = entries.apart if isinstance(entries, Entries) else None
        is_plain = self._plain(place.target) if apart is None else lambda name: name not in apart
        above = f"{place.target.rstrip('/')}/"
        reserved = tuple(each for each in self._reserved if each.startswith(above))
        kept = []
        for entry in entries:
            name = str(entry.get("name", ""))
            if ways is not None and name not in ways:
                continue
            if reserved and f"{above}{name}/".startswith(reserved):
                continue
            # Nearly all: a name of its own in a folder that no rule divides.
            is_open = not (place.hidden or name.startswith("."))
            if is_open and is_plain(name) and inner.whole("open"):
                self._tell_by(partial(inner.allows, name=name), entry)
                kept.append(entry)
                continue
            own = None if apart is None else apart.get(name) or _own(inner.folder, name)
            if self._shows(inner, name, entry, own or self._child(inner.folder, name)):
                kept.append(entry)
        model["content"] = kept
        return model

    @property
    def _reserved(self) -> tuple[str, ...]:
        """What is the server's own, which is not there for anybody; as in `Disk.own`."""
        return () if self._disk is None else self._disk.own

    def _plain(self, folder: str) -> Callable[[str], bool]:
        return (lambda _: False) if self._disk is None else self._disk.plain(folder)

    def _shows(self, inner: Inner, name: str, entry: dict[str, Any], place: Place | None) -> bool:
        if place is None or (place.hidden and not self.manager.allow_hidden):
            return False
        if self._reserved and f"{place.target}/".startswith(self._reserved):
            return False
        on = resources(place)
        if place.hidden or place.names > 1 or place.entry != place.target:
            seen = self._sight.sees(on)
            self._tell(entry, on)
        else:
            seen = inner.sees(name)
            self._tell_by(partial(inner.allows, name=name), entry)
        return seen

    def _child(self, folder: str, name: str) -> Place | None:
        if self._disk is not None:
            return self._disk.child(folder, name)
        try:
            own = canonical(f"{folder}/{name}")
        except UnsafePath:
            return None
        return Place(target=own, entry=own, kind=UNKNOWN)

    def _tell(self, model: dict[str, Any], on: tuple[Resource, ...]) -> None:
        self._tell_by(lambda action: self._sight.allows(action, on), model)

    def _tell_by(self, allows: Callable[[str], bool], model: dict[str, Any]) -> None:
        if model.get("writable"):
            model["writable"] = not self._fixed and allows(
                "create" if model.get("type") == "directory" else "save"
            )

    def truthful(self, model: Any) -> Any:
        """A model that another method than `get` answers with."""
        if isinstance(model, dict) and "writable" in model and "path" in model:
            self._tell(model, resources(self._place(model["path"])))
        return model


def _own(folder: str, name: str) -> Place:
    """What a name means that means itself."""
    path = f"{folder.rstrip('/')}/{name}"
    return Place(target=path, entry=path)


def _require_apart(folder: str, to: str) -> None:
    if to == folder or to.startswith(f"{folder.rstrip('/')}/"):
        raise HTTPError(400, mistakes.INTO_ITSELF)


def _missing(path: object) -> HTTPError:
    return HTTPError(404, f"file or directory does not exist: {path!r}")


def _not_whole() -> HTTPError:
    return HTTPError(403, sentences.NOT_WITH_EVERYTHING)
