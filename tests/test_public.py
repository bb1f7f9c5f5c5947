"""What can be imported from the package, and what importing it costs."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_authorized_server

DOCS = Path(__file__).resolve().parent.parent / "docs"
HOOKS = {
    "_jupyter_server_extension_points",
    "_link_jupyter_server_extension",
    "_load_jupyter_server_extension",
}
NAMES = {
    "HandlerMethodAuthorizer",
    "JupyterAuthorization",
    "LocalIdentityProvider",
    "PolicyAuthorizer",
    "__version__",
    "authorized",
}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after a fresh interpreter ran `code`."""
    report = "import json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_importing_the_package_loads_no_server_engine_or_database() -> None:
    heavy = {"jupyter_server", "tornado", "cedarpy", "sqlalchemy", "alembic", "argon2", "click"}
    assert loaded_by("import jupyter_authorized_server") & heavy == set()


def test_the_policy_loads_no_host() -> None:
    code = "from jupyter_authorized_server.policy import engine"
    hosts = {"jupyter_server", "tornado", "traitlets", "sqlalchemy", "asyncio"}
    assert loaded_by(code) & hosts == set()


def test_the_public_names_are_these() -> None:
    assert {name for name in jupyter_authorized_server.__all__ if name not in HOOKS} == NAMES


def test_the_hooks_of_jupyter_exist() -> None:
    assert {hook for hook in HOOKS if callable(getattr(jupyter_authorized_server, hook))} == HOOKS


def test_the_extension_point_is_the_package_itself() -> None:
    points = jupyter_authorized_server._jupyter_server_extension_points()
    assert [point["module"] for point in points] == ["jupyter_authorized_server"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_exists_and_says_what_it_is(name: str) -> None:
    found = getattr(jupyter_authorized_server, name)
    assert isinstance(found, str) or inspect.getdoc(found)


def test_every_public_name_is_documented_and_no_other() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^`(\w+)`$", page, re.MULTILINE)) == NAMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = jupyter_authorized_server.no_such_name
