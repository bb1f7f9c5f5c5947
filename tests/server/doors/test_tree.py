"""A folder that is copied while others are answered, and what can happen meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from anyio.to_thread import current_default_thread_limiter
from tornado.web import HTTPError

from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors import kept, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from filing import World


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  # why: hidden ones too


class Slow:
    """Copies of files that wait, each for as long as `wait` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        original = tree._file

        def waiting(*args: Any) -> None:
            self.begun.set()
            assert self.go_on.wait(20), "nobody else was answered while a folder was copied"
            original(*args)

        monkeypatch.setattr(tree, "_file", waiting)


def copied(world: World, slow: Slow, meanwhile: Callable[[Any], object]) -> Any:
    """The answer to cora's copy of `/team/sub`, with something done while it is under way."""
    stream = SimpleNamespace(closed=lambda: False)
    request = SimpleNamespace(
        remote_ip="::1", method="POST", path="/x", connection=SimpleNamespace(stream=stream)
    )

    async def run() -> Any:
        ACTING.set(Acting(principal=world.point.principal("user:cora"), request=request))
        task = asyncio.ensure_future(world.call("copy", ("team/sub", "team/kept"), {}))
        begun = asyncio.ensure_future(asyncio.to_thread(slow.begun.wait, 20))
        await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        meanwhile(stream)
        slow.go_on.set()
        return await task

    try:
        return asyncio.run(run())
    except HTTPError as error:
        return error.status_code


def test_a_copy_has_its_name_when_it_is_whole(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, kept, seen = Slow(monkeypatch), one.root / "team" / "kept", []
    found = copied(one, slow, lambda _: seen.extend(names(kept)))
    assert [True, False] == [each.startswith(tree._PART) for each in seen]
    assert ("team/kept/sub", ["sub", "x.txt"]) == (found["path"], names(kept))
    assert "team/sub/c.txt" == (kept / "sub" / "c.txt").read_text()


def _taken_back(world: World) -> None:
    for grant in world.point.state.grants:
        if grant.principal == "user:cora":
            world.store.remove_grant(grant.id)
    world.point.refresh()


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda world, _: _taken_back(world),
        lambda world, _: (world.store.set_disabled("cora", disabled=True), world.point.refresh()),
        lambda _, stream: setattr(stream, "closed", lambda: True),
        lambda world, _: (world.root / "team" / "kept" / "sub").mkdir(),
    ],
    ids=["taken back", "shut out", "gone", "there by then"],
)
def test_a_copy_that_cannot_be_ended_leaves_nothing(
    one: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[World, Any], object]
) -> None:
    slow, kept = Slow(monkeypatch), one.root / "team" / "kept"
    found = copied(one, slow, lambda stream: meanwhile(one, stream))
    assert found in {403, 404, 409}
    assert [] == [each for each in names(kept) if each.startswith(".")]
    assert [] == [*(kept / "sub").glob("*")]


def test_checkpoints_are_copied_in_threads_of_their_own_four_at_once(
    one: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    original = kept._copy

    def waiting(*args: Any) -> None:
        begun.release()
        assert go_on.wait(20), "nobody else was answered while checkpoints were copied"
        original(*args)

    monkeypatch.setattr(kept, "_copy", waiting)
    paths = [f"team/{number}.txt" for number in range(6)]
    for path in paths:
        (one.root / path).write_text(path)

    async def run() -> list[Any]:
        tasks = [
            asyncio.ensure_future(one.call("create_checkpoint", (path,), {})) for path in paths
        ]
        for _ in range(4):
            assert await asyncio.to_thread(begun.acquire, timeout=20)
        assert not begun.acquire(blocking=False)
        assert 0 == current_default_thread_limiter().borrowed_tokens
        go_on.set()
        return await asyncio.gather(*tasks)

    assert ["checkpoint"] * 6 == [each["id"] for each in asyncio.run(run())]
    for path in paths:
        copy = one.root / "team" / ".ipynb_checkpoints" / f"{path[5]}-checkpoint.txt"
        assert path == copy.read_text()
