"""The attacks from a kernel or a terminal, each one expression that is true if it succeeds."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import select
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from talking import Client, Shell, notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serving

STARTS = ("runner", "kernelspecs:")
PEOPLE = {
    "mona": [("manager", "contents:/team"), STARTS],
    "edda": [("editor", "contents:/team"), STARTS],
    "rune": [("runner", "contents:/team"), STARTS],
    "tess": [("manager", "contents:/team"), ("admin", "terminals:")],
    "toby": [("manager", "contents:/team"), ("admin", "terminals:")],
    "rex": [STARTS, ("admin", "terminals:")],
    "adam": "admin",
}
TOOLS = """
import ctypes, fcntl, glob, os, resource, signal, socket, subprocess, sys, tempfile, time
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
def works(act):
    try:
        return bool(act())
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
def reads(path):
    return works(lambda: Path(path).read_bytes() is not None)
def writes(path):
    return works(lambda: Path(path).write_text("planted") and Path(path).exists())
def connects(port):
    return works(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close() is None)
def past(device):
    with socket.socket() as one:
        one.settimeout(5)
        one.setsockopt(socket.SOL_SOCKET, 25, device.encode())
        return one.connect((ADDRESS, WIDE_PORT)) is None
def says(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True).stdout
"""
#: What Dora's processes are given besides, as a rule of the policy files says, and where.
EXTRA = """
permit (
  principal == Jupyter::User::"dora",
  action in [Jupyter::Action::"mounts", Jupyter::Action::"devices"],
  resource
);
"""
#: A device that every machine has with a number of its own, and that does nothing.
DEVICE = next(iter(sorted(glob.glob("/dev/hwrng") + glob.glob("/dev/net/tun"))), "")  # noqa: PTH207  # why: two texts
USES_EXTRA = """
import os, stat
def tried(act):
    try:
        return act()
    except OSError as error:
        return type(error).__name__
def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"
print([
    tried(lambda: open(F + "/shared/data").read()),
    tried(lambda: write(F + "/shared/new")) == "written",
    tried(lambda: write(F + "/scratch/new")),
    tried(lambda: open(F + "/scratch/led/store.sqlite", "rb").read(1)) == b"S",
    not DEVICE or tried(lambda: os.close(os.open(DEVICE, os.O_RDONLY))) is None,
])
"""


def extra_config(folder: Path) -> str:
    """Settings that name folders and a device, which are made here, for who may have them."""
    for name in ("shared", "scratch"):
        (folder / name).mkdir()
    (folder / "shared" / "data").write_text("1")
    (folder / "scratch" / "led").symlink_to(folder / "data" / "authorization")
    return (
        f"c.JupyterAuthorization.sandbox_mounts = ['{folder}/shared', '{folder}/scratch:rw']\n"
        f"c.JupyterAuthorization.sandbox_devices = [{DEVICE!r}] if {DEVICE!r} else []\n"
    )


def uses_extra(server: Serving, kernel: str, who: str) -> str:
    """What of what settings name `who`'s kernel can use."""
    known = f"F, DEVICE = {str(server.folder)!r}, {DEVICE!r}\n"
    return said(server, kernel, who, known + USES_EXTRA)


