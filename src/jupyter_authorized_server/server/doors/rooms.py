"""Door: what is sent in the room of a document that several people edit at once.

Who may open the file hears what happens in its room; what changes the document is asked
about as it comes, as a save. The room itself reads and writes the file as the server,
not as whoever came first. Who somebody is, the server says and not their page.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from typing import TYPE_CHECKING, Any

from ...errors import UnsafePath
from ...inquiry import shareable
from ...policy.paths import canonical
from ...policy.vocabulary import Word
from ..surface import places, rooms
from .permitted import records
from .refusals import Refusals

if TYPE_CHECKING:
    from pathlib import Path

    from ...policy.model import Decision, Resource
    from ..wiring import Wiring
    from .live import LiveDoor

_SOCKET = "jupyter_server_ydoc.handlers.YDocWebSocketHandler"
#: First bytes of messages that tell who is there, and that ask the server for something.
_AWARENESS, _RAW = 1, 2
#: First bytes of what a page knows of a document, and of all that it has not.
_KNOWN, _ALL = b"\x00\x00", b"\x00\x01"
#: Second byte of an edit that was just made; another is that of all that a page has.
_NEW = 2
#: A change that changes nothing, with its length.
_NO_EDIT = b"\x02\x00\x00"
#: Seconds between two looks at where a file is.
_LOOK_EVERY = 0.25
#: Seconds between two records that somebody edits.
_RECORD_EVERY = 60.0
#: Longest text of a colour that a page chooses.
_LONGEST_COLOR = 64
#: Most states that one message tells of.
_MOST_STATES = 10_000
#: Most bytes that a page tells of itself; it is kept, and told to everybody who comes.
_LONGEST_STATE = 262_144


def fit(handler: Any, door: LiveDoor, wired: Wiring) -> None:
    """Have what goes in and out of the room asked about, before its socket opens."""
    if any(f"{kind.__module__}.{kind.__qualname__}" == _SOCKET for kind in type(handler).__mro__):
        socket = _Socket(handler, door, wired)
        handler.authorized_room = socket
        handler.on_message, handler.send = socket.on_message, socket.send
        handler.open, handler.on_close = socket.open, socket.on_close
        handler.on_finish = socket.on_finish


def keep_apart(config: Any, folder: Path) -> None:
    """Have what rooms remember kept in `folder`, unless `config` says where.

    Upstream keeps every edit of every document in the folder the server was started in,
    and in the contents root, where a kernel may read it.
    """
    for kind, trait, name in (
        ("SQLiteYStore", "db_path", "rooms.sqlite"),
        ("YDocExtension", "session_store_path", "room-sessions.json"),
    ):
        if trait not in config[kind]:
            config[kind][trait] = str(folder / name)


class _Socket:
    """Stands between one page and a room."""

    def __init__(self, handler: Any, door: LiveDoor, wired: Wiring) -> None:
        self._handler = handler
        self.door = door
        self._wired = wired
        self._room = rooms.room_of(handler.request.path)
        self._is_global = self._room == rooms.GLOBAL
        self._is_of_a_file = any(on.type == "contents" for _, on in door.questions)
        self._on_message, self._send = handler.on_message, handler.send
        self._open, self._on_close = handler.open, handler.on_close
        self._on_finish = handler.on_finish
        self._crdt: Any = importlib.import_module("pycrdt")
        self._refusals = Refusals(wired.point.audit, door, self._resource)
        self._places: tuple[Resource, ...] = ()
        self._looked = float("-inf")
        self._recorded = float("-inf")
        self._sees, self._sees_at = False, -1
        #: Id of this page's copy of the document, by which it tells that it is there.
        self.client: int | None = None
        #: Whether the page has edits that were refused, and whether it was asked for them.
        self._is_apart, self._is_asked = False, False
        #: What the page has said last that it knows of the document.
        self._knows = b""

    @property
    def _resource(self) -> Resource:
        return self.door.questions[0][1]

    # What is asked

    def _resources(self) -> tuple[Resource, ...]:
        """The file of the room, wherever it is now; nothing where it is nowhere."""
        now = time.monotonic()
        if now >= self._looked + _LOOK_EVERY:
            settings = self._handler.settings
            try:
                path = rooms.path_of(settings, self._room)
                found = places.place_of(settings["contents_manager"], path)
                is_link = found.target != canonical(path)
                self._places = () if is_link else places.resources(found)
            except UnsafePath:
                self._places = ()
            self._looked = now
        return self._places

    def _ask(self, action: str) -> Decision | None:
        """What decides that `action` may be done in the room or not; None is a no."""
        live, door = self._wired.live, self.door
        if not live.current(door).allowed:
            return None
        found = None
        for resource in self._resources():
            found = live.ask(door, action, resource, door_name="room")
            if not found.allowed:
                break
        return found

    def _may(self, action: str) -> bool:
        decision = self._ask(action)
        return decision is not None and decision.allowed

    def _hears(self) -> bool:
        if self._is_of_a_file:
            return self._may("open")
        return bool(self._wired.live.current(self.door).allowed)

    # When the room is left

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """As upstream; and leave the room again, where the page has gone meanwhile."""
        await self._open(*args, **kwargs)
        self._leave()

    def on_close(self) -> None:
        """As upstream, which has the room end that the last one leaves."""
        self._on_close()
        self._leave()

    def on_finish(self) -> None:
        """The room is made before it is known whether a socket opens."""
        self._on_finish()
        self._leave()

    def _leave(self) -> None:
        """Have a room end in which nobody is, and from which nobody goes any more.

        Upstream leaves one for ever, with all of its document, that is asked for without a
        socket, or by a page that closes before it was let in; and each file has as many as
        somebody thinks of names.
        """
        room: Any = getattr(self._handler, "room", None)
        delay = self._handler._cleanup_delay  # noqa: SLF001  # why: upstream has no other name
        if not hasattr(room, "cleaner") or delay is None or room.clients:
            return
        if room.cleaner is None or room.cleaner.done():
            room.cleaner = asyncio.ensure_future(self._end(room, delay))

    async def _end(self, room: Any, delay: float) -> None:
        await asyncio.sleep(delay)
        if not room.clients and room.cleaner is asyncio.current_task():
            self._handler._cleanup_delay = 0  # noqa: SLF001  # why: that was waited for
            await self._handler._clean_room()  # noqa: SLF001  # why: upstream has no other name

    # What comes in

    async def on_message(self, message: Any) -> None:
        """A message of the page: passed on, put right or dropped."""
        passed = self._judged(message) if isinstance(message, bytes) and self._hears() else None
        if passed is not None:
            await self._on_message(passed)
        if self._is_apart and not self._is_asked and self._may("save"):
            # It may save again: all that it has and the room has not, in one answer.
            self._is_asked = True
            await self._send(self._crdt.create_sync_message(self._handler.room.ydoc))

    def _judged(self, message: bytes) -> bytes | None:
        # One of its readers takes the first byte for all of the first number.
        match (*message[:2],):
            case (0, 0):  # what the page knows of the document
                self._knows = message
                return message
            case (0, 1 | 2):  # what it has more, or what is new
                return message if self._follows(message) else None
            case (1, _):  # who is there
                return self._own_state(message)
            case (2, _):  # that the server should save
                if self._may_edit(message):
                    return message
                self._say_not_saved(message)
        return None

    def _follows(self, message: bytes) -> bool:
        """Whether an edit is taken: one may make it, and none before it was left out.

        Of an edit that follows on a refused one a document can take a part, and would then
        be neither what the page shows nor what anybody else does.
        """
        if not self._may_edit(message):
            if self._is_of_a_file:
                self._is_apart, self._is_asked = True, False
            return False
        if self._is_apart and message[1] == _NEW:
            return False
        self._is_apart = False
        return True

    def _may_edit(self, message: bytes) -> bool:
        if not self._is_of_a_file:
            # Nothing is kept of it; an administrator's, or who is there.
            return not self._is_global
        decision = self._ask("save")
        if decision is None:
            return False
        # What every page answers when it opens a document is no edit.
        is_edit = message[2:] != _NO_EDIT
        if not decision.allowed:
            if is_edit:
                self._refusals.of_policy("an edit in a room", decision, self.door)
            return False
        return not is_edit or self._is_recorded(decision)

    def _is_recorded(self, decision: Decision) -> bool:
        """Record now and then that somebody edits; False where that has to be and cannot."""
        now = time.monotonic()
        if now < self._recorded + _RECORD_EVERY:
            return True
        if not records(self._wired, Word.WRITE):
            return True
        try:
            assert self.door.principal is not None  # noqa: S101  # why: it was asked for them
            self._wired.point.audit.decision(
                decision,
                principal=self.door.principal,
                door="room",
                address=self.door.address,
                request="edits in a room",
            )
        except OSError:
            return self._wired.config.audit_full == "go on"
        self._recorded = now
        return True

    def _say_not_saved(self, message: bytes) -> None:
        """Answer who asks for a save, since a page waits for it."""
        decoder = self._crdt.Decoder(message)
        try:
            decoder.read_var_uint()
            if decoder.read_var_string() != "save":
                return
            number = decoder.read_var_uint()
        except (RuntimeError, ValueError, TypeError, IndexError):
            return
        answer = {"type": "save", "responseTo": number, "status": "failed"}
        encoder = self._crdt.Encoder()
        encoder.write_var_uint(_RAW)
        encoder.write_var_string(json.dumps(answer))
        self._handler.write_message(encoder.to_bytes(), binary=True)

    # Who is there

    def _own_state(self, message: bytes) -> bytes | None:
        """What a page tells of itself, with the person as the server knows them.

        Of others it tells too, which they do themselves; that is left out. So is what no page
        could read: it would read nothing else either of what comes along.
        """
        if len(message) > _LONGEST_STATE:
            return None
        try:
            told = self._states(message)
        except (RuntimeError, ValueError, TypeError, IndexError, RecursionError):
            return None
        theirs = self._clients_of_others()
        if self.client is None:
            self.client = next((each for each, _, _ in told if each not in theirs), None)
        own = [each for each in told if each[0] == self.client]
        if not own:
            return None
        try:
            texts = [json.dumps(self._put_right(state), allow_nan=False) for _, _, state in own]
        except (ValueError, RecursionError):
            return None
        encoder = self._crdt.Encoder()
        encoder.write_var_uint(len(own))
        for (client, clock, _), text in zip(own, texts, strict=True):
            encoder.write_var_uint(client)
            encoder.write_var_uint(clock)
            encoder.write_var_string(text)
        made: bytes = self._crdt.create_awareness_message(encoder.to_bytes())
        return made

    def _states(self, message: bytes) -> list[tuple[int, int, Any]]:
        decoder = self._crdt.Decoder(self._crdt.read_message(message[1:]))
        number = decoder.read_var_uint()
        if number > _MOST_STATES:
            return []
        return [
            (
                decoder.read_var_uint(),
                decoder.read_var_uint(),
                json.loads(decoder.read_var_string()),
            )
            for _ in range(number)
        ]

    def _clients_of_others(self) -> set[int | None]:
        sockets = (
            getattr(each, "authorized_room", None) for each in list(self._handler.room.clients)
        )
        return {
            each.client
            for each in sockets
            if each is not None and each is not self and each.door.name != self.door.name
        }

    def _put_right(self, state: Any) -> Any:
        if not isinstance(state, dict):
            return None
        user = self._handler.current_user
        said = state.get("user")
        color = said.get("color") if isinstance(said, dict) else None
        # Where somebody is at the moment is for who may know of that file.
        kept = {} if self._is_global else dict(state)
        # Whether the room saves by itself is for who may save.
        if "autosave" in kept and not self._may("save"):
            del kept["autosave"]
        kept["user"] = {
            "username": user.username,
            "name": user.name or user.username,
            "display_name": user.display_name or user.username,
            "initials": user.initials,
            "avatar_url": user.avatar_url,
            "color": color if isinstance(color, str) and len(color) <= _LONGEST_COLOR else None,
        }
        return kept

    # What goes out

    async def send(self, message: bytes) -> None:
        """A message of the room: passed on to who may hear it."""
        if self._hears() and self._tells(message):
            await self._send(self._as_it_is(message) if message[:2] == _ALL else message)

    def _as_it_is(self, message: bytes) -> bytes:
        """All that the page has not yet of the document, without what was deleted in it.

        A room keeps that so that it could be undone; a copy of the document does not.
        """
        if self._knows[:2] != _KNOWN:
            return message
        copy = self._crdt.Doc()
        copy.apply_update(self._handler.room.ydoc.get_update())
        made: bytes = self._crdt.handle_sync_message(self._knows[1:], copy)
        return made

    def _tells(self, message: bytes) -> bool:
        """Whether a message of the room of all may be heard: one's own, or by who sees names."""
        if not self._is_global or message[:1] != bytes([_AWARENESS]):
            return True
        if self._sees_names():
            return True
        try:
            return all(client == self.client for client, _, _ in self._states(message))
        except (RuntimeError, ValueError, TypeError, IndexError, RecursionError):
            return False

    def _sees_names(self) -> bool:
        """As everywhere: names are for who keeps the server, or may share something."""
        live = self._wired.live
        if self._sees_at != live.generation:
            self._sees_at, self._sees = live.generation, self._ask_for_names()
        return self._sees

    def _ask_for_names(self) -> bool:
        door = self.door
        if door.principal is None:
            return False
        asked = [("administer", places.SERVER)]
        asked += [("share", each) for each in shareable(self._wired.point, door.principal)]
        return any(
            self._wired.live.ask(door, action, on, door_name="room").allowed
            for action, on in asked
        )
