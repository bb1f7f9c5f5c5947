"""`reach`: what a person's process reaches that the policy denies them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from jupyter_core.paths import jupyter_config_path, jupyter_path

from ..errors import ConfigurationError, UnknownName
from ..policy.model import parse_principal
from ..policy.vocabulary import parse_resource
from ..sandbox.disk import Disk, kept_by, server_paths
from ..sandbox.extra import named
from ..sandbox.launch import Launcher
from ..sandbox.machine import memory
from ..sandbox.probe import probe
from ..sandbox.reach import Walked
from ..sandbox.reach import reach as walk
from ..sandbox.room import Origin
from .output import note, printable, say, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..decision_point import DecisionPoint
    from ..sandbox.box import Backend
    from ..sandbox.probe import Probed
    from .desk import Desk

NOTHING, SOMETHING = 0, 1
_OFF = (
    '`c.JupyterAuthorization.sandbox` is "off": every process reaches all that the server\'s '
    "own account can, whatever the policy says"
)


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
    Changes nothing.
    Says nothing of the network, of the folders and devices that settings name, of other
    processes, and of what a kernel was shown at an earlier revision.

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
    found: dict[str, Walked] = {}
    with desk.point() as point, tempfile.TemporaryDirectory(prefix="jk-reach-") as folder:
        launcher = Launcher(
            point=point,
            disk=disk,
            folder=Path(folder),
            backend=tried.backend,
            processes=config.sandbox_processes,
            memory=(config.sandbox_memory << 20) or memory() // 4 * 3,
            bounds=tried.bounds,
            extra=named(config, str(place.absolute())),
        )
        try:
            for origin in _origins(point, user, kernel):
                name = origin.principal.name
                found[name] = walk(launcher, origin, kernel=kernel or "", own=own)
                if not as_json:
                    note(f"{name}: {found[name].things} files and folders looked at")
        finally:
            launcher.close()
    if not as_json:
        _note_limits(tried)
    return _tell(found, tried.backend, as_json=as_json)


def _note_limits(tried: Probed) -> None:
    """Say what the machine keeps no process from."""
    for each in sorted(tried.backend.leaves_open if tried.backend is not None else ()):
        name = "" if tried.backend is None else tried.backend.name
        note(f"{name} does not keep a process from this: it {each}")
    if tried.bounds is None:
        note(f"memory is counted once a second and not bounded: {tried.unbounded}")


def _origins(point: DecisionPoint, user: str | None, kernel: str | None) -> Iterator[Origin]:
    """Whose process is tried, and for which file."""
    if kernel is not None:
        name = parse_resource(f"kernels:{kernel}").name
        owner = next((each for each in point.store.owners() if each.resource == name), None)
        if owner is None:
            msg = f"nobody is known to have started `{printable(name)}`; try `--user`"
            raise UnknownName(msg)
        yield Origin(principal=point.principal(owner.principal), path=owner.path)
        return
    if user is not None:
        yield Origin(principal=point.principal(parse_principal(user)), path=None)
        return
    names = sorted(point.directory.people)
    for name in names:
        if name not in point.disabled:
            yield Origin(principal=point.principal(f"user:{name}"), path=None)


def _tell(found: dict[str, Walked], backend: Backend, *, as_json: bool) -> int:
    rows = [(name, each) for name, walked in found.items() for each in walked.reached]
    if as_json:
        write_json(
            {
                "sandbox": backend.word,
                "leaves_open": sorted(backend.leaves_open),
                "looked_at": {name: walked.things for name, walked in found.items()},
                "reached": [
                    {"principal": name, "path": each.path, "how": each.how, "why": each.why}
                    for name, each in rows
                ],
            }
        )
    elif rows:
        write_table(
            ("principal", "how", "path", "why"),
            [(name, each.how, each.path, each.why) for name, each in rows],
            empty="nothing",
        )
    else:
        say("no process reaches anything that the policy denies")
    return SOMETHING if rows else NOTHING
