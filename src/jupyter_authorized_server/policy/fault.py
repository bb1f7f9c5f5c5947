"""Where in a statement a complaint is about something: neither Cedar's parser nor its
validator tells a line.

A parser that reads from left to right complains of what it cannot go on with, so the first
beginning of the statement that it refuses for another reason than that it ends is the place.
Any other complaint quotes what it is about, and is where that stands first; one of the
validator that quotes nothing is about the first clause without which it is not made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import cedar
from .statement import spans_of_tokens

if TYPE_CHECKING:
    from .statement import Statement

#: What Cedar says of a statement that is not at its end.
_UNENDED = "unexpected end of input"
_QUOTED = re.compile(r"`([^`]+)`|'([^']+)'|: @?(\w+)$")
_NUMBER = re.compile(r"(?<!\w)\d+(?!\w)")
_MOST = 2**63 - 1
_CLAUSES = frozenset({"when", "unless"})
_AGAIN = "duplicate annotation: "


def line_of(statement: Statement, complaint: str) -> int:
    """The line of what `complaint` is about; the statement's own where that cannot be told.

    Call it inside `cedar.with_room`.
    """
    text = statement.text
    place = _unreadable(text)
    if place is None:
        place = _quoted(text, complaint)
    if place is None:
        place = _unsound(text)
    return statement.line + text[:place].count("\n")


def _unreadable(text: str) -> int | None:
    """Where the parser cannot go on; None where it can read to the end."""
    tokens = spans_of_tokens(text)
    if not _is_refused(text):
        return None
    least, most = 0, len(tokens) - 1
    while least < most:
        middle = (least + most) // 2
        if _is_refused(text[: tokens[middle][1]]):
            most = middle
        else:
            least = middle + 1
    # What is refused only as a whole is not a matter of its last sign.
    begin, end = tokens[least]
    is_last = least == len(tokens) - 1
    return None if is_last and text[begin:end] not in _complaint(text) else begin


def _is_refused(text: str) -> bool:
    return _complaint(text) not in {"", _UNENDED}


def _complaint(text: str) -> str:
    try:
        cedar.parse(text)
    except ValueError as error:
        return str(error)
    return ""


def _unsound(text: str) -> int:
    """The beginning of the first clause that the schema refuses; else of the statement."""
    clauses = [begin for begin, end in spans_of_tokens(text) if text[begin:end] in _CLAUSES]
    for begin, after in zip(clauses, (*clauses, len(text))[1:], strict=True):
        if not _complaint(whole := f"{text[:after].rstrip(';')};") and cedar.validate(whole):
            return begin
    return 0


def _quoted(text: str, complaint: str) -> int | None:
    if complaint.startswith(_AGAIN):
        return max(text.rfind(complaint.removeprefix(_AGAIN)), 0)
    if "too large" in complaint:
        return next((each.start() for each in _NUMBER.finditer(text) if int(each[0]) > _MOST), 0)
    for match in _QUOTED.finditer(complaint):
        words = next(filter(None, match.groups()))
        # As a word of its own, wherever it begins and ends with a letter.
        found = re.search(rf"(?<!\w)(?:{re.escape(words)})(?!\w)", text)
        place = text.find(words) if found is None else found.start()
        if place >= 0:
            return place
    return None
