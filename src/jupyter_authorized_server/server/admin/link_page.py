"""The page on which a link is accepted: says what it hands out, and asks."""

from __future__ import annotations

from jupyter_server.utils import url_path_join
from tornado import web

from ... import mistakes
from ...errors import AuthorizationError, UnknownName
from ...policy.vocabulary import LEVEL, LEVEL_SENTENCES
from ..identity import words
from ..identity.page import Page, sentence
from . import moment
from .asker import Asker
from .link import found_link, place_of, redeem, thing


class LinkPage(Asker, Page):
    """Accept a link; nothing happens before the button is pressed."""

    @web.authenticated
    async def get(self) -> None:
        """What the link hands out."""
        key = self.get_query_argument("key", "")
        try:
            link = found_link(self, key)
        except UnknownName:
            self._say_over()
            return
        names = {each.name: each.display_name for each in self.point.state.people}
        self.show(
            "link",
            giver=names.get(link.person) or link.person,
            thing=thing(link),
            level=link.level,
            sentence=LEVEL_SENTENCES[LEVEL[link.level]],
            until=moment.shown(link.grant_ends) or "",
            key=key,
            action=self.request.path,
        )

    @web.authenticated
    async def post(self) -> None:
        """Take it, and go there."""
        if self.principal.scope is not None:
            raise web.HTTPError(403, mistakes.SCOPE_ACCEPTS_NOTHING)
        try:
            grant = await redeem(self, self.field("key"))
        except UnknownName:
            self._say_over()
            return
        except AuthorizationError as error:
            self.show("note", status=503, title=words.NOT_ACCEPTED, error=sentence(error))
            return
        self.redirect(url_path_join(self.base_url, place_of(grant.resource)))

    def _say_over(self) -> None:
        self.show("note", status=404, title=words.LINK_OVER, error=sentence(mistakes.LINK_IS_OVER))
