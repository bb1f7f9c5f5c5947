"""What the commands write: tables for people, JSON for programs.

Names are hostile: whatever a person, a file or a client wrote is shown with its
unseen characters escaped, and never read as markup.
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterable, Sequence

#: Longest text of others that is shown, in characters.
MAX_SHOWN = 500


def printable(text: object, most: int = MAX_SHOWN) -> str:
    """`text` without what could drive a terminal or hide in it, and not too long."""
    whole = str(text)
    shown = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in whole[:most])
    return shown if len(whole) <= most else shown + "…"


def why(error: Exception) -> str:
    """What went wrong with a file, without its name and the system's number for it."""
    return str(error.strerror if isinstance(error, OSError) else error)


def argument(name: str) -> str:
    """`name` as it stands in a command that is to be copied, whatever a shell reads in it."""
    return f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)


def say(text: str) -> None:
    """One line of an answer; what others wrote in it is escaped."""
    click.echo(printable(text, 4 * MAX_SHOWN))


def note(text: str) -> None:
    """One line beside the answer, on standard error."""
    click.echo(printable(text, 4 * MAX_SHOWN), err=True)


def progress(length: int, of: str, stack: contextlib.ExitStack) -> Any:
    """A bar that shows how far it is, beside the answer; None where nobody sees it.

    Args:
        length: how much there is in all.
        of: what it counts.
        stack: at whose end it ends.
    """
    if not sys.stderr.isatty():
        return None
    bar = click.progressbar(length=length, label=of, file=sys.stderr)
    return stack.enter_context(bar)


def write_json(value: object) -> None:
    """`value` for a program: ASCII only, so that no name can break the reader's decoding."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table: drawn on a terminal, elsewhere aligned columns with nothing cut.

    Args:
        columns: the heads.
        rows: the cells; None is shown as nothing.
        empty: what is said where there are no rows.
    """
    cells = [["" if cell is None else printable(cell) for cell in row] for row in rows]
    if not cells:
        note(empty)
    elif sys.stdout.isatty():
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
    else:
        every = [[column.upper() for column in columns], *cells]
        widths = [max(cell_len(row[at]) for row in every) for at in range(len(columns))]
        for row in every:
            line = "  ".join(
                cell + " " * (width - cell_len(cell))
                for cell, width in zip(row, widths, strict=True)
            )
            click.echo(line.rstrip())
