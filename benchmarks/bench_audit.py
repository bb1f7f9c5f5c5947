"""What records cost: a request with and without one, and the export of a million.

Run with `python benchmarks/bench_audit.py`. Two guarded servers take turns, of which one
records what it permits and the other does not. Neighbouring turns differ by more than a
record costs; so a third counts what its threads spend on records, and the share of all that
it spends is told too. With `--export` chains of ten thousand and of a million records are
made and exported as well, some minutes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_server import Server, cpu_of, figure, server

from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.journal import Journal
from jupyter_authorized_server.store import Store

RESULTS = Path(__file__).parent / "results" / "audit.json"
MODES = {"without": "none", "guarded": "writes", "counted": "writes"}
ROUNDS, REQUESTS, WARM_UP = 20, 60, 100
TARGET = 1.03
RECORDS = 10_000, 1_000_000
#: Has a server write at its end what its threads have spent on records, by method.
COUNTING = """
import atexit, json, time
from pathlib import Path
from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.journal import Journal
from jupyter_authorized_server.store.journals import Journals

spent = {}

def counted(kind, name):
    do = getattr(kind, name)

    def doing(*arguments, **named):
        began = time.thread_time()
        try:
            return do(*arguments, **named)
        finally:
            calls, seconds = spent.get(name, (0, 0.0))
            spent[name] = calls + 1, seconds + time.thread_time() - began

    setattr(kind, name, doing)

counted(Audit, "decision")
counted(Journal, "sync")
counted(Journals, "keep_journal")
atexit.register(lambda: Path("counted.json").write_text(json.dumps(spent)))
"""


def prepare(folder: Path) -> dict[str, str]:
    """A store and settings for each server; the token of somebody who may save."""
    (folder / "root").mkdir()
    tokens = {}
    for name, mode in MODES.items():
        url, now, secret = (
            f"sqlite:///{folder / name}.store/store.sqlite",
            time.time(),
            new_secret(),
        )
        with Store.open(url) as store:
            store.add_person("edna", now=now)
            store.add_grant(
                principal="user:edna",
                level="contributor",
                resource="server:",
                granted_by="os:bench",
                now=now,
            )
            store.add_token(secret.id, secret.hash, "bench", "edna", None, now)
        (folder / f"{name}.py").write_text(
            "c.ServerApp.open_browser = False\nc.ServerApp.allow_root = True\n"
            f"c.ServerApp.root_dir = {str(folder / 'root')!r}\n"
            "c.ServerApp.log_level = 'WARN'\n"
            "c.ServerApp.jpserver_extensions = {'jupyter_authorized_server': True}\n"
            f"c.JupyterAuthorization.store_url = {url!r}\n"
            f"c.JupyterAuthorization.audit_permitted = {mode!r}\n",
            encoding="utf-8",
        )
        tokens[name] = secret.text
    with (folder / "counted.py").open("a", encoding="utf-8") as file:
        file.write(COUNTING)
    return tokens


def save(running: Server, name: str, times: int) -> None:
    """Save a small file, `times` times, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    body = json.dumps({"type": "file", "format": "text", "content": "Notes\n" * 40})
    headers = {"Authorization": f"token {running.token}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        for _ in range(times):
            connection.request("PUT", f"/api/contents/{name}.md", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status not in {200, 201}:
                sys.exit(f"a save was answered {answer.status}")


def measure_requests(folder: Path) -> dict[str, object]:
    """Milliseconds of the server's processor for one save, without and with its record; and
    the share of records in all that a server spends.
    """
    tokens = prepare(folder)
    used: dict[str, list[float]] = {name: [] for name in tokens}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(server(folder, name, token))
            for name, token in tokens.items()
        }
        begun = cpu_of(running["counted"].process.pid)
        for name, each in running.items():
            save(each, name, WARM_UP)
        for count in range(ROUNDS):
            for name in sorted(tokens, reverse=count % 2 == 1):
                before = cpu_of(running[name].process.pid)
                save(running[name], name, REQUESTS)
                used[name].append((cpu_of(running[name].process.pid) - before) / REQUESTS * 1000)
        whole = cpu_of(running["counted"].process.pid) - begun
    spent = json.loads((folder / "counted.json").read_text(encoding="utf-8"))
    counted = used.pop("counted")
    records, recording = spent["decision"]
    syncing, keeping = spent["sync"][1], spent["keep_journal"][1]
    saves = WARM_UP + len(counted) * REQUESTS
    return {
        "save": dict(figure(**used, ratio=True, target=TARGET)),
        "counted": {
            "records_a_save": round(records / saves, 2),
            "microseconds_a_record": round(recording / records * 1e6, 1),
            "microseconds_for_the_store": round(keeping / records * 1e6, 1),
            "share": round((recording + syncing + keeping) / whole, 4),
            "target": round(TARGET - 1, 2),
        },
    }


def measure_export(folder: Path, records: int) -> dict[str, object]:
    """Seconds and megabytes of the command that exports so many records."""
    data = folder / f"export-{records}" / "data"
    path = data / "authorization" / "audit.jsonl"
    journal = Journal(path)
    record = {
        "id": "0123456789abcdef",
        "time": 1_800_000_000.0,
        "kind": "decision",
        "principal": "user:edna",
        "action": "save",
        "resource": "contents:/team/report.ipynb",
        "decision": "allow",
    }
    began = time.perf_counter()
    for _ in range(records):
        journal.append(record)
    appended = time.perf_counter() - began
    journal.close()
    environment = {
        **os.environ,
        "JUPYTER_DATA_DIR": str(data),
        "JUPYTER_CONFIG_DIR": str(data / "config"),
    }
    program = str(Path(sys.executable).parent / "jupyter-authz")
    began = time.perf_counter()
    target = data / "out.jsonl"
    subprocess.run([program, "audit", "export", "-o", str(target)], env=environment, check=True)
    return {
        "records": records,
        "microseconds_to_append_one": round(appended / records * 1e6, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "megabytes_exported": round(target.stat().st_size / 1e6),
        "megabytes_resident": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def main(arguments: list[str]) -> int:
    """Measure, print, keep."""
    found: dict[str, object] = {}
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
        if "--export" in arguments:
            # First and the fewest first: the memory is that of the largest child there has been.
            found["export"] = [measure_export(Path(name), each) for each in RECORDS]
        found |= measure_requests(Path(name))
    found["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found, indent=2))
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
