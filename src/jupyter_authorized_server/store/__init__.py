"""What is kept: people, groups, grants, tokens, login sessions, and their revision."""

from __future__ import annotations

from .kept_acts import KeptAct
from .model import (
    Group,
    Guest,
    Link,
    LoginSession,
    Move,
    Orphan,
    Owner,
    Person,
    State,
    Token,
    Wanted,
    Wish,
    WishState,
)
from .sqlite import file_of
from .store import Store

__all__ = [
    "Group",
    "Guest",
    "KeptAct",
    "Link",
    "LoginSession",
    "Move",
    "Orphan",
    "Owner",
    "Person",
    "State",
    "Store",
    "Token",
    "Wanted",
    "Wish",
    "WishState",
    "file_of",
]
