from __future__ import annotations

from jupyter_authorized_server.policy.vocabulary import ABILITIES
from jupyter_authorized_server.server.surface import SURFACE, Asks


def test_every_action_on_files_is_asked_by_some_route() -> None:
    asked = {
        question.action
        for route in SURFACE
        for entry in route.methods.values()
        if isinstance(entry, Asks)
        for question in entry.questions
        if question.type == "contents"
    }
    assert {each.action for each in ABILITIES if each.type == "contents"} == asked
