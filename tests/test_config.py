from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import TraitError

from jupyter_authorized_server.config import JupyterAuthorization, load
from jupyter_authorized_server.errors import ConfigurationError
from jupyter_authorized_server.store import Store, file_of


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name.lower()))


def test_the_store_and_the_audit_file_are_in_jupyters_data_directory(tmp_path: Path) -> None:
    config = JupyterAuthorization()
    folder = tmp_path / "data" / "authorization"
    assert f"sqlite:///{folder / 'store.sqlite'}" == config.store_url
    assert str(folder / "audit.jsonl") == config.audit_file


@pytest.mark.parametrize("name", ["a?b=c", "100%41", "a#b", "with a space", "ü", "a&b%3Fc"])
def test_the_store_is_there_whatever_the_data_directory_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / name))
    url = JupyterAuthorization().store_url
    Store.open(url).close()
    place = tmp_path / name / "authorization" / "store.sqlite"
    assert place == file_of(url)
    assert place.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_usual_policy_folder_is_used_when_it_exists(tmp_path: Path) -> None:
    assert JupyterAuthorization().policy_folder() is None
    folder = tmp_path / "config" / "authorization"
    folder.mkdir(parents=True)
    assert folder == JupyterAuthorization().policy_folder()


def test_the_owner_is_whom_a_hub_started_the_server_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert JupyterAuthorization().owner == ""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert JupyterAuthorization().owner == "ada"
    assert JupyterAuthorization(owner="").owner == ""


@pytest.mark.parametrize("folder", ["relative/policy", "/no/such/folder"])
def test_a_policy_folder_that_cannot_be_is_an_error(folder: str) -> None:
    with pytest.raises(ConfigurationError, match=folder):
        JupyterAuthorization(policy_dir=folder).policy_folder()


@pytest.mark.parametrize(
    "text", ["home", "{user}", "home/{user}/files", "../{user}", ".home/{user}", "h\\{user}"]
)
def test_homes_are_a_folder_with_the_name_of_each_in_it(text: str) -> None:
    assert JupyterAuthorization().homes is None
    with pytest.raises(TraitError, match=r"written `FOLDER/{user}`|the path"):
        JupyterAuthorization(home=text)


def test_the_command_line_reads_what_the_server_reads(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "jupyter_server_config.py"
    path.write_text("c.JupyterAuthorization.session_hours = 2")
    assert 2 == load().session_hours
    other = tmp_path / "other.py"
    other.write_text("c.JupyterAuthorization.denied_status = 401")
    assert 401 == load(str(other)).denied_status


def test_a_configuration_file_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        load("/nowhere/config.py")


def test_an_impossible_setting_in_a_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text("c.JupyterAuthorization.denied_status = 200")
    with pytest.raises(ConfigurationError, match="denied_status"):
        load(str(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("polcy_dir = '/etc/policy'", "`JupyterAuthorization.polcy_dir` .* mean `policy_dir`"),
        ("colour.append('red')", "`JupyterAuthorization.colour` is no setting; take it out"),
    ],
)
def test_a_setting_that_there_is_not_is_an_error(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "config.py"
    path.write_text(f"c.JupyterAuthorization.{line}")
    with pytest.raises(ConfigurationError, match=said):
        load(str(path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "Mars/Base"),
        ("session_hours", 0),
        ("poll_seconds", -1),
        ("denied_status", 500),
    ],
)
def test_an_impossible_setting_is_refused(name: str, value: object) -> None:
    with pytest.raises(TraitError):
        JupyterAuthorization(**{name: value})


def test_the_time_zone_is_the_machines_unless_set() -> None:
    assert JupyterAuthorization().zone is None
    zone = JupyterAuthorization(timezone="Europe/Paris").zone
    assert "Europe/Paris" == str(zone)


def test_every_setting_says_what_it_is() -> None:
    for trait in JupyterAuthorization.class_own_traits(config=True).values():
        assert trait.help
    assert Path(JupyterAuthorization().audit_file).is_absolute()
