from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.cli.desk import Desk, actor, member_name, person_name
from jupyter_authorized_server.errors import ConfigurationError, InvalidName

if TYPE_CHECKING:
    from cli.conftest import Desk as House


def configured(house: House, text: str) -> Desk:
    path = house.folder / "settings.py"
    path.write_text(text, "utf-8")
    return Desk(str(path))


@pytest.mark.parametrize("text", ["1 / 0", "raise SystemError('no')", "c.("])
def test_a_configuration_that_breaks_is_named_with_the_remedy(empty: House, text: str) -> None:
    with pytest.raises(ConfigurationError, match="--config"):
        _ = configured(empty, text).config


def test_a_setting_that_cannot_be_is_named(empty: House) -> None:
    with pytest.raises(ConfigurationError, match="mode"):
        _ = configured(empty, "c.JupyterAuthorization.mode = 7").config


def test_a_configuration_that_is_named_from_here_is_read_from_here(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty.folder / "own.py").write_text("c.JupyterAuthorization.session_hours = 3", "utf-8")
    monkeypatch.chdir(empty.folder)
    assert Desk("own.py").config.session_hours == 3


@pytest.mark.parametrize("given", ["/no/such/folder", "nul\0", "x" * 5000])
def test_a_policy_folder_that_is_none_is_refused(empty: House, given: str) -> None:
    with pytest.raises(ConfigurationError, match="is no folder") as caught:
        Desk(None).policy_folder(given)
    assert str(caught.value).isprintable()


def test_a_broken_policy_file_leaves_the_store_to_work_with(
    desk: House, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.policy(bad_cedar="permit(")
    view = Desk(None).view()
    assert all(view.directory.knows(f"user:{name}") for name in ("ada", "bob", "eve"))
    assert len(view.grants) == 2
    assert "the policy files are left out" in capsys.readouterr().err


def test_nothing_is_changed_where_it_cannot_be_recorded(desk: House) -> None:
    desk.audit_path.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"), Desk(None).change():
        pytest.fail("the store was opened")


def test_a_change_whose_record_cannot_be_written_says_that_it_is_done_and_waits(
    desk: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.audit_path.symlink_to("/dev/full")
    refused = desk.ask("groups", "add", "crew", "eve")
    assert (2, "its record waits in the store" in refused.err) == (refused.code, True), refused.err
    desk.audit_path.unlink()
    monkeypatch.setattr("jupyter_authorized_server.account.OLD", 0.0)
    assert 0 == desk.ask("groups", "add", "other").code
    told = [(each["kind"], each["group"]) for each in desk.records()]
    assert [
        ("group_added", "group:other"),
        ("group_added", "group:crew"),
        ("group_joined", "group:crew"),
    ] == told
    assert 0 == desk.ask("audit", "verify").code


def test_who_acts_is_who_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "mallory")
    assert actor().startswith("os:")
    assert "mallory" not in actor()


def test_a_user_id_without_a_name_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 3_000_000_000)
    assert actor() == "os:3000000000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ada", "user:ada"), ("user:ada", "user:ada"), ("group:team", "group:team")],
)
def test_a_bare_member_is_a_person(text: str, expected: str) -> None:
    assert member_name(text) == expected


@pytest.mark.parametrize(
    "text", ["", "user:", "group:", "a/b", "nul\0", "\ud800", "x" * 10_000_000]
)
def test_a_name_that_nobody_can_have_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        member_name(text)
    if not text.startswith("group:"):
        with pytest.raises(InvalidName):
            person_name(text)
