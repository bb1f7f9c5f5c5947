from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from jupyter_authorized_server.policy import cedar, vocabulary
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import load_policy
from jupyter_authorized_server.policy.model import Context

CONTEXT = Context(time=1.5, hour=12, weekday=3, door="http")


def test_work_with_room_runs_on_a_thread_of_its_own_and_hands_its_error_on() -> None:
    assert cedar.with_room(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        cedar.with_room(lambda: 1 / 0)


def test_the_stack_of_other_threads_stays_as_it_was() -> None:
    before = threading.stack_size()
    cedar.with_room(lambda: None)
    assert threading.stack_size() == before


def test_an_action_belongs_to_its_word_and_to_every_level_that_has_it() -> None:
    assert cedar.action_groups("delete") == ("write", "manager", "admin")
    assert set(cedar._GROUPS) == set(vocabulary.ACTIONS)


def test_only_what_the_rules_read_enters_the_context() -> None:
    text = """permit (principal, action, resource) when { context.hour == 12 };
    permit (principal, action, resource) when { context has address };"""
    hour, address = load_policy([PolicyFile(source="a.cedar", text=text)]).rules[-2:]

    def context_text(rule: Any, context: Context = CONTEXT) -> str:
        return cedar._context_text(cedar._together((rule,)).reads, context)

    assert context_text(hour) == '{"hour": 12}'
    assert context_text(address) == "{}"
    at = replace(CONTEXT, address="::1")
    assert context_text(address, at) == '{"address": {"__extn": {"fn": "ip", "arg": "::1"}}}'


def test_rules_that_cedar_would_number_otherwise_are_not_evaluated() -> None:
    text = "permit (principal, action, resource) when { context.hour == 12 };"
    (rule,) = load_policy([PolicyFile(source="a.cedar", text=text)]).rules[-1:]
    moved = replace(rule, text=text.replace("permit", "forbid"))
    with pytest.raises(ValueError, match="changed its place among 1 rules"):
        cedar.evaluate(
            (moved,),
            keys=("user:ada", "everyone"),
            action="open",
            chain=("contents:/", "server:"),
            owner=None,
            context=CONTEXT,
        )


def test_a_schema_that_says_nothing_against_a_refused_text_still_refuses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusal:
        validation_passed = False
        errors: tuple[str, ...] = ()

    monkeypatch.setattr(cedarpy, "validate_policies", lambda *_, **__: Refusal())
    assert cedar.validate("permit (principal, action, resource);") == ["refused by the schema"]
