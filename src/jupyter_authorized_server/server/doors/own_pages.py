"""Door: what a page of JupyterLab says of the request it answers, kept from the next one.

JupyterLab writes the path and the workspace that somebody opens into one set of data for
all its pages, which Notebook's pages, of whoever comes next, show too.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

_MODULE, _KIND = "jupyterlab_server.handlers", "LabHandler"


def install() -> None:
    """Have each page begin with the data of all, where JupyterLab is there; once."""
    kind = getattr(sys.modules.get(_MODULE), _KIND, None)
    if kind is None or hasattr(kind.get_page_config, "upstream"):
        return
    upstream = kind.get_page_config

    def get_page_config(self: Any) -> dict[str, Any]:
        """What the page of this request says, in a copy of its own."""
        return deepcopy(upstream(self))

    get_page_config.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    kind.get_page_config = get_page_config
