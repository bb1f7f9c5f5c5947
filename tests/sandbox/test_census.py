"""What a sandbox's processes hold together is seen, however they hold it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import CannotConfine
from jupyter_authorized_server.sandbox import bounds, ceiling, machine, probe
from jupyter_authorized_server.sandbox.box import PROCESSES, Box
from jupyter_authorized_server.sandbox.census import Held, census, litter
from jupyter_authorized_server.sandbox.starting import start
from jupyter_authorized_server.sandbox.surroundings import environment, system_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_authorized_server.sandbox.box import Backend, Confined

MEBIBYTE = 1 << 20
SECONDS = 60


@pytest.fixture(scope="module")
def backend() -> Backend:
    found = probe.probe("bubblewrap").backend
    assert found is not None
    return found


@contextlib.contextmanager
def running(backend: Backend, code: str) -> Iterator[Confined]:
    """A sandbox in which `code` has run, and waits."""
    code = f"import ctypes, mmap, os, subprocess, sys, threading, time\n{code}\n"
    box = Box(system=system_paths(), memory=512 * MEBIBYTE)
    with tempfile.TemporaryFile() as output:
        confined, process = start(
            backend, box, [sys.executable, "-I", "-S", "-c", code],
            environment=environment(box.home, "me", {}), output=output,
        )  # fmt: skip
        try:
            end = time.monotonic() + SECONDS
            while (said := _read(output)) != b"ready\n":
                assert time.monotonic() < end, said
                time.sleep(0.02)
            yield confined
        finally:
            confined.kill()
            process.wait()
            confined.close()


def _read(output: IO[bytes]) -> bytes:
    output.seek(0)
    return output.read()


def held(sandbox: Confined, memory: int = 1) -> Held:
    [found] = census([sandbox], memory)
    assert found is not None
    return found


READY = "print('ready', flush=True)"
SLEEP = f"{READY}\ntime.sleep(600)"
#: Ways to hold some 100 MiB, each as all that a sandbox does.
WAYS = {
    "of its own": f"held = bytearray(b'x') * (100 << 20)\n{SLEEP}",
    "of a child": (
        "code = 'held = bytearray(b\"x\") * (100 << 20); print(\"ready\", flush=True); '\n"
        "code += 'import time; time.sleep(600)'\n"
        "subprocess.run([sys.executable, '-I', '-S', '-c', code])"
    ),
    "of a file": (
        f"for _ in range(10): open('/dev/shm/x', 'ab').write(b'x' * (10 << 20))\n{SLEEP}"
    ),
    "of a file without a name": (
        "file = os.memfd_create('x')\n"
        f"for _ in range(10): os.write(file, b'x' * (10 << 20))\n{SLEEP}"
    ),
    "shared with its children": (
        "held = mmap.mmap(-1, 100 << 20)\nheld.write(b'x' * (100 << 20))\n"
        f"if os.fork() and os.fork(): {READY}\n"
        "sum(held[n] for n in range(0, 100 << 20, 4096))\ntime.sleep(600)"
    ),
    "after its first thread has ended": (
        "held = bytearray(b'x') * (100 << 20)\n"
        f"def wait():\n    while open('/proc/self/stat').read().split()[2] != 'Z': pass\n"
        f"    {READY}\n    time.sleep(600)\n"
        "threading.Thread(target=wait).start()\n"
        "ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_memory_is_counted_once_however_it_is_held(backend: Backend, way: str) -> None:
    with running(backend, WAYS[way]) as sandbox:
        assert 100 <= held(sandbox).memory // MEBIBYTE < 160


def test_far_below_what_is_asked_about_it_is_not_worked_out(backend: Backend) -> None:
    with running(backend, WAYS["shared with its children"]) as sandbox:
        assert 100 <= held(sandbox, 1 << 40).memory // MEBIBYTE


def test_threads_and_children_are_counted_with_orphans(backend: Backend) -> None:
    code = (
        "for _ in range(5): threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "subprocess.run(['sh', '-c', 'setsid sleep 600 & setsid sleep 600 &'])\n"
        f"{READY}"
    )
    with running(backend, code) as sandbox:
        # Its six threads, two orphans and the sandbox's own first process.
        assert 9 == held(sandbox).processes


def test_a_sandbox_that_is_over_holds_nothing(backend: Backend) -> None:
    with running(backend, SLEEP) as sandbox:
        pass
    assert [None] == census([sandbox], 1)


def test_the_number_of_a_machine_without_numbers_of_its_own_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    before = ceiling._HIGHEST.read_text()
    monkeypatch.setattr(ceiling, "_SINCE", (999, 0))
    with running(backend.leaving(frozenset({ceiling.WATCHED})), SLEEP) as sandbox:
        assert not ceiling.lower(sandbox.first, 50)
    if os.geteuid() == 0 and ceiling.WATCHED not in backend.leaves_open:
        # Here it could be limited, as was seen at the start.
        with pytest.raises(CannotConfine, match="could not be limited"), running(backend, SLEEP):
            pass
    assert before == ceiling._HIGHEST.read_text()


def test_the_machine_limits_what_it_can(backend: Backend) -> None:
    if os.geteuid() == 0 and ceiling._version() < (6, 14):
        pytest.skip("root's processes are limited by Linux 6.14 or later only")  # why: as told
    assert frozenset() == backend.leaves_open
    if os.geteuid() == 0:
        most = PROCESSES + 300
        told = f"said = open('/proc/sys/kernel/pid_max').read()\nassert said == '{most}\\n', said"
        # Once it was set now and then only, before there was whose right it is.
        for _ in range(5):
            with running(backend, f"{told}\n{READY}"):
                pass


def test_what_cannot_be_limited_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "lower", lambda *_: False)
    monkeypatch.setattr(bounds, "_own", lambda: iter(()))
    found = probe.probe("bubblewrap")
    assert found.backend is not None
    wanted = {ceiling.WATCHED} if os.geteuid() == 0 else set()
    assert wanted == found.backend.leaves_open
    assert (None, "no control group can be made here: none is mounted") == (
        found.bounds,
        found.unbounded,
    )


def test_the_memory_of_the_machine_is_no_more_than_there_is() -> None:
    total = Path("/proc/meminfo").read_text().split()[1]
    assert 0 < machine.memory() <= int(total) * 1024


def test_of_a_folder_without_end_no_more_is_read_than_is_needed(tmp_path: Path) -> None:
    assert 0 == litter(tmp_path / "gone")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "big").write_bytes(bytes(1 << 20))
    (tmp_path / "link").symlink_to("/usr")
    assert 1 << 20 <= litter(tmp_path) < 2 << 20
    for number in range(2000):
        (tmp_path / "deep" / f"{number}").touch()
    assert 500 << 10 <= litter(tmp_path) < 3 << 20
