"""What is kept: people, groups, grants, tokens, login sessions, and their revision."""

from __future__ import annotations

from .journals import chain_name
from .model import Group, LoginSession, Move, Orphan, Person, State, Token
from .store import Store

__all__ = [
    "Group",
    "LoginSession",
    "Move",
    "Orphan",
    "Person",
    "State",
    "Store",
    "Token",
    "chain_name",
]
