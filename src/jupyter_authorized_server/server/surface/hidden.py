"""Whether a file is hidden, which is Jupyter's to say, by the function that upstream asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from jupyter_core import paths

from ... import mistakes
from .table import Unanswerable

if TYPE_CHECKING:
    from .disk import Disk, Place

_log = logging.getLogger(__name__)


def hides(manager: Any, disk: Disk, found: Place) -> bool:
    """Whether nobody may see what is at a place with a hidden name on the way to it.

    Raises:
        Unanswerable: Jupyter's function fails.
    """
    if getattr(manager, "allow_hidden", False):
        return False
    both, root = {found.target, found.entry}, disk.path("/")
    try:
        return any(paths.is_hidden(disk.path(each), root) for each in both)
    except OSError:
        # A file on the way, or one that may not be looked at: nothing is told of that.
        return True
    except Exception as error:  # why: whatever it is, nothing is known of the file then
        _log.exception("whether a file is hidden could not be found out")
        raise Unanswerable(500, mistakes.LOG_SAYS_WHY) from error
