"""Where a browser was sent here from, and what for; no link of another site starts anything.

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
#: And what is shown or heard in a document, of which scripts and styles are no part.
_IMAGE = "image"
_HELD = frozenset({_IMAGE, "audio", "video", "track", "embed", "object"})
#: What a browser says first that it takes for such.
_TAKEN = ("image/", "audio/", "video/")


def is_inside_a_page(request: HTTPServerRequest) -> bool:
    """Whether a browser asks for something that a page shows, such as an image.

    Who writes a notebook chooses its images, and each of its readers' browsers asks for them.
    """
    return _purpose(request) not in _OPENED


def is_held_by_a_document(request: HTTPServerRequest) -> bool:
    """Whether it is something that any document can hold, without a script of its own."""
    return _purpose(request) in _HELD


def is_a_page(request: HTTPServerRequest) -> bool:
    """Whether it is opened as a page of its own, for somebody to look at."""
    opens = "text/html" in request.headers.get("Accept", "")
    return request.headers.get("Sec-Fetch-Dest", "document" if opens else "") == "document"


def is_led_here(request: HTTPServerRequest) -> bool:
    """Whether some page has a browser open `request`, by a link or without one, or whether
    another site's has it fetch that.

    Nothing tells a link that somebody follows from one that they were led to. Where browsers
    do not say that an address was typed, each page counts as one that was opened so.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:
        return is_a_page(request) or _is_of_another_host(request)
    return site not in _OWN or (site != "none" and is_a_page(request))


def _is_of_another_host(request: HTTPServerRequest) -> bool:
    """Whether the page that asks says that it is of another server."""
    page = request.headers.get("Referer", "")
    return bool(page) and not is_on_this_server(request, page)


def is_on_this_server(request: HTTPServerRequest, address: str) -> bool:
    """Whether a page's address is one of the server that is asked."""
    try:
        return urlsplit(address).netloc == request.host
    except ValueError:
        return False


def _purpose(request: HTTPServerRequest) -> str:
    """What a browser asks for, as it says; or as one that does not say it asks for it."""
    headers = request.headers
    is_shown = headers.get("Accept", "").lower().startswith(_TAKEN)
    # What is heard or seen is asked for from its beginning on.
    is_played = headers.get("Range") == "bytes=0-"
    return headers.get("Sec-Fetch-Dest", _IMAGE if is_shown or is_played else "document")


def is_from_elsewhere(request: HTTPServerRequest) -> bool:
    """Whether a page of another site, or an image, may have had a browser send `request`.

    Browsers say so themselves; old ones do not, and none does where the address is neither
    HTTPS nor this machine's own. Of these only a page of this server is believed, by the
    address that it gives, and that another site can leave out; and an image is known by
    what the browser takes for one. A program sends its token, which no link can.
    """
    if request.headers.get("Authorization", "").lower().startswith(("token ", "bearer ")):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN or is_inside_a_page(request)
    if is_inside_a_page(request):
        return True
    return not is_on_this_server(request, request.headers.get("Referer", ""))
