"""Guests: the browsers that have opened a link without signing in."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, UnknownName
from .links import read_links
from .model import (
    MAX_ADDRESS,
    MAX_AGENT,
    Guest,
    is_id,
    parse_hash,
    parse_id,
    parse_time,
    recorded,
)
from .schema import guests, links
from .transaction import Transactions

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

#: Browsers that one link is open in at once, at most.
MOST = 1000


class Guests(Transactions):
    """The operations on guests. Only the hash of a secret is ever kept.

    None is a change that the revision counts, since whoever has a link could else have
    every server read everything anew, all the time: a guest is looked for at each request.
    """

    def open_link(
        self,
        link: str,
        *,
        id: str,  # noqa: A002  # why: the field's word
        secret_hash: str,
        expires: float,
        address: str,
        agent: str,
        now: float,
    ) -> Guest:
        """Keeps a guest who has just opened a link, which uses it once.

        Of two who open the last use at once, one is refused. Address and agent are the
        client's words: cut and cleaned, never refused.

        Args:
            link: its id.
            id: the public part of the guest's secret.
            secret_hash: of that secret.
            expires: until when at most, seconds since the epoch; no guest outlasts the link.
            address: the client's IP address.
            agent: what the browser calls itself.
            now: seconds since the epoch.

        Raises:
            InvalidName: one of the values cannot be.
            UnknownName: there is no such link for guests, it is over, used up, or open in
                as many browsers as may be.
            DuplicateName: the id is taken.
        """
        now = parse_time(now, "time")
        secret_hash = parse_hash(secret_hash, "guest")
        with self._write() as connection:
            found = read_links(connection, links.c.id == link) if is_id(link) else ()
            if not found or not found[0].guests:
                raise UnknownName(mistakes.LINK_IS_OVER)
            its = found[0]
            ends = math.inf if its.grant_ends is None else its.grant_ends
            guest = Guest(
                id=parse_id(id, "guest"),
                link=its.id,
                created=now,
                expires=min(parse_time(expires, "end"), its.expires, ends),
                address=recorded(address, longest=MAX_ADDRESS),
                agent=recorded(agent, longest=MAX_AGENT),
            )
            if guest.expires <= now or (its.uses is not None and its.used >= its.uses):
                raise UnknownName(mistakes.LINK_IS_OVER)
            if _read(connection, guest.id) is not None:
                raise DuplicateName(mistakes.id_taken("guest"))
            connection.execute(delete(guests).where(guests.c.expires <= now))
            held = select(func.count()).select_from(guests).where(guests.c.link == its.id)
            if connection.execute(held).scalar_one() >= MOST:
                raise UnknownName(mistakes.LINK_IS_OVER)
            connection.execute(
                insert(guests).values({**asdict(guest), "secret_hash": secret_hash})
            )
            used = update(links).where(links.c.id == its.id).values(used=its.used + 1)
            connection.execute(used)
        return guest

    def guest(self, id: object) -> tuple[Guest, str] | None:  # noqa: A002  # why: the field's word
        """The guest with that id, also one whose time is over, and the hash of the secret.

        None for an id that is unknown or can be none, so that whatever a client sent
        may be asked for.
        """
        if not is_id(id):
            return None
        with self._read() as connection:
            return _read(connection, str(id))

    def end_guest(self, id: object) -> bool:  # noqa: A002  # why: the field's word
        """Ends one guest's time; returns whether there was such a guest."""
        if not is_id(id):
            return False
        with self._write() as connection:
            gone = connection.execute(delete(guests).where(guests.c.id == id))
            return bool(gone.rowcount)


def _read(connection: Connection, id_: str) -> tuple[Guest, str] | None:
    row = connection.execute(select(guests).where(guests.c.id == id_)).mappings().first()
    if row is None:
        return None
    fields = {name: value for name, value in row.items() if name != "secret_hash"}
    return Guest(**fields), str(row["secret_hash"])
