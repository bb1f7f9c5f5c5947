from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy import cedar, explanation, vocabulary
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import Snapshot, decide, load_policy
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Answer,
    Context,
    Decision,
    Determinant,
    Effect,
    Grant,
    Principal,
    Resource,
)

NOW = 1_800_000_000.0
CONTEXT = Context(time=NOW, hour=12, weekday=3, door="http")


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    """What Cedar has answered in another test is asked again."""
    cedar._shared.clear()


def snapshot(policy: str = "", *grants: Grant) -> Snapshot:
    return Snapshot(load_policy([PolicyFile(source="a.cedar", text=policy)]), grants, 7)


def grant(level: str, resource: str, principal: str = "user:ada", **more: Any) -> Grant:
    return Grant(id=f"g-{level}", principal=principal, level=level, resource=resource, **more)


def ask(
    at: Snapshot, action: str, resource: str | Resource, name: str = "user:ada", **context: Any
) -> Decision:
    if isinstance(resource, str):
        resource = vocabulary.parse_resource(resource)
    return decide(
        at,
        AccessRequest(
            principal=Principal(name=name, groups=() if name == "anonymous" else ("team",)),
            action=action,
            resource=resource,
            context=replace(CONTEXT, **context),
        ),
    )


def test_an_allow_names_every_permit_nearest_first_and_its_source() -> None:
    at = snapshot(
        'permit (principal, action in Jupyter::Action::"read", resource);',
        grant("admin", "server:"),
        grant("editor", "contents:/team", "group:team", ends=NOW + 60, source="p.yaml:3"),
        grant("viewer", "contents:/team/a.ipynb"),
    )
    found = ask(at, "open", "contents:/team/a.ipynb")
    assert found.allowed
    assert [(each.id, each.scope, each.inherited_from) for each in found.determining] == [
        ("g-viewer", "user:ada", ""),
        ("g-editor", "group:team", "contents:/team"),
        ("g-admin", "user:ada", "server:"),
        ("a.cedar:1", "", ""),
    ]
    assert found.determining[1] == Determinant(
        id="g-editor",
        kind="grant",
        effect=Effect.PERMIT,
        source="p.yaml:3",
        scope="group:team",
        inherited_from="contents:/team",
        ends=NOW + 60,
    )
    assert (found.revision, found.good_until) == (7, NOW + 60)
    assert found.reason_admin == "permitted by grant `g-viewer` (store), and 3 more"


def test_a_deny_says_what_would_allow_it_and_what_is_near() -> None:
    at = snapshot(
        "",
        grant("viewer", "contents:/team"),
        grant("editor", "contents:/team", ends=NOW - 60),
        grant("manager", "contents:/team", starts=NOW + 60),
    )
    found = ask(at, "save", "contents:/team/a.ipynb")
    assert (found.answer, found.determining) == (Answer.DENY, ())
    assert found.would_allow == ("level `editor` on `contents:/team/a.ipynb` or above",)
    assert found.reason_user == "You can view team/a.ipynb but not change it"
    assert found.reason_admin == (
        "no rule or grant permits `save` on `contents:/team/a.ipynb` to `user:ada` at revision 7"
        "; grant `g-viewer` gives `viewer` on `contents:/team`"
        "; grant `g-editor` gives `editor` on `contents:/team` and ended 2027-01-15T07:59+00:00"
        "; grant `g-manager` gives `manager` on `contents:/team` and starts"
        " 2027-01-15T08:01+00:00"
    )
    assert found.good_until == NOW + 60


def test_of_many_grants_and_odd_times_the_administrator_hears_the_first_few() -> None:
    rows = [
        Grant(
            id=f"g-{n}", principal="user:ada", level="viewer", resource="server:", ends=1e300 * -n
        )
        for n in range(8)
    ]
    found = ask(snapshot("", *rows), "save", "contents:/a").reason_admin
    assert "; grant `g-4` gives" in found
    assert "`g-5`" not in found
    assert found.endswith("; and 3 more grants")
    assert "ended at second -1e+300" in found


