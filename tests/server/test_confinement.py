"""What a kernel of a real server reaches: the attacks, and plain Jupyter as the control.

Each attack is one expression that is true when it succeeds. Without a sandbox each has
to: one that fails there too shows nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attacking import (
    ATTACKS,
    DEPENDS,
    EXTRA,
    PEOPLE,
    SEAL,
    SEALED,
    STARTS,
    SWAP,
    TOLD,
    attacked,
    attacked_from_a_terminal,
    begin,
    extra_config,
    furnish,
    said,
    seconds_to_end,
    stop,
    uses_extra,
    waited_for,
)
from fusing import mounted
from serving import Serving, environment, refused_start, serving
from talking import Client, Shell, notebook

if TYPE_CHECKING:
    from collections.abc import Iterator


INTERNET = """
permit (principal == Jupyter::User::"{}", action == Jupyter::Action::"internet", resource);
"""
#: Where it can be given, Edda's kernels and Tess's terminals have the internet, and what Ines
#: has is taken from her by a test.
CONNECTED = ("edda", "tess", "ines") if shutil.which("pasta") else ()
RULES = {f"internet-of-{each}.cedar": INTERNET.format(each) for each in CONNECTED}
RULES["extra.cedar"] = EXTRA
RULES["network.cedar"] = INTERNET.format("nell").replace("internet", "network")
MORE = {
    "dora": PEOPLE["mona"],
    "ines": [*PEOPLE["edda"], ("admin", "terminals:")],
    "fay": [("manager", "contents:/far"), STARTS],
    "nell": PEOPLE["mona"],
}


#: What carries packets takes as long as the folder says.
SLOW = """#!/bin/sh
while [ -e {folder}/hold ]; do touch {folder}/held; sleep 0.05; done
exec {pasta} "$@"
"""
SLOWLY = """
from jupyter_authorized_server.sandbox import internet
internet._PLACES = "{folder}/bin"
"""


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("confined")
    furnish(folder)
    extensions = ("jupyter_server_terminals",)
    (folder / "bin").mkdir()
    (folder / "bin" / "pasta").write_text(SLOW.format(folder=folder, pasta=shutil.which("pasta")))
    (folder / "bin" / "pasta").chmod(0o755)
    with serving(
        folder, people={**PEOPLE, **MORE}, policy=RULES, env={"HIDDEN_KEY": "x"},
        extensions=extensions, config=extra_config(folder) + SLOWLY.format(folder=folder),
        # As a script does that starts it with `&`.
        before=("sh", "-c", "trap '' INT QUIT; exec \"$@\"", "sh"),
    ) as server:  # fmt: skip
        yield server


@pytest.mark.slow
def test_without_a_sandbox_every_attack_succeeds(tmp_path: Path) -> None:
    furnish(tmp_path)
    off = "c.JupyterAuthorization.sandbox = 'off'"
    with serving(tmp_path, people=PEOPLE, config=off, env={"HIDDEN_KEY": "x"}) as server:
        begin(server, "adam", "other/b.ipynb")
        kernel = begin(server, "mona")
        assert set() == set(ATTACKS) - DEPENDS - attacked(server, kernel, "mona")
        assert "kernels and terminals are not confined" in server.log


# One changes what she is shown, and has what settings name; one reads, and has the internet.
@pytest.mark.parametrize("who", ["dora", "edda"])
def test_confined_no_attack_succeeds(confined: Serving, who: str) -> None:
    begin(confined, "adam", "other/b.ipynb")
    kernel = begin(confined, who)
    assert set() == attacked(confined, kernel, who)
    stop(confined)


def test_nobody_puts_a_link_in_place_of_a_socket_or_is_told_where_anothers_are(
    confined: Serving,
) -> None:
    kernel, other = begin(confined, "adam", "other/b.ipynb"), begin(confined, "nell")
    end = time.monotonic() + 60
    assert 200 == confined.request("POST", f"/api/kernels/{kernel}/restart", "adam").status
    while SEALED != said(confined, kernel, "adam", SEAL):
        assert time.monotonic() < end
    assert "Read-only" in said(confined, kernel, "adam", SWAP.format("/run/kernel/k"))
    # Nell's has the machine's network, and what is spoken to is of that.
    names = said(confined, other, "nell", "print(open('/proc/net/unix').read())")
    logs = confined.folder / "data" / "authorization" / "sandbox" / "logs"
    folders = [path.stem for path in logs.iterdir()]
    assert (True, 2) == ("/run/kernel/k-1" in names, len(folders))
    assert [] == [each for each in folders if each in names]
    key = said(confined, kernel, "adam", TOLD.format("curve_secretkey"))
    told = [confined.log, *map(str, confined.audit)]
    told += [
        confined.request("GET", path, "adam").text for path in ("/api/kernels", "/api/status")
    ]
    assert (40, []) == (len(key), [each for each in told if key in each])
    stop(confined)


@pytest.mark.skipif(not CONNECTED, reason="no `pasta` on this machine")  # why: by it alone
def test_the_internet_is_a_rules_and_goes_with_it(confined: Serving) -> None:
    devices = "import socket; print([name for _, name in socket.if_nameindex()])"
    kernel, other = begin(confined, "ines"), begin(confined, "mona")
    end = time.monotonic() + 180
    while said(confined, kernel, "ines", devices) != "['lo', 'internet']":
        # An earlier try of this test has taken the rule away, and given it back just now.
        assert time.monotonic() < end
        assert 200 == confined.request("POST", f"/api/kernels/{kernel}/restart", "ines").status
    assert "['lo']" == said(confined, other, "mona", devices)
    shell = Shell(confined, "ines")
    assert "internet:" in shell.says("cat /proc/net/dev")
    # Mona has Ines's files and more, and would have the internet by joining in.
    assert "may not" in said(confined, kernel, "mona", devices)
    rule = confined.folder / "policy" / "internet-of-ines.cedar"
    try:
        rule.write_text("")
        while confined.request("GET", f"/api/kernels/{kernel}", "adam").status != 404:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert "['lo']" == said(confined, begin(confined, "ines"), "ines", devices)
        assert "['lo']" == said(confined, other, "mona", devices)
        shell.until("This terminal was stopped: it was shown more than its owner may have now;")
    finally:
        shell.socket.close()
        stop(confined)
        rule.write_text(INTERNET.format("ines"))


def answers(server: Serving, who: str, status: int) -> None:
    """Wait until the server knows what `who` may do in another's folder."""
    end = time.monotonic() + 60
    while status != server.request("GET", "/api/contents/other", who).status:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(not CONNECTED, reason="no `pasta` on this machine")  # why: by it alone
