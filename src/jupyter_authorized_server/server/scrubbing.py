"""What is logged of a request that fails, without the secrets in its address.

A socket may bring its token in the address, and so do links. Jupyter leaves such values out
of its line for each request; Tornado, which logs why one has failed, does not.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from tornado.log import app_log, gen_log

if TYPE_CHECKING:
    from collections.abc import Iterable

#: As Jupyter has it: what names an argument whose value is a secret.
_WORDS = ("token", "auth", "key", "code", "state", "xsrf")


class _Scrubbed(logging.Filter):
    """Lets every line through, with `[secret]` in the place of secrets."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__()
        any_of = "|".join(map(re.escape, words))
        self._secret = re.compile(rf"([?&][^\s=&]*(?:{any_of})[^\s=&]*=)[^\s&'\"]+", re.IGNORECASE)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log `record`: always."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            # Logging tells of that itself.
            return True
        record.msg, record.args = self._secret.sub(r"\1[secret]", text), ()
        return True


def install(more: Iterable[str]) -> None:
    """Have Tornado log no secret; once.

    Args:
        more: what else names an argument whose value is one.
    """
    for logger in (app_log, gen_log):
        if not any(isinstance(each, _Scrubbed) for each in logger.filters):
            logger.addFilter(_Scrubbed((*_WORDS, *more)))
