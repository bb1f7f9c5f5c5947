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
GUEST, ADA = 'Jupyter::Guest::"anonymous"', 'Jupyter::User::"ada"'
#: With all of these, whatever is in the link is shown; each example leaves some out.
PERMITS = (
    f'@id("looks") permit(principal == {GUEST}, action in Jupyter::Action::"viewer", resource);',
    '@id("all") permit(principal, action in Jupyter::Action::"viewer", resource);',
    '@id("kind") permit(principal is Jupyter::Guest, action == Jupyter::Action::"list",resource);',
    f'@id("reads") permit(principal == {ADA}, action in Jupyter::Action::"viewer", resource);',
    f'@id("shares") permit(principal == {ADA}, action == Jupyter::Action::"share", resource);',
)
forbids = st.builds(
    lambda number, who, action, place: (
        f'@id("r{number}") forbid(principal == {who}, action{action}, '
        f'resource in Jupyter::Folder::"{place}");'
    ),
    st.integers(0, 10**9),
    st.sampled_from((GUEST, ADA)),
    st.sampled_from(("", ' == Jupyter::Action::"open"', ' == Jupyter::Action::"share"')),
    st.sampled_from(PLACES),
)
pairs = sorted({(each.type, each.action) for each in ABILITIES})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(PERMITS), min_size=1, unique=True) | st.just(list(PERMITS)),
    st.lists(forbids, max_size=2, unique_by=lambda text: text.partition(")")[0]),
    st.sampled_from(PLACES),
    st.sampled_from(PLACES),
    st.sampled_from(sorted(guests.SHOWN)) | st.sampled_from(pairs),
)
def test_a_guest_has_what_three_allow_and_only_looks(
    permits: list[str], forbidden: list[str], link: str, place: str, pair: tuple[str, str]
) -> None:
    policy = load_policy([PolicyFile(source="x.cedar", text="\n".join(permits + forbidden))])
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
        and any('"looks"' in each or ('"kind"' in each and action == "list") for each in permits)
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
    # Without the link, whoever has not signed in is denied everything that has a name.
    assert not force.answer(
        replace(asker, name=ANONYMOUS, giver=None), action, resource, CONTEXT
    ).allowed