def test_while_a_process_is_given_the_internet_others_are_answered(confined: Serving) -> None:
    hold, held = confined.folder / "hold", confined.folder / "held"
    devices = "import socket; print([name for _, name in socket.if_nameindex()])"
    end = time.monotonic() + 180
    with confined.store() as store:
        given = store.add_grant(
            principal="user:edda", level="viewer", resource="contents:/other", now=0,
            granted_by="os:t",
        )  # fmt: skip
    answers(confined, "edda", 200)
    with ThreadPoolExecutor() as pool:
        hold.touch()
        try:
            starting = pool.submit(begin, confined, "edda")
            while not held.exists():
                assert time.monotonic() < end
                time.sleep(0.02)
            # A terminal is there at once, and lets nothing run before it has what it may have.
            shell = Shell(confined, "tess")
            assert 200 == confined.request("GET", "/api/status", "adam").status
            # What is taken back meanwhile it has not: it is begun once more, with what is left.
            with confined.store() as store:
                store.remove_grant(given.id)
            answers(confined, "edda", 404)
            assert not starting.done()
        finally:
            hold.unlink()
            held.unlink(missing_ok=True)
        kernel = starting.result(180)
    assert "['lo', 'internet']" == said(confined, kernel, "edda", devices)
    there = "import os; print(os.path.exists('../other'), os.path.exists('../team'))"
    assert "False True" == said(confined, kernel, "edda", there)
    assert "internet:" in shell.says("cat /proc/net/dev")
    shell.socket.close()
    stop(confined)


