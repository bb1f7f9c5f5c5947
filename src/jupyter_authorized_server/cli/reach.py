"""`reach`: what a person's process reaches that the policy denies them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from jupyter_core.paths import jupyter_config_path, jupyter_path

from ..errors import ConfigurationError, UnknownName
from ..policy.vocabulary import parse_resource
from ..sandbox.disk import Disk, kept_by, server_paths
from ..sandbox.extra import named
from ..sandbox.findings import Asked, Found, found_of
from ..sandbox.given import Given
from ..sandbox.launch import Launcher
from ..sandbox.machine import memory
from ..sandbox.probe import probe
from ..sandbox.room import Origin
from ..sandbox.shown import find
from .desk import asker_name
from .output import note, printable, say, write_json, write_table
from .view import show_besides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import JupyterAuthorization
    from ..decision_point import DecisionPoint
    from ..sandbox.probe import Probed
    from ..sandbox.shown import Shown
    from .desk import Desk

NOTHING, SOMETHING = 0, 1
_OFF = (
    '`c.JupyterAuthorization.sandbox` is "off": every process reaches all that the server\'s '
    "own account can, whatever the policy says"
)
_ELSEWHERE = "kernels run behind a gateway (`GatewayClient.url`), where nothing here confines them"


@click.command()
@click.option("--user", metavar="PRINCIPAL", help="Only the processes of this one.")
@click.option("--kernel", metavar="ID", help="Only this kernel, which is running.")
@click.option(
    "--root",
    metavar="FOLDER",
    default=".",
    show_default="the current folder",
    help="The server's contents root.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def reach(desk: Desk, *, user: str | None, kernel: str | None, root: str, as_json: bool) -> int:
    """Show what a process reaches that the policy denies.

    Starts a small program in the sandbox that the person's kernel would get, lets it walk
    over the contents and look for what is the server's own, and compares what it could read
    or change with the policy.
    Another attempts what no process must do, such as to reach a port of the machine, for each
    kind of process to which rules give something else besides.
    Prints that too: the network, folders and devices that rules give, and whether each attempt
    is closed, open and why, or cannot be told, since nobody can do it on this machine.
    With `--kernel` what is tried is what that very kernel was shown when it was started.
    Changes nothing.

    Exits 0 for nothing, 1 for something, 2 where it could not be tried.

    Example: `jupyter authz reach --user user:ada --root /srv/notebooks`
    """
    if user is not None and kernel is not None:
        msg = "give `--user` or `--kernel`, not both"
        raise click.UsageError(msg)
    place = Path(root)
    if not place.is_dir():
        msg = f"`{printable(root, 200)}` is no folder; name the server's contents root"
        raise ConfigurationError(msg)
    config = desk.config
    _note_gateway(config, kernel)
    if config.sandbox == "off":
        if as_json:
            write_json({"sandbox": "off", "why": _OFF, "reached": []})
        else:
            say(_OFF)
        return SOMETHING
    tried = probe(config.sandbox)
    if tried.backend is None:
        msg = f"nothing confines on this machine, so that nobody runs code: {tried.why}"
        raise ConfigurationError(msg)
    own = kept_by(config)
    disk = Disk(place, server_paths(*jupyter_config_path(), *jupyter_path(), *own))
    with desk.point() as point, tempfile.TemporaryDirectory(prefix="jk-reach-") as folder:
        launcher = Launcher(
            point=point,
            disk=disk,
            folder=Path(folder),
            backend=tried.backend,
            processes=config.sandbox_processes,
            memory=(config.sandbox_memory << 20) or memory() // 4 * 3,
            opened=tuple(config.sandbox_internet),
            bounds=tried.bounds,
            extra=named(config, str(place.absolute())),
        )
        try:
            given = Given(launcher, config.sandbox)
            found = [
                found_of(launcher, given, each, own)
                for each in _asked(point, user, kernel, config.sandbox_folder())
            ]
        finally:
            launcher.close()
    return _tell(found, tried, as_json=as_json)


def _note_gateway(config: JupyterAuthorization, kernel: str | None) -> None:
    """Say what is not tried where kernels are behind a gateway.

    Raises:
        ConfigurationError: just that was asked for.
    """
    if not (config.config.GatewayClient.get("url") or os.environ.get("JUPYTER_GATEWAY_URL")):
        return
    if kernel is not None:
        msg = f"{_ELSEWHERE}, so what one reaches cannot be tried; try `--user`"
        raise ConfigurationError(msg)
    note(f"{_ELSEWHERE}: what follows is about the processes of this machine")


def _note_limits(tried: Probed) -> None:
    """Say what confines here and why nothing better, and what the machine bounds."""
    backend = tried.backend
    name = "" if backend is None else backend.name
    note(f"confined by {name}" + (f"; nothing better, since {tried.why}" if tried.why else ""))
    for each in sorted(backend.leaves_open if backend is not None else ()):
        note(f"{name} does not keep a process from this: it {each}")
    if tried.bounds is None:
        note(f"memory is counted once a second and not bounded: {tried.unbounded}")


def _asked(
    point: DecisionPoint, user: str | None, kernel: str | None, folder: Path
) -> Iterator[Asked]:
    if kernel is not None:
        yield _running(point, parse_resource(f"kernels:{kernel}").id, folder)
        return
    if user is not None:
        yield Asked(origin=Origin(principal=point.principal(asker_name(user)), path=None))
        return
    for name in sorted(point.directory.people):
        if name not in point.disabled:
            yield Asked(origin=Origin(principal=point.principal(f"user:{name}"), path=None))


def _running(point: DecisionPoint, kernel: str, folder: Path) -> Asked:
    """The kernel that runs.

    Raises:
        UnknownName: none of that id does.
        ConfigurationError: nothing confines it.
    """
    shown = find(folder, kernel)
    if shown is None:
        msg = (
            f"no kernel `{printable(kernel)}` is known to run of a server with this "
            "`sandbox_dir`; try `--user`"
        )
        raise UnknownName(msg)
    if shown.unconfined:
        msg = f"nothing confines `{printable(kernel)}`: it can do what the server's account can"
        raise ConfigurationError(msg)
    owner = point.principal(shown.view.principal, token=shown.token)
    return Asked(origin=Origin(principal=owner, path=shown.path), kernel=kernel, shown=shown)


def _folders(shown: Shown) -> dict[str, tuple[str, ...]]:
    return {"reads": shown.view.read_only, "changes": shown.view.writable}


def _tell(found: list[Found], tried: Probed, *, as_json: bool) -> int:
    assert tried.backend is not None  # noqa: S101  # why: without one nothing was tried
    rows = [(one.name, each) for one in found for each in one.walked.reached]
    attempted = [(one.name, which, each) for one in found for which, each in one.attempts]
    if as_json:
        write_json(
            {
                "sandbox": tried.backend.word,
                "backend": tried.backend.name,
                "why_none_better": tried.why or None,
                "bounds": None if tried.bounds is None else tried.bounds.version,
                "leaves_open": sorted(tried.backend.leaves_open),
                "looked_at": {one.name: one.walked.things for one in found},
                "reached": [
                    {"principal": name, "path": each.path, "how": each.how, "why": each.why}
                    for name, each in rows
                ],
                "shown": {one.name: _folders(one.shown) for one in found if one.shown},
                "besides": {one.name: one.given for one in found},
                "attempts": [
                    {
                        "principal": name,
                        "process": which,
                        "what": each.what,
                        "state": each.state,
                        "why": each.why or None,
                    }
                    for name, which, each in attempted
                ],
            }
        )
        return SOMETHING if any(one.is_beyond for one in found) else NOTHING
    for one in found:
        closed = sum(each.state == "closed" for _, each in one.attempts)
        things = one.walked.things
        say(f"{one.name}: {things} files and folders looked at, {closed} attempts closed")
        if one.shown is not None:
            say(f"the kernel has what it was shown at revision {one.shown.view.revision}")
            write_table(
                ("the kernel", "folder"),
                [(how, path) for how, paths in _folders(one.shown).items() for path in paths],
                empty="the kernel is shown nothing of the contents",
            )
        show_besides(one.given)
    _note_limits(tried)
    left = [row for row in attempted if row[2].state != "closed"]
    if left:
        write_table(
            ("principal", "process", "attempt", "is", "why"),
            [(name, which, each.what, each.state, each.why) for name, which, each in left],
            empty="nothing",
        )
    if rows:
        write_table(
            ("principal", "how", "path", "why"),
            [(name, each.how, each.path, each.why) for name, each in rows],
            empty="nothing",
        )
    if any(one.is_beyond for one in found):
        return SOMETHING
    say("no process reaches anything that the policy denies")
    return NOTHING
