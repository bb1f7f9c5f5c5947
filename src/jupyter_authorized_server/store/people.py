"""People and groups, and who is in which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from .. import mistakes
from ..errors import DuplicateName, InvalidName, UnknownName
from ..policy.model import ANONYMOUS, EVERYONE, parse_name, parse_principal
from .keeper import has_keeper, keeping_administrator
from .model import (
    MAX_DISPLAY_NAME,
    Group,
    Person,
    parse_hash,
    parse_text,
    parse_time,
)
from .schema import group_groups, group_people, groups, login_sessions, owners, people
from .transaction import Transactions, require_group, require_person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from ..policy.model import Grant


class People(Transactions):
    """The operations on people and groups."""

    def add_person(
        self,
        name: str,
        *,
        display_name: str = "",
        password_hash: str | None = None,
        now: float,
        service: bool = False,
    ) -> Person:
        """Adds a person, or a service; without a hash they cannot sign in with a password.

        Raises:
            InvalidName: not a name, display name or hash, or a service with a password.
            DuplicateName: the name is taken.
        """
        row = person_row(name, display_name=display_name, password_hash=password_hash, now=now)
        if service and password_hash is not None:
            raise InvalidName(mistakes.service_without_password(name))
        row["service"] = service
        with self._change(people=True) as connection:
            return insert_person(connection, row)

    def has_administrator(self, *, now: float) -> bool:
        """Whether somebody who is not disabled administers the server, without an end."""
        with self._read() as connection:
            return has_keeper(connection, "server:", now=now)

    def remove_person(
        self, name: str, *, now: float = 0.0, keepers: Iterable[Grant] | None = None
    ) -> None:
        """Removes a person with their memberships, grants, tokens and login sessions.

        What they have running is nobody's then, so that it is not the next one's of
        that name.

        Args:
            name: of the person.
            now: seconds since the epoch.
            keepers: as for `keeping_administrator`.

        Raises:
            UnknownName: there is none.
            LastKeeper: nobody would administer the server any more.
        """
        name = parse_name(name, "user name")
        with (
            self._change(people=True, grants=True) as connection,
            keeping_administrator(connection, now=now, others=keepers),
        ):
            require_person(connection, name)
            connection.execute(delete(people).where(people.c.name == name))
            connection.execute(delete(owners).where(owners.c.principal == f"user:{name}"))

    def set_password_hash(self, name: str, password_hash: str, *, but: str = "") -> None:
        """Gives a person a new password and ends their login sessions, `but` the one with that id.

        Raises:
            UnknownName: there is no such person.
            InvalidName: it is a service.
        """
        name = parse_name(name, "user name")
        password_hash = parse_hash(password_hash, "password")
        with self._change(people=True) as connection:
            require_person(connection, name)
            if connection.execute(select(people.c.service).where(people.c.name == name)).scalar():
                raise InvalidName(mistakes.service_without_password(name))
            _update(connection, name, password_hash=password_hash)
            _end_sessions(connection, name, but=but)

    def rehash_password(self, name: str, *, old: str, new: str) -> bool:
        """Replaces the hash of an unchanged password by one with today's parameters.

        Login sessions stay. Nothing is done, and False returned, when the hash is no
        longer `old`: the password was changed in between, and this would undo it.
        """
        name = parse_name(name, "user name")
        new = parse_hash(new, "password")
        with self._write() as connection:
            same = (people.c.name == name) & (
                people.c.password_hash == parse_hash(old, "password")
            )
            done = connection.execute(update(people).where(same).values(password_hash=new))
            return done.rowcount == 1

    def password_hash(self, name: str) -> str | None:
        """The hash of a person's password; None for nobody, no name at all, or none set.

        The three look alike on purpose: whoever tries names learns nothing here.
        Whether the person is disabled is the state's to say.
        """
        try:
            name = parse_name(name, "user name")
        except InvalidName:
            return None
        with self._read() as connection:
            query = select(people.c.password_hash).where(people.c.name == name)
            found: str | None = connection.execute(query).scalar()
        return found

    def set_disabled(
        self,
        name: str,
        disabled: bool,
        *,
        now: float = 0.0,
        keepers: Iterable[Grant] | None = None,
    ) -> None:
        """Shuts a person out, which ends their login sessions, or lets them in again.

        Args:
            name: of the person.
            disabled: whether they are shut out.
            now: seconds since the epoch.
            keepers: as for `keeping_administrator`.

        Raises:
            UnknownName: there is no such person.
            LastKeeper: nobody would administer the server any more.
        """
        name = parse_name(name, "user name")
        with (
            self._change(people=True) as connection,
            keeping_administrator(connection, now=now, others=keepers),
        ):
            require_person(connection, name)
            _update(connection, name, disabled=bool(disabled))
            if disabled:
                _end_sessions(connection, name)

    def set_display_name(self, name: str, display_name: str) -> None:
        """Changes what pages show for a person.

        Raises:
            UnknownName: there is no such person.
        """
        name = parse_name(name, "user name")
        shown = parse_text(display_name, "display name", longest=MAX_DISPLAY_NAME)
        with self._change(people=True) as connection:
            require_person(connection, name)
            _update(connection, name, display_name=shown)

    def add_group(self, name: str, *, now: float) -> Group:
        """Adds an empty group.

        Raises:
            InvalidName: not a group's name.
            DuplicateName: the name is taken.
        """
        name = _group_name(name)
        now = parse_time(now, "time")
        with self._change(people=True) as connection:
            if connection.execute(select(groups.c.name).where(groups.c.name == name)).first():
                raise DuplicateName(mistakes.group_there(name))
            connection.execute(insert(groups).values(name=name, created=now))
        return Group(name=name)

    def remove_group(
        self, name: str, *, now: float = 0.0, keepers: Iterable[Grant] | None = None
    ) -> None:
        """Removes a group with its grants; its members stay.

        Args:
            name: of the group.
            now: seconds since the epoch.
            keepers: as for `keeping_administrator`.

        Raises:
            UnknownName: there is none.
            LastKeeper: nobody would administer the server any more.
        """
        name = _group_name(name)
        with (
            self._change(people=True, grants=True) as connection,
            keeping_administrator(connection, now=now, others=keepers),
        ):
            require_group(connection, name)
            connection.execute(delete(groups).where(groups.c.name == name))

    def add_member(self, group: str, member: str) -> None:
        """Puts `user:NAME` or `group:NAME` into a group.

        Raises:
            InvalidName: no such kind of member, or a group would contain itself.
            UnknownName: the group or the member does not exist.
            DuplicateName: it is a member already.
        """
        group = _group_name(group)
        kind, name = _member(member)
        with self._change(people=True) as connection:
            require_group(connection, group)
            if kind == "user":
                require_person(connection, name)
                table, column = group_people, group_people.c.person
            else:
                require_group(connection, name)
                _require_no_loop(connection, group=group, member=name)
                table, column = group_groups, group_groups.c.member
            row = (table.c.group_name == group) & (column == name)
            if connection.execute(select(column).where(row)).first() is not None:
                raise DuplicateName(mistakes.member_already(kind, name, group))
            connection.execute(insert(table).values({"group_name": group, column.name: name}))

    def remove_member(
        self,
        group: str,
        member: str,
        *,
        now: float = 0.0,
        keepers: Iterable[Grant] | None = None,
    ) -> None:
        """Takes `user:NAME` or `group:NAME` out of a group.

        Args:
            group: from which.
            member: written form.
            now: seconds since the epoch.
            keepers: as for `keeping_administrator`.

        Raises:
            UnknownName: there is no such group, or it has no such direct member.
            LastKeeper: nobody would administer the server any more.
        """
        group = _group_name(group)
        kind, name = _member(member)
        with (
            self._change(people=True) as connection,
            keeping_administrator(connection, now=now, others=keepers),
        ):
            require_group(connection, group)
            if kind == "user":
                table, column = group_people, group_people.c.person
            else:
                table, column = group_groups, group_groups.c.member
            row = (table.c.group_name == group) & (column == name)
            if connection.execute(delete(table).where(row)).rowcount == 0:
                raise UnknownName(mistakes.no_member(kind, name, group))


def person_row(
    name: str, *, display_name: str, password_hash: str | None, now: float
) -> dict[str, object]:
    """The checked values of a new person.

    Raises:
        InvalidName: one of them cannot be, or the name is read as another principal's.
    """
    if name in {EVERYONE, ANONYMOUS}:
        raise InvalidName(mistakes.not_a_person(name))
    return {
        "name": parse_name(name, "user name"),
        "display_name": parse_text(display_name, "display name", longest=MAX_DISPLAY_NAME),
        "password_hash": None if password_hash is None else parse_hash(password_hash, "password"),
        "disabled": False,
        "created": parse_time(now, "time"),
    }


def insert_person(connection: Connection, row: dict[str, object]) -> Person:
    """Adds the person that `person_row` made.

    Raises:
        DuplicateName: the name is taken.
    """
    name = str(row["name"])
    if connection.execute(select(people.c.name).where(people.c.name == name)).first():
        raise DuplicateName(mistakes.person_there(name))
    connection.execute(insert(people).values(row))
    return next(person for person in read_people(connection, only=name))


def read_people(connection: Connection, *, only: str | None = None) -> tuple[Person, ...]:
    """Everyone, or the one called `only`, by name."""
    query = select(
        people.c.name,
        people.c.display_name,
        people.c.password_hash.is_not(None),
        people.c.disabled,
        people.c.created,
        people.c.service,
    ).order_by(people.c.name)
    if only is not None:
        query = query.where(people.c.name == only)
    return tuple(
        Person(
            name=name,
            display_name=display_name,
            has_password=bool(has_password),
            disabled=disabled,
            created=created,
            service=service,
        )
        for name, display_name, has_password, disabled, created, service in connection.execute(
            query
        )
    )


def read_groups(connection: Connection) -> tuple[Group, ...]:
    """All groups with their direct members, by name."""
    members: dict[str, list[str]] = {}
    for (name,) in connection.execute(select(groups.c.name)):
        members[name] = []
    for group, person in connection.execute(select(group_people)):
        members[group].append(f"user:{person}")
    for group, member in connection.execute(select(group_groups)):
        members[group].append(f"group:{member}")
    return tuple(
        Group(name=name, members=tuple(sorted(members[name]))) for name in sorted(members)
    )


def _update(connection: Connection, name: str, **values: str | bool) -> None:
    connection.execute(update(people).where(people.c.name == name).values(**values))


def _end_sessions(connection: Connection, name: str, *, but: str = "") -> None:
    ended = (login_sessions.c.person == name) & (login_sessions.c.id != but)
    connection.execute(delete(login_sessions).where(ended))


def _group_name(name: object) -> str:
    # The written form refuses the reserved names, `everyone` and `anonymous`.
    return parse_principal(f"group:{parse_name(name, 'group name')}").removeprefix("group:")


def _member(written: object) -> tuple[str, str]:
    kind, _, name = parse_principal(written).partition(":")
    if kind not in {"user", "group"}:
        raise InvalidName(mistakes.cannot_be_member(kind))
    return kind, name


def _require_no_loop(connection: Connection, *, group: str, member: str) -> None:
    """Sees that `group` cannot be reached from `member`, of which it is to be the home."""
    inside: dict[str, list[str]] = {}
    for home, guest in connection.execute(select(group_groups)):
        inside.setdefault(home, []).append(guest)
    reached, waiting = {member}, [member]
    while waiting:
        for guest in inside.get(waiting.pop(), ()):
            if guest not in reached:
                reached.add(guest)
                waiting.append(guest)
    if group in reached:
        raise InvalidName(mistakes.group_in_itself(member, group))
