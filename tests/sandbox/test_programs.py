"""A program that lies where people write shows a process nothing but itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.programs import among, opened

INTERPRETER = Path(os.path.realpath(sys.executable))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Team's environment, and what nobody but others may read; the root is also called `led`."""
    root = tmp_path / "root"
    for folder in ("team/venv/bin", "hr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "team" / "venv" / "pyvenv.cfg").touch()
    (root / "team" / "venv" / "bin" / "python").symlink_to(INTERPRETER)
    (root / "hr" / "bin" / "tool").touch(mode=0o755)
    (tmp_path / "led").symlink_to(root)
    return root


def shown(root: Path, program: Path | str) -> set[str]:
    """What is mounted, each where it lies."""
    disk = Disk(root, ())
    found, others = among(disk, [str(program)])
    mounts = opened(disk, found, ())
    for mount in mounts:
        info, there = os.fstat(mount.source), Path(mount.at).stat()
        assert (info.st_dev, info.st_ino) == (there.st_dev, there.st_ino)
        os.close(mount.source)
    base = str(INTERPRETER.parent.parent)
    return {mount.at for mount in mounts} - {base} | {*others}


@pytest.mark.parametrize("called", ["root", "led"])
def test_the_environment_of_a_program_is_shown_and_nothing_else(root: Path, called: str) -> None:
    place = root.parent / called / "team" / "venv"
    assert {str(place), str(root / "team" / "venv")} == shown(root, place / "bin" / "python")
    assert {"/usr/bin/env"} == shown(root, "/usr/bin/env")
    assert {str(root / "hr" / "bin" / "tool")} == shown(root, root / "hr" / "bin" / "tool")


#: What whoever may change `team` puts in the place of what, and where it leads.
SWAPS = {
    "the program": ("team/venv/bin/python", "hr/bin/tool", {"team/venv"}),
    "the folder of programs": ("team/venv/bin", "hr/bin", set[str]()),
    "the environment": ("team/venv", "hr", set[str]()),
}


@pytest.mark.parametrize("what", SWAPS)
def test_a_link_in_the_place_of_something_shows_nothing_of_others(root: Path, what: str) -> None:
    name, leads, left = SWAPS[what]
    (root / name).rename(root / "away")
    (root / name).symlink_to(root / leads)
    (root / "hr" / "pyvenv.cfg").touch()
    assert {str(root / each) for each in left} == shown(root, root / "team/venv/bin/python")
