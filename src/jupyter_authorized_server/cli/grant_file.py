"""`grants give`: what a file says, given at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .. import acts
from ..errors import ConfigurationError, InvalidName
from ..store import Wanted
from .desk import actor
from .output import printable, say, why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from .desk import Desk

#: What a line may say: the fields of `Wanted`, with moments written as for `grant`.
_TEXTS = frozenset({"principal", "level", "resource", "from", "until", "note"})
_NEEDED = frozenset({"principal", "level", "resource"})


@click.command()
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.pass_obj
def give(desk: Desk, *, file: TextIO) -> None:
    """Give all the levels that FILE says, one JSON object a line; `-` is standard input.

    All of them or, where one is wrong, none.
    What a grant says already is not given again, so the same file may be given twice.
    A line has `principal`, `level` and `resource`, and may have `from`, `until`, `note` and
    `uses`, as `jupyter authz grant` has them.

    Example: `jupyter authz grants give class.jsonl`
    """
    try:
        wanted = tuple(_wanted(desk, file))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"`{printable(file.name, 200)}` cannot be read: {why(error)}"
        raise ConfigurationError(msg) from error
    with desk.change() as change:
        given, new = change.store.add_grants(wanted, now=desk.now, granted_by=actor())
        for each, said in zip(given, wanted, strict=True):
            if each.id in new:
                change.record(*acts.given(each, uses=said.uses))
    before = len({each.id for each in given} - new)
    say(f"{len(new)} given" + (f", {before} more were given already" if before else ""))


def _wanted(desk: Desk, lines: TextIO) -> Iterator[Wanted]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _read(desk, line)
            except InvalidName as error:
                msg = f"line {number}: {error}"
                raise InvalidName(msg) from None


def _read(desk: Desk, line: str) -> Wanted:
    """What one line wants given.

    Raises:
        InvalidName: it says nothing that can be given.
    """
    try:
        said: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        said = {}
    if not isinstance(said, dict) or not said.keys() >= _NEEDED:
        msg = "write a JSON object with `principal`, `level` and `resource`"
        raise InvalidName(msg)
    unknown = sorted(said.keys() - _TEXTS - {"uses"})
    if unknown:
        msg = f"`{printable(unknown[0], 40)}` says nothing here; leave it out"
        raise InvalidName(msg)
    uses = said.pop("uses", None)
    texts = {name: text for name, text in said.items() if text is not None}
    if not all(isinstance(text, str) for text in texts.values()):
        msg = "all but `uses` are texts; put them in quotation marks"
        raise InvalidName(msg)
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int)):
        msg = "`uses` is a whole number"
        raise InvalidName(msg)
    return Wanted(
        principal=texts.get("principal", ""),
        level=texts.get("level", ""),
        resource=texts.get("resource", ""),
        starts=desk.moment(texts.get("from")),
        ends=desk.moment(texts.get("until"), last=True),
        note=texts.get("note", ""),
        uses=uses,
    )
