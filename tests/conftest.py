"""What every test shares."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the browser tests, saying why, where `make test` found no browser.

    Where there is one, a test that fails is run once more: a front end on a busy machine
    shows a dialog of its own now and then. The report says which (`R`, "rerun").
    """
    missing = os.environ.get("BROWSER_MISSING")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(
                pytest.mark.skip(reason=missing) if missing else pytest.mark.flaky(reruns=1)
            )
