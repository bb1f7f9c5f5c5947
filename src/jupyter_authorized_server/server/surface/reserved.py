"""What is the server's own in the contents root, such as its policy: not there for anybody.

Nor can a folder around it be moved, or another one be put in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import Nowhere

if TYPE_CHECKING:
    from .disk import Place


def unless_own(found: Place, own: tuple[str, ...]) -> Place:
    """`found`, knowing whether something of the server's own is below it.

    Args:
        own: as in `Disk.own`.

    Raises:
        Nowhere: it is the server's own.
    """
    both = (found.target, found.entry)
    if any(f"{path}/".startswith(own) for path in both):
        msg = "the path is the server's own"
        raise Nowhere(msg)
    folders = tuple(f"{path.rstrip('/')}/" for path in both)
    return replace(found, keeps=any(each.startswith(folders) for each in own))
