"""People, groups and grants written as YAML.

Only what YAML and JSON share is read: no anchors, aliases, tags, merge keys or second
documents. Every value is taken as the text it is written as, so that a person
called `no` or `1e3` keeps that name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

import yaml

from .. import complaints
from ..errors import InvalidName, Mistake
from .model import Grant, parse_name, parse_principal
from .vocabulary import parse_level, parse_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Deepest nesting of maps and lists; the format itself needs five.
MAX_NESTING = 10
#: Longest note or name to show, in characters.
MAX_TEXT = 500

_SECTIONS = ("people", "groups", "grants")
_GRANT_KEYS = ("principal", "level", "resource", "starts", "ends", "note")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEntry:
    """A person known to the policy; signing in is the identity provider's business."""

    name: str
    display_name: str
    source: str
    line: int

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """A group with its direct members in written form."""

    name: str
    members: tuple[str, ...]
    source: str
    line: int

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """What one YAML file says."""

    people: tuple[PersonEntry, ...] = ()
    groups: tuple[GroupEntry, ...] = ()
    grants: tuple[Grant, ...] = ()


class _Wrong(Exception):
    """A mistake at a node; caught where the rest of the file can still be read."""

    def __init__(self, place: yaml.Node | yaml.Event, message: str) -> None:
        self.line = _line(place)
        super().__init__(message)


