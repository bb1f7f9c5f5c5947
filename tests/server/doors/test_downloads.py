"""Downloads, by a handler that has the contents manager and nothing else of its server."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from filing import World
from jupyter_server.base.handlers import AuthenticatedFileHandler
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError

from jupyter_authorized_server.errors import ConfigurationError
from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors import downloads
from jupyter_authorized_server.server.surface.descent import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(  # why: as told
    not STEPS, reason="this system opens nothing step by step"
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    downloads.install()
    found = World(tmp_path, AsyncLargeFileManager)
    yield found
    found.store.close()


def download(
    world: World, path: str, who: str | None, manager: Any = None, root: Path | None = None
) -> int:
    """The status of what `who` is answered, or the server itself where nobody asks."""
    here = str(root or world.root)

    async def run() -> int:
        line = RequestStartLine("HEAD", f"/files/{path}", "HTTP/1.1")
        request = HTTPServerRequest(start_line=line, headers=HTTPHeaders(Host="a"))
        request.connection = SimpleNamespace(set_close_callback=lambda _: None)  # type: ignore[assignment]  # why: nobody is connected
        application = Application(contents_manager=manager or world.manager)
        handler = AuthenticatedFileHandler(application, request, path=here)
        if who is not None:
            principal = world.point.principal(f"user:{who}")
            ACTING.set(Acting(principal=principal, request=request))
        handler.path, handler.root = path, here
        found = handler.get_absolute_path(here, path)
        handler.absolute_path = handler.validate_absolute_path(here, found)
        handler.on_finish()
        return handler.get_status()

    try:
        return asyncio.run(run())
    except HTTPError as error:
        return error.status_code


def test_a_handler_without_the_settings_of_its_server_asks_whom_the_manager_asks(
    world: World,
) -> None:
    assert 200 == download(world, "team/a.txt", None)
    assert 200 == download(world, "team/a.txt", "vera")
    for who, path in (("vera", "team/secret.txt"), ("vera", "hr/pay.txt"), ("nora", "team/a.txt")):
        assert 404 == download(world, path, who)
    with pytest.raises(ConfigurationError, match="does not ask"):
        download(world, "team/a.txt", None, AsyncLargeFileManager(root_dir=str(world.root)))


def test_an_extension_serves_a_folder_of_its_own_and_nothing_of_the_contents_by_way_of_it(
    world: World, tmp_path: Path
) -> None:
    own = tmp_path / "extension"
    own.mkdir()
    (own / "page.html").write_text("shown")
    (own / "link").symlink_to("page.html")
    (own / "pay").symlink_to(world.root / "hr" / "pay.txt")
    (own / "team").symlink_to(world.root / "team")
    assert 200 == download(world, "page.html", "nora", root=own)
    assert 200 == download(world, "link", "nora", root=own)
    # Some versions of Tornado let no link out of the folder, others leave that to us.
    assert download(world, "pay", "vera", root=own) in {403, 404}
    assert download(world, "team/a.txt", "nora", root=own) in {403, 404}
    # One that serves from within the contents, or from above them, is asked as they are.
    (world.root / "team" / "away").symlink_to(own / "page.html")
    assert download(world, "away", "owen", root=world.root / "team") in {403, 404}
    assert 404 == download(world, "secret.txt", "vera", root=world.root / "team")
    assert 404 == download(world, "root/hr/pay.txt", "vera", root=tmp_path)
    assert 200 == download(world, "root/team/a.txt", "vera", root=tmp_path)


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        (None, None, "team/a.txt"),
        (5, None, "a.txt"),
        (5, 7, "a."),
        (5, 99, "a.txt"),
        (99, None, ""),
    ],
)
def test_a_part_of_a_file_is_that_part_and_a_file_that_nobody_serves_is_let_go(
    world: World, start: int | None, end: int | None, shown: str
) -> None:
    here = world.root / "team" / "a.txt"
    number = os.open(here, os.O_RDONLY)
    file = downloads._Open(number)
    assert shown == b"".join(downloads._parts(file, start, end, lambda: True)).decode()
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
