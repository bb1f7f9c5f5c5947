"""`routes`: what guards every live route of every enabled extension."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from jupyter_core.paths import jupyter_data_dir

from ..errors import ConfigurationError
from .output import note, write_json, write_table

if TYPE_CHECKING:
    from .desk import Desk

#: Exit code of `--check` where a route is unnamed.
UNNAMED = 1
_PATIENCE = 120


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 if a route is in no table, naming it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def routes(desk: Desk, check: bool, as_json: bool) -> int:
    """Show what guards every live route, and who may use it.

    One row for every method of every route of every enabled extension.
    Builds the server that the configuration describes, in a process of its own that
    opens no port and starts nothing.
    A route that no table names is `unnamed`: only an admin may use it.

    Example: `jupyter authz routes --check`
    """
    found = _live_routes(desk)
    if as_json:
        write_json(found)
    elif not check:
        write_table(
            ("method", "route", "guard", "resource", "action", "word", "from level", "handler"),
            [line for row in found for line in _lines(row)],
            empty="no routes",
        )
    if not check:
        return 0
    unnamed = [row for row in found if row["guard"] == "unnamed"]
    for row in unnamed:
        note(f"unnamed: {row['method']} {row['pattern']} ({row['handler']})")
    if unnamed:
        many = f"{len(unnamed)} of {len(found)} rows"
        note(f"error: {many} are in no table, so only an admin may use them")
        return UNNAMED
    note(f"all {len(found)} rows are named")
    return 0


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for each question; the later ones say only what differs."""
    start = (row["method"], row["pattern"] or "(any other)", row["guard"])
    if not row["questions"]:
        return [(*start, "", "", "", "everybody", row["handler"])]
    lines = []
    for number, asked in enumerate(row["questions"]):
        first = start if number == 0 else ("", "", "and")
        rest = (asked["type"], asked["action"], asked["word"], asked["level"])
        lines.append((*first, *rest, row["handler"] if number == 0 else ""))
    return lines


def _live_routes(desk: Desk) -> list[dict[str, Any]]:
    """The rows of `server.report`, from a process whose folders are thrown away.

    The policy files are the real ones; the store is an empty one, since which routes
    there are does not depend on it, and so that nobody's is touched.

    Raises:
        ConfigurationError: the server cannot be built; the message says why.
    """
    config_file = desk.config_file
    _ = desk.config  # a mistake in it is better told here than by the server's log
    with tempfile.TemporaryDirectory(prefix="jupyter-authz-") as name:
        scratch = Path(name)
        (scratch / "root").mkdir()
        answer = scratch / "rows.json"
        command = [
            sys.executable,
            "-m",
            "jupyter_authorized_server.server.report",
            str(answer),
            f"--JupyterAuthorization.store_url=sqlite:///{scratch / 'store.sqlite'}",
            f"--JupyterAuthorization.audit_file={scratch / 'audit.jsonl'}",
            f"--ServerApp.root_dir={scratch / 'root'}",
            *([f"--config={config_file}"] if config_file else []),
        ]
        try:
            done = subprocess.run(  # noqa: S603  # why: this very interpreter and package
                command,
                # `-m` looks in the working folder first: an empty one.
                cwd=scratch / "root",
                env=_environment(scratch),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"the server was not built within {_PATIENCE} seconds, so there is no report"
            raise ConfigurationError(msg) from None
        if done.returncode or not answer.exists():
            raise ConfigurationError(_why(done))
        rows: list[dict[str, Any]] = json.loads(answer.read_text("utf-8"))
        return rows


def _environment(scratch: Path) -> dict[str, str]:
    # What extensions keep (cookie secret, ids of files, workspaces) goes into the scratch
    # folder; what they read (kernels, front ends) is still found.
    path = os.pathsep.join(filter(None, (os.environ.get("JUPYTER_PATH"), jupyter_data_dir())))
    return {
        **os.environ,
        "JUPYTER_PATH": path,
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
    }


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    log = done.stderr.decode(errors="replace").splitlines()
    critical = [line for line in log if "not starting" in line]
    said = (critical or [line for line in log if line.strip()] or ["it said nothing"])[-1]
    return f"the server cannot be built (status {done.returncode}): {said.strip()}"
