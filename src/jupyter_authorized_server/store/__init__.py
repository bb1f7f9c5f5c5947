"""What is kept: people, groups, grants, tokens, login sessions, and their revision."""

from __future__ import annotations

from .model import Group, LoginSession, Person, State, Token
from .store import Store

__all__ = ["Group", "LoginSession", "Person", "State", "Store", "Token"]
