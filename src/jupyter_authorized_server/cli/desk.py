"""What the commands share: settings, store, decision point, record of changes."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..account import Remainders, accounted
from ..audit import Audit
from ..errors import AuthorizationError, ConfigurationError, PolicyError, StoreError
from ..moments import parse_moment, show_moment
from ..opening import opened_aside
from ..policy.directory import Directory
from ..policy.document import Document
from ..policy.model import ANONYMOUS, parse_name, parse_principal
from ..store import Store
from .output import note, printable, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..account import Account
    from ..audit import Value
    from ..config import JupyterAuthorization
    from ..decision_point import DecisionPoint
    from ..policy.model import Grant
    from ..store import State


class Desk:
    """Where an administrator works: one command, one process.

    Args:
        config_file: read instead of Jupyter's own; None reads what the server reads.
    """

    def __init__(self, config_file: str | None) -> None:
        self._config_file = config_file
        self.now = time.time()

    @cached_property
    def config(self) -> JupyterAuthorization:
        """The settings, as the server reads them.

        Raises:
            ConfigurationError: they cannot be read.
        """
        try:
            return config.load(self.config_file)
        except AuthorizationError:
            raise
        except Exception as error:  # why: a configuration file is code and may raise anything
            msg = (
                f"the configuration cannot be read: {type(error).__name__}: {error}; "
                "mend the file, or name another with `--config`"
            )
            raise ConfigurationError(msg) from error

    @property
    def config_file(self) -> str | None:
        """Absolute, since Jupyter looks for relative names in places of its own."""
        return None if self._config_file is None else str(Path(self._config_file).absolute())

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """The store, to read from.

        Raises:
            StoreError: it cannot be opened.
        """
        store = Store.open(self.config.store_url)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """The store, to change, with the audit file open before anything happens.

        All that is changed within is one transaction, and recorded with it.

        Raises:
            StoreError: nothing is changed then.
            ConfigurationError: nothing is changed, or it is and its record waits.
        """
        with self._audited() as (store, audit):
            had = store.has_administrator(now=self.now)
            with accounted(store, audit) as account:
                change = Change(store, account)
                yield change
            for said in change.said:
                say(said)
            self._keep(store, audit, account.problem)
            if had and not store.has_administrator(now=self.now):
                # Who works here is above the policy, and may have to shut somebody out.
                note(
                    "note: nobody in the store administers the server any more; "
                    "`jupyter authz grant user:NAME admin server:` has somebody do so"
                )

    @contextlib.contextmanager
    def upkeep(self) -> Iterator[tuple[Store, Callable[[str, Mapping[str, Value]], None]]]:
        """The store, to look after the records in it, and what records that it was done.

        Raises:
            StoreError, ConfigurationError: it cannot be, or it is done and not recorded.
        """
        with self._audited() as (store, audit):

            def record(kind: str, fields: Mapping[str, Value]) -> None:
                try:
                    audit.event(kind, actor=actor(), fields=fields)
                except OSError as error:
                    msg = (
                        f"this was done, but could not be recorded in `{audit.path}`: "
                        f"{error.strerror}"
                    )
                    raise ConfigurationError(msg) from error

            yield store, record
            self._keep(store, audit, None)

    @contextlib.contextmanager
    def _audited(self) -> Iterator[tuple[Store, Audit]]:
        audit = Audit(Path(self.config.audit_file))
        try:
            with self.store() as store:
                yield store, audit
        finally:
            audit.close()

    def _keep(self, store: Store, audit: Audit, problem: OSError | None) -> None:
        """Have the store know where the chain ends now.

        Raises:
            ConfigurationError: the last record is not in it yet.
        """
        try:
            if problem is not None:
                raise problem
            Remainders(store, audit).look()
            wrong = None if audit.path is None else store.keep_journal(audit.path)
            if wrong is not None:
                note(f"warning: the audit file was tampered with, or lost records: {wrong}")
        except OSError as error:
            msg = (
                f"this was done, and its record waits in the store, since `{audit.path}` cannot "
                f"be written: {error.strerror}; the server or a later command puts it there"
            )
            raise ConfigurationError(msg) from error

    @contextlib.contextmanager
    def point(self, *, at: float | None = None) -> Iterator[DecisionPoint]:
        """A decision point like the server's, that records nothing.

        Args:
            at: the moment it takes for now.

        Raises:
            PolicyError, StoreError, ConfigurationError: nothing can be decided.
        """
        moment = self.now if at is None else at
        with opened_aside(self.config, lambda: moment) as point:
            yield point

    def view(self) -> View:
        """What the store and the policy files say, the latter only if they load.

        An administrator must be able to take a grant back while a policy file is
        broken, so a broken one costs no more than a note here.

        Raises:
            StoreError: the store cannot be read.
        """
        store_url = self.config.store_url
        try:
            with self.point() as point:
                return View(state=point.state, document=point.policy.document)
        except StoreError:
            raise
        except PolicyError as error:
            many = len(error.mistakes)
            note(
                f"note: the policy files are left out, for they hold {many} "
                f"mistake{'s' * (many > 1)}; `jupyter authz policy validate` shows them"
            )
        except AuthorizationError as error:
            note(f"note: the policy files are left out: {error}")
        with contextlib.closing(Store.open(store_url)) as store:
            return View(state=store.state(), document=Document())

    def directory(self, document: Document) -> Directory | None:
        """Who there is in `document` and in the store; None where the store cannot be read.

        No store is made for it.
        """
        try:
            if not Store.is_there(self.config.store_url):
                return Directory.merge(document)
            with self.store() as store:
                return Directory.merge(store.state(), document)
        except StoreError:
            return None

    def policy_folder(self, given: str | None) -> Path | None:
        """The folder of policy files that was named, or else that the server reads.

        Raises:
            ConfigurationError: it is no folder.
        """
        if given is None:
            return self.config.policy_folder()
        folder = Path(given)
        try:
            there = folder.is_dir()
        except (OSError, ValueError):
            there = False
        if not there:
            shown = printable(given, 200)
            msg = f"`{shown}` is no folder; name the one that holds the policy files"
            raise ConfigurationError(msg)
        return folder

    def moment(self, text: str | None, *, last: bool = False, past: bool = False) -> float | None:
        """An option's text as seconds since the epoch; see `parse_moment`."""
        if text is None:
            return None
        return parse_moment(text, now=self.now, zone=self.config.zone, last=last, past=past)

    def show(self, seconds: float | None) -> str:
        """A moment in the site's time."""
        return show_moment(seconds, self.config.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """People, groups and grants at one revision."""

    state: State
    document: Document

    @property
    def directory(self) -> Directory:
        """Who there is, and who is in which group."""
        return Directory.merge(self.state, self.document)

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Those of the store in the order they were given, then those of the files."""
        return (*self.state.grants, *self.document.grants)


class Change:
    """An open store, to be changed, and the record of what is done to it.

    Args:
        store: to be changed.
        account: gets one record a change.
    """

    def __init__(self, store: Store, account: Account) -> None:
        self.store = store
        self._account = account
        #: What is said once it is done.
        self.said: list[str] = []

    def record(self, kind: str, fields: Mapping[str, Value]) -> None:
        """Have it recorded that whoever runs this does something of `kind`."""
        self._account.tell(kind, actor=actor(), fields=fields)

    def say(self, text: str) -> None:
        """Say so once it is done."""
        self.said.append(text)


def actor() -> str:
    """`os:NAME` of whoever runs this process, as the system knows it.

    Not from the environment, which anyone can set.
    """
    try:
        import pwd  # noqa: PLC0415  # why: not on Windows
    except ImportError:  # pragma: no cover  # why: Windows
        return f"os:{printable(getpass.getuser(), 64)}"
    try:
        return f"os:{printable(pwd.getpwuid(os.getuid()).pw_name, 64)}"
    except KeyError:
        return f"os:{os.getuid()}"


def person_name(text: str) -> str:
    """The name of a person written `ada` or `user:ada`.

    Raises:
        InvalidName: it can be nobody's.
    """
    return parse_name(text.removeprefix("user:"), "user name")


def asker_name(text: str) -> str:
    """The written form of who may ask; a bare name is a person's.

    Raises:
        InvalidName: it can be nobody's.
    """
    return parse_principal(text if ":" in text or text == ANONYMOUS else f"user:{text}")


def member_name(text: str) -> str:
    """The written form of a member; a bare name is a person's.

    Raises:
        InvalidName: it can be nobody's.
    """
    return parse_principal(text if text.startswith(("user:", "group:")) else f"user:{text}")