#: What is attacked, by class: an expression over `F`, the folder of the server, and more.
ATTACKS = {
    "reads another team's file": "reads(F + '/root/other/secret.txt')",
    "lists another team's folder": "works(lambda: os.listdir(F + '/root/other'))",
    "sees another team's file": "works(lambda: os.stat(F + '/root/other/secret.txt'))",
    "reads it through a link": "reads(F + '/root/team/link.txt')",
    "reads it through the working directory": "reads('../other/secret.txt')",
    "reads it through a process's root": (
        "reads('/proc/%d/root' % SERVER + F + '/root/other/secret.txt')"
    ),
    "reads it with a program": "'secret' in says('cat ' + F + '/root/other/secret.txt')",
    "keeps a file by a second name": (
        "works(lambda: os.link(F + '/root/team/data.csv',"
        " os.environ['HOME'] + '/%d' % os.getpid()) is None)"
    ),
    "plants a notebook for another team": "writes(F + '/root/other/planted.ipynb')",
    "changes another team's times": "works(lambda: os.utime(F + '/root/other') is None)",
    "plants a file in the contents root": "writes(F + '/root/planted.txt')",
    "reads the store": "reads(F + '/data/authorization/store.sqlite')",
    "changes the store": "works(lambda: os.utime(F + '/data/authorization/store.sqlite') is None)",
    "reads the audit file": "reads(F + '/data/authorization/audit.jsonl')",
    "reads the configuration": "reads(F + '/config/jupyter_server_config.py')",
    "plants a configuration": "writes(F + '/config/jupyter_server_config.json')",
    "reads the cookie secret": "reads(F + '/runtime/jupyter_cookie_secret')",
    "reads the server's log": "reads(F + '/log')",
    "plants a kernelspec": "works(lambda: os.makedirs(F + '/data/kernels/planted') is None)",
    "plants start-up code for the server's account": "writes(F + '/home/.profile')",
    "plants a module in the environment": (
        "works(lambda: tempfile.TemporaryFile(dir=os.path.dirname(ctypes.__file__)))"
    ),
    "reads the server's environment": "reads('/proc/%d/environ' % SERVER)",
    "has the server's environment": "'HIDDEN_KEY' in os.environ",
    "sees the server's process": "works(lambda: os.kill(SERVER, 0) is None)",
    "sees the server's command line": "reads('/proc/%d/cmdline' % SERVER)",
    "reads the server's memory map": "reads('/proc/%d/maps' % SERVER)",
    "opens the server's memory": "works(lambda: open('/proc/%d/mem' % SERVER, 'rb'))",
    "takes the server's open files": "works(lambda: os.listdir('/proc/%d/fd' % SERVER))",
    "puts words into a terminal": (
        "works(lambda: fcntl.ioctl(os.openpty()[1], 0x5412, b'x') is not None)"
    ),
    "sees more processes than its own": (
        "len([p for p in os.listdir('/proc') if p.isdigit()]) > 12"
    ),
    "reads another kernel's connection file": (
        "any('signature_scheme' in open(p).read() for p in"
        " glob.glob(F + '/runtime/kernel-*.json') if OWN not in p)"
    ),
    "reaches the server's port": "connects(PORT)",
    "reaches a port of the machine": "connects(OTHER_PORT)",
    "reaches the machine by its address": (
        "works(lambda: socket.create_connection((ADDRESS, WIDE_PORT), timeout=5).close() is None)"
    ),
    "reaches it past the routes": "works(lambda: past('internet') or past('eth0'))",
    "reaches an abstract socket of the machine": (
        "works(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + NAME) is None)"
    ),
    "writes to the machine's shared memory": (
        "works(lambda: writes('/dev/shm/planted') and SHARED in os.listdir('/dev/shm'))"
    ),
    "reads the machine's temporary files": "SHARED in os.listdir('/tmp')",
    "finds the machine's devices": "os.path.exists('/dev/vda') or len(os.listdir('/dev')) > 20",
    "changes the machine's settings": (
        "works(lambda: open('/proc/sys/kernel/core_pattern', 'a'))"
        " or works(lambda: open('/proc/sysrq-trigger', 'a'))"
    ),
    "reads what the machine tells root alone": (
        "any(works(lambda: os.read(os.open(p, os.O_RDONLY | os.O_NONBLOCK), 1))"
        " for p in glob.glob('/proc/[a-z]*')"
        " if os.path.isfile(p) and not os.stat(p).st_mode & 0o44)"
    ),
    "keeps others from opening a file": (
        "works(lambda: fcntl.fcntl(tempfile.TemporaryFile(), 1024, 1) == 0)"
    ),
    "changes the server's limits": (
        "works(lambda: resource.prlimit(SERVER, 4, resource.prlimit(SERVER, 4)))"
    ),
    "changes the server's priority": (
        "works(lambda: os.setpriority(0, SERVER, os.getpriority(0, SERVER)) is None)"
    ),
    "takes an open file of the server": (
        "libc.syscall(438, libc.syscall(434, SERVER, 0), 1, 0) >= 0"
    ),
    "reaches a socket in a folder of the machine": (
        "works(lambda: socket.socket(socket.AF_UNIX).connect('/tmp/' + NAME + '.s') is None)"
    ),
    "sends to an abstract socket of the machine": (
        "works(lambda: socket.socket(socket.AF_UNIX, 2).sendto(b'x', chr(0) + NAME + '.d'))"
    ),
    "shares memory by its number": "libc.shmget(MEMORY, 0, 0) >= 0",
    "waits for changes of another team": (
        "libc.inotify_add_watch(libc.inotify_init(), (F + '/root/other').encode(), 0xfff) >= 0"
    ),
    "opens another terminal": (
        "works(lambda: os.fstat(os.open(SCREEN, os.O_RDWR | os.O_NOCTTY)).st_dev == SCREENS)"
    ),
    "opens a socket that is in no network": (
        "any(works(lambda: socket.socket(family, kind).close() is None)"
        " for family, kind in ((38, 5), (40, 1)))"
    ),
    "opens a keyring": "libc.syscall(250, 0, -3, 1) >= 0",
    "opens an io_uring": ("libc.syscall(425, 2, ctypes.create_string_buffer(120)) >= 0"),
    "makes a user namespace": (
        "subprocess.run([sys.executable, '-c',"
        " 'import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)'"
        "]).returncode == 0"
    ),
    "watches the performance of others": (
        "libc.syscall(298, (ctypes.c_uint32 * 32)(1, 128), 0, -1, -1, 0) >= 0"
    ),
}
#: What depends on the machine, so that the control may not show it.
DEPENDS = {
    "reaches it past the routes",
    "takes an open file of the server",
    "changes the machine's settings",
    "reads what the machine tells root alone",
    "finds the machine's devices",
    "opens a socket that is in no network",
    "opens a keyring",
    "opens an io_uring",
    "watches the performance of others",
    "makes a user namespace",
    "sees more processes than its own",
    "puts words into a terminal",
}
#: What an attack leaves behind when it has not only written into the sandbox's own memory.
PLANTED = {
    "plants a notebook for another team": "root/other/planted.ipynb",
    "plants a file in the contents root": "root/planted.txt",
    "plants a configuration": "config/jupyter_server_config.json",
    "plants a kernelspec": "data/kernels/planted",
}
NAME = "jupyter-authorization-test"


