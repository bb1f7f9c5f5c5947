"""Which file a grant was given on: grants follow the file, and end with it.

A grant stands on a path. What was at the path is kept beside it, so that another file
of the same name does not inherit it; a grant whose file is gone becomes an orphan,
which counts for nothing until somebody adopts it.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, select, update

from .. import mistakes
from ..errors import UnknownName
from .grants import as_grant, read_grants
from .model import Move, Orphan, is_id, parse_time
from .schema import files, grants, moves, orphans
from .standing import at, drop_standing, move_standing, within
from .transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

    from ..policy.model import Grant

_KEPT = ("id", "person", "group_name", "level", "resource", "starts", "ends", "granted_by", "note")


class Files(Transactions):
    """The operations on what grants know of their files.

    A path here is a canonical contents path; `root` says under which contents root, so
    that a root that was restored from a backup is a new one, of which nothing is known.
    """

    def identities(self, root: str) -> dict[str, str]:
        """By path, which file was there when last looked."""
        with self._read() as connection:
            query = select(files.c.path, files.c.identity).where(files.c.root == root)
            return {row.path: row.identity for row in connection.execute(query)}

    def identify(self, root: str, found: Mapping[str, str | None]) -> None:
        """Notes which file is at each path, None for no longer any; no counted change."""
        with self._write() as connection:
            for path, identity in found.items():
                _forget(connection, (files.c.root == root) & (files.c.path == path))
                if identity is not None:
                    row = {"root": root, "path": path, "identity": identity}
                    connection.execute(insert(files).values(row))

    def begin_move(self, root: str, old: str, new: str | None, identity: str, now: float) -> Move:
        """Notes that a file is about to move, or with `new` None to be deleted.

        Whoever finds the note later knows that the grants may not be where the file is.
        """
        move = Move(
            id=secrets.token_hex(8), root=root, old=old, new=new, identity=identity,
            begun=parse_time(now, "time"),
        )  # fmt: skip
        with self._write() as connection:
            connection.execute(insert(moves).values(asdict(move)))
        return move

    def moves(self) -> tuple[Move, ...]:
        """Those that were begun and not ended."""
        with self._read() as connection:
            rows = connection.execute(select(moves).order_by(moves.c.begun)).mappings()
            return tuple(Move(**row) for row in rows)

    def end_move(self, move: Move, *, done: bool) -> tuple[Grant, ...]:
        """Takes the grants on a file, and on all in it, to where it is now.

        Args:
            done: whether it moved; if not, the note alone goes.

        Returns:
            The grants that were on the way, as they were before.
        """
        if not done:
            with self._write() as connection:
                connection.execute(delete(moves).where(moves.c.id == move.id))
            return ()
        with self._change(grants=True) as connection:
            connection.execute(delete(moves).where(moves.c.id == move.id))
            return _move(connection, move)

    def lose(self, root: str, paths: Iterable[str], now: float) -> tuple[Grant, ...]:
        """Makes orphans of the grants on each path whose file is gone."""
        now = parse_time(now, "time")
        lost: list[Grant] = []
        with self._change(grants=True) as connection:
            for path in paths:
                drop_standing(connection, path, now=now)
                here = (files.c.root == root) & (files.c.path == path)
                identity = connection.execute(select(files.c.identity).where(here)).scalar()
                if identity is None:
                    continue
                on = grants.c.resource == f"contents:{path}"
                lost += read_grants(connection, where=on)
                query = select(*(grants.c[name] for name in _KEPT)).where(on)
                for row in connection.execute(query).mappings().all():
                    kept = {**row, "root": root, "identity": identity, "lost": now}
                    connection.execute(insert(orphans).values(kept))
                connection.execute(delete(grants).where(on))
                _forget(connection, here)
        return tuple(lost)

    def orphans(self) -> tuple[Orphan, ...]:
        """The grants whose file is gone, in the order in which that was noticed."""
        with self._read() as connection:
            return _orphans(connection)

    def adopt(self, id: str, now: float) -> Grant:  # noqa: A002  # why: the field's word
        """Makes an orphan count again, on whatever is at its path now.

        Raises:
            UnknownName: there is none with that id.
        """
        return self.found_again({id: None}, now)[0]

    def found_again(self, places: Mapping[str, str | None], now: float) -> tuple[Grant, ...]:
        """Makes orphans count again, each on the path that is given, or on its own.

        Raises:
            UnknownName: there is none with one of the ids.
        """
        now = parse_time(now, "time")
        with self._change(grants=True) as connection:
            for id_, path in places.items():
                query = select(*(orphans.c[name] for name in _KEPT)).where(orphans.c.id == id_)
                row = connection.execute(query).mappings().first() if is_id(id_) else None
                if row is None:
                    raise _no_orphan()
                there = row["resource"] if path is None else f"contents:{path}"
                connection.execute(
                    insert(grants).values({**row, "resource": there, "created": now})
                )
                connection.execute(delete(orphans).where(orphans.c.id == id_))
            ids = grants.c.id.in_(list(places))
            return read_grants(connection, where=ids)

    def remove_orphan(self, id: str) -> Orphan:  # noqa: A002  # why: the field's word
        """Takes an orphan back for good; returns what it was.

        Raises:
            UnknownName: there is none with that id.
        """
        with self._write() as connection:
            found = [each for each in _orphans(connection) if each.grant.id == id]
            if not found:
                raise _no_orphan()
            connection.execute(delete(orphans).where(orphans.c.id == id))
        return found[0]


def _no_orphan() -> UnknownName:
    return UnknownName(mistakes.NO_ORPHAN)


def _forget(connection: Connection, which: ColumnElement[bool]) -> None:
    connection.execute(delete(files).where(which))


def _move(connection: Connection, move: Move) -> tuple[Grant, ...]:
    on = within(grants.c.resource, move.old, "contents:")
    found = read_grants(connection, where=on)
    own = files.c.root == move.root
    if move.new is None:
        connection.execute(delete(grants).where(on))
        drop_standing(connection, move.old, now=move.begun, below=True)
        _forget(connection, and_(own, within(files.c.path, move.old)))
        return found
    # What was noted of the new place was of a file that is no longer there.
    _forget(connection, and_(own, within(files.c.path, move.new)))
    there = at(grants.c.resource, move.old, move.new, "contents:")
    connection.execute(update(grants).where(on).values(resource=there))
    move_standing(connection, move.old, move.new)
    connection.execute(
        update(files)
        .where(and_(own, within(files.c.path, move.old)))
        .values(path=at(files.c.path, move.old, move.new))
    )
    return found


def _orphans(connection: Connection) -> tuple[Orphan, ...]:
    query = select(orphans).order_by(orphans.c.lost, orphans.c.id)
    return tuple(
        Orphan(
            grant=as_grant(row),
            root=row["root"],
            identity=row["identity"],
            lost=row["lost"],
        )
        for row in connection.execute(query).mappings()
    )
