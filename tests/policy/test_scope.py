from __future__ import annotations

import spec
import worlds
from hypothesis import given
from hypothesis import strategies as st
from test_laws import LAW, Case, a_case, engine

from jupyter_authorized_server.policy import scope
from jupyter_authorized_server.policy.model import AccessRequest, Grant, Principal, Resource
from jupyter_authorized_server.policy.vocabulary import ABILITIES


def scopes(asked: AccessRequest) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    pair = worlds.a_grant(asked).map(lambda grant: (grant.level, grant.resource))
    return st.lists(pair, max_size=3).map(tuple)


@LAW
@given(a_case(), st.data())
def test_a_token_stays_within_its_owner_and_its_scope(case: Case, data: st.DataObject) -> None:
    rules, grants, asked = case
    owners = engine(rules, grants, asked)
    limits = data.draw(scopes(asked))
    agent = Principal(
        name=asked.principal.name, groups=asked.principal.groups, token="t", scope=limits
    )
    answer = scope.narrowed(owners, agent, asked.action, asked.resource)
    assert owners.allowed or not answer.allowed
    as_grants = [
        Grant(id="s", principal=asked.principal.name, level=level, resource=on)
        for level, on in limits
    ]
    within = any(spec.permits(each, asked) for each in as_grants)
    free = (asked.resource.type, asked.action) in scope.ALWAYS
    never = asked.action in {"share", "administer", "view_as"}
    assert answer.allowed == (owners.allowed and (within or free) and not never)


def test_no_scope_reaches_sharing_and_administering() -> None:
    everything = (("admin", "server:"),)
    refused = {
        (each.type, each.action)
        for each in ABILITIES
        if not scope.reaches(everything, each.action, Resource(type=each.type, id=""))
    }
    assert {"share", "administer", "view_as"} == {action for _, action in refused}


def test_a_token_without_a_scope_is_its_owner() -> None:
    asked = worlds.simple("user:ada", "open", "contents")
    owners = engine(
        [], [Grant(id="g", principal="user:ada", level="viewer", resource="server:")], asked
    )
    whole = Principal(name="user:ada", token="t")
    assert owners is scope.narrowed(owners, whole, "open", asked.resource)
