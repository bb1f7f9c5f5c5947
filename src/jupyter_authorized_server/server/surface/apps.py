"""Surface of Notebook 7 and nbclassic."""

from __future__ import annotations

from . import places as at
from .core import _REDIRECT, _STATIC, PAGE, SHOWN_PAGE, USE, ask, asks, to_guests
from .table import Public, Route

_FOLDER = (USE, ask("list", "contents", at.path(0), walk=True))
_FILE = (USE, ask("open", "contents", at.path(0)))
_NAMED_FOLDER = (USE, ask("list", "contents", at.path(), walk=True))
_NAMED_FILE = (USE, ask("open", "contents", at.path()))
#: Opening this page makes a terminal of that name, where there is none.
_TERMINAL = asks(
    "terminals",
    USE,
    ask("view", "terminals", at.terminal(there=True)),
    ask("start", "terminals", at.terminal_to_start),
)

ROUTES: tuple[Route, ...] = (
    Route(
        handler="jupyter_server.base.handlers.FileFindHandler",
        patterns=(r"/static/notebook/(.*)", r"/static/nbclassic/(.*)"),
        methods={"GET": Public(reason=_STATIC)},
    ),
    # The pages of Notebook 7 answer whether the path is a folder or there at all.
    Route(
        handler="notebook.app.TreeHandler", methods={"GET": to_guests(asks("contents", *_FOLDER))}
    ),
    Route(
        handler="notebook.app.NotebookHandler",
        methods={"GET": to_guests(asks("contents", *_FILE))},
    ),
    Route(
        handler="notebook.app.FileHandler", methods={"GET": to_guests(asks("contents", *_FILE))}
    ),
    Route(handler="notebook.app.ConsoleHandler", methods={"GET": PAGE}),
    Route(
        handler="notebook.app.TerminalHandler",
        methods={"GET": _TERMINAL},
    ),
    Route(handler="notebook.app.CustomCssHandler", methods={"GET": SHOWN_PAGE}),
    Route(
        handler="tornado.web.RedirectHandler",
        patterns=("/nbclassic",),
        methods={"GET": Public(reason=_REDIRECT)},
    ),
    Route(
        handler="nbclassic.tree.handlers.TreeHandler",
        methods={"GET": to_guests(asks("contents", *_NAMED_FOLDER))},
    ),
    Route(
        handler="nbclassic.notebook.handlers.NotebookHandler",
        methods={"GET": to_guests(asks("contents", *_NAMED_FILE))},
    ),
    Route(
        handler="nbclassic.edit.handlers.EditorHandler",
        methods={"GET": to_guests(asks("contents", *_NAMED_FILE))},
    ),
    Route(
        handler="nbclassic.view.handlers.CustomViewHandler",
        methods={"GET": to_guests(asks("contents", *_NAMED_FILE))},
    ),
    Route(
        handler="nbclassic.terminal.handlers.TerminalHandler",
        methods={"GET": _TERMINAL},
    ),
)
