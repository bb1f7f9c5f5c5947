"""The page on which a link for guests is opened, by whoever has not signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.utils import url_path_join
from tornado.escape import url_escape

from ... import mistakes
from ...errors import StoreError, UnknownName
from ...policy.model import GUEST
from ...policy.vocabulary import parse_resource
from ..identity import words
from ..identity.page import Page, sentence
from ..identity.user import GuestUser
from .asker import Asker
from .link import PAGE, found_link, lets_in, place_of, thing

if TYPE_CHECKING:
    from ...store import Link


class GuestPage(Asker, Page):
    """Look at what a link is for; nothing happens before the button is pressed."""

    @allow_unauthenticated
    async def get(self) -> None:
        """What the link shows, and the way in for whoever would rather sign in."""
        key = self.get_query_argument("key", "")
        if self._is_somebody():
            self._to_link_page(key)
            return
        try:
            link = self._found(key)
        except UnknownName:
            self._say_over()
            return
        accept = url_path_join(self.base_url, f"{PAGE}?key={url_escape(key)}")
        sign_in = url_path_join(self.base_url, f"login?next={url_escape(accept)}")
        self.show("guest", thing=thing(link), key=key, sign_in=sign_in)

    @allow_unauthenticated
    async def post(self) -> None:
        """Begin as a guest, and go there; the same browser does so once."""
        key = self.field("key")
        if self._is_somebody():
            self._to_link_page(key)
            return
        try:
            link = self._found(key)
            user = self.current_user
            if not (isinstance(user, GuestUser) and user.link == link.id):
                self.provider.begin_guest(self, link.id)
        except UnknownName:
            self._say_over()
        except (StoreError, OSError) as error:
            self.log.error("a link for guests could not be opened: %s", error)  # noqa: TRY400  # why: the message says it all
            self.show("note", status=503, title=words.NOT_OPENED, error=words.OUT_OF_REACH)
        else:
            self.redirect(url_path_join(self.base_url, place_of(link.resource)))

    def _found(self, key: str) -> Link:
        """The link for guests that `key` opens, where the rules let guests see it now.

        Raises:
            UnknownName: none; the same words whatever is wrong.
        """
        try:
            link = found_link(self, key)
        except UnknownName:
            raise UnknownName(mistakes.LINK_IS_OVER) from None
        if not link.guests:
            raise UnknownName(mistakes.LINK_IS_OVER)
        guest = self.point.principal(f"{GUEST}{link.id}")
        if not lets_in(self, guest, self.known(parse_resource(link.resource))):
            raise UnknownName(mistakes.LINK_IS_OVER)
        return link

    def _is_somebody(self) -> bool:
        """Whether whoever opens it has signed in, and so takes the link as themselves."""
        return self.current_user is not None and not isinstance(self.current_user, GuestUser)

    def _to_link_page(self, key: str) -> None:
        self.redirect(url_path_join(self.base_url, f"{PAGE}?key={url_escape(key)}"))

    def _say_over(self) -> None:
        self.show("note", status=404, title=words.LINK_OVER, error=sentence(mistakes.LINK_IS_OVER))
