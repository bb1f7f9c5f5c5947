"""`explain --view`: what a person's kernel is shown, what it loses and by which rule."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_path, jupyter_path

from ..errors import AuthorizationError, ConfigurationError
from ..sandbox.disk import Disk, kept_by, server_paths
from ..sandbox.extra import named
from ..sandbox.given import NETWORKS, Given
from ..sandbox.launch import Launcher
from ..sandbox.loss import Losses
from ..sandbox.reach import room_for
from ..sandbox.room import Origin
from ..sandbox.view import may_execute, runs_own_code
from .desk import asker_name
from .output import printable, say, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal
    from .desk import Desk

#: Losses that are told of one person.
MOST_TOLD = 1000
_OFF = (
    '`c.JupyterAuthorization.sandbox` is "off": every process reaches all that the server\'s '
    "own account can; this is what a confined one would be shown"
)


def explain_views(desk: Desk, *, user: str | None, root: str, as_json: bool) -> int:
    """Print the view of `user`, or of each person."""
    place = Path(root)
    if not place.is_dir():
        msg = f"`{printable(root, 200)}` is no folder; name the server's contents root"
        raise ConfigurationError(msg)
    config = desk.config
    disk = Disk(place, server_paths(*jupyter_config_path(), *jupyter_path(), *kept_by(config)))
    with desk.point() as point, tempfile.TemporaryDirectory(prefix="jk-view-") as folder:
        launcher = Launcher(
            point=point,
            disk=disk,
            folder=Path(folder),
            opened=tuple(config.sandbox_internet),
            extra=named(config, str(place.absolute())),
        )
        given = Given(launcher, config.sandbox)
        views = [_view(launcher, disk, each, given) for each in _people(point, user)]
    if as_json:
        write_json({"sandbox": config.sandbox, "views": views})
        return 0
    if config.sandbox == "off":
        say(_OFF)
    for each in views:
        _show(each)
    return 0


def _people(point: DecisionPoint, user: str | None) -> Iterator[Principal]:
    if user is not None:
        yield point.principal(asker_name(user))
        return
    for name in sorted(point.directory.people):
        if name not in point.disabled:
            yield point.principal(f"user:{name}")


def _view(launcher: Launcher, disk: Disk, person: Principal, given: Given) -> dict[str, Any]:
    point = launcher.point
    room, principal = room_for(launcher, Origin(principal=person, path=None), "")
    found: dict[str, Any] = {
        "principal": principal.name,
        "revision": point.revision,
        "runs": may_execute(point, principal, room.resource),
        "shows": [],
        "lost": [],
        "besides": [],
        "complete": True,
        "problem": None,
    }
    if not found["runs"]:
        return found
    found["besides"] = given.to(principal)
    try:
        view = launcher.view(room)
    except AuthorizationError as error:
        return {**found, "problem": str(error)}
    may_write = runs_own_code(point, principal, room.resource)
    losses = Losses(point, principal, view, disk, may_write=may_write)
    shows = [(path, "reads") for path in view.read_only]
    shows += [(path, "changes") for path in view.writable]
    lost: list[dict[str, Any]] = []
    for each in losses:
        if len(lost) == MOST_TOLD:
            return {**found, "shows": _shown(shows), "lost": lost, "complete": False}
        lost.append({**each._asdict(), "rules": list(each.rules)})
    return {**found, "shows": _shown(shows), "lost": lost, "complete": losses.complete}


def _shown(shows: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"path": path, "how": how} for path, how in sorted(shows)]


def _show(view: dict[str, Any]) -> None:
    name = printable(view["principal"])
    if view["problem"] is not None:
        say(f"{name}: no kernel can be started: {view['problem']}")
        return
    if not view["runs"]:
        say(f"{name}: may run no code")
        return
    say(f"{name}, at revision {view['revision']}")
    write_table(
        ("its kernels", "folder"),
        [(each["how"], each["path"]) for each in view["shows"]],
        empty="its kernels are shown nothing of the contents",
    )
    show_besides(view["besides"])
    if view["lost"]:
        write_table(
            ("loses", "path", "why", "rules"),
            [
                (each["how"], each["path"], each["why"], ", ".join(each["rules"]) or "none")
                for each in view["lost"]
            ],
            empty="nothing",
        )
    if not view["complete"]:
        say("there is more: not all of the contents was looked at, or all told")


def show_besides(given: list[dict[str, Any]]) -> None:
    """Print what processes have besides the contents, where any has something."""
    some = [
        each
        for each in given
        if each["network"] != NETWORKS["none"] or each["mounts"] or each["devices"]
    ]
    if not some:
        say("they have no network, no devices, and no other folders of the machine")
        return
    write_table(
        ("its processes", "network", "folders", "devices"),
        [
            (
                each["process"],
                each["network"],
                ", ".join(_folder(mount) for mount in each["mounts"]) or "none",
                ", ".join(each["devices"]) or "none",
            )
            for each in some
        ],
        empty="nothing",
    )
    for each in some:
        if each["problem"]:
            say(f"{printable(each['process'])} is not started: {printable(each['problem'], 1000)}")


def _folder(mount: dict[str, Any]) -> str:
    return f"{mount['how']} {mount['path']}{'' if mount['there'] else ' (not there)'}"
