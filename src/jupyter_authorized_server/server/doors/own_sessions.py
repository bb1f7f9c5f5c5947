"""Door: the session of a notebook is one's own, where the other one's is of no use.

Upstream has one session for a path, and hands it to whoever opens the notebook. Where
its kernel belongs to somebody else in whose kernel one may run nothing, a page would be
left with a kernel that refuses every cell. So there each person gets a session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from ... import sentences
from ...errors import UnsafePath
from ..acting import ACTING
from ..surface import places
from .sight import sight_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ..wiring import Wiring
    from .sight import Sight

    Model = dict[str, Any]


class OwnSessions:
    """Chooses among several sessions for one path.

    Args:
        settings: of the application.
        list_sessions: all there are, whoever may see them.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        wired: Wiring,
        list_sessions: Callable[..., Awaitable[list[Model]] | list[Model]],
    ) -> None:
        self._settings = settings
        self._wired = wired
        self._list = list_sessions

    def install(self, sessions: Any) -> None:
        """Have a session manager look for sessions by path as whoever asks would."""
        exists, get = sessions.session_exists, sessions.get_session

        async def session_exists(path: str) -> bool:
            sight = sight_of(self._wired)
            if sight is None:
                return bool(await ensure_async(exists(path)))
            return await self._find(path, sight) is not None

        async def get_session(**by: Any) -> Model:
            sight = sight_of(self._wired)
            if sight is None or set(by) != {"path"}:
                found: Model = await ensure_async(get(**by))
                return found
            own = await self._find(by["path"], sight)
            if own is None:
                raise HTTPError(404, sentences.NO_SESSION)
            return own

        sessions.session_exists, sessions.get_session = session_exists, get_session

    async def _find(self, path: str, sight: Sight) -> Model | None:
        """The session for `path` that whoever asks would go on in; their own first."""
        # Of a session whose kernel has died upstream clears the row as it lists.
        found = [each for each in await ensure_async(self._list()) if each.get("path") == path]
        useful = [each for each in found if self._is_useful(each, sight)]
        return min(useful, key=self._is_anothers, default=None)

    def _is_useful(self, model: Model, sight: Sight) -> bool:
        kernel = (places.kernel_of(self._wired.kernels, model["kernel"]["id"]),)
        return sight.allows("watch", kernel) and (
            sight.allows("run", kernel) or sight.allows("run_saved", kernel)
        )

    def _is_anothers(self, model: Model) -> bool:
        acting = ACTING.get()
        owned = self._wired.kernels.get(model["kernel"]["id"])
        return acting is None or owned is None or owned.owner != acting.principal.name

    def shown(self, models: Iterable[Model], sight: Sight) -> list[Model]:
        """The sessions as whoever asks sees them, their own first.

        JupyterLab opens a notebook with the first session that is listed under its path.
        So one that would be of no use, to who can start another, is listed under the same
        path with a slash before it; not while a page of theirs is connected to it, which
        would take the notebook for a renamed one.
        """
        found = sorted(models, key=self._is_anothers)
        return [self._apart(each) if self._is_apart(each, sight) else each for each in found]

    def _is_apart(self, model: Model, sight: Sight) -> bool:
        return (
            self._is_anothers(model)
            and not self._is_useful(model, sight)
            and self._may_start(model, sight)
            and not self._is_connected(model["kernel"]["id"])
        )

    def _may_start(self, model: Model, sight: Sight) -> bool:
        try:
            place = places.place_of(self._settings["contents_manager"], model.get("path") or "")
        except UnsafePath:
            return False
        acting, confinement = ACTING.get(), self._wired.confinement
        if acting is None or (
            confinement is not None and not confinement.standing(acting.principal)["runs"]
        ):
            return False
        return sight.allows("launch", places.resources(place)) and sight.allows(
            "launch", (places.spec(str(model["kernel"].get("name"))),)
        )

    def _is_connected(self, kernel_id: str) -> bool:
        acting = ACTING.get()
        return acting is not None and any(
            on.type == "kernels" and on.id == kernel_id
            for door in self._wired.live.open_doors()
            if door.name == acting.principal.name
            for _, on in door.questions
        )

    @staticmethod
    def _apart(model: Model) -> Model:
        path = "/" + str(model["path"]).lstrip("/")
        made = {**model, "path": path}
        if isinstance(model.get("notebook"), dict):
            made["notebook"] = {**model["notebook"], "path": path}
        return made