def test_folders_and_devices_are_for_whom_a_rule_gives_them(confined: Serving) -> None:
    wanted, end = "['1', False, 'written', False, True]", time.monotonic() + 180
    kernel, other = begin(confined, "dora"), begin(confined, "mona")
    while wanted != uses_extra(confined, kernel, "dora"):
        # An earlier try of this test has taken the rule away, and given it back just now.
        assert time.monotonic() < end
        assert 200 == confined.request("POST", f"/api/kernels/{kernel}/restart", "dora").status
    assert "'1'" not in uses_extra(confined, other, "mona")
    assert "True" not in uses_extra(confined, other, "mona")
    # Mona may touch all else that it shows.
    assert "may not" in said(confined, kernel, "mona", "1")
    rule = confined.folder / "policy" / "extra.cedar"
    try:
        rule.write_text("")
        while confined.request("GET", f"/api/kernels/{kernel}", "adam").status != 404:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert "1" == said(confined, other, "mona", "print(1)")
    finally:
        stop(confined)
        rule.write_text(EXTRA)


#: Lays something over a part of `/proc`, as containers do; then none can be mounted.
MASKED = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert 0 == libc.unshare(0x20000)
assert 0 == libc.mount(None, b"/", None, 0x44000, None)
# Wherever there is one; as long as another is whole, the machine lets anybody mount one.
for at in [words[1] for words in map(str.split, open("/proc/mounts")) if words[2] == "proc"]:
    assert 0 == libc.mount(b"none", f"{at}/fs".encode(), b"tmpfs", 0, None)
