"""The one-time link with which the first administrator is made."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from .. import mistakes
from ..errors import UnknownName
from ..policy.model import Grant
from ..policy.vocabulary import Level
from .grants import insert_grant
from .model import parse_hash, parse_time
from .people import insert_person, person_row
from .schema import people, setup_link
from .transaction import Transactions

if TYPE_CHECKING:
    from .model import Person

_NO_LINK = "this set-up link is not valid, or no longer; restart the server for a new one"


class SetupLink(Transactions):
    """The operations on the set-up link. Only the hash of its secret is ever kept."""

    def set_setup_link(self, secret_hash: str, expires: float) -> None:
        """Makes this the one link that counts."""
        row = {
            "id": 1,
            "secret_hash": parse_hash(secret_hash, "set-up link"),
            "expires": parse_time(expires, "end of the set-up link"),
        }
        with self._change() as connection:
            connection.execute(delete(setup_link))
            connection.execute(insert(setup_link).values(row))

    def setup_link(self) -> tuple[str, float] | None:
        """The hash of the link's secret, and when it ends; None where there is no link."""
        with self._read() as connection:
            query = select(setup_link.c.secret_hash, setup_link.c.expires)
            found = connection.execute(query).first()
        return None if found is None else (found.secret_hash, found.expires)

    def complete_setup(
        self, secret_hash: str, *, name: str, display_name: str, password_hash: str, now: float
    ) -> Person:
        """Makes the first person, and administrator, whoever holds the link.

        All of it in one transaction: of two who open the link at once, one is the
        administrator and the other is refused.

        Raises:
            UnknownName: not the link, an expired one, or there is somebody already.
            InvalidName: the name, display name or hash cannot be.
        """
        secret_hash = parse_hash(secret_hash, "set-up link")
        password_hash = parse_hash(password_hash, "password")
        now = parse_time(now, "time")
        row = person_row(name, display_name=display_name, password_hash=password_hash, now=now)
        with self._change(people=True, grants=True) as connection:
            query = select(setup_link.c.secret_hash, setup_link.c.expires)
            link = connection.execute(query).first()
            if link is None or not hmac.compare_digest(link.secret_hash, secret_hash):
                raise UnknownName(_NO_LINK)
            if link.expires <= now:
                raise UnknownName(_NO_LINK)
            if connection.execute(select(people.c.name).limit(1)).first() is not None:
                raise UnknownName(mistakes.SET_UP_ALREADY)
            person = insert_person(connection, row)
            grant = Grant(
                id=f"g-{secrets.token_hex(6)}",
                principal=f"user:{person.name}",
                level=Level.ADMIN.word,
                resource="server:",
                granted_by=f"user:{person.name}",
                note="first administrator, through the set-up link",
            )
            insert_grant(connection, grant, now=now)
            connection.execute(delete(setup_link))
        return person
