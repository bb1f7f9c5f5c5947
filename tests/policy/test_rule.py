from __future__ import annotations

import pytest

from jupyter_authorized_server.errors import InvalidName, PolicyError
from jupyter_authorized_server.policy import rule as rules
from jupyter_authorized_server.policy.cedar import pst
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.engine import load_policy
from jupyter_authorized_server.policy.model import Effect
from jupyter_authorized_server.policy.rule import Rule, Scope


def rule(text: str) -> Rule:
    return load_policy([PolicyFile(source="a.cedar", text=text)]).rules[-1]


def refusal(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        rule(text)
    (mistake,) = caught.value.mistakes
    return str(mistake)


def test_a_statement_is_read_into_the_package_s_own_words() -> None:
    found = rule(
        '@id("night") forbid (principal is Jupyter::User in Jupyter::Group::"staff",'
        ' action in [Jupyter::Action::"write", Jupyter::Action::"watch"],'
        ' resource in Jupyter::Folder::"/team")'
        ' when { context.hour > 22 && context has address } unless { context.door == "cli" };'
    )
    assert (found.id, found.effect, found.source) == ("night", Effect.FORBID, "a.cedar:1")
    assert found.principal == Scope(kind="user", name="group:staff")
    assert found.resource == Scope(name="contents:/team")
    assert found.actions is not None
    assert {"save", "delete", "watch", "administer"} <= found.actions
    assert not {"open", "run"} & found.actions
    assert found.conditional
    assert found.reads == {"hour", "address", "door"}


def test_a_rule_without_a_name_is_called_by_its_place() -> None:
    assert rule("\n\npermit (principal, action, resource);").id == "a.cedar:3"


def test_the_guest_and_the_server_are_named_by_their_written_forms() -> None:
    found = rule(
        'permit (principal == Jupyter::Guest::"anonymous", action,'
        ' resource in Jupyter::Server::"server");'
    )
    assert found.principal == Scope(name="anonymous", exact=True)
    assert found.resource == Scope(name="server:")
    assert found.actions is None


def test_a_rule_names_what_its_scope_or_its_clauses_speak_of() -> None:
    found = [
        rule('forbid (principal == Jupyter::Token::"t", action, resource);'),
        rule('forbid (principal, action, resource) when { principal == Jupyter::Token::"t" };'),
        rule("forbid (principal is Jupyter::Token, action, resource);"),
        rule('forbid (principal == Jupyter::User::"t", action, resource);'),
    ]
    assert [True, True, False, False] == [each.names("Token", "t") for each in found]
    assert not any(each.names("Token", "u") for each in found)


def test_a_rule_that_hands_the_whole_context_on_reads_all_of_it() -> None:
    text = "permit (principal, action, resource) when { [context].contains(context) };"
    assert rule(text).reads == {"time", "hour", "weekday", "door", "address"}


def test_a_level_covers_the_actions_of_the_levels_below_it() -> None:
    found = rule('permit (principal, action in Jupyter::Action::"editor", resource);').actions
    assert found is not None
    assert {"open", "launch", "save"} <= found
    assert not {"create", "delete", "administer"} & found


#: Conditions that Cedar takes, and that are never so.
NEVER = {
    "context.hour > 23": "0 to 23; compared with 23 this is never true",
    "context.hour < 0": "compared with 0",
    "context.hour >= 24": "compared with 24",
    "context.hour <= -1": "compared with -1",
    "24 <= context.hour": "compared with 24",
    "context.weekday > 7 && context.hour > 3": "1 to 7; compared with 7",
    "context.hour >= 22 && context.hour < 6": "over midnight is written with `||`",
    "context.weekday == 1 && context.weekday == 2": "at no hour of any day",
    "!(context.hour < 24)": "at no hour of any day",
    "context.hour + 1 > 24": "at no hour of any day",
    "if context.hour < 6 then context.hour > 8 else context.hour < 3": "at no hour",
    "context.weekday == 3 && ![1, 2, 3].contains(context.weekday)": "at no hour of any day",
    "context has adress": "never has `adress`; it can have `address`, `door`",
    "resource has folder": "never has `folder`; it can have `name`, `owner`, `path`",
    "principal has name": "`principal` has no attributes",
    'context.door == "htp"': 'no door is called `"htp"`; the doors are `http`',
    '["http", "socket"].contains(context.door)': 'called `"socket"`',
    'context.door like "web*"': 'called `"web*"`',
    **dict.fromkeys(
        (
            f'resource has path && resource.path like "{pattern}"'
            for pattern in ("/a//*", "/a/./*", "*/../b", "/a/..", "/team/", "/team/*/")
        ),
        "none has an empty step",
    ),
}
#: Conditions that look much like them, and can be so.
SOMETIMES = (
    "context.hour >= 0",
    "context.hour > 22",
    "context.hour >= 22 || context.hour < 6",
    "context.weekday > 6",
    "!(context.hour < 23)",
    "context has address",
    "if context.hour < 6 then principal is Jupyter::User else false",
    'context.door like "h*"',
    'resource has path && resource.path like "*/"',
    'resource has path && resource.path like "/*/.hidden/*"',
    'resource has path && resource.path like "/a/*..b"',
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("permit (principal, action, resource) when { context.nope };", "attribute `nope`"),
        ("permit (principal, action, resource) when { context.nope };", "more like it)"),
        ("permit (principal, action, resource) when { context.address.isIpv4() };", "`address`"),
        ("permit (principal, action, resource) when { 1 };", "unexpected type"),
        ("permit (principal, action, resourc);", "resourc"),
        ("permit (principal, action, resource) when { };", "cannot be empty"),
        ("permits (principal, action, resource);", "permits"),
        (";", "unexpected token"),
        ('permit (principal, action == Jupyter::Action::"fly", resource);', "fly"),
        ('permit (principal, action == Jupyter::Action::"read", resource);', "never apply"),
        ('permit (principal in Jupyter::Team::"a", action, resource);', "Jupyter::Team"),
        (
            'permit (principal, action == Jupyter::Action::"open", resource is Jupyter::Kernel);',
            "never apply",
        ),
        ('permit (principal == Jupyter::Group::"a", action, resource);', "never apply"),
        ('permit (principal, action, resource == Jupyter::Folder::"/a");', "never apply"),
        ("permit (principal == ?principal, action, resource);", "use a grant instead"),
        ('@id("g-1") permit (principal, action, resource);', "starts with `g-`"),
        ('@id("") permit (principal, action, resource);', "the rule name is empty"),
        ('@id("a") @id("b") permit (principal, action, resource);', "duplicate annotation"),
        (
            'forbid (principal, action, resource in Jupyter::Folder::"/a/");',
            'write `Jupyter::Folder::"/a/"` as `Jupyter::Folder::"/a"`',
        ),
        (
            'forbid (principal, action, resource) when { resource in Jupyter::Folder::"a" };',
            'as `Jupyter::Folder::"/a"`',
        ),
        (
            'forbid (principal, action, resource in Jupyter::Folder::"/../a");',
            "above the contents",
        ),
        ('forbid (principal, action, resource == Jupyter::File::"/a\\0b");', "NUL"),
        ('forbid (principal == Jupyter::User::"a/b", action, resource);', "contains a slash"),
        ('forbid (principal == Jupyter::User::"a ", action, resource);', "white space"),
        ('forbid (principal in Jupyter::Group::"anonymous", action, resource);', "no group"),
        ('forbid (principal == Jupyter::Guest::"bob", action, resource);', "there is one guest"),
        ('forbid (principal, action, resource in Jupyter::Server::"s");', "there is one server"),
        ('forbid (principal, action, resource == Jupyter::Kernel::"");', "1 to 1024 printable"),
        (
            (
                "forbid (principal, action, resource is Jupyter::Kernel) when"
                ' { resource has owner && resource.owner in Jupyter::Group::"x" };'
            ),
            "only of `principal`, `action` and `resource`",
        ),
        (
            'forbid (principal, action, resource) when { resource == Jupyter::Folder::"/a" };',
            "never a `Jupyter::Folder`; write `in`",
        ),
        (
            'forbid (principal, action, resource) when { Jupyter::Folder::"/a" != resource };',
            "never a `Jupyter::Folder`",
        ),
        (
            "forbid (principal, action, resource) when { resource is Jupyter::Folder };",
            "never a `Jupyter::Folder`",
        ),
        (
            'forbid (principal, action, resource) when { resource in Jupyter::File::"/a" };',
            "never in `Jupyter::File`; write `==`",
        ),
        (
            'forbid (principal, action, resource) when { resource in [Jupyter::File::"/a"] };',
            "never in `Jupyter::File`",
        ),
        (
            'forbid (principal, action, resource) when { resource in Jupyter::User::"ada" };',
            "`resource` is never in `Jupyter::User`",
        ),
        (
            'forbid (principal, action, resource) when { principal == Jupyter::Group::"a" };',
            "never a `Jupyter::Group`; write `principal in`",
        ),
        (
            "forbid (principal, action, resource) when { principal is Jupyter::Group };",
            "never a `Jupyter::Group`",
        ),
        (
            'forbid (principal, action, resource) when { principal in Jupyter::Folder::"/a" };',
            "`principal` is never in `Jupyter::Folder`",
        ),
        (
            "forbid (principal, action, resource) when { principal == resource };",
            "`principal` is never a `Jupyter::",
        ),
        (
            'forbid (principal, action, resource) when { action == Jupyter::Action::"read" };',
            "no action is `read` itself; of a word or level write `action in`",
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { [Jupyter::Action::"viewer"].contains(action) };'
            ),
            "no action is `viewer` itself",
        ),
        (
            'forbid (principal, action, resource in Jupyter::File::"/a");',
            "never in `Jupyter::File`",
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { resource has path && resource.path like "a/*" };'
            ),
            "begin the pattern with `/` or `*`",
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { resource has path && "a" == resource.path };'
            ),
            'write `"/a"`',
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { resource has name && resource.name like "a/*" };'
            ),
            "no name holds a `/`",
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { resource has name && resource.name == "a/b" };'
            ),
            "no name holds a `/`",
        ),
        (
            ("forbid (principal, action, resource) when { context.weekday == 0 };"),
            "1 to 7, never 0",
        ),
        (
            ("forbid (principal, action, resource) when { [6, 8].contains(context.weekday) };"),
            "never 8",
        ),
        (
            ("forbid (principal, action, resource) when { context.hour != 24 };"),
            "0 to 23, never 24",
        ),
        (
            'forbid (principal, action, resource is Jupyter::File in Jupyter::File::"/a");',
            "never in `Jupyter::File`",
        ),
        (
            (
                "forbid (principal, action, resource is Jupyter::Kernel)"
                ' when { resource has owner && resource.owner == Jupyter::Group::"a" };'
            ),
            "`resource.owner` is never a `Jupyter::Group`",
        ),
        *(
            (f"forbid (principal, action, resource) when {{ {condition} }};", complaint)
            for condition, complaint in NEVER.items()
        ),
        (
            "forbid (principal, action, resource) unless { context.hour < 24 };",
            "at no hour of any day",
        ),
        (
            (
                "forbid (principal, action, resource) when { context.hour > 12 }"
                " unless { context.hour > 9 };"
            ),
            "at no hour of any day",
        ),
        (
            (
                "forbid (principal, action, resource)"
                ' when { Jupyter::User::"ada" in Jupyter::Group::"x" };'
            ),
            "only of `principal`, `action` and `resource`",
        ),
        (
            (
                "forbid (principal, action, resource is Jupyter::Kernel) when"
                " { resource has owner &&"
                ' resource.owner is Jupyter::User in Jupyter::Group::"x" };'
            ),
            "only of `principal`, `action` and `resource`",
        ),
    ],
)
def test_a_statement_that_cannot_mean_what_it_seems_to_is_refused(
    text: str, complaint: str
) -> None:
    found = refusal(text)
    assert complaint in found
    assert found.startswith("a.cedar:1: ")
    assert not found.endswith(".")


