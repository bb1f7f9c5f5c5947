"""A small machine of its own with neighbours and an internet, in which a sandbox is attacked.

Run by `test_internet.py`, as root of a network that nobody else is in. Prints what was
found out, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from jupyter_authorized_server.sandbox.box import Box, Mount
from jupyter_authorized_server.sandbox.bubblewrap import Bubblewrap, find
from jupyter_authorized_server.sandbox.internet import NAMES
from jupyter_authorized_server.sandbox.starting import start
from jupyter_authorized_server.sandbox.surroundings import environment, system_paths

#: The addresses of the machine, one of them by chance what a sandbox takes for its own.
OURS = {"near": "198.41.0.2/24", "lo": "172.17.0.1/32"}
LATER = "198.41.0.77"
FAR, PRIVATE, LET, LET_IN = "93.184.216.34", "10.8.8.8", "10.9.9.9", "10.9.9.0/24"
METADATA, GATE, PORT, SECONDS = "169.254.169.254", "198.41.0.1", 8080, 60.0
MULTICAST = "224.0.0.251"
#: Runs in the sandbox: tries each address, by the routes and past them, whenever asked.
TRIES = """
import json, socket, sys
def tried(address, port, device):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        one.settimeout(20)
        try:
            one.setsockopt(socket.SOL_SOCKET, 25, device.encode())
            one.connect((address, port))
            return one.recv(9).decode()
        except OSError as error:
            return ""
def sent(address, device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            one.setsockopt(socket.SOL_SOCKET, 25, device.encode())
            return one.sendto(b"x", (address, 5353)) == 1
        except OSError:
            return False
def met(name):
    with socket.socket(socket.AF_UNIX) as one:
        try:
            return one.connect(name) is None
        except OSError:
            return False
def asked(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(20)
        try:
            one.sendto(b"who?", (address, 53))
            return one.recv(99).decode()
        except OSError:
            return ""
for line in sys.stdin:
    told = json.loads(line)
    print(json.dumps({
        "reached": {a: [tried(a, told["port"], d) for d in ("", "internet")] for a in told["to"]},
        "sent": [a for a in told["sent"] for d in ("", "internet") if sent(a, d)],
        "met": met(chr(0) + "of the machine"),
        "names": asked(told["names"]),
        "resolver": open("/etc/resolv.conf").read(),
    }), flush=True)
"""


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def greet(address: str, family: int = socket.AF_INET) -> None:
    """Have whoever connects to `address` read `hello`."""
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((address, PORT))
    listening.listen()

    def serve() -> None:
        while True:
            one = listening.accept()[0]
            one.sendall(b"hello")
            one.close()

    threading.Thread(target=serve, daemon=True).start()


def answer_names(address: str) -> None:
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind((address, 53))

    def serve() -> None:
        while True:
            asked.sendto(b"it is far", asked.recvfrom(99)[1])

    threading.Thread(target=serve, daemon=True).start()


def resolver() -> str:
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and ":" not in words[1]:
            return words[1]
    return ""


def outside() -> None:
    """What is out there: the internet and the neighbours, in a network of theirs."""
    tell("there")
    sys.stdin.readline()
    names = resolver()
    for address in (FAR, PRIVATE, LET, METADATA, *([names] if names else [])):
        if not address.startswith("127."):
            run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    for device, address in (("lo", ""), ("far", f"{GATE}/24")):
        if address:
            run("ip", "addr", "add", address, "dev", device)
        run("ip", "link", "set", device, "up")
    greet("")
    if names and not names.startswith("127."):
        answer_names(names)
    tell("up")
    sys.stdin.readline()


def below(number: int) -> list[int]:
    """The processes that `number` has started or adopted, and that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == number and words[0] != "Z":
                found.append(int(path.name))
    return found


def running(numbers: list[int]) -> list[int]:
    return [each for each in numbers if Path(f"/proc/{each}/fd").exists()]


def surrounded() -> subprocess.Popen[str]:
    """Give this network its neighbours and an internet; who they are runs until it is told."""
    command = ["unshare", "-n", sys.executable, __file__, "outside"]
    far = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert far.stdin is not None
    assert far.stdout is not None
    assert far.stdout.readline() == "there\n"
    run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
    run("ip", "link", "set", "far", "netns", str(far.pid))
    for device, address in OURS.items():
        run("ip", "addr", "add", address, "dev", device)
        run("ip", "link", "set", device, "up")
    run("ip", "route", "add", "default", "via", GATE)
    far.stdin.write("\n")
    far.stdin.flush()
    assert far.stdout.readline() == "up\n"
    greet("")
    greet("::1", socket.AF_INET6)
    if resolver().startswith("127."):
        answer_names(resolver())
    return far


class Asked:
    """What the program in the sandbox finds out, question by question."""

    def __init__(self, asks: Path, says: Path) -> None:
        self._asks = asks.open("w")
        self._says = says
        self._answers = 0

    def __call__(self, **question: object) -> dict[str, dict[str, object]]:
        self._asks.write(json.dumps({"port": PORT, "names": NAMES, **question}) + "\n")
        self._asks.flush()
        self._answers += 1
        end = time.monotonic() + SECONDS
        while len(lines := self._says.read_text().splitlines()) < self._answers:
            assert time.monotonic() < end
            time.sleep(0.02)
        found: dict[str, dict[str, object]] = json.loads(lines[-1])
        return found


def machine(folder: Path) -> None:
    far = surrounded()
    local = socket.socket(socket.AF_UNIX)
    local.bind("\0of the machine")
    local.listen()
    path, version = find()
    home = folder / "home"
    home.mkdir()
    mount = Mount(source=os.open(home, os.O_PATH), at=str(home), writable=True)
    box = Box(
        system=system_paths(), mounts=(mount,), home=str(home), internet=True, opened=(LET_IN,)
    )
    asks, says = home / "asks", home / "says"
    says.touch()
    os.mkfifo(asks)
    line = ["/bin/sh", "-c", f"exec {sys.executable} -I -S -c '{TRIES}' < {asks} > {says}"]
    with tempfile.TemporaryFile() as output:
        confined, process = start(
            Bubblewrap(path=path, version=version), box, line,
            environment=environment(box.home, "me", {}), output=output,
        )  # fmt: skip
    ask = Asked(asks, says)
    found: dict[str, object] = {}
    to = ["127.0.0.1", "198.41.0.2", "172.17.0.1", GATE, METADATA, PRIVATE, LET, FAR, "::1"]
    found["first"] = ask(to=to, sent=[MULTICAST, "255.255.255.255"])
    run("ip", "addr", "add", f"{LATER}/24", "dev", "near")
    end = time.monotonic() + SECONDS
    while True:
        found["later"] = later = ask(to=[LATER, FAR], sent=[])
        if later["reached"][LATER] == ["", ""] or time.monotonic() > end:
            break
    assert confined.uplink is not None
    carrying = below(confined.uplink.process.pid)
    found["carried by"] = len(carrying)
    os.kill(confined.first, signal.SIGKILL)
    process.wait()
    while (left := running(carrying)) and time.monotonic() < end:
        time.sleep(0.02)
    found["left"] = len(left)
    confined.close()
    tell(json.dumps(found))
    assert far.stdin is not None
    far.stdin.close()
    far.wait()


if __name__ == "__main__":
    if sys.argv[1] == "outside":
        outside()
    else:
        machine(Path(sys.argv[1]))
