"""What a confined process is shown of the machine's programs, however they are installed."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import box as boxes
from jupyter_authorized_server.sandbox import surroundings
from jupyter_authorized_server.sandbox.probe import probe

if TYPE_CHECKING:
    from pathlib import Path


def said(code: str, *system: str) -> object:
    """What `code` prints, as JSON, where `system` is shown besides this environment."""
    command = [sys.executable, "-I", "-S", "-c", code]
    box = boxes.Box(system=surroundings.system_paths(*system))
    with tempfile.TemporaryFile() as output:
        backend = probe("bubblewrap").backend
        assert backend is not None
        _, process = boxes.start(backend, box, command, environment={}, output=output)
        process.wait(120)
        output.seek(0)
        return json.loads(output.read())


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with configuration in it."""
    made = tmp_path / "environment"
    for folder in ("bin", "etc/jupyter", "lib/python3.11/site-packages", "elsewhere/jupyter"):
        (made / folder).mkdir(parents=True)
    (made / "pyvenv.cfg").write_text("")
    (made / "bin" / "kernel").write_text("")
    (made / "etc" / "jupyter" / "secret").write_text("x")
    (made / "elsewhere" / "jupyter" / "secret").write_text("x")
    return made


@pytest.mark.parametrize("link", ["none", "etc/jupyter", "etc", "the environment"])
def test_the_configuration_of_an_environment_is_covered_also_where_it_is_a_link(
    prefix: Path, link: str
) -> None:
    shown = prefix
    if link == "the environment":
        shown = prefix.with_name("link")
        shown.symlink_to(prefix)
    elif link != "none":
        (prefix / "etc").rename(prefix / "was")
        if link == "etc":
            (prefix / "etc").symlink_to("elsewhere")
        else:
            (prefix / "etc").mkdir()
            (prefix / "etc" / "jupyter").symlink_to("../elsewhere/jupyter")
    code = (
        "import glob, json, os; print(json.dumps([os.path.isdir("
        f"{str(shown / 'bin')!r}), os.listdir({str(shown / 'etc/jupyter')!r})]))"
    )
    assert [True, []] == said(code, str(shown / "bin" / "kernel"))


def test_what_a_pth_file_puts_on_the_path_is_shown(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    lines = f"{tmp_path / 'packages'}\nimport sys\n{tmp_path / 'missing'}\nrelative\n"
    (prefix / "lib/python3.11/site-packages/more.pth").write_text(lines)
    program = str(prefix / "bin" / "kernel")
    assert str(tmp_path / "packages") in surroundings.system_paths(program)
    assert str(tmp_path / "missing") not in surroundings.system_paths(program)


@pytest.mark.parametrize("apart", ["packages", "packages/in it", "."])
def test_a_pth_file_opens_nothing_of_the_contents(
    prefix: Path, tmp_path: Path, apart: str
) -> None:
    (tmp_path / "packages" / "in it").mkdir(parents=True)
    (tmp_path / "link").symlink_to("packages")
    lines = f"{tmp_path / 'packages'}\n{tmp_path / 'link'}\n"
    (prefix / "lib/python3.11/site-packages/more.pth").write_text(lines)
    shown = surroundings.system_paths(str(prefix / "bin" / "kernel"), apart=[tmp_path / apart])
    assert [] == [path for path in shown if path.endswith(("packages", "link"))]


def test_a_program_that_is_not_there_is_refused() -> None:
    assert found_sh() == surroundings.found_program("sh", {})
    with pytest.raises(CannotConfine, match="`sh`, which is not on this machine"):
        surroundings.found_program("sh", {"PATH": "/nowhere"})
    with pytest.raises(CannotConfine, match="which is not on this machine"):
        surroundings.found_program("./sh", {"PATH": "/usr/bin"})


def found_sh() -> str:
    return surroundings.found_program("/usr/bin/sh", {})
