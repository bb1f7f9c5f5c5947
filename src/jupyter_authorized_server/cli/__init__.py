"""Administration from a terminal: `jupyter authz …` (PAP)."""

from __future__ import annotations

from .program import main

__all__ = ["main"]
