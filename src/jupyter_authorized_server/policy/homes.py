"""Homes: the folder that each person has for themselves.

A home is a rule and no row of the store, so nobody can take it away or lose it: its
owner is its manager, and what was granted above it does not reach into it, save `admin`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import complaints
from ..errors import UnsafePath
from . import paths

#: The last component of the setting, which a person's name takes the place of.
USER = "{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Where homes are.

    Args:
        folder: canonical contents path of the folder that all homes are in.
    """

    folder: str

    @classmethod
    def parse(cls, text: str) -> Homes:
        """The homes written `text`, such as `home/{user}`.

        Raises:
            UnsafePath: it is no folder below the contents root with `/{user}` after it.
        """
        folder, _, last = text.strip("/").rpartition("/")
        parts = paths.components(folder)
        if last != USER or not parts or any("{" in part or part[0] == "." for part in parts):
            raise UnsafePath(complaints.homes(USER))
        return cls(folder=paths.canonical(folder))

    @property
    def wall(self) -> str:
        """The resource that no grant on it, or above it, reaches past into a home."""
        return f"contents:{self.folder}"

    def of(self, principal: str) -> str | None:
        """Canonical contents path of a person's home.

        None for whoever is no person, or has a name that no visible folder can have.
        """
        kind, _, name = principal.partition(":")
        if kind != "user" or name.startswith("."):
            return None
        home = f"{self.folder}/{name}"
        try:
            return home if paths.canonical(home) == home else None
        except UnsafePath:
            return None
