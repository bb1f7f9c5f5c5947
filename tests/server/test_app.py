from __future__ import annotations

import pytest

from jupyter_authorized_server import JupyterAuthorization, __version__
from jupyter_authorized_server.server.app import main


def said(capsys: pytest.CaptureFixture[str], option: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([option])
    assert 0 == ended.value.code
    return capsys.readouterr().out


def test_the_version_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{__version__}\n" == said(capsys, "--version")


def test_the_help_is_its_own_and_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--help").startswith("A Jupyter Server that several people share")
    every = said(capsys, "--help-all")
    for name in JupyterAuthorization.class_own_traits(config=True):
        assert f"--JupyterAuthorization.{name}=" in every
    assert "--ServerApp.root_dir=" in every
