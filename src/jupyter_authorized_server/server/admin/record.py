"""`/api/authz/audit`: the records, one's own or, for administrators, everybody's."""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import TYPE_CHECKING, Any

from ... import mistakes
from ...chain import newest
from ...errors import ConfigurationError, InvalidName, StoreError
from ...store.journals import name_of
from ..surface.places import SERVER
from . import moment
from .handler import MOST, PAGE, PAGING, AdminHandler, page_of
from .operation import operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Record = dict[str, Any]
    Test = Callable[[Record], bool]

#: Records looked at for one page; a page that found too few says where to go on.
_LOOKED_AT = 20_000
#: What only administrators are told of their own records too.
_ADMIN_ONLY = ("determining", "reason", "previous", "number")
_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
RECORD = {
    "type": "object",
    "required": ["id", "time", "kind", "principal"],
    "properties": {
        "id": _TEXT,
        "time": _TEXT_OR_NONE,
        "kind": _TEXT,
        "principal": _TEXT,
        "action": _TEXT,
        "resource": _TEXT_OR_NONE,
        "decision": _TEXT,
        "shadow": {"type": "boolean"},
        "door": _TEXT,
        "address": _TEXT_OR_NONE,
        "request": _TEXT_OR_NONE,
    },
}


_PAGE = page_of(RECORD)
#: Administrators are told of which other servers they can ask.
_PAGE["properties"]["servers"] = {"type": "array", "items": _TEXT}


class RecordsHandler(AdminHandler):
    """What was refused, permitted and changed, newest first."""

    @operation(
        query={
            **PAGING,
            "person": _TEXT,
            "kind": _TEXT,
            "action": _TEXT,
            "id": {"type": "string", "maxLength": 64},
            "outcome": {"enum": ["allow", "deny", "shadow"]},
            "since": _TEXT,
            "until": _TEXT,
            "q": {"type": "string", "maxLength": 200},
            "server": {"type": "string", "maxLength": 2000},
        },
        answer=_PAGE,
    )
    async def get(self) -> dict[str, Any]:
        """The records one may see: one's own, an agent's its own, and for administrators all.

        Administrators also those of another server that shares the store, by its name there.
        """
        everything, server = self.allows("administer", SERVER), self.query("server")
        if server is not None and not everything:
            self.require("administer", SERVER)
        wanted, me, came = self._wanted(), "", 0.0
        if not everything:
            me, scope = self.principal.name, self.principal.scope
            wanted.append(lambda each: me in {each.get("principal"), each.get("viewed")})
            # Of who had the name before, nothing; `_look` stops where they were removed.
            came = self.point.state.since(me) or 0.0
            wanted.append(lambda each, came=came: _time(each) >= came)  # type: ignore[misc]  # why: bound to this person
            if scope is not None:
                # What its owner did elsewhere is beyond what it reaches.
                wanted.append(lambda each: each.get("token") == self.principal.token)
        limit = max(1, min(MOST, int(self.query("limit") or PAGE)))
        for_whom = (me, came, server or "")
        source = self._source(server, self._before(for_whom))
        try:
            found, behind = await asyncio.to_thread(_look, source, wanted, limit, me)
        except OSError as error:
            raise ConfigurationError(mistakes.records_unread(str(error.strerror))) from error
        return {
            "items": [_shown(each, everything=everything) for each in found],
            "next": None if behind is None else self._cursor(behind, for_whom),
            **({"servers": await asyncio.to_thread(self._servers)} if everything else {}),
        }

    def _source(self, server: str | None, before: int | None) -> Iterator[tuple[int, Record]]:
        """The records of this server as its file has them, or of `server` from the store.

        Each with a place behind which the next page begins.
        """
        path = self.point.audit.path
        if server is not None:
            return self.point.store.newest_records(server, before=before)
        return iter(()) if path is None else newest(path, before=before)

    def _servers(self) -> list[str]:
        """The other servers whose records are in the store, by their names there."""
        path = self.point.audit.path
        own = None if path is None else name_of(path)
        try:
            return [name for name in self.point.store.journal_sizes() if name != own]
        except StoreError:
            # What the file has can be read without it.
            return []

    def _before(self, for_whom: tuple[str, float, str]) -> int | None:
        """The place that was given out as a cursor to whoever asks.

        Raises:
            InvalidName: it was not, or to somebody else.
        """
        after = self.query("after")
        if after is None:
            return None
        said = after.partition(".")[0]
        # Made up, it would lead behind the place where `_look` stops.
        if len(said) < len(str(2**63)) and said.isascii() and said.isdigit():
            cursor = self._cursor(int(said), for_whom)
            if hmac.compare_digest(cursor.encode(), after.encode("utf-8", "replace")):
                return int(said)
        raise InvalidName(mistakes.no_cursor("after"))

    def _cursor(self, place: int, for_whom: tuple[str, float, str]) -> str:
        """A place with this server's word that it gave it to that person, for those records."""
        said = json.dumps(["records", place, *for_whom]).encode()
        key = self.settings["cookie_secret"]
        return f"{place}.{hmac.digest(key, said, 'sha256').hex()[:32]}"

    def _wanted(self) -> list[Test]:
        wanted: list[Test] = []
        person, outcome = self.query("person"), self.query("outcome")
        if person is not None:
            names = {person, f"user:{person}"}
            wanted.append(lambda each: each.get("principal") in names)
        for key in ("kind", "action", "id"):
            value = self.query(key)
            if value is not None:
                wanted.append(lambda each, key=key, value=value: each.get(key) == value)  # type: ignore[misc]  # why: bound to this turn
        if outcome == "shadow":
            wanted.append(lambda each: bool(each.get("shadow")))
        elif outcome is not None:
            wanted.append(lambda each: not each.get("shadow") and _outcome(each) == outcome)
        since, until = (self.moment(self.query(name), past=True) for name in ("since", "until"))
        if since is not None:
            wanted.append(lambda each: _time(each) >= since)
        if until is not None:
            wanted.append(lambda each: _time(each) < until)
        part = (self.query("q") or "").casefold()
        if part:
            keys = ("principal", "resource", "id")
            wanted.append(
                lambda each: part in " ".join(str(each.get(key)) for key in keys).casefold()
            )
        return wanted


