"""Folders and devices that settings name are no way to what is the server's own."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.errors import CannotConfine, ConfigurationError
from jupyter_authorized_server.sandbox import bubblewrap, landlock, wall
from jupyter_authorized_server.sandbox.box import Box, Mount
from jupyter_authorized_server.sandbox.extra import Extra, check_shown, parse
from jupyter_authorized_server.sandbox.starting import start
from jupyter_authorized_server.sandbox.surroundings import system_paths
from jupyter_authorized_server.server.premises import extra_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_authorized_server.sandbox.box import Backend


def test_no_folder_is_given_that_holds_the_sockets_of_kernels(tmp_path: Path) -> None:
    app = SimpleNamespace(
        contents_manager=SimpleNamespace(root_dir=str(tmp_path / "root")),
        runtime_dir=str(tmp_path / "run"), config_dir="", certfile="", keyfile="",
        cookie_secret_file="",
    )  # fmt: skip
    for setting in ("sandbox_mounts", "sandbox_read_only"):
        for path in ("/tmp", tempfile.gettempdir()):  # noqa: S108  # why: what is refused
            config = JupyterAuthorization(**{setting: [path]})
            with pytest.raises(ConfigurationError, match="holds or lies in"):
                extra_of(app, SimpleNamespace(config=config))  # type: ignore[arg-type]  # why: what of them counts


DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("data/inner", "server/store", "contents/team", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "led").symlink_to("server")
    return tmp_path


def kept(place: Path) -> list[Path]:
    return [place / "server" / "store", place / "contents"]


#: What is named, and what is said to it.
REFUSED = {
    "{}": "holds or lies in",
    "{}/server": "holds or lies in",
    "{}/server/store": "holds or lies in",
    "{}/server/store/below": "holds or lies in",
    "{}/led": "holds or lies in",
    "{}/contents/team": "holds or lies in",
    "{}/data/../server": "without `.` and `..`",
    "data": "not an absolute path",
    "/": "the machine's own",
    "/proc": "the machine's own",
    "/dev/dri": "the machine's own",
    "/var/run/some": "the machine's own",
    "/etc": "the machine's own",
}


HOW: dict[str, Callable[[str, list[Path]], object]] = {
    "mounts": lambda path, kept: parse([path], [], kept),
    "mounts to be changed": lambda path, kept: parse([f"{path}:rw"], [], kept),
    "what all read": lambda path, kept: check_shown([path], kept),
}


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("how", HOW)
def test_no_folder_is_given_that_leads_to_the_servers_own(
    place: Path, path: str, how: str
) -> None:
    named = path.format(place)
    with pytest.raises(ConfigurationError, match=REFUSED[path]):
        HOW[how](named, kept(place))


def test_of_the_machines_settings_only_a_part_is_read_by_all_and_none_changed(place: Path) -> None:
    check_shown(["/etc/licences"], kept(place))
    with pytest.raises(ConfigurationError, match="the machine's own"):
        parse(["/etc/licences"], [], kept(place))


def test_no_folder_is_given_twice_or_in_another(place: Path) -> None:
    for other in ("data", "data/inner", "."):
        names = [f"{place}/data", str(place / other)]
        with pytest.raises(ConfigurationError, match=r"lies in another|holds or lies in"):
            parse(names, [], kept(place))


def test_a_folder_that_has_become_a_link_to_the_servers_own_is_given_to_nobody(
    place: Path,
) -> None:
    extra = parse([f"{place}/data", f"{place}/other"], [], kept(place))
    for mount in extra.opened(mounts=True):
        os.close(mount.source)
    (place / "other").rmdir()
    (place / "other").symlink_to("server")
    before = len([*DESCRIPTORS.iterdir()])
    with pytest.raises(CannotConfine, match="holds or lies in"):
        extra.opened(mounts=True)
    assert before == len([*DESCRIPTORS.iterdir()])


def test_a_folder_that_is_gone_is_left_out(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    extra = parse([f"{place}/other:rw", f"{place}/data"], [], kept(place))
    (place / "other").rmdir()
    found = extra.opened(mounts=True)
    for mount in found:
        os.close(mount.source)
    assert [(f"{place}/data", False)] == [(mount.at, mount.writable) for mount in found]
    assert "is not shown" in caplog.text


@pytest.mark.parametrize("path", ["/opt/x", "/dev/../etc/x", "dev/x", "/dev"])
def test_only_what_is_below_dev_is_a_device(path: str) -> None:
    with pytest.raises(ConfigurationError, match="which is not below `/dev`"):
        parse([], [path], [])


def test_no_device_is_memory_or_a_terminal_or_a_disk_or_a_link(tmp_path: Path) -> None:
    all_ = (
        "/dev/mem",
        "/dev/kmsg",
        "/dev/tty*",
        "/dev/vcs*",
        "/dev/pts/*",
        "/dev/[svx]d*",
        "/dev/fd/*",
    )
    assert () == Extra(devices=all_).nodes()
    (tmp_path / "link").symlink_to("/dev/null")
    assert () == Extra(devices=(str(tmp_path / "*"),)).nodes()


@pytest.fixture(params=["bubblewrap", *(["landlock"] if wall.abi() >= 6 else [])])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "landlock":
        return landlock.find()
    path, version = bubblewrap.find()
    return bubblewrap.Bubblewrap(path=path, version=version)


READS = """
import sys
for path in sys.argv[1:]:
    try:
        print(open(path).read())
    except OSError as error:
        print(type(error).__name__)
