from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from filing import World
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server_terminals.terminalmanager import TerminalManager
from serving import Serving, give_password, serving
from terminado.websocket import TermSocket
from tornado.websocket import WebSocketClosedError

from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors.terminals import fit, install
from jupyter_authorized_server.server.kernels import STARTING, Starting
from jupyter_authorized_server.server.wiring import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
#: Three people who may start shells, and one who may watch all of them.
RULES = """
@id("starters")
permit (
  principal in Jupyter::Group::"everyone",
  action == Jupyter::Action::"start",
  resource is Jupyter::Terminal
)
when { principal == Jupyter::User::"olga" || principal == Jupyter::User::"otto" ||
       principal == Jupyter::User::"many" };

@id("watcher")
permit (
  principal == Jupyter::User::"wanda",
  action == Jupyter::Action::"view",
  resource is Jupyter::Terminal
);
"""


MOST_SOCKETS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("terminals")
    (folder / "root" / "team").mkdir(parents=True)
    (folder / "root" / "private").mkdir()
    people = {
        "olga": [("runner", "contents:/team")],
        "otto": None,
        "many": None,
        "wanda": None,
        "edda": "editor",
        "adam": "admin",
        "tara": [("admin", "contents:/team")],
    }
    with serving(
        folder,
        people=people,
        extensions=("jupyter_server_terminals", "nbclassic", "notebook_shim"),
        policy={"shells.cedar": RULES},
        config=(
            "c.JupyterAuthorization.max_terminals = 3\n"
            f"c.JupyterAuthorization.max_sockets = {MOST_SOCKETS}"
        ),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(server: Serving) -> str:
    give_password(server.folder, "olga")
    return server.sign_in("olga")


def start(server: Serving, who: str, **body: Any) -> str:
    answer = server.request("POST", "/api/terminals", who, json_body=body)
    assert 200 == answer.status, answer.text
    return str(answer.json["name"])


def end(server: Serving, name: str) -> None:
    assert 204 == server.request("DELETE", f"/api/terminals/{name}", "adam").status


def names(server: Serving, who: str) -> set[str]:
    return {each["name"] for each in server.request("GET", "/api/terminals", who).json}


def connect(server: Serving, name: str, who: str) -> websocket.WebSocket:
    return server.connect(f"/terminals/websocket/{name}", who)


def type_(socket: websocket.WebSocket, keys: str) -> None:
    socket.send(json.dumps(["stdin", keys]))


def screen(socket: websocket.WebSocket, until: str, seconds: float = 60) -> str:
    """All that the screen shows until `until` is on it."""
    found, end_ = "", time.monotonic() + seconds
    while until not in found:
        assert time.monotonic() < end_, found
        kind, *more = json.loads(socket.recv())
        found += more[0] if kind == "stdout" else ""
    return found


def refused(server: Serving, path: str, who: str) -> int:
    with pytest.raises(websocket.WebSocketBadStatusException) as no:
        server.connect(path, who)
    return int(no.value.status_code)


def test_who_may_start_a_terminal_owns_it_and_others_do_not_know_of_it(server: Serving) -> None:
    name = start(server, "olga")
    assert name in names(server, "olga")
    assert name in names(server, "wanda")
    assert name in names(server, "adam")
    for stranger in ("otto", "edda"):
        assert name not in names(server, stranger)
        assert 403 == server.request("GET", f"/api/terminals/{name}", stranger).status
        assert 403 == server.request("DELETE", f"/api/terminals/{name}", stranger).status
        assert 403 == refused(server, f"/terminals/websocket/{name}", stranger)
    mine = connect(server, name, "olga")
    type_(mine, "echo $((6 * 7))\n")
    screen(mine, "42")
    mine.close()
    assert 204 == server.request("DELETE", f"/api/terminals/{name}", "olga").status


def test_who_may_only_watch_types_nothing_and_changes_no_size(server: Serving) -> None:
    name = start(server, "olga")
    mine, watching = connect(server, name, "olga"), connect(server, name, "wanda")
    mine.send(json.dumps(["set_size", 33, 77]))
    type_(watching, "touch $HOME/forbidden\n")
    watching.send(json.dumps(["set_size", 5, 5]))
    screen(watching, "You can watch this terminal but not type in it.")
    type_(mine, "stty size; echo do''ne\n")
    shown = screen(watching, "done")
    assert "33 77" in shown
    assert not (server.folder / "home" / "forbidden").exists()
    [record] = [
        each
        for each in server.audit
        if each["principal"] == "user:wanda" and each.get("request") == "keys"
    ]
    assert ("type", f"terminals:{name}") == (record["action"], record["resource"])
    for socket in (mine, watching):
        socket.close()
    end(server, name)


#: What no front end sends.
BROKEN = (
    "",
    "null",
    "[]",
    "{}",
    '["stdin"]',
    '["stdin", 5]',
    '["stdin", ["a"]]',
    '["stdin", "\\ud800"]',
    '["set_size"]',
    '["set_size", "a", "b"]',
    '["set_size", -1, 70000]',
    '["set_size", 1e999, null]',
    '["signal", 9]',
    "[" * 100_000,
)


def test_a_shell_that_reads_nothing_keeps_nobody_from_typing_in_another(server: Serving) -> None:
    name, other = start(server, "olga"), start(server, "otto")
    deaf, mine = connect(server, name, "olga"), connect(server, other, "otto")
    type_(deaf, "stty raw; echo de''af; sleep 600\n")
    screen(deaf, "deaf")
    for _ in range(4):
        type_(deaf, "x" * 2**20)
    type_(mine, "echo go''ing on\n")
    screen(mine, "going on")
    for socket in (deaf, mine):
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    for each in (name, other):
        end(server, each)


def test_keys_that_wait_for_a_shell_are_dropped_with_the_right_to_type_them(
    server: Serving,
) -> None:
    name, go = start(server, "olga", cwd="team"), server.root / "team" / "go"
    with server.store() as store:
        more = store.add_grant(
            principal="user:wanda",
            level="admin",
            resource="server:",
            granted_by="os:test",
            now=time.time(),
        )
        while server.request("GET", "/api/contents/private", "wanda").status != 200:
            time.sleep(0.05)
        mine = connect(server, name, "olga")
        type_(mine, "stty raw -echo; echo de''af; until [ -e go ]; do sleep 0.05; done; ")
        type_(
            mine,
            "timeout --foreground 1 cat | tr -dc x | wc -c | sed s/^/heard=/; "
            "echo o''ver; stty sane\n",
        )
        screen(mine, "deaf")
        pasting = connect(server, name, "wanda")
        type_(pasting, "x" * 2**16)
        time.sleep(0.2)
        store.remove_grant(more.id)
    while server.request("GET", "/api/contents/private", "wanda").status == 200:
        time.sleep(0.05)
    go.touch()
    heard = re.search(r"heard=(\d+)", screen(mine, "over"))
    assert heard is not None
    assert int(heard[1]) < 2**16
    go.unlink()
    for socket in (mine, pasting):
        socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    end(server, name)


class Gone(TermSocket):
    """A socket whose client has gone without a word."""

    def write_message(self, message: Any, binary: bool = False) -> Any:  # noqa: FBT002  # why: Tornado's signature
        raise WebSocketClosedError(message)


def gone(*, allowed: bool = True) -> Any:
    handler: Any = Gone.__new__(Gone)
    handler.terminal, handler._enable_output_logging = SimpleNamespace(), False
    door: Any = SimpleNamespace(questions=(), name="user:olga", allowed=allowed)
    wired: Any = SimpleNamespace(
        point=SimpleNamespace(audit=None), live=SimpleNamespace(current=lambda door: door)
    )
    fit(handler, door, wired)
    return handler


def test_a_client_that_has_gone_keeps_no_other_from_being_told() -> None:
    handler = gone()
    # Upstream tells one after the other, and asks the shell's size when a client leaves.
    handler.on_pty_read("line")
    handler.on_pty_died()
    assert handler.terminal is None


def test_what_is_typed_while_a_shell_ends_is_dropped() -> None:
    handler = gone()
    handler.on_pty_died()
    for message in ('["stdin", "ls\\n"]', '["set_size", 33, 77]'):
        asyncio.run(handler.on_message(message))


def test_what_a_shell_shows_goes_to_nobody_who_may_not_watch_it_any_more() -> None:
    shown: list[str] = []
    handler = gone(allowed=False)
    handler.write_message = shown.append
    handler.on_pty_read("line")
    assert [] == shown


def failed(server: Serving, name: str) -> bool:
    """Whether something has failed in a socket to the terminal `name`."""
    return f"Uncaught exception GET /terminals/websocket/{name}" in server.log


def test_what_is_no_message_reaches_no_shell(server: Serving) -> None:
    name = start(server, "olga", name=f"no_message_{uuid.uuid4().hex}")
    mine = connect(server, name, "olga")
    for message in BROKEN:
        mine.send(message)
        mine.send_binary(message.encode())
    mine.send_binary(b"\xff\xfe")
    type_(mine, "echo go''ing on\n")
    screen(mine, "going on")
    assert not failed(server, name)
    mine.close()
    end(server, name)


def test_who_types_while_a_shell_ends_has_nothing_fail(server: Serving) -> None:
    name = start(server, "olga", name=f"ends_{uuid.uuid4().hex}")
    mine = connect(server, name, "olga")
    type_(mine, "exit\n")
    with contextlib.suppress(OSError, websocket.WebSocketException):
        for _ in range(2000):
            type_(mine, "x")
            mine.send(json.dumps(["set_size", 33, 77]))
    until = time.monotonic() + 60
    while name in names(server, "adam"):
        assert time.monotonic() < until
        time.sleep(0.05)
    mine.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    assert not failed(server, name)


def test_a_name_that_nobody_runs_is_never_made_into_a_shell(server: Serving) -> None:
    before = names(server, "adam")
    assert 404 == refused(server, "/terminals/websocket/nobody", "adam")
    for who in ("olga", "wanda", "edda"):
        assert refused(server, "/terminals/websocket/nobody", who) in {403, 404}
    for who in ("wanda", "edda"):
        assert 403 == server.request("GET", "/terminals/sneaky", who).status
        assert 403 == server.request("POST", "/api/terminals", who, json_body={}).status
    assert before == names(server, "adam")


def test_the_classic_page_makes_a_shell_for_who_may_start_one(server: Serving) -> None:
    assert 200 == server.request("GET", "/terminals/fresh", "olga").status
    assert {"fresh"} == names(server, "olga")
    assert 200 == server.request("GET", "/terminals/fresh", "wanda").status
    assert 403 == server.request("GET", "/terminals/fresh", "otto").status
    end(server, "fresh")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        # Another port of this machine, to which a browser sends the cookie with pictures too.
        ({"Sec-Fetch-Site": "same-site", "Referer": "http://127.0.0.1:1/"}, 403),
        # An old browser, or an address without encryption; a page can hide where it is from.
        ({}, 403),
        ({"Referer": "http://127.0.0.1.example/"}, 403),
        ({"Referer": "http://["}, 403),
        # What a proxy asks a browser for is sent along with every link too.
        ({"Authorization": "Basic b2xnYTpvbGdh"}, 403),
        # An image in a notebook that somebody else wrote.
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"}, 403),
        (
            {"Referer": "http://127.0.0.1:{port}/notebooks/a.ipynb", "Accept": "image/webp,*/*"},
            403,
        ),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Referer": "http://127.0.0.1:{port}/nbclassic/tree"}, 200),
    ],
)
def test_no_link_of_another_site_starts_a_shell(
    server: Serving, signed_in: str, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.format(port=server.port) for name, value in headers.items()}
    answer = server.request("GET", "/terminals/linked", headers={"Cookie": signed_in, **sent})
    assert status == answer.status
    assert (status == 200) is ("linked" in names(server, "olga"))
    if status == 200:
        # One that runs is shown, wherever the link is from.
        elsewhere = {"Cookie": signed_in, "Sec-Fetch-Site": "cross-site"}
        assert 200 == server.request("GET", "/terminals/linked", headers=elsewhere).status
        end(server, "linked")