class VerifyHandler(AdminHandler):
    """Whether every record is there and as it was written."""

    @operation(
        answer={
            "type": "object",
            "required": ["whole", "records", "unchained", "stored", "problem"],
            "properties": {
                "whole": {"type": "boolean"},
                "records": {"type": "integer"},
                "unchained": {"type": "integer"},
                "stored": {"type": "integer"},
                "problem": _TEXT_OR_NONE,
            },
        }
    )
    async def get(self) -> dict[str, Any]:
        """Whether the records are whole, in file and store; if not, what is wrong first."""
        path = self.point.audit.path
        if path is None:
            raise ConfigurationError(mistakes.NO_RECORDS)
        try:
            found = await asyncio.to_thread(self.point.store.verify_journal, path)
        except OSError as error:
            raise ConfigurationError(mistakes.records_unread(str(error.strerror))) from error
        return {
            "whole": found.problem is None,
            "records": found.records,
            "unchained": found.unchained,
            "stored": found.stored,
            "problem": found.problem,
        }


def _look(
    source: Iterator[tuple[int, Record]], wanted: list[Test], limit: int, whose: str
) -> tuple[list[Record], int | None]:
    """The newest records that are wanted, and the place to go on from.

    Args:
        source: the records, newest first, each with its place.
        wanted: what each has to be.
        limit: how many at most.
        whose: the person, as written, whose removal ends them; empty for none. The order of
            records is that of what happened, whatever the clock said.
    """
    found: list[Record] = []
    for looked, (place, record) in enumerate(source, start=1):
        if whose and record.get("kind") == "user_removed" and record.get("person") == whose:
            return found, None
        if all(test(record) for test in wanted):
            found.append(record)
        if len(found) == limit or looked == _LOOKED_AT:
            return found, place or None
    return found, None


def _outcome(record: Record) -> str:
    found = record.get("decision")
    if isinstance(found, str):
        return found
    return "deny" if record.get("kind") in {"denial", "login_failed"} else "allow"


def _time(record: Record) -> float:
    found = record.get("time")
    return found if isinstance(found, (int, float)) else 0.0


def _shown(record: Record, *, everything: bool) -> Record:
    hidden = () if everything else _ADMIN_ONLY
    shown = {key: value for key, value in record.items() if key not in hidden}
    shown["time"] = moment.shown(_time(record))
    return shown