"""


def read(backend: Backend, mounts: list[Mount], *paths: Path) -> list[str]:
    """What a process to which `mounts` are shown reads at `paths`."""
    home = tempfile.mkdtemp(prefix="jk-home-")
    mounts.append(Mount(source=os.open(home, os.O_PATH), at=home, writable=True))
    box = Box(system=system_paths(), home=home, mounts=tuple(mounts), temporary=home)
    code = READS
    with tempfile.TemporaryFile() as output:
        line = [sys.executable, "-I", "-S", "-c", code, *map(str, paths)]
        try:
            _, process = start(backend, box, line, environment={}, output=output)
        finally:
            for mount in mounts:
                os.close(mount.source)
        process.wait(120)
        output.seek(0)
        found = output.read().decode().splitlines()
    os.rmdir(home)  # noqa: PTH106  # why: a text
    return found


def test_a_file_and_a_folder_that_all_read_are_shown(place: Path, backend: Backend) -> None:
    for name in ("data/licence", "data/inner/more", "other/own"):
        (place / name).write_text(name)
    (place / "named").symlink_to("other")
    extra = Extra(shown=(f"{place}/data/licence", f"{place}/data/inner", f"{place}/named"))
    paths = [
        place / name for name in ("data/licence", "data/inner/more", "named/own", "other/own")
    ]
    wanted = ["data/licence", "data/inner/more", "other/own", "other/own"]
    assert wanted == read(backend, extra.opened(mounts=False), *paths)


def test_what_all_read_that_has_become_a_link_is_shown_to_nobody(place: Path) -> None:
    shown = place / "data" / "inner"
    extra = Extra(shown=(str(shown),), kept=tuple(kept(place)))
    for mount in extra.opened(mounts=False):
        os.close(mount.source)
    shown.rmdir()
    for leads in ("../server/store", "../contents/team", "/etc"):
        shown.symlink_to(leads)
        with pytest.raises(CannotConfine, match="`sandbox_read_only` names"):
            extra.opened(mounts=False)
        shown.unlink()


def test_what_all_read_is_what_was_judged_also_where_a_link_comes_later(
    place: Path, backend: Backend
) -> None:
    shown = place / "data" / "inner"
    (shown / "file").write_text("judged")
    (place / "contents" / "file").write_text("secret")
    mounts = Extra(shown=(str(shown),), kept=tuple(kept(place))).opened(mounts=False)
    shown.rename(place / "data" / "was")
    shown.symlink_to(place / "contents")
    assert "secret" not in read(backend, mounts, shown / "file")