def test_from_the_body_only_a_checked_folder_and_an_unused_name_are_taken(
    server: Serving,
) -> None:
    name = start(
        server,
        "olga",
        name="mine",
        cwd="team",
        shell_command=["/bin/sh", "-c", "touch $HOME/pwned; sleep 60"],
        extra_env={"LD_PRELOAD": "x"},
        height=5,
    )
    assert "mine" == name
    mine = connect(server, name, "olga")
    type_(mine, "echo in $PWD with ${LD_PRELOAD-no''thing}\n")
    shown = screen(mine, "with nothing")
    assert str(server.root / "team") in shown
    assert not (server.folder / "home" / "pwned").exists()
    taken = server.request("POST", "/api/terminals", "otto", json_body={"name": "mine"})
    assert 409 == taken.status, taken.text
    type_(mine, "echo still he''re\n")
    screen(mine, "still here")
    mine.close()
    for body in (
        {"cwd": "private"},
        {"cwd": "team/../private"},
        {"cwd": "../.."},
        {"cwd": "/etc"},
    ):
        assert server.request("POST", "/api/terminals", "olga", json_body=body).status in {
            403,
            404,
        }
    bad: tuple[dict[str, Any], ...] = (
        {"name": "a/b"},
        {"name": "x" * 65},
        {"name": 5},
        {"cwd": 5},
    )
    for body in bad:
        assert 400 == server.request("POST", "/api/terminals", "otto", json_body=body).status
    end(server, name)