@pytest.mark.parametrize("condition", SOMETIMES)
def test_what_is_only_seldom_so_is_a_rule(condition: str) -> None:
    for word in ("when", "unless"):
        text = f"forbid (principal, action, resource) {word} {{ {condition} }};"
        assert (word, condition) == ("unless", "context.hour >= 0") or rule(text).conditional


@pytest.mark.parametrize(
    ("scope", "kind", "chain", "holds"),
    [
        (Scope(), "user", ("user:a",), True),
        (Scope(kind="user"), "token", ("token:a",), False),
        (Scope(name="group:g"), "user", ("user:a", "group:g"), True),
        (Scope(name="group:g", exact=True), "user", ("user:a", "group:g"), False),
        (Scope(kind="token", name="group:g"), "user", ("user:a", "group:g"), False),
    ],
)
def test_a_scope_holds_by_kind_and_name(
    scope: Scope, kind: str, chain: tuple[str, ...], *, holds: bool
) -> None:
    assert scope.holds(kind, chain) == holds


def test_a_syntax_that_a_later_cedar_brings_is_refused_rather_than_guessed() -> None:
    with pytest.raises(InvalidName, match="a scope of the kind NoneType is not known"):
        rules._scope(None, rules._principal_name)
    with pytest.raises(InvalidName, match="an action scope of the kind NoneType is not known"):
        rules._actions(None)
    with pytest.raises(InvalidName, match="a slot stands in no policy file"):
        rules._scope(pst.ScopeIn(pst.Slot("principal")), rules._principal_name)
    of_a_word = pst.ActionEq(pst.EntityUid(pst.EntityType("Action", ("Jupyter",)), "read"))
    with pytest.raises(InvalidName, match="no action is covered"):
        rules._actions(of_a_word)


