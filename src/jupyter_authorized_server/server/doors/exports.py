"""Door: exports of notebooks, which are made in the server's own process.

A converter that starts programs on what somebody wrote, such as LaTeX or a browser, reads
the server's files for them; a notebook names the module that exports it; and templates,
which are programs, are sought in the folder that the server was started in. So only
converters that make text of text are left, with the templates that are installed.

What is long takes long, and cannot be stopped; a server that ends does not wait for it. So
one person has one export made at a time, and all together have two.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from jupyter_server.nbconvert import handlers
from tornado.web import HTTPError
from traitlets.config import Config

from ... import mistakes, sentences
from ..acting import ACTING
from .turns import Threads, Turns, WaitedTooLongError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The formats that are made without starting a program on what is in the notebook but
#: pandoc, from markdown, which includes no files.
FORMATS = frozenset(
    {"asciidoc", "html", "markdown", "notebook", "python", "rst", "script", "slides"}
)
_TURNS, _THREADS = Turns(), Threads("exports", 2)
#: What a notebook may call the exporter of its own language.
_LANGUAGES = frozenset({"python", "script"})


def install() -> None:
    """Put this door over the exporters that the server's handlers take."""
    if not hasattr(handlers.get_exporter, "upstream"):
        module: Any = handlers
        module.get_exporter, module.run_sync = _judged(handlers.get_exporter), _in_turn


async def _in_turn(export: Callable[[], Any]) -> Any:
    """What `export` makes, in a thread, when what the same person asked before has ended."""
    acting = ACTING.get()
    try:
        async with _TURNS.of("" if acting is None else acting.principal.name):
            return await _THREADS.abandoned_at_the_end(export)
    except WaitedTooLongError:
        raise TimeoutError(mistakes.EXPORTS_BEFORE) from None


def _judged(upstream: Callable[..., Any]) -> Callable[..., Any]:
    def get_exporter(format: str, **kwargs: Any) -> Any:  # noqa: A002  # why: upstream's name
        if format not in FORMATS:
            raise HTTPError(403, sentences.not_converted(format))
        exporter = upstream(format, **{**kwargs, "config": _closed(kwargs.get("config"))})
        convert = exporter.from_notebook_node

        def from_notebook_node(notebook: Any, *args: Any, **more: Any) -> Any:
            info = notebook.get("metadata", {}).get("language_info")
            named = info.get("nbconvert_exporter") if isinstance(info, dict) else None
            if named is not None and not (isinstance(named, str) and named in _LANGUAGES):
                del info["nbconvert_exporter"]
            return convert(notebook, *args, **more)

        exporter.from_notebook_node = from_notebook_node
        return exporter

    get_exporter.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    return get_exporter


def _closed(config: Config | None) -> Config:
    """`config` without what reads files that a notebook or its reader names."""
    found = copy.deepcopy(config) if config is not None else Config()
    if "extra_template_basedirs" not in found.TemplateExporter:
        found.TemplateExporter.extra_template_basedirs = []
    found.HTMLExporter.embed_images = False
    return found
