"""What is shown is where it belongs before anything runs, whatever others do meanwhile."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bubblewrap, mounted
from jupyter_authorized_server.sandbox.box import Box, Mount
from jupyter_authorized_server.sandbox.bubblewrap import Bubblewrap
from jupyter_authorized_server.sandbox.starting import start

DESCRIPTORS = Path("/proc/self/fd")


def listed(mounts: tuple[Mount, ...], *folders: str) -> str:
    """What a process to which `mounts` are shown finds in `folders`."""
    path, version = bubblewrap.find()
    home = next(mount.at for mount in mounts if mount.at.endswith("home"))
    with tempfile.TemporaryFile() as output:
        _, process = start(
            Bubblewrap(path=path, version=version), Box(home=home, mounts=mounts),
            ["/bin/ls", "-a", *folders], environment={"SEEN": "yes"}, output=output,
        )  # fmt: skip
        process.wait(120)
        output.seek(0)
        return output.read().decode()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`team` is shown to be read, and in it `x/bin` to be changed; both hold names to escape."""
    for name in ("home", "team/x/bin", "team/a b\\n\n\r#"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "team" / "x" / "bin" / "planted").touch()
    return tmp_path


def shown(place: Path, *folders: str) -> tuple[Mount, ...]:
    how = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    return tuple(
        Mount(source=os.open(place / name, how), at=str(place / name), writable=name != "team")
        for name in ("home", "team", *folders)
    )


def closed(mounts: tuple[Mount, ...]) -> None:
    for mount in mounts:
        os.close(mount.source)


def test_folders_in_others_are_shown_whatever_they_are_called(place: Path) -> None:
    odd = "team/a b\\n\n\r#"
    mounts = shown(place, odd, "team/x/bin")
    assert "planted" in listed(mounts, str(place / "team" / "x" / "bin"))
    closed(mounts)


#: What somebody who may change `team` moves away after the folders have been opened, and to
#: what the link that is put there leads.
SWAPS = {
    "a link to the system's programs on the way": ("x", "/newroot/usr/local"),
    "a link out of the sandbox": ("x", "/oldroot/usr/local"),
    "a link to another folder": ("x", "other"),
    "a link in its own place": ("x/bin", "/newroot/usr/local/bin"),
}


@pytest.mark.parametrize("swap", SWAPS)
def test_a_folder_that_is_swapped_before_it_is_shown_lets_nothing_run(
    place: Path, swap: str
) -> None:
    mounts = shown(place, "team/x/bin")
    moved, leads = SWAPS[swap]
    (place / "team" / "other" / "bin").mkdir(parents=True)
    (place / "team" / moved).rename(place / "team" / "was")
    (place / "team" / moved).symlink_to(leads)
    before = len([*DESCRIPTORS.iterdir()])
    with pytest.raises(CannotConfine, match="the sandbox could not be built"):
        listed(mounts, "/usr/local/bin")
    assert before == len([*DESCRIPTORS.iterdir()])
    closed(mounts)


def test_what_is_shown_once_more_elsewhere_is_found(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bubblewrap.arguments

    def more(box: Box, *args: object, **options: object) -> list[str]:
        return [*whole(box, *args, **options), "--bind", str(place / "team/x/bin"), "/tmp"]  # type: ignore[arg-type]  # noqa: S108  # why: as it is called; the sandbox's own

    monkeypatch.setattr(bubblewrap, "arguments", more)
    mounts = shown(place, "team/x/bin")
    with pytest.raises(CannotConfine, match="is not what was to be shown there"):
        listed(mounts, "/tmp")  # noqa: S108  # why: the sandbox's own
    closed(mounts)


def test_a_process_that_has_ended_is_not_waited_for() -> None:
    with pytest.raises(OSError, match="it ended while it was built"):
        mounted.check(os.getpid(), {}, is_over=lambda: True)