_WRONG = {
    "the schema": 'forbid(principal, action, resource) when {{ resource.colour == "{n}" }};',
    "the syntax": "forbid(principal, action, ressource{n});",
    "a slot": 'forbid(principal == ?principal, action, resource == Jupyter::File::"/{n}");',
}


@pytest.mark.parametrize("why", _WRONG)
@pytest.mark.parametrize("wrong", [{0}, {7, 8}, {3, 4, 19}, set(range(20)), set()])
def test_of_many_statements_each_that_is_wrong_is_named_and_no_other(
    wrong: set[int], why: str
) -> None:
    # Of each line once only, since what was right before is not asked again.
    right = f'forbid(principal, action, resource == Jupyter::File::"/{why}{len(wrong)}'
    lines = [_WRONG[why].format(n=n) if n in wrong else f'{right}-{n}");' for n in range(20)]
    files = [PolicyFile(source="a.cedar", text="\n".join(lines))]
    named: dict[str, str] = {}
    found: set[int] = set()
    try:
        named = {rule.source: rule.resource.name for rule in load_policy(files).rules}
    except PolicyError as error:
        found = {each.line - 1 for each in error.mistakes}
    assert wrong == found
    assert wrong or all(named[f"a.cedar:{n + 1}"].endswith(f"-{n}") for n in range(20))


