"""What the pages of the documentation have a reader type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of a page, and what the page says that it prints."""

    command: str
    prints: str


def steps(page: Path) -> list[Step]:
    """The commands in the console blocks of `page`, in order."""
    found = []
    for block in re.findall(
        r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, prints = part.partition("\n")
            found.append(Step(command=command, prints=prints.strip()))
    return found
