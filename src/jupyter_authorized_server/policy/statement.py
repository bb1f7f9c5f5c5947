"""Cedar text taken apart into statements, each with its line and a safe depth.

Cedar's own parser gives no positions and recurses with the nesting of its input: a
few hundred parentheses end the whole process. So nothing reaches it that has not
come through `split` here, which works on tokens and never recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import complaints
from ..errors import Mistake

#: Deepest nesting of brackets in one statement.
MAX_BRACKETS = 20
#: Longest chain of operators, clauses and brackets around one value.
MAX_DEPTH = 80
#: Longest statement, in characters.
MAX_STATEMENT = 65_536

# A comment ends where Cedar's lexer ends it: at a line feed or a carriage return.
_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|//[^\n\r]*)
    | (?P<text>"[^"\\]*(?:\\[^\n\r][^"\\]*)*")
    | (?P<word>[A-Za-z_0-9]+)
    | (?P<mark>&&|\|\||::|[<>=!]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
# What may go over several lines.
_LONG = frozenset({"blank", "text"})
_CLOSES = {")": "(", "]": "[", "}": "{"}
# What chains values into one tree that grows with every link.
_LINKS = frozenset({"&&", "||", "+", "-", "*", "if", "when", "unless"})
# What wraps or reaches into one value.
_WRAPS = frozenset({"!", ".", "has", "in", "is", "like", "==", "!=", "<", "<=", ">", ">=", "="})
# Any other token leaves the depth as it is.
_COUNTED = _LINKS | _WRAPS | {",", *_CLOSES, *_CLOSES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One Cedar statement of a policy file.

    Args:
        source: the file's name.
        line: where it starts, counted from 1.
        text: as written, without comments.
    """

    source: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """`FILE:LINE`."""
        return f"{self.source}:{self.line}"


class _Frame:
    """What one open bracket holds: the element under way and the deepest one done."""

    __slots__ = ("child", "done", "links", "operand", "wraps")

    def __init__(self) -> None:
        self.links = self.operand = self.wraps = self.child = self.done = 0

    @property
    def depth(self) -> int:
        """No value of the current element lies deeper than this."""
        return self.links + self.wraps + self.child

    def add(self, part: str) -> None:
        """Count one token that is no bracket."""
        if part == ",":
            self.done = max(self.done, self.depth)
            self.links = self.operand = self.wraps = self.child = 0
        elif part in _LINKS:
            self.links += 1
            self.operand = 0
        elif part in _WRAPS:
            self.operand += 1
            self.wraps = max(self.wraps, self.operand)


class _Depth:
    """An upper bound of how deep a parser or evaluator goes, kept token by token.

    Closing a bracket makes all that was in it one child of the frame around it.
    """

    def __init__(self) -> None:
        #: The brackets that are open, with their lines.
        self.opened: list[tuple[str, int]] = []
        #: Of the last complaint, where it is not that of what was added.
        self.line = 0
        self._frames = [_Frame()]

    def add(self, part: str, line: int) -> str:
        """Count `part`, which stands in `line`; a complaint, or nothing."""
        if part not in _COUNTED:
            return ""
        if part in {"(", "[", "{"}:
            self.opened.append((part, line))
            self._frames.append(_Frame())
            if len(self.opened) > MAX_BRACKETS:
                return complaints.brackets(str(MAX_BRACKETS))
        elif part in _CLOSES:
            if not self.opened:
                return complaints.closes_nothing(part)
            opened, self.line = self.opened.pop()
            if opened != _CLOSES[part]:
                return complaints.unclosed(opened)
            self.line = 0
            inner = self._frames.pop()
            frame = self._frames[-1]
            frame.child = max(frame.child, 1 + max(inner.done, inner.depth))
            if part == "]":  # an index reaches into a value
                frame.add(".")
        else:
            self._frames[-1].add(part)
        if self._frames[-1].depth > MAX_DEPTH:
            return complaints.long_chain(str(MAX_DEPTH))
        return ""


class _Pending:
    """The statement under way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.line = 0
        self._parts: list[str] = []
        self._size = 0
        self._depth = _Depth()
        self._complaint = ""
        #: Where the complaint is about something, and where the last token was.
        self._place = self._last = 0
        #: The line of the first text that goes over several, since hardly one is meant to.
        self.long_text = 0

    def add_blank(self, blank: str) -> None:
        """Keep white space for the reader; a comment becomes one space."""
        if self.line:
            self._parts.append(" " if blank.startswith("//") else blank)

    def add(self, part: str, *, line: int) -> None:
        """Take one token that starts in `line`."""
        self.line = self.line or line
        self._parts.append(part)
        self._size += len(part)
        self._last = line
        if part[0] == '"' and "\n" in part:
            self.long_text = self.long_text or line
        if self._complaint:
            return
        self._complaint = self._depth.add(part, line)
        self._place = self._depth.line or line
        if self._size > MAX_STATEMENT:
            self._complaint, self._place = complaints.statement_long(str(MAX_STATEMENT)), line

    def end(self, complaint: str = "") -> Statement | Mistake:
        """What it comes to."""
        place = self._place if self._complaint else self._last
        complaint = self._complaint or complaint
        if not self._complaint and self._depth.opened:
            opened, place = self._depth.opened[-1]
            complaint = complaints.unclosed(opened)
        if complaint:
            return Mistake(source=self.source, line=place, message=complaint)
        return Statement(source=self.source, line=self.line, text="".join(self._parts))


def split(source: str, text: str) -> tuple[list[Statement], list[Mistake]]:
    """The statements of a policy file, and what is wrong with those left out."""
    ended: list[Statement | Mistake] = []
    line = 1
    pending = _Pending(source)
    for match in _TOKEN.finditer(text):
        part, kind = match.group(), match.lastgroup
        if kind == "blank":
            pending.add_blank(part)
        elif part == '"':
            # Invariant: nothing after an unclosed text can be told apart, so all is left out.
            begun = pending.long_text or line
            ended.append(Mistake(source=source, line=begun, message=complaints.TEXT_UNCLOSED))
            pending = _Pending(source)
            break
        else:
            pending.add(part, line=line)
            if part == ";":
                ended.append(pending.end())
                pending = _Pending(source)
        if kind in _LONG:
            line += part.count("\n")
    if pending.line:
        ended.append(pending.end(complaints.NO_SEMICOLON))
    return (
        [each for each in ended if isinstance(each, Statement)],
        [each for each in ended if isinstance(each, Mistake)],
    )


def spans_of_tokens(text: str) -> list[tuple[int, int]]:
    """Where each token of a statement's text begins and ends, but for what is blank."""
    return [match.span() for match in _TOKEN.finditer(text) if match.lastgroup != "blank"]
