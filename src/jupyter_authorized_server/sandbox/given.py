"""What rules give people's processes besides the contents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpecManager

from ..errors import AuthorizationError
from ..policy.model import Resource
from .probe import probe, why_no_internet

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..policy.model import Principal
    from .launch import Launcher

#: What a process reaches besides itself, by the right to it.
NETWORKS = {"none": "none", "internet": "internet of IPv4", "network": "the machine's"}


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
            "network": NETWORKS[network],
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
