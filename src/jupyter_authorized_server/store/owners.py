"""Owners: who started each kernel that runs, and for which file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from .. import mistakes
from ..errors import InvalidName
from ..policy import paths
from ..policy.model import parse_principal
from ..policy.vocabulary import parse_resource
from .model import Owner, parse_time
from .schema import owners
from .transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection


class Owners(Transactions):
    """The operations on owners.

    None is counted by the revision: no decision of another process depends on them,
    and the one that starts a process knows already.
    """

    def set_owner(
        self, resource: str, principal: str, *, path: str | None = None, now: float
    ) -> Owner:
        """Keeps whose a running thing is; one that has an owner keeps it.

        Args:
            resource: written form, such as `kernels:ID`.
            path: canonical contents path that it was started for.

        Raises:
            InvalidName: one of them cannot be.
        """
        found = parse_resource(resource)
        if found.type != "kernels" or not found.id:
            raise InvalidName(mistakes.not_owned(resource))
        owner = Owner(
            resource=found.name,
            principal=parse_principal(principal),
            path=None if path is None else paths.canonical(path),
            since=parse_time(now, "time"),
        )
        with self._write() as connection:
            known = _read(connection, owner.resource)
            if known:
                return known[0]
            row = {
                "resource": owner.resource,
                "principal": owner.principal,
                "path": owner.path,
                "since": owner.since,
            }
            connection.execute(insert(owners).values(row))
        return owner

    def owners(self) -> tuple[Owner, ...]:
        """Everything that is owned, the latest first."""
        with self._read() as connection:
            return _read(connection)

    def remove_owners(self, resources: Iterable[str]) -> None:
        """Forgets whose these were; unknown ones are no mistake."""
        names = list(resources)
        if names:
            with self._write() as connection:
                connection.execute(delete(owners).where(owners.c.resource.in_(names)))


def _read(connection: Connection, resource: str | None = None) -> tuple[Owner, ...]:
    query = select(owners.c.resource, owners.c.principal, owners.c.path, owners.c.since)
    query = query.order_by(owners.c.since.desc(), owners.c.resource)
    if resource is not None:
        query = query.where(owners.c.resource == resource)
    return tuple(
        Owner(resource=name, principal=principal, path=path, since=since)
        for name, principal, path, since in connection.execute(query)
    )
