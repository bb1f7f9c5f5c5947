"""Where in a request the kind of an event stands that somebody posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import mistakes, sentences
from ...audit import SCHEMA_ID
from ...policy.model import MAX_ID, Resource
from .table import Unanswerable

if TYPE_CHECKING:
    from .call import Call


def event_schema(call: Call) -> Resource:
    """The kind of event in the body; every kind where it names none.

    Raises:
        Unanswerable: no kind can be called that, or it is that of the records, which are
            the server's own.
    """
    found = call.text("schema_id") or ""
    if len(found) > MAX_ID or not found.isprintable():
        raise Unanswerable(400, mistakes.NO_SCHEMA_NAME)
    if found == SCHEMA_ID:
        raise Unanswerable(403, sentences.OWN_EVENT)
    return Resource(type="events", id=found)
