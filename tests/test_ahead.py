"""Imports made while Jupyter waits: only then, only what needs no Jupyter, never in the way."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.ahead import MODULES, Ahead

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Names of two modules that nobody has imported; the first cannot be."""
    names = (f"ahead_broken_{tmp_path.name}", f"ahead_sound_{tmp_path.name}")
    (tmp_path / f"{names[0]}.py").write_text("raise OSError\n", encoding="utf-8")
    (tmp_path / f"{names[1]}.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return names


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_what_is_imported_ahead_needs_nothing_of_jupyters() -> None:
    """Two threads in one cycle of modules can see one that is not finished."""
    theirs = ("jupyter", "traitlets", "tornado", "zmq", "nbformat", "nbconvert", "notebook")
    assert (
        _python(
            f"import sys; [__import__(name) for name in {MODULES!r}]\n"
            f"print([m for m in sys.modules if m.startswith({theirs!r})"
            " and m.split('.')[0] != 'jupyter_authorized_server'])"
        )
        == "[]"
    )


def test_a_process_that_waits_imports_and_what_cannot_be_imported_is_passed_over(
    modules: tuple[str, ...],
) -> None:
    """The error is told where the module is needed, to whom it concerns."""
    ahead = Ahead(modules)
    ahead.begin()
    ahead.begin()
    deadline = time.monotonic() + 60
    while modules[1] not in sys.modules and time.monotonic() < deadline:
        time.sleep(0.02)
    ahead.end()
    assert [False, True] == [name in sys.modules for name in modules]


def test_a_process_that_works_is_left_alone(modules: tuple[str, ...]) -> None:
    """Two threads that both work take turns, and the start would take as long."""
    ahead = Ahead(modules, worked=time.monotonic)
    ahead.begin()
    time.sleep(0.3)
    ahead.end()
    assert modules[1] not in sys.modules
    assert "jupyter-authorized-import" not in {thread.name for thread in threading.enumerate()}


def test_nothing_is_imported_where_no_server_is_made() -> None:
    """`jupyter server extension list` asks what we are as well."""
    assert (
        _python(
            "import threading, jupyter_authorized_server as ours\n"
            "ours._jupyter_server_extension_points(); ours._hook('link')\n"
            "import jupyter_authorized_server.ahead as ahead\n"
            "print(ahead._ahead._thread.ident)"
        )
        == "None"
    )
