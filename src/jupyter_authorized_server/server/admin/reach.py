"""`/api/authz/reach`: what somebody's processes reach that the policy denies them, tried now."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado import web

from ... import mistakes
from ...errors import AuthorizationError
from ...opening import opened_aside
from ...sandbox.findings import Asked, found_of
from ...sandbox.given import Given
from ...sandbox.room import Origin
from ..premises import own_of
from ..surface.places import SERVER
from .operation import operation
from .question import Asking

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.web import Application

    from ...policy.model import Principal
    from ...sandbox.findings import Found

#: Key, in the application's settings, of what has one tried after the other.
_TRYING = "jupyter_authorization_reach"
#: Most things that are told of one person.
_MOST = 1000
_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_TEXTS = {"type": "array", "items": _TEXT}


def _list_of(*required: str, **properties: Any) -> dict[str, Any]:
    item = {"type": "object", "required": list(required), "properties": properties}
    return {"type": "array", "items": item}


class ReachHandler(Asking):
    """What is found out about one person."""

    @operation(
        query={"principal": _TEXT},
        answer={
            "type": "object",
            "required": [
                "principal", "sandbox", "backend", "why", "leaves_open", "bounds", "looked_at",
                "complete", "reached", "besides", "attempts",
            ],
            "properties": {
                "principal": _TEXT,
                "sandbox": _TEXT,
                "backend": _MAYBE,
                "why": _MAYBE,
                "leaves_open": _TEXTS,
                "bounds": {"type": ["integer", "null"]},
                "looked_at": {"type": "integer"},
                "complete": {"type": "boolean"},
                "reached": _list_of("path", "how", "why", path=_TEXT, how=_TEXT, why=_TEXT),
                "besides": _list_of("process", "network", "mounts", "devices"),
                "attempts": _list_of(
                    "process", "what", "state", "why",
                    process=_TEXT, what=_TEXT, state=_TEXT, why=_MAYBE,
                ),
            },
        },
        personal=True,
    )  # fmt: skip
    async def get(self) -> dict[str, Any]:
        """What one's own processes, or to an administrator anybody's, reach against the policy."""
        who = self.who({"principal": self.query("principal")})
        confinement = self.wired.confinement
        nothing: dict[str, Any] = {
            "principal": who.name,
            "sandbox": "off",
            "backend": None,
            "why": mistakes.UNCONFINED_HERE,
            "leaves_open": [],
            "bounds": None,
            "looked_at": 0,
            "complete": True,
            "reached": [],
            "besides": [],
            "attempts": [],
        }
        if confinement is None:
            return nothing
        launcher, probed = confinement.launcher, confinement.probed
        if launcher.elsewhere:
            return {**nothing, "sandbox": "gateway", "why": launcher.elsewhere}
        if launcher.backend is None:
            return {**nothing, "sandbox": "none", "why": launcher.missing}
        trying: asyncio.Lock = self.settings[_TRYING]
        if trying.locked():
            raise web.HTTPError(503, mistakes.TRIED_FOR_ANOTHER)
        async with trying:
            place = launcher.runtime_folder()
            found = await _aside(lambda: self._tried(who, place))
        rows = found.walked.reached
        sees = self.allows("administer", SERVER)
        return {
            **nothing,
            "sandbox": launcher.backend.word,
            "backend": launcher.backend.name,
            "why": None,
            "leaves_open": sorted(launcher.backend.leaves_open),
            "bounds": None if probed.bounds is None else probed.bounds.version,
            "looked_at": found.walked.things,
            "complete": len(rows) <= _MOST,
            "reached": [
                # A rule's name and place are not for everybody.
                {"path": each.path, "how": each.how, "why": each.why if sees else each.told}
                for each in rows[:_MOST]
            ],
            "besides": found.given,
            "attempts": [
                {
                    "process": process,
                    "what": each.what,
                    "state": each.state,
                    "why": each.why or None,
                }
                for process, each in found.attempts
            ],
        }

    def _tried(self, who: Principal, place: Path) -> Found:
        """What the command finds out, in a thread of its own."""
        config, launcher = self.wired.config, self.wired.confinement.launcher
        app: Any = self.serverapp
        own = own_of(app, self.wired)
        with (
            # What is asked there must not meet what is asked by everybody here.
            opened_aside(config) as point,
            tempfile.TemporaryDirectory(prefix="r-", dir=place) as folder,
        ):
            tries = launcher.aside(point, Path(folder))
            try:
                given = Given(tries, config.sandbox)
                return found_of(tries, given, Asked(origin=Origin(principal=who, path=None)), own)
            finally:
                tries.close()


async def _aside(act: Callable[[], Found]) -> Found:
    """What `act` makes, in a thread that keeps no server from ending.

    Raises:
        HTTPError: it could not be tried.
    """
    loop = asyncio.get_running_loop()
    waits: asyncio.Future[Found] = loop.create_future()

    def settle(answer: Found | BaseException) -> None:
        if waits.done():
            return
        if isinstance(answer, BaseException):
            waits.set_exception(answer)
        else:
            waits.set_result(answer)

    def run() -> None:
        answer: Found | BaseException
        try:
            answer = act()
        except BaseException as error:  # noqa: BLE001  # why: raised for whoever waits
            answer = error
        # Nobody waits in a server that has ended.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=run, name="reach", daemon=True).start()
    try:
        return await waits
    except (AuthorizationError, OSError) as error:
        raise web.HTTPError(503, mistakes.not_tried(str(error))) from error


def install(application: Application) -> None:
    """Have one be tried at a time in `application`."""
    application.settings[_TRYING] = asyncio.Lock()