def furnish(folder: Path) -> None:
    for name in ("team", "other"):
        (folder / "root" / name).mkdir(parents=True)
    (folder / "root" / "other" / "secret.txt").write_text("secret")
    (folder / "root" / "team" / "link.txt").symlink_to("../other/secret.txt")
    (folder / "root" / "team" / "data.csv").write_text("1,2\n")
    notebook(folder / "root" / "team" / "a.ipynb", "6 * 7", "open('data.csv').read()")
    (folder / "home").mkdir()
    (folder / "home" / ".profile").write_text("")


def begin(server: Serving, who: str, path: str = "team/a.ipynb") -> str:
    body = {"path": path, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    answer = server.request("POST", "/api/sessions", who, json_body=body)
    assert 201 == answer.status, answer.text
    return str(answer.json["kernel"]["id"])


def own_address() -> str:
    """The address by which others know this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.88.99.1", 9))  # Nothing is sent.
        except OSError:
            return "127.0.0.1"
        return str(one.getsockname()[0])


@contextlib.contextmanager
def surrounded(server: Serving) -> Iterator[dict[str, object]]:
    """What an attacker knows, of things that are there meanwhile."""
    shared = Path("/dev/shm", f"{NAME}-{os.getpid()}")  # noqa: S108  # why: what is attacked
    temporary = Path("/tmp", shared.name)  # noqa: S108  # why: what is attacked
    c = ctypes.CDLL(None)
    number = os.getpid() | 1 << 30
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        wide = stack.enter_context(socket.create_server(("", 0)))
        for name, kind in (
            (f"\0{shared.name}", socket.SOCK_STREAM),
            (f"\0{shared.name}.d", socket.SOCK_DGRAM),
            (f"{temporary}.s", socket.SOCK_STREAM),
        ):
            local = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            local.bind(name)
            if kind == socket.SOCK_STREAM:
                local.listen()
        stack.callback(Path(f"{temporary}.s").unlink)
        for path in (shared, temporary):
            path.write_text("x")
            stack.callback(path.unlink)
        memory = c.shmget(number, 4096, 0o1600)
        assert memory >= 0
        stack.callback(c.shmctl, memory, 0, None)
        ends = os.openpty()
        for end in ends:
            stack.callback(os.close, end)
        yield {
            "F": str(server.folder),
            "SERVER": server.process.pid,
            "PORT": server.port,
            "OTHER_PORT": other.getsockname()[1],
            "ADDRESS": own_address(),
            "WIDE_PORT": wide.getsockname()[1],
            "NAME": shared.name,
            "SHARED": shared.name,
            "MEMORY": number,
            "SCREEN": os.ttyname(ends[1]),
            "SCREENS": os.fstat(ends[1]).st_dev,
        }


def code_of(known: dict[str, object]) -> str:
    """A program that attacks, and prints which attacks succeeded."""
    lines = [f"{name} = {value!r}" for name, value in known.items()]
    found = f"{{name: works(lambda: eval(code)) for name, code in {ATTACKS!r}.items()}}"
    return "\n".join((TOOLS, *lines, f"import json; print(json.dumps({found}))"))


def succeeded(server: Serving, said: str) -> set[str]:
    """The names of the attacks that are said to have succeeded, and left what they do."""
    worked = {name for name, result in json.loads(said.splitlines()[-1]).items() if result}
    return worked - {n for n, p in PLANTED.items() if not (server.folder / p).exists()}


def attacked(server: Serving, kernel: str, who: str) -> set[str]:
    """The names of the attacks that succeed from `kernel`."""
    client = Client(server, kernel, who)
    try:
        with surrounded(server) as known:
            said = client.text(code_of({**known, "OWN": kernel}))
            return succeeded(server, said)
    finally:
        client.close()


def attacked_from_a_terminal(server: Serving, who: str) -> set[str]:
    """The names of the attacks that succeed from a new terminal."""
    script = server.root / "team" / "attack.py"
    with surrounded(server) as known:
        script.write_text(code_of({**known, "OWN": "none"}))
        shell = Shell(server, who, cwd="team")
        said = shell.says("python attack.py > attack.out 2>&1")
        shell.socket.close()
        out = (server.root / "team" / "attack.out").read_text()
        assert out.rstrip().endswith("}"), (said, out)
        return succeeded(server, out)


#: Whether a kernel in a root of its own may change the folder of its sockets, and how it may not.
SEAL = """
import os
print(os.statvfs("/run/kernel").f_flag & os.ST_RDONLY, *sorted(os.listdir("/run/kernel")))
"""
SEALED = "1 k-1 k-2 k-3 k-4 k-5"
#: What a kernel knows of itself: where its sockets are, and its keys.
TOLD = "import ipykernel, json; print(json.load(open(ipykernel.get_connection_file()))[{!r}])"
SWAP = """
import os, ipykernel, json
own = json.load(open(ipykernel.get_connection_file()))
at = own['ip'] + '-%d' % own['iopub_port']
os.unlink(at)
os.symlink({!r} + '-%d' % own['iopub_port'], at)
"""


def overheard(server: Serving, who: str, other: str, whose: str) -> str:
    """What `who` hears of the kernel `other`, by a link in place of a socket of their own.

    Where it leads is told, though it is random.
    """
    kernel = begin(server, who)
    assert "" == said(
        server, kernel, who, SWAP.format(said(server, other, whose, TOLD.format("ip")))
    )
    mine, theirs = Client(server, kernel, who), Client(server, other, whose)
    heard = ""
    for _ in range(5):
        assert "told" in theirs.text("print('told')")
        with contextlib.suppress(TimeoutError):
            while True:
                heard += mine.hear(0.2).content.get("text", "")
    mine.close()
    theirs.close()
    return heard


def stop(server: Serving) -> None:
    for session in server.request("GET", "/api/sessions", "adam").json:
        path = f"/api/sessions/{session['id']}"
        assert 204 == server.request("DELETE", path, "adam").status


def said(server: Serving, kernel: str, who: str, code: str) -> str:
    client = Client(server, kernel, who)
    try:
        return client.text(code).strip()
    finally:
        client.close()


def waited_for(command: str, *, there: bool, seconds: float = 60.0) -> bool:
    """Whether `command` comes to run somewhere on the machine, or to run no more."""
    end = time.monotonic() + seconds
    while True:
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines.append(
                    path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
        if (command in lines) is there:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)


#: Ways to be busy, each under a name of its own: in Python, with a process that has left the
#: kernel's session and heeds nothing, and in C, where no other thread of its Python runs.
BUSY = {
    "python": """
if not os.fork():
    os.setsid()
    for each in (1, 2, 3, 15):
        signal.signal(each, signal.SIG_IGN)
    named("daemon")
while True:
    pass
""",
    "c": "ctypes.PyDLL(None).sleep(600)",
}
#: How each begins: the machine shows the name, of fifteen letters at most, to whoever looks.
NAMED = """
import ctypes, os, signal, time
def named(name):
    ctypes.CDLL(None).prctl(15, f"{{name}}-{port}".encode())
named("{name}")
"""


def seconds_to_end(server: Serving, who: str) -> float:
    """Seconds from a change that is acknowledged to the end of all that `who` runs by it.

    What else the machine does may add to it, so it is tried up to three times.
    """
    took = _seconds_to_end(server, who)
    for _ in range(2):
        took = took if took < 1 else min(took, _seconds_to_end(server, who))
    return took


def _seconds_to_end(server: Serving, who: str) -> float:
    end = time.monotonic() + 120
    with server.store() as store:
        given = store.add_grant(
            principal=f"user:{who}", level="manager", resource="contents:/team", now=0,
            granted_by="os:t",
        )  # fmt: skip
    while server.request("GET", "/api/contents/team", who).status != 200:
        assert time.monotonic() < end
    clients = []
    for name, code in BUSY.items():
        clients.append(Client(server, begin(server, who, f"team/{name}.ipynb"), who))
        clients[-1].run(NAMED.format(name=name, port=server.port) + code)
    shell = Shell(server, who)
    shell.type(f"python -c '{NAMED.format(name='shell', port=server.port)}{BUSY['python']}'\r")
    names = {f"{name}-{server.port}" for name in (*BUSY, "daemon", "shell")}
    running: dict[str, int] = {}
    while {*running} != names:
        assert time.monotonic() < end, running
        for path in Path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(OSError):
                if (name := path.read_text().strip()) in names - {*running}:
                    running[name] = os.pidfd_open(int(path.parent.name))
    assert 200 == server.request("DELETE", f"/api/authz/grants/{given.id}", "adam").status
    changed = time.monotonic()
    for each in running.values():
        assert select.select([each], [], [], end - time.monotonic())[0]
    took = time.monotonic() - changed
    for each in running.values():
        os.close(each)
    for client in clients:
        client.socket.shutdown()  # type: ignore[no-untyped-call]  # why: untyped
    shell.socket.close()
    return took
