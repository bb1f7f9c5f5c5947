from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.errors import (
    AuthorizationError,
    ConfigurationError,
    PolicyError,
)
from jupyter_authorized_server.policy_folder import PolicyFolder, read_policy

if TYPE_CHECKING:
    from pathlib import Path

RULE = 'permit(principal == Jupyter::User::"ada", action, resource);\n'
BUILT_IN = len(read_policy(None).rules)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.mkdir(mode=0o755)
    (path / "a.cedar").write_text(RULE)
    (path / "a.cedar").chmod(0o644)
    return path


def test_nothing_changed_is_no_change(folder: Path) -> None:
    watched = PolicyFolder(folder)
    watched.load()
    assert [watched.changed() for _ in range(3)] == [False, False, False]


def test_a_change_counts_once_it_has_come_to_rest(folder: Path) -> None:
    watched = PolicyFolder(folder)
    watched.load()
    (folder / "b.cedar").write_text(RULE[:20])
    assert not watched.changed()
    (folder / "b.cedar").write_text(RULE)
    assert not watched.changed()
    assert watched.changed()
    assert len(watched.load().rules) == BUILT_IN + 2
    assert not watched.changed()


@pytest.mark.parametrize("change", ["write", "same size", "remove", "rename", "link"])
def test_every_kind_of_change_is_seen(folder: Path, change: str) -> None:
    watched = PolicyFolder(folder)
    watched.load()
    file = folder / "a.cedar"
    if change == "write":
        file.write_text(RULE + RULE.replace("permit", "forbid"))
    elif change == "same size":
        file.write_text(RULE.replace("permit", "forbid"))
    elif change == "remove":
        file.unlink()
    elif change == "rename":
        file.rename(folder / "b.cedar")
    else:
        (folder.parent / "other").write_text("")
        file.unlink()
        file.symlink_to(folder.parent / "other")
    watched.changed()
    assert watched.changed()


def test_what_a_link_leads_to_is_watched_too(folder: Path) -> None:
    versions = [folder.parent / name for name in ("v1", "v2")]
    for number, version in enumerate(versions):
        version.mkdir()
        (version / "x.cedar").write_text(RULE * number)
    current = folder.parent / "current"
    current.symlink_to("v1")
    watched = PolicyFolder(current)
    watched.load()
    (folder.parent / "next").symlink_to("v2")
    (folder.parent / "next").rename(current)
    watched.changed()
    assert watched.changed()
    assert len(watched.load().rules) == BUILT_IN + 1


def test_a_broken_file_is_tried_once_and_again_when_it_is_mended(folder: Path) -> None:
    watched = PolicyFolder(folder)
    watched.load()
    (folder / "a.cedar").write_text("permit(")
    watched.changed()
    assert watched.changed()
    with pytest.raises(PolicyError):
        watched.load()
    assert not watched.changed()
    (folder / "a.cedar").write_text(RULE)
    watched.changed()
    assert watched.changed()


def test_what_is_not_in_force_is_newer_until_it_is_mended_and_nothing_else_is(
    folder: Path,
) -> None:
    broken, other = folder / "b.cedar", folder / "c.cedar"
    watched = PolicyFolder(folder)
    watched.load()
    before = watched.newer()
    broken.write_text("permit(")
    # What is whole waits for what is not.
    other.write_text(RULE)
    with pytest.raises(PolicyError):
        watched.load()
    assert ((), (str(broken), str(other))) == (before, watched.newer())
    broken.write_text(RULE)
    watched.load()
    assert () == watched.newer()


def test_what_was_deleted_and_is_in_force_is_gone_until_the_rest_loads(folder: Path) -> None:
    deleted, broken = folder / "b.cedar", folder / "c.cedar"
    deleted.write_text(RULE)
    watched = PolicyFolder(folder)
    assert () == watched.gone()
    watched.load()
    deleted.unlink()
    broken.write_text("permit(")
    with pytest.raises(PolicyError):
        watched.load()
    assert (str(deleted),) == watched.gone()
    assert str(deleted) not in watched.files()
    broken.unlink()
    watched.load()
    assert () == watched.gone()
    assert () == PolicyFolder(None).gone()


def test_a_folder_that_is_gone_is_a_change_that_does_not_load(folder: Path) -> None:
    watched = PolicyFolder(folder)
    watched.load()
    folder.rename(folder.with_name("elsewhere"))
    watched.changed()
    assert watched.changed()
    assert watched.files() == ()
    assert watched.gone()
    with pytest.raises(AuthorizationError, match="cannot be read"):
        watched.load()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_anybody_may_write_is_no_policy(folder: Path, what: str) -> None:
    exposed = folder if what == "folder" else folder / "a.cedar"
    exposed.chmod(exposed.stat().st_mode | 0o002)
    with pytest.raises(PolicyError, match="chmod o-w") as error:
        read_policy(folder)
    assert [mistake.source for mistake in error.value.mistakes] == [str(exposed)]


def test_what_is_no_file_is_no_policy_and_nothing_waits_for_it(folder: Path) -> None:
    (folder / "b.cedar").mkdir()
    os.mkfifo(folder / "c.yaml")
    with pytest.raises(PolicyError, match="no file") as error:
        read_policy(folder)
    assert [str(folder / name) for name in ("b.cedar", "c.yaml")] == [
        mistake.source for mistake in error.value.mistakes
    ]


def test_a_file_that_an_editor_is_changing_is_read_as_it_is_saved(folder: Path) -> None:
    before = read_policy(folder)
    for name in ("a.cedar~", ".a.cedar.swp", "#a.cedar#", "4913"):
        (folder / name).write_text("forbid(")
    (folder / ".#a.cedar").symlink_to("ada@machine.4711:1800000000")
    assert before.rules == read_policy(folder).rules
    # Anything else of such a name counts.
    (folder / ".#a.cedar").unlink()
    (folder / ".#a.cedar").write_text("forbid(")
    with pytest.raises(PolicyError, match="not closed"):
        read_policy(folder)


def test_the_owner_is_admin_with_and_without_files_and_after_a_change(folder: Path) -> None:
    watched = PolicyFolder(folder, "ada")
    for policy in (read_policy(None, "ada"), watched.load(), watched.load()):
        (grant,) = policy.document.grants
        assert ("user:ada", "admin", "server:") == (grant.principal, grant.level, grant.resource)
        assert [each.name for each in policy.document.people] == ["ada"]


def test_an_owner_whom_a_file_names_is_one_person(folder: Path) -> None:
    (folder / "b.yaml").write_text("people:\n  ada:\n    name: Ada Lovelace\n")
    (person,) = read_policy(folder, "ada").document.people
    assert person.display_name == "Ada Lovelace"


@pytest.mark.parametrize("name", ["a/b", " ada", "a\nb", "x" * 1000])
def test_an_owner_whom_nobody_can_be_is_an_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match="owner"):
        read_policy(None, name)
