"""What is asked: one table of routes per extension (PIP)."""

from __future__ import annotations

from . import apps, core, extensions, git, lab, nbdime, others, ours, rooms
from .call import Call
from .table import Asks, Public, Question, Route, Surface, Unanswerable

__all__ = ["SURFACE", "Asks", "Call", "Public", "Question", "Route", "Surface", "Unanswerable"]

#: Every route that this release names.
SURFACE = Surface(
    (
        *core.ROUTES,
        *lab.ROUTES,
        *apps.ROUTES,
        *extensions.ROUTES,
        *git.ROUTES,
        *nbdime.ROUTES,
        *others.ROUTES,
        *rooms.ROUTES,
        *ours.ROUTES,
    ),
)
