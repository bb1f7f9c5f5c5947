"""Every endpoint of the REST interface, with the pattern below the base URL."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join

from . import (
    authzen,
    changes,
    grant,
    grant_batch,
    guest_page,
    link,
    link_page,
    live,
    login,
    me,
    openapi,
    page,
    people,
    policy,
    question,
    reach,
    record,
    replay,
    search,
    survey,
    token,
    view,
    wish,
)
from .asker import GIVING
from .handler import CHANGING, AdminHandler
from .operation import operation

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.web import Application

ROUTES: tuple[tuple[str, type[AdminHandler]], ...] = (
    (r"/api/authz/me", me.MeHandler),
    (r"/api/authz/check", question.CheckHandler),
    (r"/api/authz/explain", question.ExplainHandler),
    (r"/api/authz/grants", grant.GrantsHandler),
    (r"/api/authz/grants/batch", grant_batch.GrantBatchHandler),
    (r"/api/authz/grants/([A-Za-z0-9_-]{1,64})", grant.GrantHandler),
    (r"/api/authz/levels", grant.LevelsHandler),
    (r"/api/authz/who-can", survey.WhoCanHandler),
    (r"/api/authz/what-can", survey.WhatCanHandler),
    (r"/api/authz/reach", reach.ReachHandler),
    (r"/api/authz/people", people.PeopleHandler),
    (r"/api/authz/people/([^/]+)", people.PersonHandler),
    (r"/api/authz/groups", people.GroupsHandler),
    (r"/api/authz/groups/([^/]+)", people.GroupHandler),
    (r"/api/authz/live", live.DoorsHandler),
    (r"/api/authz/live/([A-Za-z0-9_-]{1,64})", live.DoorHandler),
    (r"/api/authz/logins", login.LoginsHandler),
    (r"/api/authz/logins/([A-Za-z0-9_-]{1,64})", login.LoginHandler),
    (r"/api/authz/audit", record.RecordsHandler),
    (r"/api/authz/audit/verify", record.VerifyHandler),
    (r"/api/authz/links", link.LinksHandler),
    (r"/api/authz/links/redeem", link.RedeemHandler),
    (r"/api/authz/links/([A-Za-z0-9_-]{1,64})", link.LinkHandler),
    (r"/api/authz/requests", wish.WishesHandler),
    (r"/api/authz/requests/([A-Za-z0-9_-]{1,64})", wish.WishHandler),
    (r"/api/authz/tokens", token.TokensHandler),
    (r"/api/authz/tokens/([A-Za-z0-9_-]{1,64})", token.TokenHandler),
    (r"/api/authz/views", view.ViewsHandler),
    (r"/api/authz/views/([A-Za-z0-9_-]{1,64})", view.ViewHandler),
    (r"/api/authz/policy", policy.PolicyHandler),
    (r"/api/authz/changes", changes.ChangesHandler),
)


#: The pages that people use them with.
PAGES: tuple[tuple[str, type[JupyterHandler]], ...] = (
    (r"/authz/?", page.PageHandler),
    (rf"/authz/({'|'.join(map(re.escape, page.PARTS))})", page.PartHandler),
    (link.PAGE, link_page.LinkPage),
    (link.GUEST_PAGE, guest_page.GuestPage),
)


class DocumentHandler(AdminHandler):
    """The description of the interface."""

    @operation(answer={"type": "object", "required": ["openapi", "paths"]})
    async def get(self) -> dict[str, Any]:
        """This interface, as an OpenAPI document."""
        return openapi.document(ALL, self.base_url)


ALL: tuple[tuple[str, type[AdminHandler]], ...] = (
    *ROUTES,
    (authzen.EVALUATION, authzen.EvaluationHandler),
    (authzen.EVALUATIONS, authzen.EvaluationsHandler),
    (authzen.SEARCH["subject"], search.SubjectSearchHandler),
    (authzen.SEARCH["resource"], search.ResourceSearchHandler),
    (authzen.SEARCH["action"], search.ActionSearchHandler),
    (authzen.CONFIGURATION.replace(".", r"\."), authzen.ConfigurationHandler),
    (r"/api/authz/openapi\.json", DocumentHandler),
)


def install(application: Application) -> None:
    """Add endpoints and pages to `application`."""
    base = application.settings["base_url"]
    changes.install(application)
    replay.install(application)
    reach.install(application)
    application.settings[CHANGING] = asyncio.Lock()
    application.settings[GIVING] = asyncio.Lock()
    application.add_handlers(
        ".*$", [(url_path_join(base, pattern), handler) for pattern, handler in (*ALL, *PAGES)]
    )
