"""Links that hand a level on a resource to whoever redeems one."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, InvalidName, UnknownName
from ..policy.model import Grant, parse_name
from ..policy.vocabulary import LEVEL, Level, parse_level, parse_resource
from .grants import insert_grant, same_grant
from .model import (
    MAX_NOTE,
    Link,
    is_id,
    parse_end,
    parse_hash,
    parse_id,
    parse_text,
    parse_time,
)
from .schema import links
from .transaction import Transactions, require_person

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

#: Most times that a link may be limited to.
MAX_USES = 100_000
#: Most links of one person that hold at once: each look at links reads them all.
MOST_HELD = 1000
#: Seconds for which a link that is over is kept; the records keep all.
KEPT_OVER = 30 * 86_400.0


class Links(Transactions):
    """The operations on links. Only the hash of a secret is ever kept."""

    def add_link(
        self,
        id: str,  # noqa: A002  # why: the field's word
        secret_hash: str,
        *,
        person: str,
        level: str,
        resource: str,
        expires: float,
        now: float,
        grant_ends: float | None = None,
        uses: int | None = None,
        note: str = "",
        guests: bool = False,
    ) -> Link:
        """Keeps a link that a person has made.

        Args:
            guests: whether it also opens to whoever has not signed in.

        Raises:
            InvalidName: one of the values cannot be.
            UnknownName: there is no such person.
            DuplicateName: the id is taken, or so many links of that person hold already.
        """
        now = parse_time(now, "time")
        end = parse_end(expires, "end of the link", now=now)
        if end is None:
            raise InvalidName(mistakes.LINK_WITHOUT_END)
        if uses is not None and not 0 < uses <= MAX_USES:
            raise InvalidName(mistakes.link_uses(str(MAX_USES)))
        link = Link(
            id=parse_id(id, "link"),
            person=parse_name(person, "user name"),
            level=parse_level(level).word,
            resource=parse_resource(resource).name,
            created=now,
            expires=end,
            grant_ends=parse_end(grant_ends, "end of the grants", now=now),
            uses=uses,
            used=0,
            note=parse_text(note, "note", longest=MAX_NOTE),
            guests=guests,
        )
        if guests and (
            LEVEL[link.level] > Level.VIEWER or not link.resource.startswith("contents:/")
        ):
            raise InvalidName(mistakes.GUESTS_ONLY_LOOK)
        row = {**asdict(link), "secret_hash": parse_hash(secret_hash, "link")}
        with self._change() as connection:
            require_person(connection, link.person)
            if read_links(connection, links.c.id == link.id):
                raise DuplicateName(mistakes.id_taken("link"))
            connection.execute(delete(links).where(links.c.expires <= now - KEPT_OVER))
            held = (links.c.person == link.person) & (links.c.expires > now)
            count = select(func.count()).select_from(links).where(held)
            if connection.execute(count).scalar_one() >= MOST_HELD:
                raise DuplicateName(mistakes.too_many_links(str(MOST_HELD)))
            connection.execute(insert(links).values(row))
        return link

    def link(self, id: object) -> tuple[Link, str] | None:  # noqa: A002  # why: the field's word
        """The link with that id, also one that is over, and the hash of its secret."""
        if not is_id(id):
            return None
        with self._read() as connection:
            found = read_links(connection, links.c.id == id)
            query = select(links.c.secret_hash).where(links.c.id == id)
            return (found[0], str(connection.execute(query).scalar_one())) if found else None

    def links(self) -> tuple[Link, ...]:
        """All links, also those that are over, the oldest first."""
        with self._read() as connection:
            return read_links(connection)

    def remove_link(self, id: str) -> Link:  # noqa: A002  # why: the field's word
        """Removes a link; what it has given stays until it is taken back.

        Raises:
            UnknownName: there is none with that id.
        """
        with self._change() as connection:
            found = read_links(connection, links.c.id == id) if is_id(id) else ()
            if not found:
                raise UnknownName(mistakes.NO_LINK)
            connection.execute(delete(links).where(links.c.id == id))
        return found[0]

    def redeem_link(
        self,
        id: str,  # noqa: A002  # why: the field's word
        person: str,
        *,
        until: float = math.inf,
        now: float,
    ) -> tuple[Grant, bool]:
        """Gives a person what a link hands out; returns the grant, and whether it is new.

        Who has it already does not use the link up. Of two who redeem the last use at
        once, one is refused.

        Args:
            id: of the link.
            person: without `user:`.
            until: when the grant ends at the latest, seconds since the epoch.
            now: seconds since the epoch.

        Raises:
            UnknownName: there is no such link or person, it is over or used up.
        """
        name = parse_name(person, "user name")
        with self._change(grants=True) as connection:
            found = read_links(connection, links.c.id == id) if is_id(id) else ()
            if not found or found[0].expires <= now:
                raise UnknownName(mistakes.LINK_IS_OVER)
            link = found[0]
            ends = min(math.inf if link.grant_ends is None else link.grant_ends, until)
            grant = Grant(
                id=f"g-{secrets.token_hex(6)}",
                principal=f"user:{name}",
                level=link.level,
                resource=link.resource,
                ends=None if ends == math.inf else ends,
                granted_by=f"user:{link.person}",
                note=f"link {link.id}" + (f": {link.note}" if link.note else ""),
            )
            before = same_grant(connection, grant)
            if before is not None:
                return before, False
            if link.uses is not None and link.used >= link.uses:
                raise UnknownName(mistakes.LINK_IS_OVER)
            if ends <= now:
                raise UnknownName(mistakes.LINK_IS_OVER)
            insert_grant(connection, grant, now=now)
            used = update(links).where(links.c.id == link.id).values(used=link.used + 1)
            connection.execute(used)
        return grant, True


def read_links(
    connection: Connection, where: ColumnElement[bool] | None = None
) -> tuple[Link, ...]:
    """The links among which `where` holds, the oldest first; never their secrets."""
    query = select(*(each for each in links.c if each.name != "secret_hash")).order_by(
        links.c.created, links.c.id
    )
    if where is not None:
        query = query.where(where)
    return tuple(Link(**row) for row in connection.execute(query).mappings())
