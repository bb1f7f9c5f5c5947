"""Passwords and secrets: made, hashed, compared; never kept or shown."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from . import mistakes
from .errors import InvalidName

MIN_PASSWORD = 8
MAX_PASSWORD = 1024

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_SECRET = re.compile(r"([0-9a-f]{12})\.[A-Za-z0-9_-]{43}")
# The hash of a random text that nobody knows, with the parameters of `_hasher`: what
# a password is verified against where there is none, so that it takes as long.
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$9x2D0tG8wrna+H3QzHxPkA"
    "$WKpjxqqXnmZiMNz17e6jC7OeBfWWSp3n8btaaLQXZno"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that was just made.

    Args:
        id: its public first part, under which its hash is kept.
        text: what its owner gets to see, once.
        hash: what is kept.
    """

    id: str
    text: str = field(repr=False)
    hash: str = field(repr=False)


def check_password_rules(password: object) -> None:
    """Sees that `password` may be somebody's password.

    Length is the one rule, as NIST SP 800-63B advises; the upper bound keeps the
    work of hashing small.

    Raises:
        InvalidName: too short or long, or not text that a form can send. The message
            never shows it.
    """
    if not isinstance(password, str):
        msg = f"a password is text, not {type(password).__name__}"
        raise InvalidName(msg)
    if len(password) < MIN_PASSWORD:
        raise InvalidName(mistakes.password_short(str(MIN_PASSWORD)))
    if len(password) > MAX_PASSWORD:
        raise InvalidName(mistakes.password_long(str(MAX_PASSWORD)))
    if "\0" in password or _encoded(password) is None:
        raise InvalidName(mistakes.PASSWORD_UNTYPED)


def hash_password(password: str) -> str:
    """The argon2id hash of `password`, with the low-memory profile of RFC 9106.

    Raises:
        InvalidName: it is not text, or not valid Unicode.
    """
    encoded = _encoded(password)
    if encoded is None:
        raise InvalidName(mistakes.PASSWORD_NOT_UNICODE)
    return _hasher.hash(encoded)


def verify_password(hash: str | None, password: object) -> bool:  # noqa: A002  # why: the word for it
    """Whether `password` is the one that was hashed; never raises.

    Args:
        hash: None where there is no such person, or they have no password. It takes
            as long as a wrong password, so that nobody learns which names exist.
        password: whatever a client sent.
    """
    encoded = _encoded(password)
    # What cannot have been set is refused before any work is done for it.
    if encoded is None or len(encoded) > 4 * MAX_PASSWORD:
        return False
    try:
        _hasher.verify(_NOBODY if hash is None else hash, encoded)
    except (VerificationError, InvalidHashError, UnicodeError):
        return False
    return hash is not None


def needs_rehash(hash: str) -> bool:  # noqa: A002  # why: the word for it
    """Whether `hash` was made with other parameters than today's."""
    try:
        return _hasher.check_needs_rehash(hash)
    except InvalidHashError:
        return True


def new_secret() -> Secret:
    """A new secret for a token, a login session or a set-up link: 256 random bits.

    That many cannot be guessed, so a fast hash is enough to keep it by.
    """
    id_ = secrets.token_hex(6)
    text = f"{id_}.{secrets.token_urlsafe(32)}"
    return Secret(id=id_, text=text, hash=hashlib.sha256(text.encode()).hexdigest())


def split_secret(text: object) -> str | None:
    """The id in a secret's text; None where it cannot be a secret of ours."""
    found = _SECRET.fullmatch(text) if isinstance(text, str) else None
    return found[1] if found else None


def secret_matches(text: object, hash: object) -> bool:  # noqa: A002  # why: the word for it
    """Whether `hash` was made from `text`, in constant time; never raises."""
    encoded, expected = _encoded(text), _encoded(hash)
    if encoded is None or expected is None:
        return False
    made = hashlib.sha256(encoded).hexdigest().encode()
    return hmac.compare_digest(made, expected)


def _encoded(text: object) -> bytes | None:
    """`text` in UTF-8; None for what is no text or holds half a character."""
    if not isinstance(text, str):
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None
