"""Whoever holds the contents manager and whatever it is: requests, tasks, other kinds."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from filing import World, text
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
    LargeFileManager,
)
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError
from traitlets import Any as AnyTrait

from jupyter_authorized_server.errors import AuthorizationError
from jupyter_authorized_server.server.acting import ACTING, Acting, as_server
from jupyter_authorized_server.server.doors import contents

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[AsyncLargeFileManager, LargeFileManager], ids=lambda k: k.__name__)
def kind(request: pytest.FixtureRequest) -> type[Any]:
    found: type[Any] = request.param
    return found


def test_a_right_that_is_taken_away_is_gone_at_the_next_call(one: World) -> None:
    grant = next(g for g in one.point.state.grants if g.principal == "user:vera")
    assert one.names("vera", "team") != 404
    one.store.remove_grant(grant.id)
    one.point.refresh()
    assert one.names("vera", "team") == 404
    assert one.as_("vera", "get", "team/a.txt") == 404


def test_the_server_acts_as_itself_and_its_changes_are_recorded(world: World) -> None:
    async def run() -> None:
        await world.call("save", (text("ours"), "hr/pay.txt"), {})
        await world.call("get", ("hr/pay.txt",), {})

    asyncio.run(run())
    assert (world.root / "hr" / "pay.txt").read_text() == "ours"
    services = [r for r in world.records if r["kind"] == "service"]
    assert [(r["principal"], r["action"], r["resource"]) for r in services] == [
        ("server", "save", "contents:/hr/pay.txt")
    ]


def test_what_a_request_does_for_the_server_is_the_servers(one: World) -> None:
    async def run() -> Any:
        request = SimpleNamespace(remote_ip="::1", method="GET", path="/room")
        ACTING.set(Acting(principal=one.point.principal("user:nora"), request=request))
        with as_server():
            await one.call("save", (text("room"), "hr/pay.txt"), {})
        return ACTING.get()

    left = asyncio.run(run())
    assert (one.root / "hr" / "pay.txt").read_text() == "room"
    assert left.principal.name == "user:nora"


def test_a_task_that_a_method_starts_is_not_part_of_it(one: World) -> None:
    found: list[Any] = []

    async def run() -> None:
        request = SimpleNamespace(remote_ip="::1", method="PUT", path="/x")
        ACTING.set(Acting(principal=one.point.principal("user:edda"), request=request))
        tasks = []

        async def later() -> None:
            try:
                await one.call("get", ("hr/pay.txt",), {})
            except HTTPError as error:
                found.append(error.status_code)

        def hook(**_: Any) -> None:
            tasks.append(asyncio.get_running_loop().create_task(later()))

        one.manager.register_pre_save_hook(hook)
        await one.call("save", (text(), "team/a.txt"), {})
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert found == [404]


def test_a_file_that_may_not_be_written_is_not_emptied_by_a_manager_that_opens_it_its_own_way(
    tmp_path: Path, kind: type[Any]
) -> None:
    class Own(kind):  # type: ignore[misc]  # why: whichever manager
        @contextlib.contextmanager
        def open(self, os_path: str, mode: str = "r", **_: Any) -> Iterator[Any]:
            with Path(os_path).open(mode) as file:
                yield file

    here = World(tmp_path, Own)
    pay = here.root / "hr" / "pay.txt"
    before = pay.read_text()

    async def run(path: Path) -> None:
        request = SimpleNamespace(remote_ip="::1", method="PUT", path="/x")
        ACTING.set(Acting(principal=here.point.principal("user:edda"), request=request))
        # As an extension may, past the methods that ask.
        with here.manager.open(str(path), "w") as file:
            file.write("mine")

    try:
        (here.root / "team" / "pay.txt").symlink_to("../hr/pay.txt")
        for path in (pay, here.root / "team" / "pay.txt", here.root.parent / "out.txt"):
            with pytest.raises(HTTPError) as caught:
                asyncio.run(run(path))
            assert 404 == caught.value.status_code
        asyncio.run(run(here.root / "team" / "a.txt"))
    finally:
        here.store.close()
    assert before == pay.read_text()
    assert "mine" == (here.root / "team" / "a.txt").read_text()


def test_nobody_who_is_disabled_is_answered(one: World) -> None:
    principal = one.point.principal("user:vera")
    one.store.set_disabled("vera", True)
    one.point.refresh()

    async def run() -> Any:
        request = SimpleNamespace(remote_ip="::1", method="GET", path="/x")
        ACTING.set(Acting(principal=principal, request=request))
        return await one.call("get", ("team/a.txt",), {})

    with pytest.raises(HTTPError) as refused:
        asyncio.run(run())
    assert refused.value.status_code == 403


class Elsewhere(ContentsManager):
    """Keeps files in a dict, and answers some questions at once and some later."""

    files = AnyTrait()

    def is_hidden(self, path: str) -> bool:
        return False

    def file_exists(self, path: str) -> Any:
        async def later() -> bool:
            await asyncio.sleep(0)
            return path.strip("/") in self.files

        return later()

    def dir_exists(self, path: str) -> bool:
        start = f"{path.strip('/')}/".lstrip("/")
        return any(name.startswith(start) for name in self.files)

    def _model(self, path: str, *, folder: bool = False) -> dict[str, Any]:
        kind = "directory" if folder else "file"
        return {"name": path.rpartition("/")[2], "path": path, "type": kind, "writable": True}

    def get(self, path: str, *_: Any, **__: Any) -> Any:
        path = path.strip("/")

        async def later() -> dict[str, Any]:
            await asyncio.sleep(0)
            if path in self.files:
                return {**self._model(path), "content": self.files[path]}
            start = f"{path}/".lstrip("/")
            inner = {n[len(start) :].partition("/")[0] for n in self.files if n.startswith(start)}
            below = [
                self._model(f"{start}{n}", folder=f"{start}{n}" not in self.files) for n in inner
            ]
            return {**self._model(path, folder=True), "content": below}

        return later()

    def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        self.files[path.strip("/")] = model["content"]
        return self._model(path.strip("/"))

    def delete_file(self, path: str) -> None:
        for name in [n for n in self.files if f"{n}/".startswith(f"{path.strip('/')}/")]:
            del self.files[name]

    def rename_file(self, old_path: str, new_path: str) -> None:
        self.files[new_path.strip("/")] = self.files.pop(old_path.strip("/"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path, AsyncLargeFileManager)
    found.manager = Elsewhere(
        files={
            "team/a.txt": "a",
            "team/secret.txt": "s",
            "team/kept/x.txt": "x",
            "hr/pay.txt": "p",
        }
    )
    contents.install(found.manager, found.wired)
    yield found
    found.store.close()


def test_a_manager_of_another_kind_is_bound_too(elsewhere: World) -> None:
    world = elsewhere
    assert world.names("vera", "team") == ["a.txt", "kept"]
    assert world.names("vera", "") == ["team"]
    assert world.as_("vera", "get", "team/a.txt")["writable"] is False
    assert world.as_("edda", "get", "/team/a.txt/")["writable"] is True
    for spelling in ("./team/a.txt", "team//a.txt", "hr/../team/a.txt"):
        assert world.as_("edda", "get", spelling) == 404
    assert world.as_("vera", "get", "hr/pay.txt") == 404
    assert world.as_("vera", "file_exists", "hr/pay.txt") is False
    assert world.as_("vera", "file_exists", "team/a.txt") is True
    assert world.as_("vera", "save", text(), "team/a.txt") == 403
    assert world.as_("edda", "save", text(), "team/a.txt")["path"] == "team/a.txt"
    assert world.as_("edda", "save", text(), "team/new.txt") == 403
    # Which files are in a folder cannot be told here, and a rule tells them apart.
    assert world.as_("mona", "delete_file", "team/kept") == 403
    assert world.as_("mona", "delete_file", "team/a.txt") is None
    assert world.as_("owen", "delete_file", "team") is None
    assert list(world.manager.files) == ["hr/pay.txt"]


def test_an_answer_that_comes_later_leaves_nothing_behind_meanwhile(elsewhere: World) -> None:
    async def run() -> tuple[Any, int]:
        request = SimpleNamespace(remote_ip="::1", method="GET", path="/x")
        ACTING.set(Acting(principal=elsewhere.point.principal("user:vera"), request=request))
        waiting = elsewhere.manager.get("team/a.txt")
        try:
            await elsewhere.call("get", ("hr/pay.txt",), {})
            status = 200
        except HTTPError as error:
            status = error.status_code
        return await waiting, status

    model, status = asyncio.run(run())
    assert (model["content"], status) == ("a", 404)


def test_a_failure_of_an_answer_that_comes_later_is_its_callers(elsewhere: World) -> None:
    class Broken(Elsewhere):
        def get(self, path: str, *_: Any, **__: Any) -> Any:
            async def later() -> Any:
                await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.01)

            return later()

    elsewhere.manager = Broken(files={"team/a.txt": "a"})
    contents.install(elsewhere.manager, elsewhere.wired)
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        elsewhere.as_("vera", "get", "team/a.txt")


def test_a_manager_is_guarded_once_and_one_that_is_not_is_noticed(one: World) -> None:
    kind = type(one.manager)
    contents.install(one.manager, one.wired)
    assert type(one.manager) is kind
    assert isinstance(one.manager, AsyncLargeFileManager)
    contents.check_installed(one.manager)
    with pytest.raises(AuthorizationError):
        contents.check_installed(AsyncLargeFileManager(root_dir=str(one.root)))
