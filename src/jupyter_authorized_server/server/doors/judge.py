"""The guard's question: who asks, what, and may they."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from inspect import isawaitable
from typing import TYPE_CHECKING

from jupyter_server.auth import User

from ... import sentences
from ...errors import Hidden, InvalidName, Nowhere, UnknownName, UnsafePath
from ...policy.model import ANONYMOUS, Answer, Decision, Principal, parse_principal
from ..acting import ACTING, STRAIGHT, Acting
from ..identity.local import NO_TOKEN, UNREACHABLE
from ..identity.user import GuestUser
from ..kernels import STARTING, Starting
from ..surface import Asks, Call, Public, Unanswerable
from ..surface.places import there
from ..wiring import wiring
from .admission import Admission, admit
from .asking import IS_ABOUT_A_FILE, questions_of
from .by_address import why_not_by_address
from .declared import WORDS, unnamed
from .entry import entry_of
from .gate import Gate, check_origin
from .home import make_home
from .hook import Hook
from .permitted import record
from .refusal import Why, leads_to_log_in
from .sight import Sight, sentence
from .viewing import NotAsAnother, as_another, is_view

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.web import Application

    from .asking import Asked
    from .routing import Target

#: Names of this server whose check is remembered; whoever makes up more is checked anew.
MAX_HOSTS = 64


#: Actions that can be done only with what is there already.
NEEDS_A_FILE = IS_ABOUT_A_FILE - {"create", "upload", "share", "review"}


class Judge:
    """Decides one request: `judge` returns why not, or None to let it through."""

    def __init__(
        self, application: Application, request: HTTPServerRequest, target: Target
    ) -> None:
        self._application = application
        self._request = request
        self._target = target
        self._wiring = wiring(application.settings)

    async def judge(self) -> Why | None:
        """Identify and ask. Never lets through what it does not understand."""
        entry = entry_of(self._application, str(self._request.method), self._target)
        if isinstance(entry, Public):
            # Nobody is known here, and what is nobody's must not pass for the server's.
            ACTING.set(Acting(principal=Principal(name=ANONYMOUS), request=self._request))
        if entry is not None and not isinstance(entry, Asks):
            return entry if isinstance(entry, Why) else None
        gate = Gate(self._application, self._request)
        if not self._answers_to_host(gate):
            return self._no(sentences.NOT_THAT_HOST, status=403)
        found = await self._identified(gate, entry)
        if isinstance(found, Why):
            return found
        principal = found.principal
        admit(self._request, found)
        manager = self._application.settings["contents_manager"]
        if principal.viewer is None:
            await make_home(self._wiring, manager, principal)
        why = await self._refused(entry, principal, found)
        why = why or self._refused_at_last(found)
        if why is None:
            STARTING.set(Starting(principal=principal, path=_launch_path(found)))
            acting = Acting(
                principal=principal,
                request=self._request,
                questions=found.questions,
                hooks=tuple(each for each in found.hooks if each.is_replaced),
            )
            is_service = entry is not None and entry.service
            ACTING.set(None if is_service else acting)
            STRAIGHT.set(is_service)
        return why

    async def _identified(self, gate: Gate, entry: Asks | None) -> Admission | Why:
        """Who asks, or nobody where a rule lets nobody ask; or why they may not."""
        user = gate.identity_provider.get_user(gate)
        if isawaitable(user):
            user = await user
        if user is not None:
            return self._admitted(gate, user, entry)
        if getattr(gate, UNREACHABLE, False):
            # Not the way to the log-in page: they may be signed in, and could not do so now.
            return Why(status=503, message=sentences.OUT_OF_REACH, gate=gate)
        if entry is None and self._may_be_called_by_nobody():
            return self._admitted(gate, User(username=ANONYMOUS), None, is_nobody=True)
        has_token = getattr(gate, NO_TOKEN, False)
        why = sentences.DOES_NOT_HOLD if has_token else sentences.SIGN_IN_FIRST
        return self._not_signed_in(why, gate, entry)

    def _refused_at_last(self, found: Admission) -> Why | None:
        """Why what is allowed cannot be: asked by an address, used up, or not to be recorded."""
        request = self._request
        no = why_not_by_address(self._application, request, self._target, found)
        if no:
            asks = no == sentences.LED_HERE
            return replace(self._no(no, found, status=403), asks=asks)
        glances = found.entry is not None and found.entry.glances
        is_glance = glances and request.query_arguments.get("content") == [b"0"]
        if not is_glance and not self._wiring.uses.spend(found.allowed):
            return self._no(sentences.USED_UP, found)
        if not record(self._wiring, request, found.principal, found.allowed):
            return Why(
                status=503, message=sentences.NOT_RECORDED, gate=found.gate, user=found.user
            )
        return None

    def _may_be_called_by_nobody(self) -> bool:
        """Whether a rule lets whoever has not signed in call this route, which nobody names."""
        handler = self._target.handler
        if handler is None:
            return False
        wired = self._wiring
        sight = Sight(wired.authorizer, wired.point, self._request, Principal(name=ANONYMOUS))
        action, resource = unnamed(handler, self._target.pattern)
        return sight.allows(action, (resource,))

    def _admitted(
        self, gate: Gate, user: User, entry: Asks | None, *, is_nobody: bool = False
    ) -> Admission | Why:
        """Who asks, or as whom somebody looks around; or why they may not."""
        try:
            check_origin(gate, user)
            own = Principal(name=ANONYMOUS) if is_nobody else self._principal(user)
        except (UnknownName, InvalidName) as error:
            return self._not_signed_in(str(error), gate, entry)
        hook = Hook(gate, user)
        found = Admission(
            gate=gate, user=user, principal=own, hook=hook, entry=entry, is_nobody=is_nobody
        )
        if own.giver is not None and (entry is None or not entry.guests or is_view(gate)):
            return self._no(sentences.GUESTS_SEE_NO_MORE, found)
        if is_nobody or not is_view(gate) or (entry is not None and entry.as_oneself):
            return found
        try:
            person, other = as_another(self._wiring, gate, self._target.handler, own, user)
        except NotAsAnother as error:
            if error.decision is not None:
                return self._denied_by(error.decision, found)
            return self._no(str(error), found, status=403)
        # What the configuration's function takes away from either is not shown.
        return Admission(
            gate=gate,
            user=person,
            principal=other,
            hook=Hook(gate, person),
            own_hook=hook,
            entry=entry,
        )

    def _answers_to_host(self, gate: Gate) -> bool:
        """As Jupyter checks it; its answer hangs on the header and the settings alone."""
        hosts, host = self._wiring.hosts, self._request.host
        known = hosts.get(host)
        if known is None:
            known = gate.check_host()
            if len(hosts) < MAX_HOSTS:
                hosts[host] = known
        return known

    def _principal(self, user: User) -> Principal:
        if isinstance(user, GuestUser):
            return self._wiring.point.principal(user.username, session=user.session_id)
        # People of a hub or of a trusted proxy are nobody's rows here.
        local = hasattr(user, "session_id")
        of_hub = getattr(user, "hub_user", None)
        if of_hub is not None and of_hub.get("kind") != "user":
            # A service may be called like a person, and is not that person.
            msg = sentences.NO_HUB_SERVICES
            raise UnknownName(msg)
        return self._wiring.point.principal(
            _written(user.username),
            token=getattr(user, "token_id", None),
            session=getattr(user, "session_id", None),
            must_exist=local,
        )

    async def _refused(
        self, entry: Asks | None, principal: Principal, found: Admission
    ) -> Why | None:
        asked: list[Asked] = []
        try:
            why = await self._asked(entry, principal, found, asked)
        except Unanswerable as error:
            return self._no(str(error), found, status=error.status)
        except UnsafePath as error:
            if isinstance(error, Hidden) and self._request.method not in {"GET", "HEAD"}:
                return self._no(str(error), found, status=400)  # as upstream has it
            no = self._no(str(error), found, status=404)
            return _nothing(no) if isinstance(error, Nowhere) else no
        questions = [(each.action, on) for each in asked for on in each.resources]
        found.questions = tuple(questions)
        if why is None and not questions:
            return self._no(sentences.NAMES_NOTHING, found)
        if why is None and not all(
            [await each.allows_all(entry, questions) for each in found.hooks]
        ):
            why = self._no(sentences.CONFIGURED, found)
        if why is None and entry is not None:
            await _ask_ahead(entry, found)
        if why is None and not all([await self._is_there(each) for each in asked]):
            why = Why(status=404, message=sentences.NOTHING, gate=found.gate, user=found.user)
        if why is None and entry is not None and entry.own is not None:
            try:
                found.arguments = entry.own(self._call(principal), self._target.arguments)
            except Unanswerable as error:
                return self._no(str(error), found, status=error.status)
        return why

    async def _asked(
        self, entry: Asks | None, principal: Principal, found: Admission, asked: list[Asked]
    ) -> Why | None:
        """Ask everything, and keep it in `asked`; the first refusal.

        Raises:
            Unanswerable: the request cannot be judged.
            UnsafePath: a path in it is no path, whatever the disk has.
        """
        call = self._call(principal)
        for whole in (False, True):
            more = await questions_of(entry, call, self._target, whole=whole)
            asked += more
            why = self._first_refusal(entry, more, found)
            if why is not None:
                return why
        return None

    def _first_refusal(
        self, entry: Asks | None, asked: list[Asked], found: Admission
    ) -> Why | None:
        wired = self._wiring
        sight = Sight(wired.authorizer, wired.point, self._request, found.principal)
        refusals = (self._denied(each, sight, found) for each in asked)
        why = next((why for why in refusals if why is not None), None)
        if why is None and any(map(_is_about_a_kernel, asked)):
            of_kernels = entry is not None and entry.resource in {"kernels", "sessions"}
            starts = of_kernels and any(each.action == "launch" for each in asked)
            no = wired.kernels.why_not(found.principal, starts=starts)
            return self._no(no, found, status=403) if no else None
        return why

    def _denied(self, each: Asked, sight: Sight, found: Admission) -> Why | None:
        """Why one question is answered no: as if nothing were there, where nobody may know."""
        is_shown = bool(each.resources) and (each.silent or each.action not in IS_ABOUT_A_FILE)
        if each.nowhere and not is_shown:
            return _nothing(self._no(each.nowhere, found, status=404))
        for resource in each.resources:
            decision = sight.decide(each.action, resource, record=not each.walk)
            if decision is not None and decision.answer is Answer.ALLOW:
                found.allowed.append(decision)
                continue
            if each.walk and len(each.resources) == 1 and sight.ways(resource.id):
                found.walked |= {(each.action, resource)}
                continue
            if each.walk:
                decision = sight.decide(each.action, resource, record=True)
            why = self._denied_by(decision, found)
            hides = each.named and each.action in IS_ABOUT_A_FILE
            return _nothing(why) if hides and not sight.sees(each.resources) else why
        # That the path leads nowhere, or to no answer, shows only to who may do this there.
        if each.silent:
            return self._no(sentences.NO_ANSWER, found, status=503)
        return _nothing(self._no(each.nowhere, found, status=404)) if each.nowhere else None

    async def _is_there(self, each: Asked) -> bool:
        """Whether what is asked about is there, if it has to be.

        The handler would say so too, in words of its own, and a missing file would then
        read differently from one that may not be known of.
        """
        if not each.named or each.seen or each.action not in NEEDS_A_FILE:
            return True
        manager = self._application.settings["contents_manager"]
        for resource in each.resources:
            if await there(manager, resource):
                return True
        return False

    def _call(self, principal: Principal) -> Call:
        target = self._target
        call = Call(
            self._request, self._application.settings, target.path_args, target.path_kwargs
        )
        call.principal = principal.name
        call.is_view = principal.viewer is not None
        return call

    def _denied_by(self, decision: object, found: Admission) -> Why:
        if not isinstance(decision, Decision):
            return self._no(sentences.NOT_DECIDED, found)
        return Why(
            status=self._wiring.config.denied_status,
            message=sentence(decision.reason_user),
            decision=decision,
            gate=found.gate,
            user=found.user,
        )

    def _not_signed_in(self, message: str, gate: Gate, entry: Asks | None) -> Why:
        """Say so; a page leads to the log-in page, which is no denial to record."""
        if leads_to_log_in(self._request, self._target.handler):
            return Why(status=403, message=sentence(message), sign_in=True, gate=gate)
        status = 403 if entry is None else entry.unsigned
        return replace(self._no(message, status=status), sign_in=True, gate=gate)

    def _no(
        self, message: str, found: Admission | None = None, *, status: int | None = None
    ) -> Why:
        """Refuse, and record it, without asking the policy."""
        record = self._wiring.point.audit.note(
            "denial",
            actor=ANONYMOUS if found is None else found.principal.actor,
            fields={
                "reason": message,
                "request": f"{self._request.method} {self._request.path}",
                "address": self._request.remote_ip,
                "door": "http",
            },
        )
        return Why(
            status=status or self._wiring.config.denied_status,
            message=sentence(message),
            record=record,
            gate=None if found is None else found.gate,
            user=None if found is None else found.user,
        )


async def _ask_ahead(entry: Asks, found: Admission) -> None:
    """Ask the configuration's own function what is asked later, where nothing can wait for it.

    That is each message behind a handshake; and of files, whether what is shown can be changed.
    """
    words = WORDS if entry.inside else ("write",) if entry.resource == "contents" else ()
    for hook in found.hooks:
        if hook.is_replaced:
            for word in words:
                await hook.ask(word, entry.resource)


def _is_about_a_kernel(asked: Asked) -> bool:
    return asked.action == "launch" or any(on.type == "kernels" for on in asked.resources)


@lru_cache(maxsize=1024)
def _written(username: str) -> str:
    """How a person called `username` is written as a principal.

    Raises:
        InvalidName: nobody can be called that.
    """
    return parse_principal(f"user:{username}")


def _nothing(why: Why) -> Why:
    """`why`, so told that it cannot be told from a file that is not there."""
    return Why(status=404, message=sentences.NOTHING, gate=why.gate, user=why.user)


def _launch_path(found: Admission) -> str | None:
    for action, resource in found.questions:
        if action == "launch" and resource.type == "contents":
            return resource.id
    return None
