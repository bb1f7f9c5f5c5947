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


#: Counts what takes the keyboard, as a whole and each.
_CONTROLS = """within => {
  const found = document.querySelector(within).querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]');
  const taken = [...found].filter(each => !each.disabled && each.tabIndex >= 0
    && each.checkVisibility({visibilityProperty: true}));
  taken.forEach((each, n) => { each.dataset.control = n; });
  return taken.map(each => each.outerHTML.slice(0, 200));
}"""
#: Which of them has the keyboard, and whether it shows. In a field for a moment a button may
#: have it, which the browser draws around by itself.
_FOCUSED = """() => {
  const at = document.activeElement;
  const { outlineStyle } = getComputedStyle(at);
  const shown = outlineStyle !== 'none' || !at.matches(':focus-visible');
  return [Number(at.dataset?.control ?? -1), shown];
}"""


def out_of_reach(page: Page, within: str = "html") -> list[str]:
    """What inside `within` the Tab key does not reach, or reaches without showing it."""
    controls: list[str] = page.evaluate(_CONTROLS, within)
    page.evaluate("document.activeElement.blur()")
    reached: set[int] = set()
    unshown: list[str] = []
    last = -1
    # A field for a moment takes eight.
    for _ in range(8 * len(controls)):
        page.keyboard.press("Tab")
        at, shown = page.evaluate(_FOCUSED)
        if at in reached and at != last:
            break
        if at >= 0:
            reached.add(at)
            last = at
        if not shown:
            unshown.append(controls[at])
    return [each for n, each in enumerate(controls) if n not in reached] + unshown


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
