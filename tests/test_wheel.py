"""The wheel holds the extension of the front ends, and is made without Node."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "labextension" / "dist"
LAB = "share/jupyter/labextensions/jupyter-authorized-server/"
#: Bytes that a page has to fetch at most.
MOST = 250_000


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from this checkout, where the extension is built, with no Node to be found."""
    if not (BUILT / "package.json").exists():
        reason = "the extension is not built; `make test` builds it"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)  # why: in CI it fails, above
    folder = tmp_path_factory.mktemp("dist")
    nothing = tmp_path_factory.mktemp("empty")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        env={**kept, "PATH": str(nothing)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_the_extension(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    held = {name.partition("/data/")[2] for name in names}
    for file in BUILT.rglob("*"):
        if file.is_file():
            assert LAB + file.relative_to(BUILT).as_posix() in held
    assert "share/jupyter/nbextensions/jupyter-authorized-server/main.js" in held
    for page in ("notebook", "tree"):
        assert f"etc/jupyter/nbconfig/{page}.d/jupyter-authorized-server.json" in held
    assert [name for name in names if "node_modules" in name] == []


def test_the_source_distribution_holds_it_built_and_in_source(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert "labextension/dist/package.json" in names
    assert "labextension/src/index.ts" in names
    assert "labextension/yarn.lock" in names
    assert [name for name in names if "node_modules" in name] == []


def test_what_a_page_fetches_of_the_extension_is_small(distributions: Path) -> None:
    scripts = [file.stat().st_size for file in (BUILT / "static").glob("*.js")]
    assert 0 < sum(scripts) <= MOST
