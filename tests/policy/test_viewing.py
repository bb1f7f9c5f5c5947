from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from test_laws import LAW, Case, a_case, engine

from jupyter_authorized_server.policy import viewing
from jupyter_authorized_server.policy.model import Principal
from jupyter_authorized_server.policy.vocabulary import ABILITY, Word


@settings(LAW, max_examples=40)
@given(a_case(), a_case())
def test_a_view_shows_what_both_may_read_and_nothing_else(case: Case, viewer: Case) -> None:
    rules, grants, asked = case
    viewers = replace(asked, principal=viewer[2].principal)
    theirs = engine(viewer[0], viewer[1], viewers, prefix="v")
    others = engine(rules, grants, asked)
    through = Principal(name=asked.principal.name, viewer=viewers.principal)
    answer = viewing.viewed(others, through, asked.resource, lambda: theirs)
    reads = ABILITY[asked.resource.type, asked.action].word is Word.READ
    assert answer.allowed == (others.allowed and theirs.allowed and reads)
    assert answer.good_until <= others.good_until
    assert viewing.viewed(others, asked.principal, asked.resource, lambda: theirs) is others