def test_a_name_that_is_used_again_is_the_next_owners(server: Serving) -> None:
    name = start(server, "olga", name="again")
    end(server, name)
    assert name == start(server, "otto", name="again")
    assert name not in names(server, "olga")
    assert 403 == refused(server, f"/terminals/websocket/{name}", "olga")
    end(server, name)


def test_a_grant_on_a_folder_reaches_the_shells_that_were_started_there(server: Serving) -> None:
    name = start(server, "tara", cwd="team")
    elsewhere = start(server, "adam", cwd="private")
    assert {name} == names(server, "tara")
    assert 403 == server.request("POST", "/api/terminals", "tara", json_body={}).status
    for each in (name, elsewhere):
        end(server, each)


def test_nobody_starts_more_than_the_limit_also_at_once(server: Serving) -> None:
    def one(_: int) -> int:
        return server.request("POST", "/api/terminals", "many", json_body={}).status

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    assert [200] * 3 + [409] * 5 == sorted(answers)
    for name in names(server, "many"):
        assert 204 == server.request("DELETE", f"/api/terminals/{name}", "many").status
    assert 200 == one(0)
    for name in names(server, "many"):
        end(server, name)


def test_nobody_has_more_sockets_than_the_limit_also_at_once(server: Serving) -> None:
    name = start(server, "many")

    def one(_: int) -> websocket.WebSocket | tuple[int, bool]:
        try:
            return connect(server, name, "many")
        except websocket.WebSocketBadStatusException as refused:
            said = refused.resp_body or b""
            return refused.status_code, b"as many connections open" in said

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(MOST_SOCKETS + 4)))
    opened = [each for each in answers if isinstance(each, websocket.WebSocket)]
    assert [(429, True)] * 4 == [each for each in answers if isinstance(each, tuple)]
    # Nobody else's room is taken, and a place that is given up is free.
    connect(server, name, "adam").close()
    opened.pop().close()
    deadline = time.monotonic() + 60
    while not isinstance(again := one(0), websocket.WebSocket):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for each in (again, *opened):
        each.close()
    end(server, name)


