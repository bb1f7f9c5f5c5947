"""Surface: where a browser was sent here from; no link of another site starts anything.

The cookie of who is signed in comes along with every link that is followed, whoever wrote
it. A page that only shows something may be opened so; one that starts something may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

#: What a browser calls a page of this server, and an address that somebody has typed.
_OWN = frozenset({"same-origin", "none"})
#: And what it opens as a page, in a frame or not, or fetches for a script.
_OPENED = frozenset({"document", "iframe", "frame", "empty"})


def is_inside_a_page(request: HTTPServerRequest) -> bool:
    """Whether a browser asks for something that a page shows, such as an image.

    Who writes a notebook chooses its images, and each of its readers' browsers asks for them.
    """
    return request.headers.get("Sec-Fetch-Dest", "document") not in _OPENED


def is_from_elsewhere(request: HTTPServerRequest) -> bool:
    """Whether a page of another site, or an image, may have had a browser send `request`.

    Browsers say so themselves; old ones do not, and none does where the address is neither
    HTTPS nor this machine's own. Of these only a page of this server is believed, by the
    address that it gives, and that another site can leave out. A program sends its token,
    which no link can.
    """
    if request.headers.get("Authorization", "").lower().startswith(("token ", "bearer ")):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN or is_inside_a_page(request)
    try:
        host = urlsplit(request.headers.get("Referer", "")).netloc
    except ValueError:
        return True
    return host != request.host
