"""Door: the lists of what runs, as whoever asks may see them.

Each list of the server's is cut down where it is made, so that it is right in every
answer that holds it: kernels, sessions, kernelspecs (shells are in `terminals`). The
server's own tasks see all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from ...errors import UnsafePath
from ...policy.model import Resource
from ..surface import places
from .own_sessions import OwnSessions
from .sight import sight_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..wiring import Wiring
    from .sight import Sight


def install(settings: Mapping[str, Any], wired: Wiring) -> None:
    """Put this door over the managers of an application."""
    kernels = settings["kernel_manager"]
    sessions = settings["session_manager"]
    specs = settings["kernel_spec_manager"]
    list_kernels, list_sessions = kernels.list_kernels, sessions.list_sessions
    get_all_specs = specs.get_all_specs

    async def kernels_seen(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        found = await ensure_async(list_kernels(*args, **kwargs))
        sight = sight_of(wired)
        return [each for each in found if sight is None or _sees_kernel(wired, sight, each["id"])]

    async def sessions_seen(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await ensure_async(list_sessions(*args, **kwargs))
        sight = sight_of(wired)
        if sight is None:
            return found
        seen = [each for each in found if _sees_session(settings, wired, sight, each)]
        return own_sessions.shown(seen, sight)

    async def specs_seen(*args: Any, **kwargs: Any) -> dict[str, Any]:
        found = await ensure_async(get_all_specs(*args, **kwargs))
        sight = sight_of(wired)
        if sight is None:
            return dict(found)
        return {
            name: _told(sight, name, spec)
            for name, spec in found.items()
            if sight.allows("list", (places.spec(name),))
        }

    own_sessions = OwnSessions(settings, wired, list_sessions)
    own_sessions.install(sessions)
    kernels.list_kernels = kernels_seen
    sessions.list_sessions = sessions_seen
    specs.get_all_specs = specs_seen


def _told(sight: Sight, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A kernelspec as who may list it sees it.

    Its variables, which may be keys to something, are for whose kernels have them.
    """
    inner = spec.get("spec")
    if not isinstance(inner, dict) or sight.allows("launch", (places.spec(name),)):
        return spec
    return {**spec, "spec": {**inner, "env": {}}}


def _sees_kernel(wired: Wiring, sight: Sight, kernel_id: str) -> bool:
    return sight.allows("watch", (places.kernel_of(wired.kernels, kernel_id),))


def _sees_session(
    settings: Mapping[str, Any], wired: Wiring, sight: Sight, model: Mapping[str, Any]
) -> bool:
    """Whether its kernel may be watched, and the name that it shows be known."""
    kernel = places.kernel_of(wired.kernels, model["kernel"]["id"])
    if not sight.allows("watch", (kernel,)):
        return False
    try:
        found = places.place_of(settings["contents_manager"], model.get("path") or "")
    except UnsafePath:
        # The name of nothing on the disk, as a console of a program's own may have.
        found = None
    if found is None:
        return sight.allows("watch", (Resource(type="kernels"),))
    return sight.sees(places.resources(found))