def test_a_person_who_may_not_read_a_thing_is_not_told_that_it_exists() -> None:
    at = snapshot()
    for action, expected in (("save", "You cannot change this"), ("open", "You cannot view this")):
        found = ask(at, action, "contents:/secret/plan.ipynb")
        assert found.reason_user == expected
    assert ask(at, "run", "kernels:k1").reason_user == "You cannot run code in this"
    told = "You can open the pages of this server but not administer it"
    assert ask(at, "administer", "server:").reason_user == told
    found = ask(at, "open", "contents:/a", "anonymous")
    assert found.reason_user == "You are not signed in, so you cannot view this"


def test_a_person_who_may_read_a_thing_is_told_what_else_is_missing() -> None:
    at = snapshot("", grant("viewer", "server:"))
    assert ask(at, "save", "contents:/").reason_user == (
        "You can view the top folder but not change it"
    )
    assert ask(at, "run", "kernels:k1").reason_user == (
        "You can watch this kernel but not run code in it"
    )
    found = ask(at, "save", "contents:/a\u202e\n%s{}/" + "x" * 200).reason_user
    assert "\u202e" not in found
    assert "\n" not in found


FORBID = '@id("no-night") forbid (principal, action in Jupyter::Action::"write", resource) '


def test_a_forbid_names_itself_alone_and_its_change_as_the_remedy() -> None:
    at = snapshot(FORBID + "when { context.hour > 10 };", grant("editor", "contents:/a"))
    found = ask(at, "save", "contents:/a")
    assert [(each.id, each.kind, each.effect) for each in found.determining] == [
        ("no-night", "rule", Effect.FORBID)
    ]
    assert found.would_allow == ("changing the rule `no-night` (a.cedar:1)",)
    assert found.reason_user == "You can view a but not change it"
    assert "no-night" not in found.reason_user
    assert found.reason_admin == (
        "the rule `no-night` (a.cedar:1) forbids `save` on `contents:/a` to `user:ada`"
        " at revision 7"
    )


def test_where_a_forbid_hides_a_missing_permit_both_are_named() -> None:
    found = ask(snapshot(FORBID + ";"), "save", "contents:/a")
    assert found.would_allow == (
        "changing the rule `no-night` (a.cedar:1) and level `editor` on `contents:/a` or above",
    )


def test_a_condition_that_does_not_hold_is_told_to_the_administrator() -> None:
    rule = '@id("day") permit (principal, action, resource) when { context.hour < 8 };'
    found = ask(snapshot(rule), "open", "contents:/a")
    assert found.reason_admin.endswith("; the condition of rule `day` (a.cedar:1) does not hold")


OVERFLOW = "when { 9223372036854775807 + context.hour > 0 };"


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_rule_that_fails_denies_and_is_named(effect: str) -> None:
    at = snapshot(
        f'@id("broken") {effect} (principal, action, resource) {OVERFLOW}',
        grant("admin", "server:"),
    )
    found = ask(at, "open", "contents:/a")
    assert [(each.id, each.kind) for each in found.determining] == [("broken", "error")]
    assert found.would_allow == ("correcting the rule `broken` (a.cedar:1)",)
    assert "integer overflow" in found.reason_admin
    assert found.good_until == 0


def test_a_missing_attribute_that_the_validator_let_pass_denies() -> None:
    # Seen from Cedar alone this is an allow: it skips the forbid.
    at = snapshot(
        "forbid (principal, action, resource) when { context has address"
        ' && context.address.isInRange(ip("10.0.0.0/8")) };',
        grant("admin", "server:"),
    )
    assert ask(at, "open", "contents:/a").allowed
    assert not ask(at, "open", "contents:/a", address="10.0.0.1").allowed
    broken = ask(at, "open", "contents:/a", address="no address")
    assert [each.kind for each in broken.determining] == ["error"]
    assert "the request" in broken.reason_admin


@pytest.mark.parametrize(
    ("condition", "until"),
    [
        ("context.time > 5", 0.0),
        ('context.door == "http"', 0.0),
        ("context has address", 0.0),
        ("context.hour == 12", 1_800_000_900.0),
        ("context.weekday == 3", 1_800_000_900.0),
        ('resource in Jupyter::Folder::"/a"', math.inf),
    ],
)
def test_an_answer_is_kept_no_longer_than_what_its_rules_read(
    condition: str, until: float
) -> None:
    for effect in ("permit", "forbid"):
        at = snapshot(f"{effect} (principal, action, resource) when {{ {condition} }};")
        assert ask(at, "open", "contents:/a").good_until == until
    elsewhere = snapshot(
        f'permit (principal, action == Jupyter::Action::"run", resource) when {{ {condition} }};'
    )
    assert ask(elsewhere, "open", "contents:/a").good_until == math.inf


