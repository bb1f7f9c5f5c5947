from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform == "win32":
    pytest.skip(  # why: as told
        "shells have no such screen there", allow_module_level=True
    )

from terminado.management import NamedTermManager

from jupyter_authorized_server.server.doors.dark import darkening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: A shell that closes its screen and lives on, whatever it is told.
STUBBORN = "trap '' HUP INT; exec sleep 600 < /dev/null > /dev/null 2>&1"


async def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def reap(pid: int) -> None:
    """End a process and wait for it before anybody else does."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def run(test: Callable[[NamedTermManager, list[bool]], Awaitable[None]], command: str) -> None:
    """Run `test` with a manager, and whether each shell still lived when it was dark."""

    async def whole() -> None:
        manager = NamedTermManager(shell_command=["/bin/sh", "-c", command])
        lived: list[bool] = []
        darken = darkening(manager)

        def on_eof(shell: Any) -> None:
            darken(shell)
            lived.append(shell.ptyproc.isalive())

        manager.on_eof = on_eof  # type: ignore[method-assign, assignment]  # why: as the door does
        try:
            await test(manager, lived)
        finally:
            await manager.shutdown()

    asyncio.run(whole())


def test_nobody_waits_for_a_shell_that_lives_on_without_its_screen_and_it_is_ended() -> None:
    async def test(manager: NamedTermManager, lived: list[bool]) -> None:
        name, shell = manager.new_named_terminal()
        await until(lambda: lived)
        assert [True] == lived
        assert {} == manager.terminals
        assert {} == manager.ptys_by_fd
        assert (-1, True) == (shell.ptyproc.fd, shell.ptyproc.closed)
        # The name is free, and stays the next one's when the first has ended.
        again, _ = manager.new_named_terminal()
        assert name == again
        await until(lambda: shell.ptyproc.terminated)
        await until(lambda: len(lived) == 2)

    run(test, STUBBORN)


def test_a_shell_that_has_taken_anothers_name_keeps_it() -> None:
    async def test(manager: NamedTermManager, lived: list[bool]) -> None:
        _, first = manager.new_named_terminal()
        manager.terminals[str(first.term_name)] = second = manager.new_terminal()
        second.term_name = first.term_name
        manager.on_eof(first)
        assert [second] == [*manager.terminals.values()]
        manager.start_reading(second)
        manager.on_eof(second)
        assert {} == manager.terminals
        await until(lambda: first.ptyproc.terminated and second.ptyproc.terminated)
        assert [True, True] == lived

    run(test, STUBBORN)


def test_a_process_that_another_has_waited_for_is_no_error() -> None:
    async def test(manager: NamedTermManager, lived: list[bool]) -> None:
        _, shell = manager.new_named_terminal()
        await until(lambda: lived)
        assert [True] == lived
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        reap(shell.ptyproc.pid)
        assert [None] == await asyncio.wait_for(asyncio.gather(*ending), 60)

    run(test, STUBBORN)
