"""The peers whose own tests `tools/peer_suite.py` runs: where they are, and what they need.

A difference that is meant has its reason here; everything else that fails only with us is
something that we broke.
"""
# ruff: noqa: INP001  # why: read by a script of the repository

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests of one peer.

    Args:
        tests: what pytest is told to run.
        sources: what of the source distribution is unpacked; where nothing is, the tests
            are in the package that is installed.
        plugins: what pip fetches for the tests alone, without what it depends on.
        options: more for pytest.
        extensions: that each server of the tests has.
        folders: that its tests name in the root of their server, and never make.
        processes: whether the tests start servers as processes of their own, which then
            are guarded too.
        others: whether it needs the extensions that `make check` keeps beside `.venv`.
        apart: tests whose server has the guard put under it by the hooks of our extension
            alone, without the extension among those that are enabled.
        fewest: requests; a run in which the guard judged fewer has tested something else.
        differences: where a test contradicts what we promise, by the reason. `*` stands for
            anything; without parameters, all of them are meant.
    """

    tests: tuple[str, ...] = ("tests",)
    sources: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ("pytest-jupyter",)
    options: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    processes: bool = False
    others: bool = False
    apart: tuple[str, ...] = ()
    fewest: int
    differences: dict[str, tuple[str, ...]]

    def reason(self, test: str) -> str | None:
        """Why `test` may fail with us, if it may."""
        bare = test.partition("[")[0]
        for reason, names in self.differences.items():
            for name in names:
                pattern = re.escape(name).replace(r"\*", ".*")
                if re.fullmatch(pattern, test) or re.fullmatch(pattern, bare):
                    return reason
        return None


#: For tests whose own settings of pytest are not told, and make each warning an error.
_CALM = ("-W", "ignore")
_JUPYTER = ("-p", "pytest_jupyter.jupyter_server")
_MISSING = (
    "Files: what is not there is answered like what one may not know of, before upstream looks"
)

_HIDDEN = "Files: what is hidden is refused at every door, before upstream looks"

SUITES = {
    "jupyter_server": Suite(
        sources=("tests/",),
        # Upstream's `test` extra, as far as our own test group has it not.
        plugins=("pytest-jupyter", "pytest-console-scripts", "flaky", "requests"),
        # Upstream makes warnings errors; these come from what is newer than its tests.
        options=(
            *("-W", "ignore:The method, uri, and version:DeprecationWarning"),
            *("-W", "ignore:The start_line argument:DeprecationWarning"),
        ),
        fewest=300,
        # It counts the extensions that are enabled, and knows of two.
        apart=("tests/extension/test_app.py::test_stop_extension",),
        differences={},
    ),
    "jupyterlab_server": Suite(
        sources=("tests/", "jupyterlab_server/test_data/"),
        plugins=(
            *("pytest-jupyter", "pytest-console-scripts", "requests", "requests-mock"),
            *("ruamel.yaml", "strict-rfc3339", "werkzeug", "openapi-core<0.19"),
            *("openapi-spec-validator<0.8", "openapi-schema-validator<0.7", "jsonschema-spec"),
            *("jsonschema-path<0.4", "pathable<0.5", "isodate", "parse", "more-itertools"),
            *("lazy-object-proxy", "asgiref"),
        ),
        options=_CALM,
        fewest=50,
        differences={
            "Files, 7: settings and workspaces are each person's own; these look for what lies "
            "in the folder that upstream has for all": (
                "tests/test_settings_api.py::test_patch",
                "tests/test_settings_api.py::test_patch_unicode",
                "tests/test_workspaces_api.py::test_delete",
                "tests/test_workspaces_api.py::test_get",
                "tests/test_workspaces_api.py::test_get_non_existant",
                "tests/test_workspaces_api.py::test_listing",
            ),
        },
    ),
    "jupyter_server_terminals": Suite(
        sources=("tests/",), options=_CALM, fewest=20, differences={}
    ),
    "notebook": Suite(
        sources=("tests/",),
        plugins=("pytest-jupyter", "pytest-console-scripts"),
        options=_CALM,
        fewest=10,
        differences={},
    ),
    "notebook_shim": Suite(
        tests=("notebook_shim/tests",),
        plugins=("pytest-jupyter", "pytest-console-scripts"),
        options=("-p", "jupyter_server.pytest_plugin", *_CALM),
        fewest=0,
        differences={},
    ),
    # Its tests are of the browser, one by one with a server of its own.
    "nbclassic": Suite(
        tests=("nbclassic/tests/end_to_end",),
        plugins=("testpath", "requests"),
        options=_CALM,
        processes=True,
        fewest=500,
        differences={},
    ),
    "jupyter_resource_usage": Suite(
        tests=("jupyter_resource_usage/tests",),
        plugins=("mock",),
        options=_CALM,
        fewest=0,
        differences={},
    ),
    # The rest of its Python tests build JupyterLab with Node.
    "jupyterlab": Suite(
        tests=tuple(
            f"jupyterlab/tests/test_{name}.py"
            for name in (
                *("announcements", "custom_css_handler", "extensions"),
                *("plugin_manager_handler", "registry"),
            )
        ),
        plugins=(
            *("pytest-jupyter", "pytest-console-scripts", "requests-cache", "requests"),
            *("cattrs", "url-normalize"),
        ),
        options=(
            *_JUPYTER,
            *("-p", "jupyterlab_server.pytest_plugin", "-p", "jupyterlab.pytest_plugin"),
            *_CALM,
        ),
        fewest=15,
        differences={},
    ),
    "jupyter_lsp": Suite(
        tests=("jupyter_lsp/tests",),
        plugins=("pytest-jupyter", "pytest-asyncio"),
        options=(*_JUPYTER, "-o", "asyncio_mode=auto", *_CALM),
        processes=True,
        fewest=10,
        differences={},
    ),
    "jupyter_server_fileid": Suite(
        sources=("tests/", "conftest.py"),
        options=_CALM,
        others=True,
        fewest=6,
        differences={
            _MISSING: (
                "tests/test_handler.py::test_file_id_handler",
                "tests/test_handler.py::test_file_path_handler",
                "tests/test_handler.py::test_resource_not_found_in_id_handler",
                "tests/test_handler.py::test_resource_not_found_in_path_handler",
            )
        },
    ),
    "jupyter_server_ydoc": Suite(
        sources=("tests/",),
        plugins=("pytest-jupyter", "dirty-equals", "httpx-ws", "wsproto"),
        options=_CALM,
        others=True,
        fewest=40,
        differences={
            _MISSING: (
                "tests/test_handlers.py::test_session_handler_should_respond_with_not_found",
            )
        },
    ),
    "jupyterlab_git": Suite(
        sources=("tests/",),
        plugins=("pytest-jupyter", "pytest-asyncio", "jupytext"),
        options=(*_JUPYTER, "-o", "asyncio_mode=auto", *_CALM),
        extensions=("jupyterlab_git",),
        folders=("test_path/subfolder",),
        others=True,
        fewest=50,
        differences={
            "Files: a link out of the contents leads nowhere": (
                "tests/test_integrations.py::test_git_show_prefix_symlink",
            )
        },
    ),
    # Of its six thousand tests these have a server.
    "nbdime": Suite(
        tests=("nbdime/tests/test_server_extension.py",),
        plugins=("pytest-jupyter", "mock", "tabulate", "requests"),
        options=_CALM,
        processes=True,
        others=True,
        fewest=10,
        differences={},
    ),
    "jupyter_archive": Suite(
        tests=("jupyter_archive/tests",),
        sources=("jupyter_archive/tests/", "conftest.py"),
        options=_CALM,
        others=True,
        fewest=70,
        differences={
            _HIDDEN: ("*test_archive_handler.py::test_download[*-True-file_list*]",),
        },
    ),
}
