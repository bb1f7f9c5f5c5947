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


def blocks(page: Path, kind: str) -> list[str]:
    """What is in the blocks of that kind in `page`, in order."""
    shown = rf"^```{kind}\n(.*?)^```$"
    return re.findall(shown, page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def steps(page: Path) -> list[Step]:
    """The commands in the console blocks of `page`, in order."""
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, prints = part.partition("\n")
            found.append(Step(command=command, prints=prints.strip()))
    return found