def failure(found: Decision) -> str:
    assert not found.allowed
    assert [(each.kind, each.effect) for each in found.determining] == [("error", Effect.FORBID)]
    assert found.good_until == 0
    found.reason_admin.encode()
    found.resource.encode()
    return found.reason_admin


ALL = "permit (principal, action, resource) when { context.hour >= 0 };"


@pytest.mark.parametrize(
    ("action", "resource", "name", "message"),
    [
        (
            "fly",
            Resource(type="contents", id="/a"),
            "user:ada",
            "`fly` is no action on `contents`",
        ),
        ("write", Resource(type="contents", id="/a"), "user:ada", "ask for `save`"),
        ("stop", Resource(type="contents", id="/a"), "user:ada", "`stop` is no action"),
        ("open", Resource(type="rooms", id="1"), "user:ada", "`rooms:1` is no resource"),
        ("open", Resource(type="contents", id="/../a"), "user:ada", "above the contents root"),
        ("open", Resource(type="contents", id="/a\0"), "user:ada", "NUL"),
        ("open", Resource(type="contents", id="/\udc80"), "user:ada", "lone surrogate"),
        ("open", Resource(type="contents", id="/" + "x" * 10_000_000), "user:ada", "bytes long"),
        ("watch", Resource(type="kernels", id="*"), "user:ada", "`*` names none"),
        ("watch", Resource(type="kernels", id="\udc80"), "user:ada", "printable"),
        ("watch", Resource(type="kernels", id="x" * 10_000_000), "user:ada", "at most 1024"),
        ("watch", Resource(type="kernels", id="k", within=("a",)), "user:ada", "canonical"),
        ("use", Resource(type="server", id="x"), "user:ada", "there is one server"),
        ("open", Resource(type="contents", id="/a"), "user:a/b", "contains a slash"),
        ("open", Resource(type="contents", id="/a"), "user:\udc80", "unseen character"),
        ("open", Resource(type="contents", id="/a"), "user:" + "x" * 10_000_000, "at most 128"),
        ("open", Resource(type="contents", id="/a"), "ada", "is no principal"),
        ("open", Resource(type="contents", id="/a"), "group:team", "names many"),
        ("open", Resource(type="contents", id="/a"), "everyone", "names many"),
    ],
)
def test_what_cannot_be_judged_is_denied_and_named(
    action: str, resource: Resource, name: str, message: str
) -> None:
    assert message in failure(ask(snapshot(ALL), action, resource, name))


@pytest.mark.parametrize("junk", [None, 3, "open", object()])
def test_a_request_that_is_none_is_denied(junk: Any) -> None:
    failure(decide(snapshot(ALL), junk))
    request = AccessRequest(
        principal=Principal(name="user:ada", groups=("a/b",)),
        action="open",
        resource=Resource(type="contents", id="/a"),
        context=CONTEXT,
    )
    assert "slash" in failure(decide(snapshot(ALL), request))
    for part in ("principal", "action", "resource", "context"):
        broken: dict[str, Any] = {part: junk if junk != "open" else []}
        failure(decide(snapshot(ALL), replace(request, **broken)))


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_that_is_none_is_denied(time: float) -> None:
    rule = "permit (principal, action, resource) when { context.time > 0 };"
    failure(ask(snapshot(rule), "open", "contents:/a", time=time))
    assert not ask(
        snapshot("", grant("admin", "server:")), "open", "contents:/a", time=math.nan
    ).allowed


def test_a_grant_of_an_unknown_level_makes_no_snapshot() -> None:
    with pytest.raises(InvalidName, match=r"`g-boss` has the level `boss`.*revoke it"):
        snapshot("", grant("boss", "server:"))


def test_ids_are_never_read_as_policy_text() -> None:
    name = '/a"); permit (principal, action, resource);//'
    at = snapshot(
        'permit (principal, action, resource) when { resource in Jupyter::Folder::"/b" };'
    )
    found = ask(at, "open", Resource(type="contents", id=name))
    assert (found.allowed, found.determining) == (False, ())


