"""The tables, as they are at the newest revision of the schema.

A change here needs a migration beside it; `check` finds one that is missing. Deletes
cascade in the database itself, so that no grant, token or membership can outlive
its principal, whoever deletes.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from ..policy.model import MAX_ID, MAX_NAME

#: The schema revision this package writes: the last of `migrations/versions`.
HEAD = "0011"

# Identifiers compare by code point in every database: SQLite's default does so,
# PostgreSQL only under the collation "C".
_name = String(MAX_NAME).with_variant(String(MAX_NAME, collation="C"), "postgresql")
_id = String(64).with_variant(String(64, collation="C"), "postgresql")
_principal = String(MAX_NAME + 8).with_variant(String(MAX_NAME + 8, collation="C"), "postgresql")
_resource = String(MAX_ID + 16).with_variant(String(MAX_ID + 16, collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _reference(
    name: str, target: str, *, key: bool = False, nullable: bool = False, index: bool = True
) -> Column[str]:
    """A column that names a row of `target`, and whose row goes when that one does."""
    return Column(
        name,
        _name,
        ForeignKey(f"{target}.name", ondelete="CASCADE"),
        primary_key=key,
        nullable=nullable,
        index=index,
    )


#: One row. Each change adds one to `number`; `people` and `grants` hold the number
#: at which people or groups, and grants, last changed; `noted` the one from which on
#: `grant_changes` is complete.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("people", Integer, nullable=False),
    Column("grants", Integer, nullable=False),
    Column("noted", Integer, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="one_row"),
)

people = Table(
    "people",
    metadata,
    Column("name", _name, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text),
    Column("disabled", Boolean, nullable=False),
    Column("created", Double, nullable=False),
    Column("service", Boolean, nullable=False, server_default=false()),
)

groups = Table(
    "groups",
    metadata,
    Column("name", _name, primary_key=True),
    Column("created", Double, nullable=False),
)

#: Who is in a group directly.
group_people = Table(
    "group_people",
    metadata,
    _reference("group_name", "groups", key=True, index=False),
    _reference("person", "people", key=True),
)

#: Which groups are in a group directly; never a loop.
group_groups = Table(
    "group_groups",
    metadata,
    _reference("group_name", "groups", key=True, index=False),
    _reference("member", "groups", key=True),
    CheckConstraint("group_name <> member", name="not_itself"),
)

#: To a person, a group, or (neither) everyone. In the order of `serial` they are read
#: without sorting, and it is the order they were given in.
grants = Table(
    "grants",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("id", _id, nullable=False, unique=True),
    _reference("person", "people", nullable=True),
    _reference("group_name", "groups", nullable=True),
    Column("level", String(32), nullable=False),
    Column("resource", Text, nullable=False),
    Column("starts", Double),
    Column("ends", Double),
    Column("granted_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", Double, nullable=False),
    CheckConstraint("person IS NULL OR group_name IS NULL", name="one_principal"),
)

#: Which grants were put in, changed or taken out by the change that led to a revision.
#: The database writes it by triggers on `grants`, whoever changes or deletes there: a
#: migration that builds `grants` anew makes them anew too.
grant_changes = Table(
    "grant_changes",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("serial", Integer, primary_key=True, autoincrement=False),
)
#: What the database itself does when rows are changed, whoever changes them.
TRIGGERS = frozenset(
    {*(f"grants_noted_on_{what}" for what in ("insert", "update", "delete")), "records_unchanged"}
)

#: How often a grant counts, for those that do not count for ever. The row outlives its
#: grant, so that a grant whose file was gone for a while is not whole again.
grant_uses = Table(
    "grant_uses",
    metadata,
    Column("grant_id", _id, primary_key=True),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", _id, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    Column("name", _name, nullable=False),
    _reference("person", "people", index=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("last_used", Double),
    Column("limited", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("person", "name"),
)

#: What a limited token is limited to; one without a row reaches nothing.
token_scopes = Table(
    "token_scopes",
    metadata,
    Column("token", _id, ForeignKey("tokens.id", ondelete="CASCADE"), primary_key=True),
    Column("level", String(32), primary_key=True),
    Column("resource", Text, primary_key=True),
)

#: Links that hand a level on a resource to whoever redeems one.
links = Table(
    "links",
    metadata,
    Column("id", _id, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    _reference("person", "people"),
    Column("level", String(32), nullable=False),
    Column("resource", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("grant_ends", Double),
    Column("uses", Integer),
    Column("used", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("guests", Boolean, nullable=False, server_default=false()),
)

#: Browsers that have opened a link for guests, and may look until it ends.
guests = Table(
    "guests",
    metadata,
    Column("id", _id, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    Column("link", _id, ForeignKey("links.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
)

#: What people have asked for, and what became of it.
wishes = Table(
    "wishes",
    metadata,
    Column("id", _id, primary_key=True),
    _reference("person", "people"),
    Column("level", String(32), nullable=False),
    Column("resource", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided", Double),
    Column("decided_by", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("grant_id", _id),
)

login_sessions = Table(
    "login_sessions",
    metadata,
    Column("id", _id, primary_key=True),
    Column("secret_hash", Text, nullable=False),
    _reference("person", "people"),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
)

#: The one-time link with which the first administrator is made; at most one row.
setup_link = Table(
    "setup_link",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("secret_hash", Text, nullable=False),
    Column("expires", Double, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

#: Which file was at a path that a grant stands on, when last looked.
files = Table(
    "files",
    metadata,
    Column("root", _id, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("identity", _id, nullable=False),
)

#: Moves and deletions that were begun and not ended.
moves = Table(
    "moves",
    metadata,
    Column("id", _id, primary_key=True),
    Column("root", _id, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text),
    Column("identity", _id, nullable=False),
    Column("begun", Double, nullable=False),
)

#: Grants whose file is gone, as they were.
orphans = Table(
    "orphans",
    metadata,
    Column("id", _id, primary_key=True),
    _reference("person", "people", nullable=True),
    _reference("group_name", "groups", nullable=True),
    Column("level", String(32), nullable=False),
    Column("resource", Text, nullable=False),
    Column("starts", Double),
    Column("ends", Double),
    Column("granted_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("root", _id, nullable=False),
    Column("identity", _id, nullable=False),
    Column("lost", Double, nullable=False),
)

#: Where each chain of audit records begins and ends; 0 where that is not known. The store
#: has the records behind `since`, up to the head.
journals = Table(
    "journals",
    metadata,
    Column("id", _id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("start_number", Integer, nullable=False),
    Column("start_hash", Text, nullable=False),
    Column("since_number", Integer, nullable=False),
    Column("since_hash", Text, nullable=False),
    Column("head_number", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
)

#: The records of those chains, as they are in their files: in each row some lines, from a number
#: to the `last`. Rows are added and, once all in one is older than records are kept, dropped; a
#: trigger sees that none is changed.
records = Table(
    "records",
    metadata,
    Column("journal", _id, ForeignKey("journals.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
    Column("lines", Text, nullable=False),
)

#: Records of what was changed here, put in by the change itself, until they are known to be in
#: the chain that they belong to.
acts = Table(
    "acts",
    metadata,
    Column("id", _id, primary_key=True),
    Column("journal", Text, nullable=False),
    Column("behind", Integer, nullable=False),
    Column("record", Text, nullable=False),
)

#: Who started what is running. By the principal's written form, since people whom a hub
#: or a proxy identifies are no rows here.
owners = Table(
    "owners",
    metadata,
    Column("resource", _resource, primary_key=True),
    Column("principal", _principal, nullable=False, index=True),
    Column("path", Text),
    Column("since", Double, nullable=False),
)
