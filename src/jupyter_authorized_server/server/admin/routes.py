"""Every endpoint of the REST interface, with the pattern below the base URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from . import grant, me, page, people, question, record, survey

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler
    from tornado.web import Application

    from .handler import AdminHandler

ROUTES: tuple[tuple[str, type[AdminHandler]], ...] = (
    (r"/api/authz/me", me.MeHandler),
    (r"/api/authz/check", question.CheckHandler),
    (r"/api/authz/explain", question.ExplainHandler),
    (r"/api/authz/grants", grant.GrantsHandler),
    (r"/api/authz/grants/([A-Za-z0-9_-]{1,64})", grant.GrantHandler),
    (r"/api/authz/levels", grant.LevelsHandler),
    (r"/api/authz/who-can", survey.WhoCanHandler),
    (r"/api/authz/what-can", survey.WhatCanHandler),
    (r"/api/authz/people", people.PeopleHandler),
    (r"/api/authz/people/([^/]+)", people.PersonHandler),
    (r"/api/authz/groups", people.GroupsHandler),
    (r"/api/authz/groups/([^/]+)", people.GroupHandler),
    (r"/api/authz/audit", record.RecordsHandler),
    (r"/api/authz/audit/verify", record.VerifyHandler),
)

#: The page that people use them with.
PAGES: tuple[tuple[str, type[JupyterHandler]], ...] = (
    (r"/authz/?", page.PageHandler),
    (rf"/authz/({'|'.join(map(re.escape, page.PARTS))})", page.PartHandler),
)


def install(application: Application) -> None:
    """Add the endpoints and the page to `application`."""
    base = application.settings["base_url"]
    application.add_handlers(
        ".*$", [(url_path_join(base, pattern), handler) for pattern, handler in (*ROUTES, *PAGES)]
    )
