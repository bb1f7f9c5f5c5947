"""The values a decision is made of: principal, resource, access request, decision.

All are frozen and compare by value. Texts from outside become values only through
the `parse_…` functions here, so that every door reads and refuses the same spellings.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .. import mistakes
from ..errors import InvalidName
from . import paths

if TYPE_CHECKING:
    from collections.abc import Callable

#: Everyone who is signed in; never `anonymous`.
EVERYONE = "everyone"
#: Whoever is not signed in.
ANONYMOUS = "anonymous"
#: How the written form of a guest begins: whoever has opened the link whose id follows.
GUEST = "link:"

#: Longest name of a person, group, token or resource id, in characters.
MAX_NAME = 128
MAX_ID = 1024

_PRINCIPAL_KINDS = ("user", "group", "token")
# Control, format (bidirectional overrides, zero-width), surrogate, private, unassigned,
# line and paragraph separators: characters that make two names look like one.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and a symbol that are drawn as nothing: fillers of Hangul, joiners and
# vowels that are not written, selectors of a variant, the empty cell of Braille.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class Effect(str, Enum):
    """What a rule does when it applies."""

    PERMIT = "permit"
    FORBID = "forbid"


class Answer(str, Enum):
    """What a decision says."""

    ALLOW = "allow"
    DENY = "deny"


def parse_name(text: object, what: str) -> str:
    """`text` as the name of a person, group or token.

    Names that differ by case are two names. A name is refused rather than
    repaired: nobody may become somebody else by normalisation.

    Args:
        text: the candidate.
        what: for the message, such as `user name`.

    Raises:
        InvalidName: not text, empty, too long, not NFC, holds `/` or a character
            that cannot be seen, or starts or ends with white space.
    """
    if not isinstance(text, str):
        raise InvalidName(mistakes.is_text(what, type(text).__name__))
    if not text:
        raise InvalidName(mistakes.empty(what))
    if len(text) > MAX_NAME:
        raise InvalidName(mistakes.too_long(what, str(len(text)), str(MAX_NAME)))
    shown = repr(text[:40])
    if "/" in text:
        raise InvalidName(mistakes.slash(what, shown))
    for character in text:
        if unicodedata.category(character) in _UNSEEN or _BLANK.match(character):
            raise InvalidName(mistakes.unseen(what, f"{ord(character):04X}", shown))
    if text != text.strip():
        raise InvalidName(mistakes.white_space(what, shown))
    if not unicodedata.is_normalized("NFC", text):
        raise InvalidName(mistakes.not_composed(what, shown))
    return text


def parse_principal(text: object) -> str:
    """`text` as a principal's written form: `user:ada`, `group:team`, `token:ci`,
    `everyone` or `anonymous`.

    Raises:
        InvalidName: anything else.
    """
    if text in (EVERYONE, ANONYMOUS):
        return str(text)
    kind, _, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind not in _PRINCIPAL_KINDS:
        shown = repr(text[:40]) if isinstance(text, str) else type(text).__name__
        raise InvalidName(mistakes.no_principal(shown))
    name = parse_name(name, f"{kind} name")
    if kind == "group" and name in (EVERYONE, ANONYMOUS):
        raise InvalidName(mistakes.reserved(name, name))
    return f"{kind}:{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: one person (perhaps through a token), a guest, or `anonymous`.

    Args:
        name: the written form, `user:ada`; of a guest `link:ID`.
        groups: every group the person is in, also through other groups, as bare
            names in sorted order.
        token: id of the API token the request came with; None for a browser.
        session: id of the login session the request came with.
        scope: pairs of a level and a resource that the token is limited to; None for
            a token that reaches all that its owner may.
        viewer: who looks around as this principal, with `view_as`; see `viewing`.
        giver: who made the link that a guest has opened; see `guest`.
    """

    name: str
    groups: tuple[str, ...] = ()
    token: str | None = None
    session: str | None = None
    scope: tuple[tuple[str, str], ...] | None = None
    viewer: Principal | None = None
    giver: Principal | None = None
    # Each decision is looked up by who asks, so it is reckoned once.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        who = (self.name, self.groups, self.token, self.session, self.scope)
        object.__setattr__(self, "_hash", hash((*who, self.viewer, self.giver)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def actor(self) -> str:
        """Written form of who sits there: whoever looks around as this principal, or itself."""
        return self.name if self.viewer is None else self.viewer.name

    @property
    def keys(self) -> tuple[str, ...]:
        """Each written form a grant may name and mean this principal."""
        if self.name == ANONYMOUS or self.giver is not None:
            return (self.name,)
        return (self.name, *(f"group:{group}" for group in self.groups), EVERYONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is asked about: a type of the vocabulary and an id.

    Args:
        type: a resource type of the vocabulary, such as `contents`.
        id: canonical path for `contents`, else an opaque name; empty means every
            resource of the type (and `server` has no other id).
        within: canonical contents paths that this resource belongs to, nearest
            first, such as the notebook of a kernel and its folders.
        owner: written form of the principal it belongs to.
    """

    type: str
    id: str = ""
    within: tuple[str, ...] = ()
    owner: str | None = None

    @property
    def name(self) -> str:
        """The written form, `contents:/team/a.ipynb`."""
        return f"{self.type}:{self.id}"

    @property
    def chain(self) -> tuple[str, ...]:
        """Every written form a grant may stand on and reach this resource, nearest first."""
        if self.type == "contents":
            own = tuple(f"contents:{path}" for path in paths.ancestors(self.id))
            return (*own, "server:")
        if self.type == "server":
            return ("server:",)
        own = (f"{self.type}:{self.id}", f"{self.type}:") if self.id else (f"{self.type}:",)
        return (own[0], *(f"contents:{path}" for path in self.within), *own[1:], "server:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The circumstances a rule may ask about.

    Args:
        time: seconds since the epoch.
        hour: 0 to 23, in the site's time zone.
        weekday: 1 (Monday) to 7, in the site's time zone.
        door: which door asks: `http`, `cli`, `channel` …
        address: the client's IP address, where there is one.
    """

    time: float
    hour: int
    weekday: int
    door: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """May `principal` do `action` on `resource` now?"""

    principal: Principal
    action: str
    resource: Resource
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Hands a principal a level on a resource and all that is below it.

    Args:
        id: `g-…`, unique.
        principal: written form; a person, a group, `everyone`.
        level: a level of the vocabulary.
        resource: written form.
        starts: seconds since the epoch; None is from the beginning.
        ends: seconds since the epoch, exclusive; None is without end.
        granted_by: written form of the giver, or `policy` for one from a file.
        note: why, in the giver's words.
        source: `store`, or `file:line`.
    """

    id: str
    principal: str
    level: str
    resource: str
    starts: float | None = None
    ends: float | None = None
    granted_by: str = ""
    note: str = ""
    source: str = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """How far a right on a folder reaches.

    Args:
        some: to the folder, and below it where no rule says otherwise.
        whole: to all that is or will be below it.
        until: when that ends, in seconds since the epoch.
    """

    some: bool = False
    whole: bool = False
    until: float = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinant:
    """One rule or grant that had a part in a decision.

    Args:
        id: the rule's `@id` or the grant's id.
        kind: `rule` or `grant`, or `error` for a rule that could not be evaluated.
        effect: permit or forbid.
        source: `file:line` of a rule, `store` or `file:line` of a grant.
        scope: whom it names, such as `group:team`; empty where it names anyone.
        inherited_from: the resource above the asked one that it stands on; empty
            where it stands on the asked one itself or names any.
        ends: end of the grant, seconds since the epoch.
    """

    id: str
    kind: str
    effect: Effect
    source: str
    scope: str = ""
    inherited_from: str = ""
    ends: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """A decision in words.

    Args:
        would_allow: on deny, what would make it an allow, most modest first.
        user: one sentence for the person; names no rule, group or member.
        admin: one sentence for the administrator; names rules and sources.
    """

    would_allow: tuple[str, ...] = ()
    user: str = ""
    admin: str = ""


_NO_WORDS = Reasons()


class Decision(NamedTuple):
    """An answer with its reasons: what the page, the CLI, the audit and a 403 show.

    A named tuple, since one is made for every question and a frozen data class takes
    longer to make than the question to decide.

    Args:
        answer: allow or deny.
        principal: written form of who asked.
        action: the action asked about.
        resource: written form of what was asked about.
        revision: of the policy that answered.
        determining: what decided. Forbids only, when one applies; else the permits;
            empty when nothing permits.
        reasons: in words, or what finds the words when somebody reads them: most
            decisions are acted upon and never read. It must not raise, and always say
            the same.
        good_until: seconds since the epoch up to which the answer holds at this
            revision; 0 where it must not be kept.
        id: unique once recorded; empty before.
    """

    answer: Answer
    principal: str
    action: str
    resource: str
    revision: int
    determining: tuple[Determinant, ...] = ()
    reasons: Reasons | Callable[[Decision], Reasons] = _NO_WORDS
    good_until: float = math.inf
    id: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the answer is allow; the only way to read it as a bool."""
        return self.answer is Answer.ALLOW

    @property
    def words(self) -> Reasons:
        """The reasons, in words."""
        return self.reasons if isinstance(self.reasons, Reasons) else self.reasons(self)

    @property
    def would_allow(self) -> tuple[str, ...]:
        """On deny, what would make it an allow, most modest first."""
        return self.words.would_allow

    @property
    def reason_user(self) -> str:
        """One sentence for the person; names no rule, group or member."""
        return self.words.user

    @property
    def reason_admin(self) -> str:
        """One sentence for the administrator; names rules and sources."""
        return self.words.admin

    def __bool__(self) -> bool:
        msg = "a Decision has no truth value; ask `.allowed`"
        raise TypeError(msg)
