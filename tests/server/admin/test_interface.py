"""The REST interface as its own description says: every level, made-up and likely requests.

No request ends in an error of the server, no level gets an answer that the table of the
documentation does not give it, and who may not share has changed nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Answer, Serving, serving
from visiting import Browser

from jupyter_authorized_server.credentials import new_secret
from jupyter_authorized_server.policy.vocabulary import ABILITY, LEVEL, Level
from jupyter_authorized_server.server.admin import openapi, routes
from jupyter_authorized_server.server.admin.operation import operations
from jupyter_authorized_server.server.surface import SURFACE, Asks
from jupyter_authorized_server.server.surface.ours import here

with warnings.catch_warnings():
    # Deprecations of what it imports are no concern of ours.
    warnings.simplefilter("ignore")
    import schemathesis

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from jupyter_authorized_server.store import Store

#: A person for each level on the whole server, and one with none.
PEOPLE = ("stranger", *(level.word for level in Level))
#: Who asks: they, nobody, a guest, and an agent that is an administrator's and may edit files.
WHO = ("nobody", "guest", "agent", *PEOPLE)
#: Who may not share anything, and so has changed nothing.
HARMLESS = frozenset(WHO) - {"manager", "admin"}
RULES = """
permit(principal == Jupyter::Guest::"anonymous", action in Jupyter::Action::"viewer",
  resource in Jupyter::Folder::"/");
"""
#: What makes a request likely to mean something, by the name of the field.
LIKELY: dict[str, list[Any]] = {
    "principal": [
        "user:viewer",
        "user:admin",
        "user:stranger",
        "group:team",
        "everyone",
        "token:x",
    ],
    "resource": ["contents:/", "contents:/a.txt", "server:", "kernels:none", "contents:/none"],
    "level": [level.word for level in Level],
    "action": ["read", "open", "save", "administer"],
    "ends": ["2999-01-01T00:00:00Z", "2001-01-01T00:00:00Z"],
    "name": ["viewer", "team", "new"],
    "state": ["approved", "refused", "withdrawn"],
    "confirm": [True],
}
#: Answers a question after a while, on purpose.
SLOW = "/api/authz/changes"
#: What a guest is answered besides.
FOR_GUESTS = "/api/authz/me"
EXAMPLES = 2


def likely(value: Any, chance: random.Random) -> Any:
    """`value` with some of its fields as somebody would send them."""
    if isinstance(value, dict):
        return {
            key: chance.choice(LIKELY[key])
            if key in LIKELY and not isinstance(inner, (dict, list)) and chance.random() < 0.8
            else likely(inner, chance)
            for key, inner in value.items()
        }
    return [likely(each, chance) for each in value] if isinstance(value, list) else value


def least(handler: type[Any], method: str) -> Level:
    """The lowest level on the whole server that the table lets through for certain."""
    route = SURFACE.find(handler, "")
    assert route is not None
    entry = route.methods[method]
    assert isinstance(entry, Asks)
    always = [each for each in entry.questions if each.where is here]
    return max((ABILITY[each.type, each.action].level for each in always), default=Level.VIEWER)


TABLE = {
    (method, openapi.path_of(pattern)): handler
    for pattern, handler in routes.ALL
    for method in operations(handler)
}


@dataclass(frozen=True)
class House:
    """A server, and whoever asks without being a person."""

    server: Serving
    guest: Browser

    def ask(self, who: str, method: str, path: str, body: Any) -> Answer:
        if who == "guest":
            return self.guest.ask(method, path, json_body=body)
        asker = None if who == "nobody" else who
        return self.server.request(method, path, asker, json_body=body)


@pytest.fixture(scope="module")
def house(server: Serving) -> House:
    body = {"level": "viewer", "resource": "contents:/", "guests": True, "confirm": True}
    made = server.request("POST", "/api/authz/links", "admin", json_body=body)
    guest = Browser(server)
    assert 302 == guest.opens(made.json).status
    assert 200 == guest.ask("GET", "/api/authz/me").status
    return House(server, guest)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("interface")
    people = {who: None if who == "stranger" else who for who in PEOPLE}
    with serving(folder, people=people, policy={"guests.cedar": RULES}) as running:
        (running.root / "a.txt").write_text("a")
        secret = new_secret()
        running.tokens["agent"] = secret.text
        with running.store() as store:
            store.add_group("team", now=1)
            scope = (("editor", "contents:/"),)
            store.add_token(secret.id, secret.hash, "agent", "admin", None, 1, scope=scope)
        yield running


@pytest.fixture(scope="module")
def store(server: Serving) -> Iterator[Store]:
    with server.store() as opened:
        yield opened


def shared(store: Store, before: Any = None) -> Any:
    """All that only who may share can change, and the revision it was looked at."""
    revision = store.revision()
    if before is not None and before[0] == revision:
        return before
    state = store.state()
    return (revision, state.people, state.groups, state.grants, store.links())


def send(house: House, who: str, case: Any, body: Any) -> int:
    query = [
        (name, each)
        for name, value in (case.query or {}).items()
        for each in (value if isinstance(value, list) else [value])
    ]
    path = case.formatted_path + (f"?{urlencode(query)}" if query else "")
    answer = house.ask(who, case.method.upper(), path, body)
    assert answer.status < 500, (who, case.method, path, body, answer.text)
    known = {*case.operation.definition.raw["responses"], "405"}
    # An id that no pattern has leads nowhere; a path of the contents says 404 as well.
    assert str(answer.status) in known, (who, case.method, path, body, answer.status)
    return answer.status


@pytest.mark.parametrize("part", range(2))
def test_every_level_gets_an_answer_and_none_beyond_it(
    house: House, store: Store, part: int
) -> None:
    schema = schemathesis.openapi.from_dict(openapi.document(routes.ALL))
    every: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # why: an `Err` has none, which fails the test
    for operation in [each for each in every if each.path != SLOW][part::2]:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(), st.randoms(use_true_random=False))
        def ask(case: Any, chance: random.Random) -> None:
            handler = TABLE[case.method.upper(), case.operation.path]
            body = case.body if isinstance(case.body, (dict, list)) else None
            body = likely(body, chance)
            lowest = least(handler, case.method.upper())
            is_safe = operations(handler)[case.method.upper()].safe
            before = None
            for who in WHO:
                before = shared(store, before)
                status = send(house, who, case, body)
                told = (who, case.method, case.formatted_path, body, status)
                own = LEVEL["editor"] if who == "agent" else LEVEL.get(who, 0)
                is_for_guests = who == "guest" and case.operation.path == FOR_GUESTS
                if (own < lowest and lowest > Level.VIEWER) or (
                    who in {"nobody", "guest"} and not is_for_guests
                ):
                    assert status in {401, 403, 404}, told
                # A token with a scope changes nothing here, not even what is its owner's.
                assert who != "agent" or is_safe or status >= 400, told
                if who in HARMLESS:
                    assert before[1:] == shared(store, before)[1:], told

        ask()


def test_everyone_is_called_by_the_level_that_they_have_on_the_whole_server(
    server: Serving,
) -> None:
    called = {
        level.word: server.request("GET", "/api/authz/me?resource=server:", level.word)
        for level in Level
    }
    assert {level.word: level.word for level in Level} == {
        who: answer.json["resources"]["server:"]["level"] for who, answer in called.items()
    }


def test_nobody_has_given_more_than_they_have(store: Store) -> None:
    for grant in store.state().grants:
        giver = grant.granted_by.removeprefix("user:")
        if giver in LEVEL:
            assert LEVEL[grant.level] <= LEVEL[giver], grant
