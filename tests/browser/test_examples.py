"""The three examples in a browser: opening works, the forbidden act is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser.page import CLASSIC, LAB, WHERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser.page import Window
    from examples.serving import Served

    Visit = Callable[[Served, str, str], Window]
    Start = Callable[..., Served]
    Shoot = Callable[[Window, str], None]

pytestmark = pytest.mark.browser

HOOK, POLICY = "jupyter_server_config.py", "jupyter_server_config_policy.py"
#: What each way of refusing says about saving a notebook, and about starting a kernel.
UNSAVED = {
    HOOK: "This server's configuration does not allow it.",
    POLICY: "You can view statistics.ipynb but not change it.",
}
UNSTARTED = {HOOK: UNSAVED[HOOK], POLICY: "not start a kernel for it."}


def each_way(policy_in: str) -> pytest.MarkDecorator:
    """The hook in both front ends; the policy, which differs in its words alone, in one."""
    ways = [(CLASSIC, HOOK), (LAB, HOOK), (policy_in, POLICY)]
    return pytest.mark.parametrize(("front_end", "config"), ways)


def content(served: Served) -> str:
    file: Path = served.root / "statistics.ipynb"
    return file.read_text("utf-8")


@each_way(policy_in=CLASSIC)
def test_read_only_shows_a_notebook_and_refuses_to_save_or_run_it(
    served: Start, visit: Visit, shoot: Shoot, front_end: str, config: str
) -> None:
    # 401 does not send a page that is open to the login page, and keeps no notebook shut.
    status = 401 if config == HOOK else 403
    server = served("read-only", config, f"--JupyterAuthorization.denied_status={status}")
    before = content(server)
    window = visit(server, "ada", f"{WHERE[front_end]}statistics.ipynb")
    notebook = window.notebook(front_end)
    notebook.shows("mean   3.57 mm")
    assert UNSTARTED[config] in notebook.no_kernel()
    if front_end == CLASSIC:
        # JupyterLab takes no cell then, and says so.
        notebook.insert("1 + 1")
    notebook.save()
    notebook.refuses(UNSAVED[config])
    if config == HOOK:
        shoot(window, f"read-only-{front_end}")
    if status == 401:
        assert "401 POST /api/sessions" in window.refused
    assert window.page.url.partition("?")[0].endswith(f"{WHERE[front_end]}statistics.ipynb")
    assert content(server) == before


@each_way(policy_in=LAB)
def test_no_execute_saves_a_notebook_and_refuses_to_start_a_kernel(
    served: Start, visit: Visit, shoot: Shoot, front_end: str, config: str
) -> None:
    server = served("no-execute", config)
    window = visit(server, "ada", f"{WHERE[front_end]}statistics.ipynb")
    notebook = window.notebook(front_end)
    notebook.shows("mean   3.57 mm")
    seen = (lambda: shoot(window, f"no-execute-{front_end}")) if config == HOOK else (lambda: None)
    assert UNSTARTED[config] in notebook.no_kernel(seen)
    words = f"written in {front_end} by {config}"
    notebook.insert(f"# {words}")
    notebook.save()
    notebook.saved()
    assert words in content(server)


@each_way(policy_in=CLASSIC)
def test_temporary_runs_a_cell_and_refuses_to_save(
    served: Start, visit: Visit, shoot: Shoot, front_end: str, config: str
) -> None:
    server = served("temporary", config)
    before = content(server)
    window = visit(server, "ada", f"{WHERE[front_end]}statistics.ipynb")
    notebook = window.notebook(front_end)
    notebook.shows("mean   3.57 mm")
    notebook.insert("print(6 * 7)")
    notebook.run()
    notebook.prints("42")
    notebook.save()
    notebook.refuses(UNSAVED[config])
    if config == HOOK:
        shoot(window, f"temporary-{front_end}")
    assert content(server) == before