import os
run = os.environ["XDG_RUNTIME_DIR"].encode()
assert 0 == libc.mount(b"none", run, b"tmpfs", 0, b"nr_inodes=32")
# As a server that was killed has left it.
os.mkdir(run + b"/jk-gone")
open(run + b"/jk-gone/server", "x").close()
# Profiles of containers refuse to give a machine a name, also to who has a namespace for it.
import struct
number = {"x86_64": 170, "aarch64": 161}[os.uname().machine]
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
text = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in lines))
filter = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(lines), ctypes.addressof(text)))
assert 0 == libc.prctl(22, 2, filter, 0, 0)
"""


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    """A server where no `/proc` can be mounted, and its small run directory, as it sees it."""
    if os.geteuid() != 0:
        pytest.skip("only root lays something over a part of `/proc`")  # why: no mounts
    folder = tmp_path_factory.mktemp("masked")
    furnish(folder)
    with tempfile.TemporaryDirectory(prefix="jk-run-") as run:
        env = {"HIDDEN_KEY": "x", "XDG_RUNTIME_DIR": run}
        with serving(folder, people=PEOPLE, config=MASKED, env=env) as server:
            yield server, Path(f"/proc/{server.process.pid}/root{run}")


def test_where_no_proc_can_be_mounted_no_attack_succeeds_either(
    masked: tuple[Serving, Path],
) -> None:
    server, _ = masked
    begin(server, "adam", "other/b.ipynb")
    kernel = begin(server, "mona")
    assert set() == attacked(server, kernel, "mona")
    assert "False" == said(server, kernel, "mona", "print(os.path.exists('/proc/self'))")
    code = "subprocess.run(['cat', 'data.csv'], stdout=subprocess.PIPE).stdout"
    assert "b'1,2\\n'" == said(server, kernel, "mona", f"print({code})")
    assert "without `/proc`" in server.log
    stop(server)


def test_a_full_run_directory_is_said_to_who_starts_a_kernel_and_harms_no_other(
    masked: tuple[Serving, Path],
) -> None:
    server, full = masked
    kernel = begin(server, "mona")
    # What another has left takes none of it any more.
    end = time.monotonic() + 60
    while (full / "jk-gone").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    # It has opened all of its sockets when it answers, and one of them when it is begun.
    assert "1" == said(server, kernel, "mona", "print(1)")
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    try:
        with contextlib.suppress(OSError):
            for number in range(99):
                (full / f"fill-{number}").touch()
        before = sorted(full.rglob("*"))
        for filled in [None, *sorted(full.glob("fill-*"))[:2]]:
            # With room for a part of what a kernel needs that part is not left.
            if filled is not None:
                filled.unlink()
                before.remove(filled)
            answer = server.request("POST", "/api/sessions", "edda", json_body=body)
            wanted = "cannot be given a place for its sockets: [Errno 28] No space left on device"
            assert (500, True) == (answer.status, wanted in answer.json["message"]), answer.text
            assert before == sorted(full.rglob("*"))
        assert "1,2" == said(server, kernel, "mona", "print(open('data.csv').read())")
    finally:
        for path in full.glob("fill-*"):
            path.unlink()
    assert 201 == server.request("POST", "/api/sessions", "edda", json_body=body).status
    stop(server)


def test_who_may_change_a_folder_changes_it_from_a_kernel(confined: Serving) -> None:
    kernel = begin(confined, "mona")
    assert "1,2" == said(confined, kernel, "mona", "print(open('data.csv').read())")
    code = "open('made.txt', 'w').write('made'); print(open('made.txt').read())"
    assert "made" == said(confined, kernel, "mona", code)
    assert "made" == (confined.root / "team" / "made.txt").read_text()
    stop(confined)


def test_who_may_only_save_reads_from_a_kernel_and_changes_nothing(confined: Serving) -> None:
    kernel = begin(confined, "edda")
    assert "1,2" == said(confined, kernel, "edda", "print(open('data.csv').read())")
    code = "open('data.csv', 'w')"
    assert "Read-only file system" in said(confined, kernel, "edda", code)
    assert "1,2\n" == (confined.root / "team" / "data.csv").read_text()
    stop(confined)


def test_a_home_is_kept_for_its_person_and_for_nobody_else(confined: Serving) -> None:
    note = "import pathlib; p = pathlib.Path.home() / 'note'; "
    kernel = begin(confined, "edda")
    assert "" == said(confined, kernel, "edda", note + "_ = p.write_text('mine')")
    stop(confined)
    kernel = begin(confined, "edda")
    assert "mine" == said(confined, kernel, "edda", note + "print(p.read_text())")
    home = said(confined, kernel, "edda", note + "print(p)")
    stop(confined)
    kernel = begin(confined, "mona")
    there = f"import os; print(os.path.exists({home!r}))"
    assert "False" == said(confined, kernel, "mona", there)
    stop(confined)


def test_a_runners_kernel_has_a_home_that_is_forgotten(confined: Serving) -> None:
    show = "import os; print(os.listdir(os.environ['HOME']))"
    plant = "open(os.environ['HOME'] + '/startup.py', 'w').close()"
    notebook(confined.root / "team" / "home.ipynb", show, plant)
    for _ in range(2):
        kernel = begin(confined, "rune", "team/home.ipynb")
        assert "startup.py" not in said(confined, kernel, "rune", show)
        assert "" == said(confined, kernel, "rune", plant)
        stop(confined)


def test_a_restarted_kernel_is_its_first_owners(confined: Serving) -> None:
    kernel = begin(confined, "edda")
    assert 200 == confined.request("POST", f"/api/kernels/{kernel}/restart", "adam").status
    code = "open('data.csv', 'w')"
    assert "Read-only file system" in said(confined, kernel, "edda", code)
    stop(confined)


def test_a_grant_that_is_taken_back_ends_the_kernel(confined: Serving) -> None:
    store = confined.store()
    given = store.add_grant(
        principal="user:rune",
        level="editor",
        resource="contents:/other",
        now=time.time(),
        granted_by="os:test",
    )
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            body = {"path": "other/c.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
            answer = confined.request("POST", "/api/sessions", "rune", json_body=body)
            if answer.status == 201:
                break
        kernel = answer.json["kernel"]["id"]
        code = "print(open('secret.txt').read())"
        assert "secret" == said(confined, kernel, "rune", code)
        assert told(confined, kernel, "rune", "ended") is None
    finally:
        store.remove_grant(given.id)
        store.close()
    path = f"/api/kernels/{kernel}"
    while confined.request("GET", path, "adam").status != 404 and time.monotonic() < end:
        time.sleep(0.05)
    assert 404 == confined.request("GET", path, "adam").status
    # Its owner is told why, and who can open its document; from nobody else's kernel anything.
    heard = {who: told(confined, kernel, who, "ended") for who in ("rune", "adam", "edda")}
    assert {"rune": "mine", "adam": "theirs", "edda": None} == heard
    stop(confined)


def test_whatever_runs_by_a_right_is_gone_within_a_second_of_its_end(confined: Serving) -> None:
    assert seconds_to_end(confined, "rex") < 1


def test_a_grant_on_a_file_system_of_a_program_works_and_one_that_hangs_harms_no_other(
    confined: Serving,
) -> None:
    far = confined.root / "far"
    far.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            slow = stack.enter_context(mounted(far))
        except OSError as error:
            pytest.skip(f"{error}")  # why: a matter of the machine
        kernel, other = begin(confined, "fay", "far/a.ipynb"), begin(confined, "mona")
        assert "3,4" == said(confined, kernel, "fay", "print(open('data.csv').read())")
        assert "not implemented" in said(confined, kernel, "fay", "open('new', 'w')")
        waiting, kept = Client(confined, kernel, "fay"), begin(confined, "fay", "far/b.ipynb")
        assert "" == said(confined, kept, "fay", "kept = 5")
        slow.holds.set()
        waiting.run("open('data.csv').read()")
        assert slow.is_waited_for.wait(60)
        # The machine itself ends no process that waits for such a program's answer.
        with ThreadPoolExecutor() as pool:
            ending = pool.submit(confined.request, "DELETE", f"/api/kernels/{kernel}", "adam")
            assert "2" == said(confined, other, "mona", "print(1 + 1)")
            # Of who opens something on it each is told, and nobody else waits.
            why = "The disk that this is on does not answer. Try again later."
            body = {"path": "far/a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
            for answer in (
                confined.request("GET", "/api/contents/far/data.csv", "fay"),
                confined.request("GET", "/api/contents/far", "fay"),
                confined.request("GET", "/files/far/data.csv", "fay"),
                confined.request(
                    "PUT", "/api/contents/far/new.txt", "fay",
                    json_body={"type": "file", "format": "text", "content": ""},
                ),
                confined.request("POST", "/api/sessions", "fay", json_body=body),
            ):  # fmt: skip
                assert (503, True) == (answer.status, why in answer.text), answer.text
            assert 404 == confined.request("GET", "/api/contents/far/data.csv", "mona").status
            assert 200 == confined.request("GET", "/api/contents/team/a.ipynb", "mona").status
            listed = confined.request("GET", "/api/contents", "adam").json["content"]
            assert {"far", "team"} & {each["name"] for each in listed} == {"team"}
            # Whether a kernel has too much now is asked of each whenever the policy changes.
            with contextlib.closing(confined.store()) as store:
                given = store.add_grant(
                    principal="user:dora", level="viewer", resource="contents:/far",
                    now=time.time(), granted_by="os:test",
                )  # fmt: skip
                end = time.monotonic() + 60
                while confined.request("GET", "/api/contents/far", "dora").status != 503:
                    assert time.monotonic() < end
                store.remove_grant(given.id)
            assert not ending.done()
            slow.holds.clear()
            assert 204 == ending.result().status
            # What was asked before is answered first.
            end = time.monotonic() + 60
            while confined.request("GET", "/api/contents/far/data.csv", "fay").status != 200:
                assert time.monotonic() < end
        waiting.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
        assert "5" == said(confined, kept, "fay", "print(kept)")
        stop(confined)


def told(server: Serving, kernel: str, who: str, what: str) -> object:
    on = f"kernels:{kernel}"
    answer = server.request("GET", f"/api/authz/me?resource={on}", who)
    return answer.json["resources"][on][what]


def more_at_restart(server: Serving, kernel: str, who: str) -> object:
    return told(server, kernel, who, "more_at_restart")


# It begins by the clock, when nothing in the policy changes.
def test_what_is_granted_later_leaves_a_kernel_alone_and_its_owner_is_told_of_a_restart(
    confined: Serving,
) -> None:
    kernel = begin(confined, "edda")
    secret = "print('before' in globals(), __import__('os').path.exists('../other/secret.txt'))"
    assert "" == said(confined, kernel, "edda", "before = 1")
    assert [False, False] == [more_at_restart(confined, kernel, who) for who in ("edda", "adam")]
    with confined.store() as store:
        given = store.add_grant(
            principal="user:edda", level="viewer", resource="contents:/other",
            now=time.time(), starts=time.time() + 2, granted_by="os:test",
        )  # fmt: skip
        end = time.monotonic() + 180
        while not more_at_restart(confined, kernel, "edda"):
            assert time.monotonic() < end
            time.sleep(0.05)
        # It is nobody else's business what its owner was given.
        assert more_at_restart(confined, kernel, "adam") is False
        assert "True False" == said(confined, kernel, "edda", secret)
        # What is told of this very kernel is what it has.
        asked = ("reach", "--kernel", kernel, "--root", str(confined.root), "--json")
        told = subprocess.run(
            [str(Path(sys.executable).parent / "jupyter-authz"), *asked],
            env=environment(confined.folder), capture_output=True, check=False,
        )  # fmt: skip
        reached = json.loads(told.stdout)
        assert {"user:edda": {"reads": ["/team"], "changes": []}} == reached["shown"]
        assert [] == reached["reached"]
        assert 200 == confined.request("POST", f"/api/kernels/{kernel}/restart", "edda").status
        assert "False True" == said(confined, kernel, "edda", secret)
        assert more_at_restart(confined, kernel, "edda") is False
        store.remove_grant(given.id)
    while confined.request("GET", f"/api/kernels/{kernel}", "adam").status != 404:
        assert time.monotonic() < end
        time.sleep(0.05)
    stop(confined)


def test_a_kernelspec_cannot_choose_its_way_out(confined: Serving) -> None:
    folder = confined.folder / "data" / "kernels" / "liar"
    folder.mkdir(parents=True)
    spec = {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Liar",
        "language": "python",
        "env": {"LEAKED": "${HIDDEN_KEY}", "SAID": "yes", "HOME": str(confined.folder)},
        "metadata": {"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "liar"}}
    answer = confined.request("POST", "/api/sessions", "edda", json_body=body)
    kernel = answer.json["kernel"]["id"]
    code = "import os; print(os.environ['SAID'], os.environ['LEAKED'], os.listdir('/proc')[:0])"
    assert "yes ${HIDDEN_KEY} []" == said(confined, kernel, "edda", code)
    code = f"import os; print(os.path.exists({str(confined.folder / 'config')!r}))"
    assert "False" == said(confined, kernel, "edda", code)
    stop(confined)


def test_a_kernel_that_listens_on_tcp_does_so_where_nobody_else_is(confined: Serving) -> None:
    folder = confined.folder / "data" / "kernels" / "deaf"
    folder.mkdir(parents=True, exist_ok=True)
    asks = """grep -o '"transport": "[a-z]*' "$0"; exit 1"""
    argv = ["/bin/sh", "-c", asks, "{connection_file}"]
    spec = {"argv": argv, "display_name": "Deaf", "language": "none"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "deaf"}}
    told = {
        who: confined.request("POST", "/api/sessions", who, json_body=body).json["message"]
        for who in ("mona", "nell")
    }
    # Nell's has the machine's network.
    where = {who: [way for way in ("tcp", "ipc") if f'": "{way}' in told[who]] for who in told}
    assert {"mona": ["tcp"], "nell": ["ipc"]} == where
    why = "if it listens on TCP only, it works with bubblewrap, and where no rule gives it"
    assert {"mona": False, "nell": True} == {who: why in said for who, said in told.items()}


UNCONFINED = """
@id("by-name")
permit (principal == Jupyter::User::"uma", action == Jupyter::Action::"unconfined", resource);
"""


def check_unconfined(server: Serving) -> None:
    """That uma runs code, told and recorded as such, until the rule is gone."""
    told = server.request("GET", "/api/authz/me", "uma").json["sandbox"]
    assert {"backend": "none", "confined": False, "runs": True, "why": None} == told
    kernel = begin(server, "uma")
    see = f"import os; print('HIDDEN_KEY' in os.environ, os.path.exists({str(server.root)!r}))"
    assert "False True" == said(server, kernel, "uma", see)
    records = {each["kind"]: each for each in server.audit}
    assert "unconfined" == records["execution"]["sandbox"]
    mine = {"process": f"kernels:{kernel}", "sandbox": "unconfined", "principal": "user:uma"}
    assert mine.items() <= records["unconfined"].items()
    # To administer is not to be named.
    assert "files that you may not" in said(server, kernel, "adam", "1")
    assert 200 == server.request("POST", f"/api/kernels/{kernel}/restart", "uma").status
    assert "False True" == said(server, kernel, "uma", see)
    shell = Shell(server, "uma")
    sleep = f"sleep 603.{server.port}"
    shell.type(f"{sleep}\r")
    assert waited_for(sleep, there=True)
    (server.folder / "policy" / "a.cedar").write_text("")
    assert waited_for(sleep, there=False)
    shell.socket.close()
    end = time.monotonic() + 60
    path = f"/api/kernels/{kernel}"
    while server.request("GET", path, "adam").status != 404 and time.monotonic() < end:
        time.sleep(0.1)
    assert 404 == server.request("GET", path, "adam").status
    assert not server.request("GET", "/api/authz/me", "uma").json["sandbox"]["runs"]


def test_where_nothing_confines_nobody_runs_code(tmp_path: Path) -> None:
    furnish(tmp_path)
    broken = (
        "from jupyter_authorized_server.sandbox import bubblewrap\n"
        "bubblewrap._candidates = lambda: iter(())\n"
        "from jupyter_authorized_server.sandbox import wall\n"
        "wall.abi = lambda: 0\n"
    )
    people = {**PEOPLE, "uma": [*PEOPLE["tess"], STARTS]}
    options = {"config": broken, "env": {"HIDDEN_KEY": "x"}}
    extensions = ("jupyter_server_terminals",)
    rules = {"a.cedar": UNCONFINED}
    with serving(
        tmp_path, people=people, policy=rules, extensions=extensions, **options
    ) as server:
        body = {"path": "team/a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
        answer = server.request("POST", "/api/sessions", "adam", json_body=body)
        assert answer.status >= 400
        assert "code cannot be run on this server" in answer.text
        assert [] == server.request("GET", "/api/kernels", "adam").json
        told = server.request("GET", "/api/authz/me", "adam").json["sandbox"]
        assert ("none", False, False) == (told["backend"], told["confined"], told["runs"])
        assert "code cannot be run on this server" in told["why"]
        assert server.request("POST", "/api/terminals", "tess", json_body={}).status >= 400
        check_unconfined(server)
    required = broken + "c.JupyterAuthorization.sandbox = 'require'"
    status, log = refused_start(tmp_path / "second", people=PEOPLE, config=required)
    assert 78 == status
    assert "kernels cannot be confined: no `bwrap` is on this machine" in log


def test_confined_no_attack_succeeds_from_a_terminal_either(confined: Serving) -> None:
    begin(confined, "adam", "other/b.ipynb")
    assert set() == attacked_from_a_terminal(confined, "tess")
    stop(confined)


def test_a_terminal_has_its_owners_view(confined: Serving) -> None:
    shell = Shell(confined, "tess", cwd="team")
    secret, config = confined.root / "other" / "secret.txt", confined.folder / "config"
    assert "No such file" in shell.says(f"cat {secret}")
    assert "No such file" in shell.says(f"ls {config}")
    assert "HIDDEN_KEY" not in shell.says("env").replace("env", "")
    assert "1,2" in shell.says(f"cat {confined.root}/team/data.csv")
    assert "made" in shell.says(
        f"cd {confined.root}/team && echo made > shell.txt && cat shell.txt"
    )
    assert "made\n" == (confined.root / "team" / "shell.txt").read_text()
    shell.type(f"sleep 600.{confined.port}\r")
    assert waited_for(f"sleep 600.{confined.port}", there=True)
    # A key that comes as the shell hands its screen over may be lost; a person presses again.
    end = time.monotonic() + 60
    while not waited_for(f"sleep 600.{confined.port}", there=False, seconds=0.0):
        assert time.monotonic() < end
        shell.type("\x03")
        waited_for(f"sleep 600.{confined.port}", there=False, seconds=5.0)
    assert "after" in shell.says("echo after")
    shell.socket.send(json.dumps(["set_size", 33, 111, 10, 10]))
    end = time.monotonic() + 60
    while "33 111" not in shell.says("stty size") and time.monotonic() < end:
        pass
    assert "33 111" in shell.says("stty size")
    shell.says(f"sleep 601.{confined.port} &")
    assert waited_for(f"sleep 601.{confined.port}", there=True)
    shell.socket.close()
    assert 204 == confined.request("DELETE", f"/api/terminals/{shell.name}", "adam").status
    assert waited_for(f"sleep 601.{confined.port}", there=False)


def test_a_client_cannot_choose_what_a_terminal_runs(confined: Serving) -> None:
    body = {"shell_command": ["cat", "/etc/hostname"], "extra_env": {"LD_PRELOAD": "x"}}
    shell = Shell(confined, "tess", **body)
    assert "none" in shell.says('echo "${LD_PRELOAD:-none}"')
    shell.socket.close()


def test_a_terminal_ends_with_the_right_to_it(confined: Serving) -> None:
    shell = Shell(confined, "toby")
    shell.says(f"sleep 602.{confined.port} &")
    assert waited_for(f"sleep 602.{confined.port}", there=True)
    store = confined.store()
    (grant,) = (
        each
        for each in store.state().grants
        if each.principal == "user:toby" and each.resource == "terminals:"
    )
    store.remove_grant(grant.id)
    store.close()
    assert waited_for(f"sleep 602.{confined.port}", there=False)
    shell.socket.close()


def test_a_terminal_that_showed_more_than_is_left_ends_and_says_why(confined: Serving) -> None:
    store = confined.store()
    given = store.add_grant(
        principal="user:tess", level="editor", resource="contents:/other",
        now=time.time(), granted_by="os:test",
    )  # fmt: skip
    end = time.monotonic() + 60
    while confined.request("GET", "/api/contents/other/secret.txt", "tess").status != 200:
        assert time.monotonic() < end
    shell = Shell(confined, "tess")
    assert "secret" in shell.says(f"cat {confined.root}/other/secret.txt")
    store.remove_grant(given.id)
    store.close()
    shell.until("This terminal was stopped: it was shown more than its owner may have now;")
    shell.socket.close()


def test_the_configurations_own_method_takes_away_from_kernels_too(tmp_path: Path) -> None:
    furnish(tmp_path)
    config = (
        "from jupyter_server.base.handlers import JupyterHandler\n"
        "JupyterHandler.user_is_authorized = lambda self, user, action, resource:"
        " action != 'write' or resource not in {'contents'}\n"
        "c.ServerApp.authorizer_class = 'jupyter_authorized_server.HandlerMethodAuthorizer'\n"
    )
    with serving(tmp_path, people={"nora": None}, config=config) as server:
        kernel = begin(server, "nora")
        assert "1,2" == said(server, kernel, "nora", "print(open('data.csv').read())")
        assert "Read-only" in said(server, kernel, "nora", "open('data.csv', 'w')")