def test_a_panic_in_cedar_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """What a panic becomes in Python."""

    def panic(*_: object) -> None:
        raise PanicException("boom")

    monkeypatch.setattr(cedarpy._internal, "is_authorized", panic)
    assert "Cedar broke off: boom" in failure(ask(snapshot(ALL), "open", "contents:/a"))


def test_an_interrupt_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cedarpy._internal, "is_authorized", stop)
    with pytest.raises(KeyboardInterrupt):
        ask(snapshot(ALL), "open", "contents:/a")


def test_without_its_private_call_cedar_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at = snapshot(
        ALL + FORBID + "when { context.hour > 10 };"
        '@id("broken") forbid (principal, action == Jupyter::Action::"list", resource) ' + OVERFLOW
    )
    asked = [("open", 12), ("save", 12), ("save", 9), ("list", 9)]
    fast = [ask(at, action, "contents:/a", hour=hour) for action, hour in asked]
    monkeypatch.delattr(cedarpy._internal, "is_authorized")
    cedar._shared.clear()
    assert [ask(at, action, "contents:/a", hour=hour) for action, hour in asked] == fast


def test_cedar_answers_no_decision_is_a_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '{"decision": "NoDecision", "diagnostics": {"errors": [], "reason": []}}'
    monkeypatch.setattr(cedar, "_ask", lambda *_: answer)
    assert "Cedar answered NoDecision" in failure(ask(snapshot(ALL), "open", "contents:/a"))


