"""`explain --view`: what a person's kernel is shown, what it loses and by which rule."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_config_path, jupyter_path

from ..errors import AuthorizationError, ConfigurationError
from ..policy.model import Resource
from ..sandbox.disk import Disk, kept_by, server_paths
from ..sandbox.extra import named
from ..sandbox.launch import Launcher
from ..sandbox.loss import Losses
from ..sandbox.probe import probe, why_no_internet
from ..sandbox.reach import room_for
from ..sandbox.room import Origin
from ..sandbox.view import may_execute, runs_own_code
from .desk import asker_name
from .output import printable, say, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal
    from .desk import Desk

#: What a process reaches besides itself, by the right to it.
_NETWORKS = {"none": "none", "internet": "internet of IPv4", "network": "the machine's"}
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


class Given:
    """What rules give people's processes besides the contents, tried where that can fail."""

    def __init__(self, launcher: Launcher, wanted: str) -> None:
        self._launcher = launcher
        self._wanted = wanted
        self._specs = sorted({name.lower() for name in KernelSpecManager().find_kernel_specs()})
        self._whys: dict[str, str] = {}

    def to(self, person: Principal) -> list[dict[str, Any]]:
        """What each kind of process that `person` may start has."""
        return [self._has(person, program) for program in self.programs(person)]

    def programs(self, person: Principal) -> list[Resource]:
        """The kernelspecs and terminals that `person` may start."""
        point = self._launcher.point
        asked = [(Resource(type="kernelspecs", id=name), "launch") for name in self._specs]
        asked.append((Resource(type="terminals"), "start"))
        return [
            program
            for program, action in asked
            if point.decide(person, action, program, door="sandbox", record=False).allowed
        ]

    def _has(self, person: Principal, program: Resource) -> dict[str, Any]:
        rights = self._launcher.besides(person, program)
        problem = self._why("sandbox", self._why_not_confined) if rights else ""
        if rights:
            # What confines here may not let a process have what a rule gives it.
            rights = self._launcher.besides(person, program)
        return self._told(program, rights, problem)

    def has(self, program: Resource, rights: frozenset[str]) -> dict[str, Any]:
        """What a process of `program` has that has these `rights`."""
        return self._told(program, rights, "")

    def _told(self, program: Resource, rights: frozenset[str], problem: str) -> dict[str, Any]:
        extra = self._launcher.extra
        network = next((each for each in ("network", "internet") if each in rights), "none")
        if network == "internet" and not problem:
            problem = self._why("internet", self._why_no_internet)
        mounts = extra.mounts if "mounts" in rights else ()
        if mounts and not problem:
            problem = self._why("mounts", self._why_no_mounts)
        return {
            "process": program.name,
            "network": _NETWORKS[network],
            "mounts": [
                {"path": path, "how": "changes" if changes else "reads", "there": _is_there(path)}
                for path, changes in mounts
            ],
            "devices": [*extra.nodes()] if "devices" in rights else [],
            "problem": problem or None,
        }

    def _why(self, what: str, tried: Callable[[], str]) -> str:
        if what not in self._whys:
            self._whys[what] = tried()
        return self._whys[what]

    def _why_not_confined(self) -> str:
        if self._wanted == "off" or self._launcher.backend is not None:
            return ""
        found = probe(self._wanted)
        self._launcher.backend = found.backend
        return "" if found.backend is not None else found.why

    def _why_no_internet(self) -> str:
        backend = self._launcher.backend
        return "" if backend is None else why_no_internet(backend, self._launcher.opened)

    def _why_no_mounts(self) -> str:
        try:
            for mount in self._launcher.extra.opened(mounts=True):
                os.close(mount.source)
        except AuthorizationError as error:
            return str(error)
        return ""


def _is_there(path: str) -> bool:
    return Path(path).is_dir()


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
        if each["network"] != _NETWORKS["none"] or each["mounts"] or each["devices"]
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
