"""Door: settings of JupyterLab, read without keeping the server from everybody else.

Upstream reads them with a parser in Python, in the server's one loop: some thirty kilobytes
a second, at each save and each load of a page. What pages write is JSON with comments, which
Python's own parser reads a thousand times as fast; so that is tried first.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from functools import lru_cache, wraps
from types import SimpleNamespace
from typing import Any

from tornado.web import HTTPError

from ... import mistakes

_UTILS, _HANDLERS = "jupyterlab_server.settings_utils", "jupyterlab_server.settings_handler"

#: Most characters that are taken of what only upstream's parser reads: a tenth of a second.
_MOST = 2048
#: A text or a comment. One without an end goes to the end, so that nothing is read twice.
_TEXT_OR_COMMENT = re.compile(
    r'"(?:[^"\\]|\\.)*"|//[^\n\r\u2028\u2029]*|/\*.*?\*/|["/].*', re.DOTALL
)


def install() -> None:
    """Have upstream read and save settings in this way, where JupyterLab is there; once."""
    utils: Any = sys.modules.get(_UTILS)
    handlers: Any = sys.modules.get(_HANDLERS)
    if utils is None or handlers is None or hasattr(handlers.save_settings, "upstream"):
        return
    slow = lru_cache(maxsize=256)(utils.json5.loads)

    def loads(text: str) -> Any:
        """What settings say, however they are written."""
        found = _plain(text)
        # A page loads them all; what is slow to read is read when it is saved.
        return copy.deepcopy(slow(text)) if found is None else found

    utils.json5 = SimpleNamespace(load=utils.json5.load, loads=loads)
    handlers.save_settings = _checked(handlers.save_settings)


def _plain(text: str) -> Any:
    """What a text says that is JSON but for comments; None where it is not, or says null.

    No other text is taken for one: what stands outside texts and comments is the same for
    both parsers up to the first character that JSON does not have, and is refused there.
    """
    try:
        return json.loads(_TEXT_OR_COMMENT.sub(_without_comment, text))
    except (ValueError, RecursionError):
        return None


def _without_comment(found: re.Match[str]) -> str:
    part = found[0]
    is_comment = part.startswith("//") or (part.startswith("/*") and part.endswith("*/"))
    return " " if is_comment and part != "/*/" else part


def _checked(upstream: Any) -> Any:
    @wraps(upstream)
    def save_settings(
        schemas_dir: str, settings_dir: str, name: str, raw: Any, *others: Any
    ) -> None:
        """Save settings that can be read again, and soon.

        Raises:
            HTTPError: they cannot (400), or there is too much to read (413).
        """
        if isinstance(raw, str) and len(raw) > _MOST and _plain(raw) is None:
            raise HTTPError(413, mistakes.settings_no_json(str(_MOST)))
        try:
            # Upstream opens the file, and so empties it, before it finds such a character.
            str(raw).encode()
            upstream(schemas_dir, settings_dir, name, raw, *others)
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, mistakes.settings_unread(str(error))) from None

    save_settings.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    return save_settings
