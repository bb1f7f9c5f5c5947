"""`jupyter authz explain --view`: what a kernel is shown, loses, and by which rule."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_authorized_server.sandbox import internet, loss
from jupyter_authorized_server.sandbox.extra import Extra

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

FORBID = """
@id("final")
forbid (principal, action, resource in Jupyter::Folder::"/team/final");
@id("office-hours")
permit (principal == Jupyter::User::"ada", action, resource in Jupyter::Folder::"/hr")
when { context.hour >= 0 };
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`/team` is ada's to edit, `/hr` nobody's."""
    root = tmp_path / "root"
    for name in ("team/sub", "team/final", "hr"):
        (root / name).mkdir(parents=True)
    for name in ("team/a.txt", "team/sub/b.txt", "team/final/c.txt", "hr/pay.txt", "top.txt"):
        (root / name).write_text("x")
    (root / "team" / 'new\n"line').write_text("x")
    (root / "team" / "link").symlink_to("../hr")
    return root


def view_of(desk: Desk, who: str, root: Path) -> dict[str, Any]:
    answer = desk.ask("explain", "--view", "--user", who, "--root", str(root), "--json")
    assert 0 == answer.code, answer.err
    (found,) = answer.json["views"]
    assert isinstance(found, dict)
    return found


def test_a_view_without_an_exception_loses_only_what_a_folder_takes(
    desk: Desk, root: Path
) -> None:
    found = view_of(desk, "user:ada", root)
    assert [{"path": "/team", "how": "reads"}] == found["shows"]
    (lost,) = found["lost"]
    assert ("/team", "changes", []) == (lost["path"], lost["how"], lost["rules"])
    assert "takes `create`, `rename`, `delete` too" in lost["why"]
    assert found["complete"]


def test_what_a_rule_takes_from_a_kernel_is_named_with_the_rule(desk: Desk, root: Path) -> None:
    desk.policy(a_cedar=FORBID)
    found = view_of(desk, "user:ada", root)
    assert [{"path": "/team/sub", "how": "reads"}] == found["shows"]
    lost = {each["path"]: each for each in found["lost"] if each["how"] == "reads"}
    # The kernel has no file that stands beside what is forbidden, and follows no hour.
    assert {"/team/a.txt", '/team/new\n"line', "/team/link", "/hr/pay.txt"} == set(lost)
    assert "a rule excepts" in lost["/team/a.txt"]["why"]
    file = desk.policy_dir / "a.cedar"
    assert [f"final ({file}:2)"] == lost["/team/a.txt"]["rules"]
    assert "condition" in lost["/hr/pay.txt"]["why"]
    assert [f"office-hours ({file}:4)"] == lost["/hr/pay.txt"]["rules"]
    assert "it is no file but a link" == lost["/team/link"]["why"]


def test_a_view_is_told_to_people_too(desk: Desk, root: Path) -> None:
    desk.policy(a_cedar=FORBID)
    answer = desk.ask("explain", "--view", "--root", str(root))
    assert 0 == answer.code, answer.err
    for words in ("user:ada, at revision", "/team/sub", "a.cedar:2", "user:bob: may run no code"):
        assert words in answer.out.replace("\n", " ").replace("  ", " "), words


def test_of_more_than_can_be_looked_at_it_says_that_this_is_not_all(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.policy(a_cedar=FORBID)
    every = len(view_of(desk, "user:ada", root)["lost"])
    monkeypatch.setattr(loss, "MOST", 4)
    found = view_of(desk, "user:ada", root)
    assert (False, True) == (found["complete"], len(found["lost"]) < every)


def test_a_view_of_too_many_folders_says_so(desk: Desk, root: Path) -> None:
    desk.policy(a_cedar=FORBID)
    for number in range(101):
        (root / "team" / f"{number}").mkdir()
    assert "more than 100 folders" in view_of(desk, "user:ada", root)["problem"]


BESIDES = """
permit (principal, action == Jupyter::Action::"launch", resource is Jupyter::KernelSpec);
permit (
  principal == Jupyter::User::"ada",
  action in [
    Jupyter::Action::"internet", Jupyter::Action::"mounts", Jupyter::Action::"devices"
  ],
  resource == Jupyter::KernelSpec::"python3"
);
permit (
  principal == Jupyter::User::"ada",
  action in [Jupyter::Action::"start", Jupyter::Action::"network"],
  resource is Jupyter::Terminal
);
"""


def furnished(desk: Desk) -> None:
    """Give ada the internet, folders and devices in one kernel, and the network in terminals."""
    desk.policy(a_cedar=BESIDES)
    (desk.folder / "data-for-all").mkdir()
    folders = [f"{desk.folder}/data-for-all", f"{desk.folder}/gone:rw"]
    (desk.folder / "config" / "jupyter_server_config.py").write_text(
        f"c.JupyterAuthorization.sandbox_mounts = {folders!r}\n"
        "c.JupyterAuthorization.sandbox_devices = ['/dev/*']\n"
    )


def besides(desk: Desk, who: str, root: Path) -> dict[str, dict[str, Any]]:
    return {each["process"]: each for each in view_of(desk, who, root)["besides"]}


def test_network_folders_and_devices_are_told_and_what_cannot_be_had(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnished(desk)
    monkeypatch.setattr(internet, "_PLACES", str(root))
    found = besides(desk, "user:ada", root)
    kernel, terminal = found["kernelspecs:python3"], found["terminals:"]
    why = kernel.pop("problem")
    assert "a rule gives this process the internet, and there is no `pasta`" in why
    assert {
        "process": "kernelspecs:python3",
        "network": "internet of IPv4",
        "mounts": [
            {"path": f"{desk.folder}/data-for-all", "how": "reads", "there": True},
            {"path": f"{desk.folder}/gone", "how": "changes", "there": False},
        ],
        "devices": [*Extra(devices=("/dev/*",)).nodes()],
    } == kernel
    assert {
        "process": "terminals:",
        "network": "the machine's",
        "mounts": [],
        "devices": [],
        "problem": None,
    } == terminal
    answer = desk.ask("explain", "--view", "--user", "user:ada", "--root", str(root))
    said = " ".join(answer.out.split())
    for words in ("kernelspecs:python3 internet of IPv4", "(not there)", "no `pasta`: take back"):
        assert words in said, words


@pytest.mark.skipif(  # why: by it alone
    not shutil.which("pasta"), reason="no `pasta` on this machine"
)
def test_the_internet_is_tried_and_a_level_gives_nobody_any(desk: Desk, root: Path) -> None:
    furnished(desk)
    with desk.store() as store:
        store.add_grant(
            principal="user:eve", level="admin", resource="server:", now=1, granted_by="os:setup"
        )
    assert besides(desk, "user:ada", root)["kernelspecs:python3"]["problem"] is None
    for each in besides(desk, "user:eve", root).values():
        assert ("none", [], [], None) == (
            each["network"], each["mounts"], each["devices"], each["problem"]
        ), each  # fmt: skip
    answer = desk.ask("explain", "--view", "eve", "--root", str(root))
    assert "they have no network, no devices, and no other folders" in answer.out


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("explain", "user:ada", "save"),
        ("explain", "--user", "user:ada", "user:ada", "save", "contents:/team"),
        ("explain", "--view", "user:ada", "save", "contents:/team"),
        ("explain", "--view", "--root", "/no/such/folder"),
        ("explain", "--view", "--user", "user:nobody"),
    ],
)
def test_what_cannot_be_explained_is_said(desk: Desk, words: tuple[str, ...]) -> None:
    answer = desk.ask(*words)
    assert 2 == answer.code
    assert answer.err
