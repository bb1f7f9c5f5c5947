"""Who else may run in a process: attacks by way of somebody else's kernel or shell."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving, add_people, serving
from stores import store_url
from talking import Client, notebook, start

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.policy.model import Answer, Decision, Resource
from jupyter_authorized_server.sandbox.launch import Launcher
from jupyter_authorized_server.server.doors.company import Company
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STARTS = ("runner", "kernelspecs:")
PEOPLE = {
    "mona": [("manager", "contents:/team"), STARTS],
    "max": [("manager", "contents:/team"), STARTS],
    # Has no process, whose end would have all be looked at again.
    "paul": [("manager", "contents:/team"), STARTS],
    "edda": [("editor", "contents:/team"), STARTS],
    "rune": [("runner", "contents:/team"), STARTS],
    "olga": [("manager", "contents:/team"), ("manager", "contents:/other"), STARTS],
    "kara": [("admin", "kernels:"), ("admin", "terminals:")],
    "vera": [("viewer", "contents:/team")],
    "tess": [("manager", "contents:/team"), ("admin", "terminals:")],
    "nell": [("manager", "contents:/team"), STARTS, ("admin", "terminals:")],
    "adam": "admin",
}
RULES = """
@id("network")
permit (principal == Jupyter::User::"nell", action == Jupyter::Action::"network", resource)
when { context.hour >= 0 };
"""
ALWAYS = RULES.replace("when { context.hour >= 0 }", "")
BEYOND = "This kernel can reach files that you may not; start your own."
SAVED = "print(6 * 7)"
SOON = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("company")
    for name in ("team", "other", "third"):
        (folder / "root" / name).mkdir(parents=True)
        (folder / "root" / name / "secret.txt").write_text(f"of {name}")
    notebook(folder / "root" / "team" / "a.ipynb", SAVED)
    extensions = ("jupyter_server_terminals",)
    policy = {"a.cedar": RULES}
    with serving(folder, people=PEOPLE, extensions=extensions, policy=policy) as running:
        yield running


@pytest.fixture(scope="module")
def kernels(server: Serving) -> dict[str, str]:
    """A kernel of each, for a notebook of the team."""
    return {
        who: start(server, who, f"team/{who}.ipynb") for who in ("mona", "edda", "olga", "rune")
    }


def said(server: Serving, kernel: str, who: str, code: str = SAVED) -> str:
    client = Client(server, kernel, who)
    try:
        return client.text(code).strip()
    finally:
        client.close()


def eventually(expected: object, ask: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while (answer := ask()) != expected:
        assert time.monotonic() < end, answer
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("who", "owner", "answer"),
    [
        ("max", "mona", "42"),
        ("adam", "olga", "42"),
        ("olga", "mona", "42"),
        ("mona", "edda", "42"),
        ("mona", "rune", "42"),
        # Writes what an editor may only read, or reads another team's folder.
        ("edda", "mona", BEYOND),
        ("mona", "olga", BEYOND),
        # Has every right on kernels, and none on a file.
        ("kara", "edda", BEYOND),
        ("kara", "rune", BEYOND),
    ],
)
def test_in_anothers_kernel_runs_who_may_touch_all_that_it_touches(
    server: Serving, kernels: dict[str, str], who: str, owner: str, answer: str
) -> None:
    assert answer == said(server, kernels[owner], who)


def test_saved_cells_too_run_only_where_they_show_nothing_new(
    server: Serving, kernels: dict[str, str]
) -> None:
    for owner in ("edda", "olga"):
        notebook(server.root / "team" / f"{owner}.ipynb", SAVED)
    assert "42" == said(server, kernels["edda"], "rune")
    assert BEYOND == said(server, kernels["olga"], "rune")


REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("execute_request", {"code": SAVED, "silent": True}, "control"),
    ("complete_request", {"code": "open('", "cursor_pos": 6}, "shell"),
    ("inspect_request", {"code": "x", "cursor_pos": 1, "detail_level": 1}, "shell"),
    ("is_complete_request", {"code": "x"}, "shell"),
    (
        "history_request",
        {"hist_access_type": "tail", "n": 9, "output": True, "raw": True},
        "shell",
    ),
    ("comm_info_request", {}, "shell"),
    ("comm_open", {"comm_id": "c", "target_name": "jupyter.widget", "data": {}}, "shell"),
    ("debug_request", {"type": "request", "seq": 1, "command": "debugInfo"}, "control"),
    ("create_subshell_request", {}, "control"),
    ("shutdown_request", {"restart": True}, "control"),
    ("made_up_request", {}, "shell"),
]


@pytest.mark.parametrize("v1", [True, False], ids=["newer", "older"])
def test_no_message_that_reaches_the_disk_passes(
    server: Serving, kernels: dict[str, str], v1: bool
) -> None:
    mona = Client(server, kernels["olga"], "mona", v1=v1)
    for msg_type, content, channel in REQUESTS:
        has_reply = msg_type != "comm_open"
        told = mona.answer(mona.send(msg_type, content, channel), reply=has_reply)
        told = [each for each in told if each.msg_type.endswith(("_reply", "error"))]
        words = json.dumps([each.content for each in told])
        assert not has_reply or "that you may not" in words or '"error"' in words, told
    mona.close()
    assert "42" == said(server, kernels["olga"], "olga")
    name = f"kernels:{kernels['olga']}"
    records = [each for each in server.audit if each.get("resource") == name]
    assert ["view (sandbox)"] in [each["determining"] for each in records]


def test_who_may_not_run_there_still_watches_and_stops_nothing_else(
    server: Serving, kernels: dict[str, str]
) -> None:
    kernel = kernels["olga"]
    watching = Client(server, kernel, "vera")
    assert "shown" == said(server, kernel, "olga", "print('shown')")
    while (heard := watching.hear()).msg_type != "stream":
        pass
    assert "shown\n" == heard.content["text"]
    watching.close()
    assert 204 == server.request("POST", f"/api/kernels/{kernel}/interrupt", "mona").status
    answer = server.request("POST", f"/api/kernels/{kernel}/restart", "mona")
    assert (403, BEYOND) == (answer.status, answer.json["message"])


def test_no_session_leads_into_a_kernel_that_shows_more(
    server: Serving, kernels: dict[str, str]
) -> None:
    body = {"path": "team/new.ipynb", "type": "notebook", "kernel": {"id": kernels["olga"]}}
    assert 403 == server.request("POST", "/api/sessions", "mona", json_body=body).status
    own = start(server, "mona", "team/own.ipynb")
    session = session_of(server, "mona", own)
    moved = {"kernel": {"id": kernels["olga"]}}
    answer = server.request("PATCH", f"/api/sessions/{session}", "mona", json_body=moved)
    assert (403, BEYOND) == (answer.status, answer.json["message"])


def session_of(server: Serving, who: str, kernel: str) -> str:
    sessions = server.request("GET", "/api/sessions", who).json
    return next(str(each["id"]) for each in sessions if each["kernel"]["id"] == kernel)


def test_what_one_may_do_in_a_kernel_is_told_as_it_is(
    server: Serving, kernels: dict[str, str]
) -> None:
    told = {
        who: server.request("GET", f"/api/authz/me?resource=kernels:{kernels['olga']}", who)
        .json["resources"][f"kernels:{kernels['olga']}"]["actions"]["run"]
        for who in ("mona", "olga", "adam")
    }  # fmt: skip
    assert {"allowed": False, "reason": BEYOND} == told["mona"]
    assert {"allowed": True} == told["olga"] == told["adam"]


def test_a_token_of_less_than_its_owner_is_somebody_else(server: Serving) -> None:
    store, secret = server.store(), new_secret()
    scope = [("manager", "contents:/team"), ("runner", "kernelspecs:")]
    store.add_token(secret.id, secret.hash, "agent", "olga", None, time.time(), scope=scope)
    store.close()
    server.tokens["agent"] = secret.text
    kernel = start(server, "olga", "team/of-olga.ipynb")
    assert BEYOND == said(server, kernel, "agent")
    plant = "import pathlib; pathlib.Path.home().joinpath('planted').write_text('x')"
    mine = start(server, "agent", "team/of-the-agent.ipynb")
    assert "" == said(server, mine, "agent", plant + "; None")
    assert "[Errno 2]" in said(server, mine, "agent", "open('../other/secret.txt')")
    # The agent's home is another one, or its code would run in the owner's next kernel.
    look = "import os; print(os.path.exists(os.path.expanduser('~/planted')))"
    assert "False" == said(server, kernel, "olga", look)
    assert "True" == said(server, mine, "olga", look)


def grant(server: Serving, who: str, level: str, resource: str, ends: float | None = None) -> str:
    store = server.store()
    given = store.add_grant(
        principal=f"user:{who}",
        level=level,
        resource=resource,
        now=time.time(),
        granted_by="os:t",
        ends=ends,
    )
    store.close()
    return given.id


def take(server: Serving, id_: str) -> None:
    """Take a grant back, and wait until the server knows: what starts meanwhile is stopped."""
    store = server.store()
    store.remove_grant(id_)
    revision = store.revision()
    store.close()
    asked = {"action": "open", "resource": "contents:/other"}
    until = time.monotonic() + 20
    while True:
        told = server.request("POST", "/api/authz/explain", "adam", json_body=asked).json
        if told["revision"] >= revision:
            return
        assert time.monotonic() < until, told


def test_a_change_of_rights_counts_at_the_next_message(
    server: Serving, kernels: dict[str, str]
) -> None:
    mona = Client(server, kernels["olga"], "mona")
    assert BEYOND == mona.text(SAVED).strip()
    given = grant(server, "mona", "manager", "contents:/other")
    eventually("42", lambda: mona.text(SAVED).strip())
    take(server, given)
    eventually(BEYOND, lambda: mona.text(SAVED).strip())
    mona.close()


def test_a_right_to_the_files_that_ends_lets_nobody_in_after_its_end(
    server: Serving, kernels: dict[str, str]
) -> None:
    paul = Client(server, kernels["olga"], "paul")
    # A busy machine may need longer until it lets him in.
    text = ""
    for seconds in (3, 12, 48):
        ends = time.time() + seconds
        given = grant(server, "paul", "manager", "contents:/other", ends)
        while time.time() < ends and text != "42":
            text = paul.text(SAVED).strip()
            time.sleep(0.1)
        if text == "42":
            break
        take(server, given)
    assert "42" == text
    # Nothing changes in the store when it ends.
    time.sleep(max(0, ends - time.time()) + 0.5)
    assert BEYOND == paul.text(SAVED).strip()
    take(server, given)
    paul.close()


def test_a_shared_kernel_gets_no_more_at_a_restart_than_all_may(server: Serving) -> None:
    read = "print(open('../third/secret.txt').read())"
    kernel, alone = (start(server, "olga", f"team/{name}.ipynb") for name in ("with", "alone"))
    max_ = Client(server, kernel, "max")
    given = grant(server, "max", "manager", "contents:/other")
    eventually("42", lambda: max_.text(SAVED).strip())
    third = grant(server, "olga", "viewer", "contents:/third")
    path = "/api/contents/third"
    eventually(200, lambda: server.request("GET", path, "olga").status)
    for each in (kernel, alone):
        assert 200 == server.request("POST", f"/api/kernels/{each}/restart", "olga").status
    # What was sent before the restart may run after it.
    assert "[Errno 2]" in said(server, kernel, "olga", read)
    assert "[Errno 2]" in max_.text(read)
    assert "of third" == said(server, alone, "olga", read)
    assert BEYOND == said(server, alone, "max", read)
    max_.close()
    for each in (given, third):
        take(server, each)


def test_in_anothers_shell_types_who_may_touch_all_that_it_touches(server: Serving) -> None:
    name = server.request("POST", "/api/terminals", "tess", json_body={}).json["name"]
    heard: dict[str, str] = {}
    for who, wanted in (("kara", "This terminal can reach"), ("adam", "typed by adam")):
        socket = server.connect(f"/terminals/websocket/{name}", who)
        socket.send(json.dumps(["stdin", f"echo typed by {who} | tr a-z a-z\r"]))
        end = time.monotonic() + SOON
        heard[who] = ""
        while wanted not in heard[who] and time.monotonic() < end:
            kind, *rest = json.loads(socket.recv())
            heard[who] += rest[0] if kind == "stdout" else ""
        assert wanted in heard[who]
        socket.close()
    assert "typed by kara" not in heard["adam"]


def listed(server: Serving, who: str) -> list[tuple[str, str]]:
    sessions = server.request("GET", "/api/sessions", who).json
    return [(each["path"], each["kernel"]["id"]) for each in sessions]


def test_a_notebook_whose_kernel_is_of_no_use_gets_another_one(server: Serving) -> None:
    path = "team/two.ipynb"
    notebook(server.root / path, SAVED)
    theirs = start(server, "olga", path)
    assert theirs == start(server, "adam", path)
    # JupyterLab connects to the first session of that very path, and starts one without.
    assert ("/" + path, theirs) in listed(server, "max")
    mine = start(server, "max", path)
    assert mine != theirs
    assert "42" == said(server, mine, "max")
    assert mine == start(server, "max", path)
    assert theirs == start(server, "olga", path)
    assert [mine, theirs] == [k for p, k in listed(server, "max") if p.strip("/") == path]
    # Who may start none watches the one that is there, and who may run in it has it.
    assert {(path, theirs), (path, mine)} <= set(listed(server, "vera"))
    assert {(path, theirs), (path, mine)} <= set(listed(server, "adam"))
    # An open page keeps the name of its notebook.
    watching = Client(server, theirs, "mona")
    assert (path, theirs) in listed(server, "mona")
    watching.close()
    eventually(True, lambda: ("/" + path, theirs) in listed(server, "mona"))
    # To end one's own leaves the other one.
    session = session_of(server, "max", mine)
    assert 204 == server.request("DELETE", f"/api/sessions/{session}", "max").status
    assert theirs in [kernel for _, kernel in listed(server, "olga")]
    assert mine not in [kernel for _, kernel in listed(server, "adam")]


def test_the_network_is_for_who_has_it_by_a_rule(server: Serving) -> None:
    code = (
        "import socket\n"
        f"try: print(socket.create_connection(('127.0.0.1', {server.port}), 9) and 'reached')\n"
        "except OSError: print('alone')"
    )
    file = server.folder / "policy" / "a.cedar"
    # By its level an administrator may use it, and a rule may hang on the hour.
    for who in ("nell", "adam"):
        assert "alone" == said(server, start(server, who, f"team/net-{who}.ipynb"), who, code)
    revision = server.request("GET", "/api/authz/me", "adam").json["revision"]
    file.write_text(ALWAYS)
    eventually(
        True, lambda: server.request("GET", "/api/authz/me", "adam").json["revision"] > revision
    )
    kernel = start(server, "nell", "team/net.ipynb")
    assert "reached" == said(server, kernel, "nell", code)
    resolved = "print(open('/etc/resolv.conf').read() is not None)"
    assert "True" == said(server, kernel, "nell", resolved)
    # Who has the same files and no network has more by joining in.
    assert BEYOND == said(server, kernel, "max")
    assert "42" == said(server, kernel, "adam")
    file.write_text(RULES)
    eventually(404, lambda: server.request("GET", f"/api/kernels/{kernel}", "adam").status)
    ends = [each for each in server.audit if each["kind"] == "stopped"]
    assert ("user:nell", f"kernels:{kernel}") == (ends[-1]["principal"], ends[-1]["process"])


def test_a_home_can_be_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "root" / "team").mkdir(parents=True)
    notebook(tmp_path / "root" / "team" / "rune.ipynb", SAVED)
    config = "c.JupyterAuthorization.sandbox_homes = 'private'"
    with serving(tmp_path, people=PEOPLE, config=config) as server:
        kernel, forgotten = (start(server, w, f"team/{w}.ipynb") for w in ("mona", "rune"))
        told = [said(server, kernel, who) for who in ("max", "adam", "mona")]
        assert [BEYOND, "42", "42"] == told
        assert "42" == said(server, forgotten, "max")


@pytest.mark.parametrize(
    ("who", "answer"), [("mona", "allow"), ("max", "deny"), ("kara", "deny"), ("adam", "allow")]
)
def test_a_kernel_that_is_starting_is_its_owners(tmp_path: Path, who: str, answer: str) -> None:
    # As with `use_pending_kernels`: it has its id, and nobody knows what it will be shown.
    add_people(tmp_path, PEOPLE)
    store = Store.open(store_url(tmp_path))
    point = DecisionPoint(store, policy_dir=None, audit=Audit(tmp_path / "audit.jsonl"))
    launcher = Launcher(point=point, disk=None, folder=tmp_path)
    company = Company(
        point, launcher, lambda _: None, runs=lambda found: found == "k", private=False
    )
    person = point.principal(f"user:{who}")
    for kernel, expected in (("k", answer), ("unknown", "allow")):
        resource = Resource(type="kernels", id=kernel, owner="user:mona")
        allowed = Decision(
            answer=Answer.ALLOW,
            principal=person.name,
            action="run",
            resource=resource.name,
            revision=point.revision,
        )
        found = company.judge(
            allowed, person, resource, door="http", address=None, request=None, record=False
        )
        assert expected == found.answer.value
    store.close()


def test_nothing_went_wrong_in_the_log(server: Serving) -> None:
    assert "Traceback" not in server.log
