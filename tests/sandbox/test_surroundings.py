"""What a confined process is shown of the machine's programs, however they are installed."""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import box as boxes
from jupyter_authorized_server.sandbox import machine, surroundings, wall
from jupyter_authorized_server.sandbox.probe import probe
from jupyter_authorized_server.sandbox.starting import start

if TYPE_CHECKING:
    from jupyter_authorized_server.sandbox.box import Backend


@functools.cache
def found(name: str) -> Backend:
    """What confines here by that name, which is tried once."""
    backend = probe(name).backend
    assert backend is not None
    return backend


def said(code: str, *system: str) -> object:
    """What `code` prints, as JSON, where `system` is shown besides this environment."""
    command = [sys.executable, "-I", "-S", "-c", code]
    box = boxes.Box(system=surroundings.system_paths(*system))
    with tempfile.TemporaryFile() as output:
        _, process = start(found("bubblewrap"), box, command, environment={}, output=output)
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


def hidden_from(*hidden: Path, backend: str, system: Path, code: str) -> object:
    """What `code` prints, as JSON, where `system` is shown and `hidden` of it is not."""
    home = tempfile.mkdtemp(prefix="jk-home-")
    source = os.open(home, os.O_PATH | os.O_DIRECTORY)
    box = boxes.Box(
        system=surroundings.system_paths(str(system)), hidden=tuple(map(str, hidden)), home=home,
        mounts=(boxes.Mount(source=source, at=home, writable=True),), temporary=home,
    )  # fmt: skip
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-I", "-S", "-c", code]
        _, process = start(found(backend), box, command, environment={}, output=output)
        process.wait(120)
        output.seek(0)
        said = output.read()
    os.close(source)
    os.rmdir(home)  # noqa: PTH106  # why: a text
    return json.loads(said)


BACKENDS = ["bubblewrap", *(["landlock"] if wall.abi() >= 6 else [])]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_the_servers_own_is_hidden_in_what_all_read(prefix: Path, backend: str) -> None:
    (prefix / "var" / "kernels" / "k").mkdir(parents=True)
    for name in ("var/store", "var/kernels/k/logo", "key.pem", "bin/kernel"):
        (prefix / name).write_text("secret")
    paths = ["key.pem", "var/store", "var/kernels/k/logo", "bin/kernel"]
    code = f"""
import json
def reads(path):
    try:
        return open({str(prefix)!r} + "/" + path).read() == "secret"
    except OSError:
        return False
print(json.dumps([reads(path) for path in {paths!r}]))
"""
    answer = hidden_from(
        prefix / "var", prefix / "key.pem", prefix / "missing",
        backend=backend, system=prefix, code=code,
    )  # fmt: skip
    assert [False, False, False, True] == answer


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_keys_of_the_machine_are_not_read_by_who_has_the_servers_account(
    backend: str,
) -> None:
    closed = [path for path in machine.private() if Path(path).is_dir()]
    if not closed or os.geteuid() != 0:
        pytest.skip("nothing here that is not everybody's and could be read")  # why: the machine
    known = [[path, os.stat(path).st_dev, os.stat(path).st_ino] for path in closed]  # noqa: PTH116  # why: texts
    code = f"""
import json, os
def lists(path, device, number):
    try:
        os.listdir(path)
    except OSError:
        return False
    return (os.stat(path).st_dev, os.stat(path).st_ino) == (device, number)
print(json.dumps([lists(*each) for each in {known!r}]))
"""
    answer = hidden_from(*map(Path, closed), backend=backend, system=Path("/usr"), code=code)
    assert [False] * len(closed) == answer
    assert True in hidden_from(backend=backend, system=Path("/usr"), code=code)  # type: ignore[operator]  # why: a list


def test_what_not_everybody_may_read_is_private(tmp_path: Path) -> None:
    for name in ("ssl/certs", "ssl/private", "ssl/closed"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("ssl/certs/a.pem", "ssl/certs/b.key", "ssl/private/c.key", "hosts"):
        (tmp_path / name).touch()
    (tmp_path / "ssl" / "link").symlink_to("private")
    (tmp_path / "ssl" / "certs" / "b.key").chmod(0o640)
    (tmp_path / "ssl" / "private").chmod(0o710)
    (tmp_path / "ssl" / "closed").chmod(0o700)
    wanted = {"ssl/certs/b.key", "ssl/private", "ssl/closed"}
    told = machine.private(str(tmp_path), ("ssl", "hosts", "missing"))
    assert {str(tmp_path / name) for name in wanted} == set(told)


def test_a_pth_file_in_the_contents_or_for_the_machines_own_opens_nothing(
    prefix: Path, tmp_path: Path
) -> None:
    (tmp_path / "packages").mkdir()
    lines = f"{tmp_path / 'packages'}\n/etc\n/run\n/proc\n/\n"
    (prefix / "lib/python3.11/site-packages/more.pth").write_text(lines)
    program = str(prefix / "bin" / "kernel")
    before = set(surroundings.system_paths())
    more = set(surroundings.system_paths(program)) - before
    assert {str(prefix), str(tmp_path / "packages")} == {
        path for path in more if "lib" not in path
    }
    inside = set(surroundings.system_paths(program, contents=prefix.parent)) - before
    assert str(prefix) in inside
    assert str(tmp_path / "packages") not in inside


def test_what_builds_a_sandbox_gets_no_variable_of_what_runs_in_it(tmp_path: Path) -> None:
    code = "import json, os; print(json.dumps(sorted({*os.environ} - {'PWD', 'LC_CTYPE'})))"
    library = "/no/such/library.so"
    for each in BACKENDS:
        mount = boxes.Mount(source=os.open(tmp_path, os.O_PATH), at=str(tmp_path), writable=True)
        box = boxes.Box(system=surroundings.system_paths(), home=str(tmp_path), mounts=(mount,))
        with tempfile.TemporaryFile() as output:
            command = [sys.executable, "-I", "-S", "-c", code]
            variables = {"LD_PRELOAD": library, "SAID": "x y\n$(z)"}
            _, process = start(found(each), box, command, environment=variables, output=output)
            process.wait(120)
            output.seek(0)
            *told, said = output.read().decode().splitlines()
        os.close(mount.source)
        assert ["LD_PRELOAD", "SAID"] == json.loads(said)
        # By the program itself, and by nothing that was started before.
        assert 1 == sum("cannot be preloaded" in line for line in told), told


def test_a_variable_that_would_be_another_word_lets_nothing_run(tmp_path: Path) -> None:
    box = boxes.Box(system=surroundings.system_paths(), home=str(tmp_path))
    for name, value in (("A", "x\0--bind\0/\0/"), ("A\0", "x"), ("A=B", "x")):
        with tempfile.TemporaryFile() as output, pytest.raises(CannotConfine):
            start(
                found("bubblewrap"), box, ["/bin/true"], environment={name: value}, output=output
            )
