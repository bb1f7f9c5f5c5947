"""Identity: passwords, checked slowly, off the event loop, at one price for every name."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ...credentials import hash_password, needs_rehash, verify_password
from ...errors import InvalidName, UnknownName
from ...policy.model import parse_name
from .throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...decision_point import DecisionPoint

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

#: Hashes reckoned at once. Each takes 64 MB and a core, so that a crowd at the login
#: page queues here and leaves the server its memory.
AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of one attempt.

    Args:
        right: the password is that of a person who may sign in.
        wait: seconds to wait, when the attempt came too soon and nothing was checked.
    """

    right: bool = False
    wait: float = 0.0


class Passwords:
    """Checks and makes passwords for the pages.

    A name that nobody has, one that nobody can have, a person without a password and
    one who is disabled all cost one verification and give the answer of a wrong
    password, so that names can be probed neither by words nor by time.
    """

    def __init__(self, point: DecisionPoint) -> None:
        self._point = point
        self.throttle = Throttle()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")

    async def check(self, name: str, password: str, *, address: str, now: float) -> Checked:
        """Whether `password` signs `name` in.

        Raises:
            StoreError: the store cannot be asked; the attempt does not count.
        """
        wait = self.throttle.start(name, address, now=now)
        if wait > 0:
            return Checked(wait=wait)
        try:
            known = self._hash(name)
            right = await self._run(verify_password, known, password)
            # The person may have been disabled, or the password changed, meanwhile.
            right = right and known is not None and self._hash(name) == known
            if right and known is not None and needs_rehash(known):
                await self._renew(name, known, password)
        except BaseException:  # why: raised again below
            self.throttle.withdraw(name, address)
            raise
        if right:
            self.throttle.succeed(name, address)
        return Checked(right=right)

    async def hash(self, password: str) -> str:
        """The hash of a password that keeps the rules."""
        return await self._run(hash_password, password)

    def _hash(self, name: str) -> str | None:
        """The hash of somebody who may sign in; None for everybody else."""
        try:
            parse_name(name, "user name")
            self._point.refresh()
            self._point.principal(f"user:{name}")
            return self._point.store.password_hash(name)
        except (InvalidName, UnknownName):
            return None

    async def _renew(self, name: str, known: str, password: str) -> None:
        """Hash anew what was hashed with other settings than today's."""
        renewed = await self.hash(password)
        self._point.store.rehash_password(name, old=known, new=renewed)

    async def _run(
        self, function: Callable[_Given, _Result], *given: _Given.args, **named: _Given.kwargs
    ) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *given, **named))
