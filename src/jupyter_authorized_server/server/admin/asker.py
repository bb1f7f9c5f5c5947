"""Whoever asks, as an endpoint or page sees them: what they may, and how they change it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.base.handlers import JupyterHandler

from ... import mistakes, sentences
from ...account import accounted
from ...errors import ConfigurationError, Hidden, InvalidName, Moved, Nowhere, Outdated
from ...policy.model import Decision, Resource
from ...policy.vocabulary import ABILITY, TYPE, Word, parse_resource
from ..acting import ACTING, Acting, taken_away
from ..surface.call import Call
from ..surface.table import Unanswerable
from ..surface.written import known, meant
from ..wiring import Wiring, wiring

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from ...acts import Act
    from ...decision_point import DecisionPoint
    from ...policy.model import Principal
    from ...store import Store


T = TypeVar("T")
#: Key of the lock, in the application's settings, of changes that rest on what one may.
GIVING = "jupyter_authorization_giving"
#: How often it is asked whether somebody may, where something changes meanwhile.
_TRIES = 5
#: Jupyter's word and the kind of resource of each ability.
_ASKED = frozenset((each.word.value, kind) for (kind, _), each in ABILITY.items())


class Refused(Exception):  # why: a decision on its way to the answer
    """The policy says no to something that only a handler can ask.

    Args:
        reason: a sentence for the person.
        decision: where the policy was asked.
        status: of the answer; None is that of every denial.
    """

    def __init__(
        self, reason: str, decision: Decision | None = None, status: int | None = None
    ) -> None:
        self.reason = reason
        self.decision = decision
        self.status = status
        super().__init__(reason)


class Asker(JupyterHandler):
    """A handler that the guard has let through, and whoever asks through it."""

    # Who asks, and of whom

    @property
    def wired(self) -> Wiring:
        """What the parts of the server share."""
        return wiring(self.settings)

    @property
    def point(self) -> DecisionPoint:
        """The decision point."""
        return self.wired.point

    @property
    def principal(self) -> Principal:
        """Who asks, as the guard has judged them."""
        return self._acting.principal

    @property
    def _acting(self) -> Acting:
        acting = ACTING.get()
        if acting is None:
            raise Refused(sentences.NOT_JUDGED)
        return acting

    async def configured(self, word: str, resource: str) -> bool:
        """Whether the configuration's own function allows `word` on `resource` too.

        Args:
            word: `read`, `write` or `execute`.
            resource: what Jupyter's handlers call the kind of resource.
        """
        return all([await hook.ask(word, resource) for hook in self._acting.hooks])

    def admitted(self, action: str) -> tuple[Resource, ...]:
        """The resources on which the guard has let this request do `action`.

        What is changed is changed on these, so nothing is looked up a second time.
        """
        return tuple(on for asked, on in self._acting.questions if asked == action)

    @property
    def address(self) -> str | None:
        """The client's IP address."""
        return self.request.remote_ip

    def decide(
        self,
        action: str,
        resource: Resource,
        who: Principal | None = None,
        *,
        record: bool = False,
    ) -> Decision:
        """The decision for whoever asks, or for `who`."""
        if who is not None:
            return self.point.decide(who, action, resource, door="http", record=record)
        told: dict[str, Any] = {
            "door": "http",
            "address": self.address,
            "request": f"{self.request.method} {self.request.path}",
        }
        found: object = self.wired.authorizer.answer(
            self.principal, action, resource, **told, record=record
        )
        if not isinstance(found, Decision):
            raise Refused(sentences.NOT_DECIDED)
        # Invariant: whatever a handler asks by itself, the guard has not asked that function.
        word = ABILITY[(resource.type, action)].word.value
        if not found.allowed or all(
            hook.allows(word, resource.type) for hook in self._acting.hooks
        ):
            return found
        denied = taken_away(found)
        if record:
            self.point.audit.decision(denied, principal=self.principal, **told)
        return denied

    async def ask_ahead(self) -> None:
        """Ask the configuration's own function all that `decide` may need, which cannot wait."""
        for hook in self._acting.hooks:
            for word, kind in sorted(_ASKED):
                await hook.ask(word, kind)

    def allows(self, action: str, *resources: Resource) -> bool:
        """Whether whoever asks may do `action` on all of these; not recorded."""
        return all(self.decide(action, each).allowed for each in resources)

    def holds(self, action: str, resource: Resource, who: Principal | None = None) -> Decision:
        """As `decide`, by the policy alone: what shadow mode lets through, nobody holds."""
        decision = self.decide(action, resource, who)
        if not decision.allowed or self.point.shadow is None:
            return decision
        return self.point.decide(
            who or self.principal, action, resource, door="http", record=False, lift=False
        )

    def require(self, action: str, *resources: Resource) -> None:
        """Go on only if whoever asks may do `action` on all of these.

        Raises:
            Refused: they may not; it is recorded.
        """
        for each in resources:
            decision = self.decide(action, each, record=True)
            if not decision.allowed:
                raise Refused(decision.reason_user, decision)

    def meant(self, text: object) -> tuple[Resource, ...]:
        """What the resource written `text` means here.

        Who may not see what is called so is not told that it is a link that leads nowhere:
        to them it is what it is called.

        Raises:
            InvalidName: none.
            Nowhere: it leads to no file that may be judged.
        """
        try:
            return meant(self._call, text)
        except Nowhere as error:
            if isinstance(error, Hidden):
                raise
            written = parse_resource(text)
            if self.may_see(written):
                raise
            return (written,)
        except Unanswerable as error:
            raise InvalidName(str(error)) from None

    def may_see(self, *resources: Resource) -> bool:
        """Whether whoever asks may read, or list, all of these."""
        kind = resources[0].type
        readers = ("open", "list") if kind == "contents" else (TYPE[kind].stands_for[Word.READ],)
        return any(self.allows(action, *resources) for action in readers)

    def told_as(self, text: str, resources: Sequence[Resource]) -> str:
        """What `text` means, as it is answered: as it was written to who may not see that.

        Else a link would tell the name of what it leads to.
        """
        first = resources[0]
        if first.type != "contents" or self.may_see(*resources):
            return first.name
        return parse_resource(text).name

    def known(self, resource: Resource) -> Resource:
        """`resource` with what the server knows of it."""
        return known(self._call, resource)

    @property
    def _call(self) -> Call:
        return Call(self.request, self.settings, [], {})

    async def change(
        self, act: Callable[[Store], Any], tell: Callable[[Any], Iterable[Act]]
    ) -> Any:
        """Change the store, off the event loop, and let the decisions know at once.

        Args:
            act: makes the change.
            tell: what is recorded, of what `act` returns; with the change or not at all.

        Raises:
            ConfigurationError: it is done, but could not be recorded yet, and the
                administrator wants nothing to go on then.
            StoreError, AuthorizationError: nothing was changed.
        """
        told = {"token": self.principal.token, "address": self.address}
        who, audit = self.principal.name, self.point.audit

        def change() -> tuple[Any, OSError | None]:
            with accounted(self.point.store, audit) as account:
                done = act(self.point.store)
                for kind, fields in tell(done):
                    account.tell(kind, actor=who, fields={**told, **fields})
            return done, account.problem

        done, problem = await asyncio.to_thread(change)
        self.point.refresh()
        if problem is not None:
            self.log.critical("a change cannot be recorded yet, so that waits: %s", problem)
        self._require_recorded(problem is None)
        return done

    async def change_as_judged(
        self,
        judge: Callable[[], Awaitable[T]],
        act: Callable[[Store, T], Any],
        tell: Callable[[Any], Iterable[Act]],
    ) -> Any:
        """As `change`, where whoever asks still may at the moment of the change.

        Args:
            judge: says what is to be changed, or raises where they may not; asked again
                where something else has changed meanwhile.
            act: makes the change that was judged.
            tell: see `change`.

        Raises:
            Outdated: something changes all the time.
            StoreError, AuthorizationError: nothing was changed.
        """

        def done(store: Store, revision: int, judged: T) -> Any:
            with store.judged_at(revision):
                return act(store, judged)

        # One after the other, so that those who ask here need not judge again for each other.
        async with self.settings[GIVING]:
            for _ in range(_TRIES):
                revision = self.point.revision
                judged = await judge()
                try:
                    return await self.change(partial(done, revision=revision, judged=judged), tell)
                except Moved:
                    self.point.refresh()
        raise Outdated(mistakes.CHANGED_SEVERAL_TIMES)

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Record that whoever asks has done something of `kind`.

        Raises:
            ConfigurationError: it is done, but could not be recorded, and the administrator
                wants nothing to go on then.
        """
        told = self.point.audit.note(
            kind,
            actor=self.principal.name,
            fields={"token": self.principal.token, "address": self.address, **fields},
        )
        self._require_recorded(bool(told))

    def _require_recorded(self, is_so: bool) -> None:  # why: said by its name
        if not is_so and self.wired.config.audit_full != "go on":
            raise ConfigurationError(mistakes.NOT_RECORDED_DONE)
