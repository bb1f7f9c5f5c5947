"""Sphinx configuration; `make docs` builds with every warning an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer  # type: ignore[import-untyped]  # why: no stubs

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_PYPROJECT = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")

project = "jupyter_authorized_server"
author = "the jupyter_authorized_server developers"
copyright = f"2026, {author}"  # noqa: A001  # why: the name Sphinx reads
release = "".join(re.findall(r'^version = "(.+)"$', _PYPROJECT, re.MULTILINE)[:1])
version = release

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Let pages mark policies as `cedar`, for which Pygments has no lexer."""
    app.add_lexer("cedar", TextLexer)
