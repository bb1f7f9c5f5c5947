"""`jupyter authz reach`, in real sandboxes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.sandbox import launch
from jupyter_authorized_server.sandbox.view import View

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`/team` is ada's to edit, `/hr` nobody's."""
    root = tmp_path / "root"
    for name in ("team/sub", "hr"):
        (root / name).mkdir(parents=True)
    for name in ("team/a.txt", "team/sub/b.txt", "hr/pay.txt", "top.txt"):
        (root / name).write_text("x")
    return root


def test_a_kernel_reaches_nothing_that_the_policy_denies(desk: Desk, root: Path) -> None:
    answer = desk.ask("reach", "--root", str(root), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["reached"] == []
    # The folder of the grant, all that is in it, and nothing else of the machine's.
    assert answer.json["looked_at"] == {"user:ada": 4, "user:bob": 0, "user:eve": 0}


def test_a_file_that_has_another_name_elsewhere_is_told(desk: Desk, root: Path) -> None:
    os.link(root / "hr" / "pay.txt", root / "team" / "mine.txt")
    answer = desk.ask("reach", "--user", "user:ada", "--root", str(root), "--json")
    assert answer.code == 1
    # An editor's kernel is shown folders to read only.
    assert [("/team/mine.txt", "reads")] == [
        (each["path"], each["how"]) for each in answer.json["reached"]
    ]


def test_a_view_that_is_too_wide_is_told(
    desk: Desk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = View(principal="user:ada", revision=1, read_only=("/",), writable=("/hr",))
    monkeypatch.setattr(launch, "compile_view", lambda *_, **__: wide)
    answer = desk.ask("reach", "--user", "user:ada", "--root", str(root))
    assert answer.code == 1
    for path in ("/hr", "/hr/pay.txt", "/top.txt"):
        assert path in answer.out
    assert "/team/a.txt" not in answer.out


def test_the_store_is_out_of_reach_also_where_it_lies_in_the_contents(desk: Desk) -> None:
    store = desk.store()
    store.add_person("adam", now=2)
    store.add_grant(
        principal="user:adam", level="admin", resource="server:", now=2, granted_by="os:test"
    )
    store.close()
    (desk.folder / "notes").mkdir()
    answer = desk.ask("reach", "--user", "user:adam", "--root", str(desk.folder), "--json")
    assert answer.code == 0, answer.json["reached"]
    assert answer.json["looked_at"]["user:adam"] >= 1


def test_without_a_sandbox_all_is_in_reach_and_it_says_so(desk: Desk, root: Path) -> None:
    config = desk.folder / "off.py"
    config.write_text('c.JupyterAuthorization.sandbox = "off"\n')
    answer = desk.ask("--config", str(config), "reach", "--root", str(root))
    assert answer.code == 1
    assert 'sandbox` is "off"' in answer.out


@pytest.mark.parametrize(
    "options",
    [
        ("--user", "user:nobody"),
        ("--user", "ada lovelace"),
        ("--kernel", "none"),
        ("--user", "user:ada", "--kernel", "none"),
        ("--root", "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_tried_exits_2_and_says_why(desk: Desk, options: tuple[str, ...]) -> None:
    answer = desk.ask("reach", *options)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
