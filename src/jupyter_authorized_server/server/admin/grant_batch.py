"""`/api/authz/grants/batch`: many levels given at once, all or none."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ... import acts, mistakes
from ...errors import InvalidName, Unconfirmed, UnknownName
from ..surface.ours import MOST_GRANTS
from .asker import Refused
from .grant import NEW
from .operation import operation
from .shared import GRANT, SharedHandler, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...policy.model import Grant, Resource
    from ...store import Wanted


class GrantBatchHandler(SharedHandler):
    """Many new grants; `jupyter authz grants give` takes more."""

    @operation(
        body={
            "type": "object",
            "required": ["grants"],
            "additionalProperties": False,
            "properties": {
                "grants": {"type": "array", "minItems": 1, "maxItems": MOST_GRANTS, "items": NEW}
            },
        },
        answer={
            "type": "object",
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": GRANT}},
        },
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Give many levels, all or none; 200 where grants say all of it already."""
        given: tuple[Grant, ...]
        given, new = await self.change_as_judged(
            self._checked,
            lambda store, wanted: store.add_grants(
                wanted, now=time.time(), granted_by=self.principal.name
            ),
            lambda done: [
                acts.given(each, uses=body.get("uses"))
                for each, body in zip(done[0], self.body["grants"], strict=True)
                if each.id in done[1]
            ],
        )
        if not new:
            self.set_status(200)
        return {"items": self.tell_uses([shown(each) for each in given])}

    async def _checked(self) -> list[Wanted]:
        """What the request wants given, of which whoever asks may give all.

        Raises:
            InvalidName, UnknownName, Refused, Unconfirmed: some of it cannot be given.
        """
        admitted = frozenset((*self.admitted("share"), *self.admitted("administer")))
        wanted = []
        for number, body in enumerate(self.body["grants"], start=1):
            wanted.append(await self._numbered(number, body, admitted))
            # Each asks many questions, and others of the server have theirs.
            await asyncio.sleep(0)
        return wanted

    async def _numbered(
        self, number: int, body: Mapping[str, Any], admitted: frozenset[Resource]
    ) -> Wanted:
        """As `checked`, of one among many; what is wrong is said with its number."""
        try:
            return await self.checked(body, self._one_of(admitted, body["resource"]))
        except Refused as error:
            said = mistakes.number(str(number), str(error.reason))
            raise Refused(said, error.decision, error.status) from None
        except (InvalidName, UnknownName, Unconfirmed) as error:
            msg = mistakes.number(str(number), str(error))
            raise type(error)(msg) from None

    def _one_of(self, admitted: frozenset[Resource], text: str) -> Resource:
        """The resource written `text`, which the guard has allowed to be shared.

        Raises:
            InvalidName: it has several names, so that a grant could not say which.
            Refused: it means another one than when the guard looked.
        """
        found = self.meant(text)
        if len(found) != 1:
            raise InvalidName(mistakes.SEVERAL_NAMES)
        # Invariant: what is changed is changed on what was judged.
        if found[0] not in admitted:
            reason = mistakes.THERE_CHANGED
            raise Refused(reason)
        return found[0]
