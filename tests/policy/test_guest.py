"""What a guest has, held to its definition with made-up policies."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_authorized_server.in_force import InForce
from jupyter_authorized_server.policy import guest as guests
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import decide, load_policy
from jupyter_authorized_server.policy.ledger import Ledger
from jupyter_authorized_server.policy.model import (
    ANONYMOUS,
    AccessRequest,
    Context,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.vocabulary import ABILITIES
from jupyter_authorized_server.store.model import State

PLACES = ("/", "/a", "/a/b", "/a/c", "/d")
CONTEXT = Context(time=10.0, hour=1, weekday=1, door="http")
WHO = ('Jupyter::Guest::"anonymous"', 'Jupyter::User::"ada"', 'Jupyter::Group::"everyone"')
rules = st.builds(
    lambda number, effect, who, action, place: (
        f'@id("r{number}") {effect}(principal {"==" if "Group" not in who else "in"} {who}, '
        f'action{action}, resource in Jupyter::Folder::"{place}");'
    ),
    st.integers(0, 10**9),
    st.sampled_from(("permit", "permit", "permit", "forbid")),
    st.sampled_from(WHO),
    st.sampled_from(("", ' in Jupyter::Action::"viewer"', ' == Jupyter::Action::"share"')),
    st.sampled_from(PLACES),
)
pairs = sorted({(each.type, each.action) for each in ABILITIES})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(rules, max_size=6, unique_by=lambda text: text.partition(")")[0]),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
    st.sampled_from(pairs),
)
def test_a_guest_has_what_three_allow_and_only_looks(
    texts: list[str], link: str, place: str, pair: tuple[str, str]
) -> None:
    policy = load_policy([PolicyFile(source="x.cedar", text="\n".join(texts))])
    force = InForce.first(policy, State(revision=1, ledger=Ledger()), None)
    ada = Principal(name="user:ada")
    scope = (("viewer", f"contents:{link}"),)
    asker = Principal(name="link:l", scope=scope, giver=ada)
    type_, action = pair
    resource = Resource(type=type_, id=place if type_ == "contents" else "")

    def allows(who: Principal, what: str, on: Resource) -> bool:
        request = AccessRequest(principal=who, action=what, resource=on, context=CONTEXT)
        return decide(force.snapshot, request).allowed

    got = force.answer(asker, action, resource, CONTEXT)
    expected = (
        pair in guests.SHOWN
        and f"contents:{link}" in resource.chain
        and allows(Principal(name=ANONYMOUS), action, resource)
        and allows(ada, action, resource)
        and allows(ada, "share", Resource(type="contents", id=link))
    )
    if pair in guests.ALWAYS:
        assert not got.allowed or allows(ada, action, resource)
    else:
        assert expected == got.allowed
    assert "link:l" == got.principal
    # Nothing that is found out for many at once speaks for a guest.
    assert not force.is_even(asker, "open", place)
    # Without the link, whoever has not signed in is denied everything.
    assert not force.answer(
        replace(asker, name=ANONYMOUS, giver=None), action, resource, CONTEXT
    ).allowed