def read_roster(source: str, text: str) -> tuple[Roster, list[Mistake]]:
    """What the YAML `text` says, without what is wrong in it, and what is wrong."""
    reader = _Reader(source)
    try:
        _refuse_what_is_not_plain(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            reader.read(root)
    except _Wrong as error:
        reader.note(error)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else 0
        message = complaints.no_yaml(problem)[:200] + complaints.QUOTES
        reader.mistakes.append(Mistake(source=source, line=line, message=message))
    roster = Roster(
        people=tuple(reader.people), groups=tuple(reader.groups), grants=tuple(reader.grants)
    )
    return roster, reader.mistakes


def _refuse_what_is_not_plain(text: str) -> None:
    """Stop at the first event that this format has no use for, before anything recurses."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Wrong(event, complaints.SECOND_DOCUMENT)
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Wrong(event, complaints.NO_ANCHORS)
        elif getattr(event, "tag", None):
            raise _Wrong(event, complaints.NO_TAGS)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_NESTING:
                raise _Wrong(event, complaints.nested(str(MAX_NESTING)))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


class _Reader:
    """One pass over a composed file; mistakes are noted and the rest is read on."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.people: list[PersonEntry] = []
        self.groups: list[GroupEntry] = []
        self.grants: list[Grant] = []
        self.mistakes: list[Mistake] = []
        self._grant_ids: set[str] = set()

    def note(self, error: _Wrong) -> None:
        self.mistakes.append(Mistake(source=self.source, line=error.line, message=str(error)))

    def read(self, root: yaml.Node) -> None:
        for key, node in self._pairs(root, complaints.THE_FILE, _SECTIONS):
            if _is_empty(node):
                continue
            if _text(key) == "grants":
                for item in self._items(node, "`grants`"):
                    self._guarded(self._grant, item, item)
                continue
            one = self._person if _text(key) == "people" else self._group
            for name, value in self._pairs(node, f"`{_text(key)}`"):
                self._guarded(one, name, value)

    def _guarded(
        self, one: Callable[[yaml.Node, yaml.Node], None], key: yaml.Node, value: yaml.Node
    ) -> None:
        try:
            one(key, value)
        except _Wrong as error:
            self.note(error)

    def _person(self, key: yaml.Node, value: yaml.Node) -> None:
        name = _parsed(key, lambda text: parse_name(text, "user name"))
        shown = ""
        if not _is_empty(value):
            for _, node in self._pairs(value, complaints.the_person(name), ("name",)):
                shown = _plain(node, complaints.A_NAME)
        self.people.append(
            PersonEntry(name=name, display_name=shown, source=self.source, line=_line(key))
        )

    def _group(self, key: yaml.Node, value: yaml.Node) -> None:
        name = _parsed(key, lambda text: parse_principal(f"group:{text}")).partition(":")[2]
        members: list[str] = []
        if not _is_empty(value):
            for _, node in self._pairs(value, complaints.the_group(name), ("members",)):
                for item in () if _is_empty(node) else self._items(node, "`members`"):
                    self._guarded(lambda one, _: members.append(_parsed(one, _member)), item, item)
        self.groups.append(
            GroupEntry(
                name=name,
                members=tuple(sorted(set(members))),
                source=self.source,
                line=_line(key),
            )
        )

    def _grant(self, item: yaml.Node, _: yaml.Node) -> None:
        given = {
            _text(key): value
            for key, value in self._pairs(item, complaints.THE_GRANT, _GRANT_KEYS)
        }
        for required in _GRANT_KEYS[:3]:
            if required not in given:
                raise _Wrong(item, complaints.grant_lacks(required))
        starts = _instant(given["starts"], last=False) if "starts" in given else None
        ends = _instant(given["ends"], last=True) if "ends" in given else None
        if starts is not None and ends is not None and ends <= starts:
            raise _Wrong(given["ends"], complaints.ENDS_FIRST)
        place = id_ = f"{self.source}:{_line(item)}"
        while id_ in self._grant_ids:
            id_ += "+"
        self._grant_ids.add(id_)
        self.grants.append(
            Grant(
                id=id_,
                principal=_parsed(given["principal"], parse_principal),
                level=_parsed(given["level"], lambda text: parse_level(text).word),
                resource=_parsed(given["resource"], lambda text: parse_resource(text).name),
                starts=starts,
                ends=ends,
                granted_by="policy",
                note=_plain(given["note"], complaints.A_NOTE) if "note" in given else "",
                source=place,
            )
        )

    def _pairs(
        self, node: yaml.Node, what: str, known: tuple[str, ...] = ()
    ) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(node, complaints.is_map(what))
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.note(_Wrong(key, complaints.KEY_IS_TEXT))
            elif key.value in seen:
                first = seen[key.value]
                message = complaints.key_twice(key.value[:60], str(first))
                self.note(_Wrong(key, message))
            elif known and key.value not in known:
                words = ", ".join(f"`{word}`" for word in known)
                self.note(_Wrong(key, complaints.key_unknown(key.value[:60], what, words)))
            else:
                seen[key.value] = _line(key)
                yield key, value

    @staticmethod
    def _items(node: yaml.Node, what: str) -> Iterator[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise _Wrong(node, complaints.is_list(what))
        yield from node.value


def _line(place: yaml.Node | yaml.Event) -> int:
    return place.start_mark.line + 1 if place.start_mark else 0


def _text(node: yaml.Node) -> str:
    """A scalar as it is written, whatever YAML would make of it."""
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node, complaints.ONE_TEXT)
    return str(node.value)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None


def _plain(node: yaml.Node, what: str) -> str:
    text = _text(node)
    if len(text) > MAX_TEXT or not text.isprintable():
        raise _Wrong(node, complaints.one_line(what, str(MAX_TEXT)))
    return text


def _parsed(node: yaml.Node, parse: Callable[[str], str]) -> str:
    try:
        return parse(_text(node))
    except InvalidName as error:
        raise _Wrong(node, str(error)) from None


def _member(text: str) -> str:
    name = parse_principal(text)
    if not name.startswith(("user:", "group:")):
        raise InvalidName(complaints.no_member(name))
    return name


def _instant(node: yaml.Node, *, last: bool) -> float:
    """Seconds since the epoch; of a date its beginning, or its end if it is the `last` day."""
    text = _text(node)
    try:
        if _DATE.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), time(), tzinfo=timezone.utc)
            return (day + timedelta(days=int(last))).timestamp()
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except (ValueError, OverflowError):
        raise _Wrong(node, complaints.no_time(text[:60])) from None
    if moment.tzinfo is None:
        raise _Wrong(node, complaints.no_zone(text[:60]))
    return moment.timestamp()