def begins(world: World, who: str, path: str) -> tuple[str, str | None]:
    """Where a shell begins that `who` starts at `path`, and the contents path it is known by."""
    # As upstream's handler reads the body.
    options = {"cwd": os.path.realpath(path)} if Path(path).exists() else {}
    return asyncio.run(_begins(world, who, path, options))


async def _begins(
    world: World, who: str, path: str, options: dict[str, str]
) -> tuple[str, str | None]:
    manager: Any = TerminalManager(shell_command=["/bin/sh"])
    settings = {
        "contents_manager": world.manager,
        "terminal_manager": manager,
        KEY: world.wired,
    }
    install(settings, world.wired)
    principal = world.point.principal(f"user:{who}")
    request: Any = SimpleNamespace(remote_ip="::1", method="POST", path="/api/terminals")
    ACTING.set(Acting(principal=principal, request=request))
    STARTING.set(Starting(principal=principal, path=path))
    name = manager.create(**options)["name"]
    shell = manager.terminals[name]
    try:
        here = os.readlink(f"/proc/{shell.ptyproc.pid}/cwd")  # noqa: PTH115  # why: waits for no disk
        return here, world.wired.terminals[shell].path
    finally:
        await manager.terminate(name, force=True)


@pytest.mark.skipif(  # why: as told
    not Path("/proc/self/cwd").exists(), reason="the system shows no folder"
)
def test_a_shell_begins_outside_the_root_only_for_who_may_run_unconfined_where_nothing_confines(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, AsyncLargeFileManager)
    outside, root = tmp_path / "outside", str(world.root)
    outside.mkdir()
    world.store.add_person("adam", password_hash=None, now=0)
    world.store.add_grant(
        principal="user:adam", level="admin", resource="server:", now=0, granted_by="os:test"
    )
    # Who may have all that Adam may, but for running programs that nothing confines.
    rule = """permit (principal == Jupyter::User::"mona", action, resource)
      unless { action == Jupyter::Action::"unconfined" };"""
    (tmp_path / "policy" / "mona.cedar").write_text(rule, encoding="utf-8")
    world.point.refresh()
    world.point.adopt(world.point.files.load())
    assert (str(outside), None) == begins(world, "adam", str(outside))
    assert (f"{root}/hr", "/hr") == begins(world, "adam", "/hr")
    missing = f"{outside}/none"
    assert (root, missing) == begins(world, "adam", missing)
    assert (root, str(outside)) == begins(world, "mona", str(outside))
    # Who has all of a folder of that name in the contents has nothing of this one.
    inside = world.root / outside.relative_to("/")
    inside.mkdir(parents=True)
    assert (str(inside), str(outside)) == begins(world, "adam", str(outside))
    shutil.rmtree(inside)
    world.wired.confinement = SimpleNamespace(
        launcher=SimpleNamespace(backend="confines"),
        company=SimpleNamespace(judge=lambda decision, *_, **__: decision),
    )
    assert (root, str(outside)) == begins(world, "adam", str(outside))
    world.store.close()
