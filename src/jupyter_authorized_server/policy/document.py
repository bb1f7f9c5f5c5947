"""Policy files read as text: statements of rules, and people, groups and grants as code.

Pure: whoever calls has read the disk. Every mistake of every file is collected, so
that one start shows them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import complaints
from ..errors import InvalidName, Mistake
from .roster import GroupEntry, PersonEntry, read_roster
from .statement import Statement, split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .model import Grant

#: Largest policy file, in bytes.
MAX_FILE = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The content of one policy file.

    Args:
        source: the name to show in messages; its ending says what is in it,
            `.cedar` for rules and `.yaml` or `.yml` for people, groups and grants.
        text: the content; bytes are UTF-8.
    """

    source: str
    text: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What all policy files say together, before Cedar has seen the rules."""

    statements: tuple[Statement, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    groups: tuple[GroupEntry, ...] = ()
    grants: tuple[Grant, ...] = ()


def read_document(files: Sequence[PolicyFile]) -> tuple[Document, list[Mistake]]:
    """What the files say, and every mistake in them.

    What a mistake is in is left out of the document, so that the rest can be
    checked too; nobody may enforce a document that came with mistakes.
    """
    statements: list[Statement] = []
    people: list[PersonEntry] = []
    groups: list[GroupEntry] = []
    grants: list[Grant] = []
    mistakes: list[Mistake] = []
    for file in files:
        try:
            text = _text(file)
        except InvalidName as error:
            line = _line_of_nul(file) if str(error) == complaints.FILE_NUL else 0
            mistakes.append(Mistake(source=file.source, line=line, message=str(error)))
            continue
        if file.source.endswith(".cedar"):
            found, wrong = split(file.source, text)
            statements += found
            mistakes += wrong
        else:
            roster, wrong = read_roster(file.source, text)
            people += roster.people
            groups += roster.groups
            grants += roster.grants
            mistakes += wrong
    mistakes += _repeated(people, "person", lambda entry: entry.name)
    mistakes += _repeated(groups, "group", lambda entry: entry.name)
    mistakes += _circles(groups)
    document = Document(
        statements=tuple(statements),
        people=tuple(people),
        groups=tuple(groups),
        grants=tuple(grants),
    )
    return document, mistakes


def _text(file: PolicyFile) -> str:
    if not file.source.endswith((".cedar", ".yaml", ".yml")):
        raise InvalidName(complaints.FILE_NAME)
    if len(file.text) > MAX_FILE:
        raise InvalidName(complaints.file_long(str(len(file.text)), str(MAX_FILE)))
    try:
        text = file.text.decode() if isinstance(file.text, bytes) else file.text
        text.encode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise InvalidName(complaints.file_not_utf8(error.reason)) from None
    if "\0" in text:
        raise InvalidName(complaints.FILE_NUL)
    return text.removeprefix("\ufeff")


def _line_of_nul(file: PolicyFile) -> int:
    text = file.text.decode() if isinstance(file.text, bytes) else file.text
    return text.partition("\0")[0].count("\n") + 1


def _circles(groups: Sequence[GroupEntry]) -> list[Mistake]:
    """Each group that is in itself, at its place."""
    below = {each.name: [m for m in each.members if m.startswith("group:")] for each in groups}
    mistakes = []
    for entry in groups:
        reached: set[str] = set()
        ahead = list(below[entry.name])
        while ahead:
            member = ahead.pop()
            if member not in reached:
                reached.add(member)
                ahead += below.get(member.removeprefix("group:"), ())
        if f"group:{entry.name}" in reached:
            message = complaints.group_in_itself(entry.name)
            mistakes.append(Mistake(source=entry.source, line=entry.line, message=message))
    return mistakes


def _repeated(
    entries: Sequence[PersonEntry] | Sequence[GroupEntry],
    what: str,
    name: Callable[..., str],
) -> list[Mistake]:
    first: dict[str, str] = {}
    mistakes = []
    for entry in entries:
        before = first.setdefault(name(entry), entry.place)
        if before != entry.place:
            message = complaints.twice(what, name(entry), before)
            mistakes.append(Mistake(source=entry.source, line=entry.line, message=message))
    return mistakes
