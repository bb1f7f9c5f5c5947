from __future__ import annotations

from jupyter_authorized_server.policy import survey
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import Snapshot, decide, load_policy
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import (
    AccessRequest,
    Context,
    Decision,
    Grant,
    Principal,
    Resource,
)
from jupyter_authorized_server.policy.scope import itself, restrained

NOW = Context(time=0.0, hour=12, weekday=1, door="http")
ADA = Principal(name="user:ada")
OBJECT = "/team/.git/objects/ab/c"
KEPT_BACK = """@id("secret") forbid({}, action == Jupyter::Action::"open",
  resource == Jupyter::File::"/team/secret.txt") {};"""


def snapshot(*rules: str, level: str = "viewer", homes: str | None = None) -> Snapshot:
    policy = load_policy([PolicyFile(source="a.cedar", text="\n".join(rules))])
    grant = Grant(id="g", principal="user:ada", level=level, resource="contents:/")
    return Snapshot(policy, [grant], homes=None if homes is None else Homes(folder=homes))


def ask(policy: Snapshot, path: str, who: Principal = ADA) -> Decision:
    on = Resource(type="contents", id=path)
    return decide(policy, AccessRequest(principal=who, action="open", resource=on, context=NOW))


def test_a_denial_of_what_is_hidden_names_the_rule_that_keeps_something_back() -> None:
    found = ask(snapshot(KEPT_BACK.format("principal", "")), OBJECT)
    assert ["secret"] == [each.id for each in found.determining]
    assert "`secret`" in found.reason_admin
    assert "secret" not in found.reason_user


def test_what_is_kept_back_at_some_hours_is_kept_back_in_copies_at_all_hours() -> None:
    policy = snapshot(KEPT_BACK.format("principal", "when { context.hour > 20 }"))
    assert ask(policy, "/team/secret.txt").allowed
    assert not ask(policy, OBJECT).allowed


def test_a_rule_on_another_folder_keeps_no_copies_back() -> None:
    policy = snapshot(KEPT_BACK.format("principal", "").replace("/team/", "/teams/"))
    assert ask(policy, OBJECT).allowed
    assert not ask(policy, "/.git/HEAD").allowed


def test_what_is_hidden_around_the_homes_may_hold_what_was_in_them() -> None:
    assert not ask(snapshot(homes="/home"), "/.git/HEAD").allowed
    assert not ask(snapshot(homes="/team/home"), OBJECT).allowed
    assert ask(snapshot(homes="/home"), OBJECT).allowed
    assert ask(snapshot(homes="/home", level="admin"), "/.git/HEAD").allowed


def test_a_rule_on_a_token_keeps_copies_back_from_it() -> None:
    policy = snapshot(KEPT_BACK.format('principal == Jupyter::Token::"ci"', ""))
    own = ask(policy, OBJECT, itself("ci"))
    assert ask(policy, OBJECT).allowed
    assert not restrained(ask(policy, OBJECT), own).allowed
    assert restrained(ask(policy, "/team/a"), ask(policy, "/team/a", itself("ci"))).allowed


def test_who_may_see_what_is_hidden_is_asked_one_by_one() -> None:
    policy = snapshot(KEPT_BACK.format("principal", ""))
    on = Resource(type="contents", id=OBJECT)
    assert frozenset({"user:ada"}) == survey.who(policy, "open", on, 0).unsure
    named = [Grant(id="h", principal="user:ada", level="viewer", resource=f"contents:{OBJECT}")]
    found = survey.where(Snapshot(policy.policy, named), ADA, "contents", "open", 0)
    assert frozenset({f"contents:{OBJECT}"}) == found.unsure