def test_statements_that_have_moved_are_called_by_where_they_are_now() -> None:
    text = (
        'permit (principal, action, resource == Jupyter::File::"/moved");\n'
        '@id("moved") forbid (principal, action, resource == Jupyter::File::"/moved");'
    )
    before = load_policy([PolicyFile(source="a.cedar", text=text)]).rules[-2:]
    after = load_policy([PolicyFile(source="b.cedar", text=f"\n{text}")]).rules[-2:]
    assert [(each.id, each.source) for each in before] == [
        ("a.cedar:1", "a.cedar:1"),
        ("moved", "a.cedar:2"),
    ]
    assert [(each.id, each.source) for each in after] == [
        ("b.cedar:2", "b.cedar:2"),
        ("moved", "b.cedar:3"),
    ]
    assert [each.effect for each in before] == [each.effect for each in after]


def test_what_is_written_twice_is_two_rules_each_at_its_place() -> None:
    text = 'permit (principal, action, resource == Jupyter::File::"/twice");'
    found = load_policy([PolicyFile(source="a.cedar", text=f"{text}\n{text}")]).rules[-2:]
    assert [each.id for each in found] == ["a.cedar:1", "a.cedar:2"]
    assert found[0] != found[1]


def test_what_is_written_twice_and_wrong_is_named_twice() -> None:
    text = 'permit (principal, action, resource) when { resource.colour == "twice" };'
    with pytest.raises(PolicyError) as caught:
        load_policy([PolicyFile(source="a.cedar", text=f"{text}\n{text}")])
    assert [each.line for each in caught.value.mistakes] == [1, 2]


def test_a_statement_that_has_not_changed_is_the_very_rule_that_it_was() -> None:
    # What Cedar answered about it is kept by the rule itself.
    text = 'permit (principal, action, resource == Jupyter::File::"/kept");'
    before = load_policy([PolicyFile(source="a.cedar", text=text)]).rules[-1]
    more = f'{text}\nforbid (principal, action, resource == Jupyter::File::"/kept");'
    assert load_policy([PolicyFile(source="a.cedar", text=more)]).rules[-2] is before


def test_a_text_that_is_no_single_rule_is_none() -> None:
    two = "permit (principal, action, resource); forbid (principal, action, resource);"
    (found,) = rules._parsed([two])
    assert "this is not one rule" in str(found)
