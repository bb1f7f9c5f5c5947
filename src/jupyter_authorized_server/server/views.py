"""Views: who looks around as whom at the moment, and until when.

Kept in memory: a server that starts anew has none, and each is a record of the audit
file. A view is no right: whoever looks is asked for theirs at each request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import mistakes
from ..errors import DuplicateName, UnknownName

if TYPE_CHECKING:
    from ..policy.model import Principal

#: Most views that one person has at a time, and most that are remembered.
MOST, REMEMBERED = 4, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Somebody who looks around as another person.

    Args:
        id: names it in a request; worth nothing to anybody but its viewer.
        viewer: written form of who looks.
        login: their login session and token, with which alone the view is used.
        viewed: written form of the other person.
        since: seconds since the epoch.
        ends: when it ends by itself, or has ended.
        note: why, in the viewer's words.
    """

    id: str
    viewer: str
    login: tuple[str | None, str | None]
    viewed: str
    since: float
    ends: float
    note: str = ""


def cookie_name(handler: Any) -> str:
    """Name of the cookie that names a view; one for each login cookie."""
    return f"{handler.identity_provider.get_cookie_name(handler)}-view"


class Views:
    """All views of one server."""

    def __init__(self) -> None:
        self._views: dict[str, View] = {}

    def begin(
        self, viewer: Principal, viewed: str, *, now: float, seconds: float, note: str
    ) -> View:
        """Begin a view.

        Raises:
            DuplicateName: the viewer has too many already.
        """
        open_ = [each for each in self.all() if each.viewer == viewer.name and each.ends > now]
        if len(open_) >= MOST:
            raise DuplicateName(mistakes.too_many_views(str(MOST)))
        view = View(
            id=secrets.token_urlsafe(16),
            viewer=viewer.name,
            login=(viewer.session, viewer.token),
            viewed=viewed,
            since=now,
            ends=now + seconds,
            note=note,
        )
        if len(self._views) >= REMEMBERED:
            oldest = min(self._views.values(), key=lambda each: each.ends)
            del self._views[oldest.id]
        self._views[view.id] = view
        return view

    def find(self, id_: str, viewer: Principal, *, now: float) -> View | None:
        """The view `id_`, if it is one of `viewer` in this login, and not over."""
        view = self._views.get(id_)
        if view is None or now >= view.ends:
            return None
        its = (view.viewer, view.login)
        return view if its == (viewer.name, (viewer.session, viewer.token)) else None

    def end(self, id_: str, viewer: str, *, now: float) -> View:
        """End a view of `viewer`; returns it.

        Raises:
            UnknownName: they have none with that id.
        """
        view = self._views.get(id_)
        if view is None or view.viewer != viewer or now >= view.ends:
            raise UnknownName(mistakes.NO_SUCH_VIEW)
        self._views[id_] = replace(view, ends=now)
        return self._views[id_]

    def all(self) -> tuple[View, ...]:
        """Those of now and the last ones that are over, oldest first."""
        return tuple(self._views.values())
