"""`/api/authz/links`: a level on a resource for whoever redeems a link while it holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join
from tornado.escape import url_escape

from ... import acts, inquiry, mistakes
from ...credentials import new_secret, secret_matches, split_secret
from ...errors import InvalidName, Unconfirmed, UnknownName
from ...policy.model import EVERYONE, GUEST, Principal
from ...policy.vocabulary import LEVEL, Level, parse_level, parse_resource
from ..identity.local import LocalIdentityProvider
from . import moment
from .asker import Refused
from .giving import check_giving, exists
from .handler import PAGING, AdminHandler, page_of
from .operation import operation
from .shared import GRANT, SharedHandler
from .shared import shown as grant_shown

if TYPE_CHECKING:
    from ...policy.model import Grant, Resource
    from ...store import Link
    from .asker import Asker

_TEXT = {"type": "string"}
_TEXT_OR_NONE = {"type": ["string", "null"]}
#: Seconds for which a link holds that says nothing else, and most.
HOLDS, MOST = 24 * 3600.0, 366 * 24 * 3600.0
#: Path of the page on which a link is accepted, below the base URL.
PAGE = "/authz/link"
#: And of the one on which a link for guests is opened without signing in.
GUEST_PAGE = "/authz/guest"
LINK = {
    "type": "object",
    "required": ["id", "level", "resource", "ends", "used"],
    "properties": {
        "id": _TEXT,
        "person": _TEXT,
        "level": _TEXT,
        "resource": _TEXT,
        "created": _TEXT,
        "ends": _TEXT,
        "grant_ends": _TEXT_OR_NONE,
        "uses": {"type": ["integer", "null"]},
        "used": {"type": "integer"},
        "note": _TEXT,
        "guests": {"type": "boolean"},
    },
}


def shown(link: Link) -> dict[str, Any]:
    """A link as it is answered; never its secret."""
    return {
        "id": link.id,
        "person": f"user:{link.person}",
        "level": link.level,
        "resource": link.resource,
        "created": moment.shown(link.created),
        "ends": moment.shown(link.expires),
        "grant_ends": moment.shown(link.grant_ends),
        "uses": link.uses,
        "used": link.used,
        "note": link.note,
        "guests": link.guests,
    }


class LinksHandler(SharedHandler):
    """The links on what one may share."""

    @operation(query={**PAGING, "resource": _TEXT}, answer=page_of(LINK))
    async def get(self) -> dict[str, Any]:
        """Links that hold, on what one may share."""
        on = self.query("resource")
        resource = None if on is None else self.meant(on)[0].name
        now = time.time()
        return await self.page(
            (
                each
                for each in self.point.store.links()
                if each.expires > now and resource in {None, each.resource}
            ),
            key=lambda each: (each.resource, each.id),
            show=shown,
            visible=lambda each: self.shares(each.resource),
        )

    @operation(
        body={
            "type": "object",
            "required": ["level", "resource"],
            "additionalProperties": False,
            "properties": {
                "level": _TEXT,
                "resource": _TEXT,
                "ends": _TEXT_OR_NONE,
                "grant_ends": _TEXT_OR_NONE,
                "uses": {"type": ["integer", "null"]},
                "note": _TEXT,
                "guests": {"type": "boolean"},
                "confirm": {"type": "boolean"},
            },
        },
        answer=LINK,
        status=201,
    )
    async def post(self) -> dict[str, Any]:
        """Make a link; its `secret` and `url` are answered this once. It holds for a day."""
        body, secret, now = self.body, new_secret(), time.time()
        level = parse_level(body["level"]).word
        resource = self.admitted_one()
        grant_ends = self.moment(body.get("grant_ends"), last=True)
        guests = body.get("guests", False)
        said = self.moment(body.get("ends"), last=True)
        ends = now + HOLDS if said is None else said
        if ends > now + MOST:
            raise InvalidName(mistakes.LINK_TOO_LATE)
        person = self.principal.name.removeprefix("user:")

        async def judge() -> None:
            check_giving(self, EVERYONE, level, resource, ends=grant_ends, confirmed=True)
            if guests:
                check_guests(self, resource, confirmed=body.get("confirm", False))
            if not await exists(self, resource):
                raise UnknownName(mistakes.make_it_first(resource.name))

        made: Link = await self.change_as_judged(
            judge,
            lambda store, _: store.add_link(
                secret.id,
                secret.hash,
                person=person,
                level=level,
                resource=resource.name,
                expires=ends,
                now=now,
                grant_ends=grant_ends,
                uses=body.get("uses"),
                note=body.get("note", ""),
                guests=guests,
            ),
            lambda made: [acts.link_added(made)],
        )
        # Of this name Jupyter's log shows no value.
        page = GUEST_PAGE if guests else PAGE
        url = url_path_join(self.base_url, f"{page}?key={url_escape(secret.text)}")
        self.tag(shown(made))
        return {**shown(made), "secret": secret.text, "url": url}


class LinkHandler(SharedHandler):
    """One link."""

    @operation(
        answer={"type": "object", "required": ["removed"], "properties": {"removed": _TEXT}}
    )
    async def delete(self, id_: str) -> dict[str, Any]:
        """Remove a link on what one may share; what it has given stays."""

        async def judge() -> None:
            found = self.point.store.link(id_)
            own = found is not None and f"user:{found[0].person}" == self.principal.name
            if found is None or not (own or self.shares(found[0].resource)):
                raise UnknownName(mistakes.NO_SUCH_LINK)
            self.check_tag(shown(found[0]))

        await self.change_as_judged(
            judge,
            lambda store, _: store.remove_link(id_),
            lambda removed: [acts.link_removed(removed)],
        )
        return {"removed": id_}


class RedeemHandler(AdminHandler):
    """Accepting a link."""

    @operation(
        body={
            "type": "object",
            "required": ["secret"],
            "additionalProperties": False,
            "properties": {"secret": {"type": "string", "maxLength": 256}},
        },
        answer=GRANT,
    )
    async def post(self) -> dict[str, Any]:
        """Take what a link hands out; the same person takes it once."""
        return grant_shown(await redeem(self, self.body["secret"]))


def found_link(handler: Asker, secret: str) -> Link:
    """The link that `secret` opens, while it holds and its maker may still share so much.

    Raises:
        UnknownName: no link, or one that does not hold any more; the same for each.
    """
    id_ = split_secret(secret)
    found = handler.point.store.link(id_) if id_ is not None else None
    if found is None or not secret_matches(secret, found[1]):
        raise UnknownName(mistakes.LINK_IS_OVER)
    link = found[0]
    resource = handler.known(parse_resource(link.resource))
    maker = handler.point.principal(f"user:{link.person}")
    needed = [("share", resource), *inquiry.needed(resource, link.level)]
    if link.expires <= time.time() or not all(
        handler.holds(action, on, maker).allowed for action, on in needed
    ):
        raise UnknownName(mistakes.LINK_IS_OVER)
    return link


def check_guests(handler: Asker, resource: Resource, *, confirmed: bool) -> None:
    """Raise unless the rules let guests see `resource`, and going public is meant.

    Raises:
        Refused: no rule permits it to `anonymous`, or this server keeps no guests.
        Unconfirmed: nobody has said so.
    """
    scope = ((Level.VIEWER.word, resource.name),)
    guest = Principal(name=f"{GUEST}new", scope=scope, giver=handler.principal)
    if not lets_in(handler, guest, resource):
        raise Refused(mistakes.GUESTS_SEE_IT_NOT)
    if not confirmed:
        raise Unconfirmed(mistakes.GUESTS_MEANT)


def lets_in(handler: Asker, guest: Principal, resource: Resource) -> bool:
    """Whether this server shows `resource` to `guest` now."""
    if not isinstance(handler.identity_provider, LocalIdentityProvider):
        return False
    return handler.holds("open", resource, guest).allowed


async def redeem(handler: Asker, secret: str) -> Grant:
    """What the link hands to whoever asks, from now on.

    Raises:
        UnknownName: it does not hold.
    """
    to = handler.principal.name

    async def judge() -> tuple[str, float]:
        try:
            link = found_link(handler, secret)
        except UnknownName:
            # Also a maker who is gone: nothing about them is for whoever holds a link.
            raise UnknownName(mistakes.LINK_IS_OVER) from None
        on = handler.known(parse_resource(link.resource))
        highest, rule = inquiry.ceiling(handler.point, to, on)
        if rule and (highest is None or LEVEL[link.level] > highest):
            raise UnknownName(mistakes.LINK_IS_OVER)
        # What its maker has may have got an end, or an exception, since the link was made.
        maker = handler.point.principal(f"user:{link.person}")
        if inquiry.kept_from(handler.point, maker, to, on, link.level):
            raise UnknownName(mistakes.LINK_IS_OVER)
        return link.id, inquiry.lasts(handler.point, maker, on, link.level)

    found: Grant
    (found, _), _ = await handler.change_as_judged(
        judge,
        lambda store, judged: (
            store.redeem_link(
                judged[0], to.removeprefix("user:"), until=judged[1], now=time.time()
            ),
            judged[0],
        ),
        lambda done: [acts.given(done[0][0], link=done[1])] if done[0][1] else [],
    )
    return found


def place_of(resource: str) -> str:
    """Where a page shows the resource written `resource`, below the base URL."""
    kind, _, path = resource.partition(":")
    place = f"tree{url_escape(path, plus=False)}" if kind == "contents" else ""
    return place.replace("%2F", "/")


def thing(link: Link) -> str:
    """What a link is for, as a page calls it."""
    kind, _, path = link.resource.partition(":")
    if kind == "contents":
        return path.strip("/") or "all files"
    return "this server" if kind == "server" else link.resource
