"""What axe-core finds wrong with a page, and the colours of one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from examples.serving import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"


def violations(page: Page, within: str = "html", *, both: bool = True) -> list[str]:
    """What axe-core finds wrong, seriously, inside `within`, in light colours and in dark.

    With `both` false, in those that the page has.
    """
    page.evaluate(AXE.read_text("utf-8"))
    found = _found(page, within)
    if not both:
        return found
    with other_colours(page):
        return found + _found(page, within)


def _found(page: Page, within: str) -> list[str]:
    found: list[dict[str, Any]] = page.evaluate(
        "([within, tags]) => axe.run(within, {runOnly: {type: 'tag', values: tags}})"
        ".then(found => found.violations)",
        [within, RULES],
    )
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


@contextlib.contextmanager
def other_colours(page: Page) -> Iterator[None]:
    """Have `page` dark where it is light, and light where it is dark, for a while."""
    if page.evaluate("Boolean(window.jupyterapp)"):
        # JupyterLab and Notebook 7 have themes of their own.
        theme = page.evaluate("document.body.dataset.jpThemeName")
        _choose(page, DARK if theme == LIGHT else LIGHT)
        yield
        _choose(page, theme)
        return
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if is_dark else "dark")
    yield
    page.emulate_media(color_scheme="dark" if is_dark else "light")


def _choose(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    page.wait_for_function(
        "theme => document.body.dataset.jpThemeName === theme"
        " && !document.querySelector('#jupyterlab-splash')",
        arg=theme,
    )