def test_only_rules_whose_scope_holds_reach_cedar(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    evaluate = cedar.evaluate

    def watched(rules: Any, **more: Any) -> cedar.Evaluation:
        seen.append([rule.id for rule in rules])
        return evaluate(rules, **more)

    monkeypatch.setattr(cedar, "evaluate", watched)
    at = snapshot(
        '@id("hit") permit (principal, action, resource) when { context.hour == 12 };'
        '@id("plain") permit (principal, action, resource);'
        '@id("other") permit (principal, action, resource in Jupyter::Folder::"/b")'
        " when { context.hour == 12 };"
        '@id("who") permit (principal == Jupyter::User::"ben", action, resource)'
        " when { context.hour == 12 };"
    )
    ids = [each.id for each in ask(at, "open", "contents:/a").determining]
    assert (seen, sorted(ids)) == ([["hit"]], ["hit", "plain"])


def test_a_long_chain_is_decided_and_not_kept() -> None:
    path = "/" + "/".join("d" for _ in range(2000))
    at = snapshot(ALL, grant("viewer", "contents:/d/d"))
    assert ask(at, "open", "contents:" + path).allowed
    within = tuple(path[: 2 * n] for n in range(2000, 0, -1))
    assert ask(at, "watch", Resource(type="kernels", id="k", within=within)).allowed


def test_threads_get_the_same_answers() -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # why: only here

    at = snapshot(ALL + FORBID + "when { context.hour > 10 };", grant("viewer", "contents:/a"))

    def answers(number: int) -> list[bool]:
        return [
            ask(at, action, f"contents:/a/{number}", hour=hour).allowed
            for action in ("open", "save")
            for hour in (9, 12)
        ]

    with ThreadPoolExecutor(8) as pool:
        assert set(map(tuple, pool.map(answers, range(64)))) == {(True, True, True, False)}


def test_the_words_of_a_denial_are_those_of_its_revision_and_do_not_keep_it() -> None:
    at = snapshot("", grant("viewer", "contents:/team"))
    found, same = (ask(at, "save", "contents:/team/a.ipynb") for _ in range(2))
    later = at.after(at.policy, (), 8, at.ledger)
    kept, at = weakref.ref(at.index), later
    said = "You can view team/a.ipynb but not change it"
    assert ("revision 7" in found.reason_admin, said) == (True, found.reason_user)
    assert found == same
    assert hash(found) == hash(same)
    gc.collect()
    assert kept() is None
    assert found != ask(at, "save", "contents:/team/a.ipynb")


def test_a_denial_whose_words_cannot_be_found_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError

    found = ask(snapshot(), "save", "contents:/a.ipynb")
    monkeypatch.setattr(explanation, "refused", break_off)
    assert (found.allowed, found.reason_user) == (False, "You cannot do this")
    assert found.reason_admin == "denied, and the reasons could not be found: RuntimeError()"


def test_an_allow_without_a_reason_says_so_and_does_not_fail() -> None:
    found = ask(snapshot("", grant("viewer", "server:")), "open", "contents:/a.ipynb")
    assert found._replace(determining=()).reason_admin == "permitted"


@pytest.mark.parametrize("first", [12, 12.0, True])
def test_an_hour_that_is_no_whole_number_is_never_taken_for_one(first: Any) -> None:
    at = snapshot("permit(principal, action, resource) when { context.hour > 0 };")
    hours: tuple[Any, ...] = (first, 12, 12.0, 1, True, 1.0)
    for hour in hours:
        asked = AccessRequest(
            principal=Principal(name="user:ada"),
            action="open",
            resource=Resource(type="contents", id="/a.ipynb"),
            context=Context(time=NOW, hour=hour, weekday=1, door="http"),
        )
        assert (type(hour) is int) == decide(at, asked).allowed


@pytest.mark.parametrize(
    "junk", ['{"decision":"Allow","metrics":{}}', '{"decision":"Al,"metrics":{}}', ',"metrics":']
)
def test_half_an_answer_of_cedar_is_a_deny(junk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = snapshot("permit(principal, action, resource) when { context.hour > 0 };")
    monkeypatch.setattr(cedar, "_ask", lambda *_: junk)
    assert not ask(at, "open", "contents:/a").allowed


def test_a_name_cannot_end_an_answer_of_cedar_before_its_errors() -> None:
    at = snapshot(
        "permit(principal, action, resource);",
        grant("viewer", "server:"),
    )
    broken = snapshot(
        f'forbid(principal, action, resource) when {{ resource has path && resource.path like "*"'
        f" && {2**63 - 1} + context.hour > 0 }};\npermit(principal, action, resource);"
    )
    name = 'contents:/a","errors":[]},"metrics":{"x":"'
    assert ask(at, "open", name).allowed
    found = ask(broken, "open", name)
    assert (found.allowed, found.determining[0].kind) == (False, "error")


def asked_of_cedar(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests that Cedar is asked about from here on."""
    seen = []
    ask_cedar = cedar._ask

    def watched(request: dict[str, Any], *more: Any) -> str:
        seen.append(request)
        return ask_cedar(request, *more)

    monkeypatch.setattr(cedar, "_ask", watched)
    return seen


def test_a_rule_of_the_hour_alone_is_asked_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked_of_cedar(monkeypatch)
    at = snapshot(
        "permit (principal, action, resource) when { context.hour < 18 };\n"
        'forbid (principal == Jupyter::User::"ben", action, resource)'
        " when { context.hour > 15 };"
    )
    for hour, (ada, ben) in {12: (True, True), 16: (True, False), 19: (False, False)}.items():
        for path in ("/a", "/b"):
            for action in ("open", "save"):
                assert ada is ask(at, action, f"contents:{path}", hour=hour).allowed
                assert ben is ask(at, action, f"contents:{path}", "user:ben", hour=hour).allowed
    # Two persons, since to one of them two rules apply, and three hours.
    assert 2 * 3 == len(seen)


@pytest.mark.parametrize(
    "condition",
    [
        'context.hour == 12 && resource has path && resource.path == "/a"',
        'context.hour == 12 && action == Jupyter::Action::"open"',
        'context.hour == 12 && principal == Jupyter::User::"ada"',
        "context.hour == 12 && resource is Jupyter::File",
        'Jupyter::File::"/a" has path',
    ],
)
def test_a_rule_that_looks_at_more_than_the_circumstances_is_asked_each_time(
    monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    seen = asked_of_cedar(monkeypatch)
    at = snapshot(
        '@id("it") permit (principal, action, resource in Jupyter::Folder::"/") '
        f"when {{ {condition} }};"
    )
    for action, path in (("open", "/a"), ("save", "/b")):
        ask(at, action, f"contents:{path}", "user:ada")
    assert 2 <= len(seen)
    assert ask(at, "open", "contents:/a", "user:ada").allowed


def test_a_rule_that_failed_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked_of_cedar(monkeypatch)
    at = snapshot(ALL + '\n@id("broken") permit (principal, action, resource) ' + OVERFLOW)
    for _ in range(2):
        assert not ask(at, "open", "contents:/a").allowed
    assert 2 <= len(seen)
