from __future__ import annotations

import itertools

import pytest

from jupyter_authorized_server.policy import cedar, vocabulary
from jupyter_authorized_server.policy.cedar import pst
from jupyter_authorized_server.policy.tree import shape, walk

#: Rules in which `{a}`, `{b}` and `{c}` are written as ids.
SHAPES = (
    'permit (principal == Jupyter::User::"{a}", action, resource in Jupyter::Folder::"/{b}");',
    '@id("{c}") permit (principal == Jupyter::User::"{a}", action, resource);',
    (
        'permit (principal in Jupyter::Group::"{a}", action, resource) '
        'when { [Jupyter::User::"{b}", Jupyter::User::"{c}"].contains(principal) };'
    ),
    # Of two that are not the same nobody asks what comes after.
    (
        "permit (principal, action, resource) "
        'when { Jupyter::User::"{a}" == Jupyter::User::"{b}" && 1 == "x" };'
    ),
    (
        "permit (principal, action, resource) "
        'when { Jupyter::User::"{a}" != Jupyter::User::"{b}" || 1 == "x" };'
    ),
    (
        'permit (principal == Jupyter::User::"{a}", action, resource) '
        'when { principal == Jupyter::User::"{b}" && resource.colour == "{c}" };'
    ),
    'permit (principal, action == Jupyter::Action::"{a}", resource);',
    'permit (principal, action, resource) when { context.door like "{a}*" };',
    'permit (principal, action, resource) when { context.address == ip("{a}") };',
)
IDS = ("a", "open", "::1")


def tree(text: str) -> pst.Template:
    (found,) = cedar.with_room(lambda: cedar.parse(text)).static_policies.values()
    return found


def test_the_schema_knows_no_entity_but_actions_by_its_id() -> None:
    assert " enum " not in vocabulary.cedar_schema()


@pytest.mark.parametrize("text", SHAPES)
def test_two_rules_of_one_shape_are_both_valid_or_neither(text: str) -> None:
    verdicts: dict[tuple[object, ...], set[bool]] = {}
    written = {
        text.replace("{a}", a).replace("{b}", b).replace("{c}", c)
        for a, b, c in itertools.product(IDS, repeat=3)
    }
    for said in sorted(written):
        is_valid = not cedar.with_room(lambda said=said: cedar.validate(said))  # type: ignore[misc]  # why: bound to this turn
        verdicts.setdefault(shape(tree(said)), set()).add(is_valid)
    assert all(len(found) == 1 for found in verdicts.values())
    assert len(verdicts) < len(IDS) ** 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('principal == Jupyter::User::"a"', 'principal == Jupyter::Token::"a"'),
        ('principal == Jupyter::User::"a"', 'principal in Jupyter::Group::"a"'),
        ("context.hour == 1", "context.hour == 2"),
        ("true", "1 == 1"),
        ('context.door == "a"', 'context.door == "b"'),
        ('context.door like "a"', 'context.door like "b"'),
        ("[1, 2] == [3]", "[1] == [2, 3]"),
        ("{x: 1} == {y: 1}", "{x: 1} == {x: 1}"),
        (
            'Jupyter::User::"a" == Jupyter::User::"a"',
            'Jupyter::User::"a" == Jupyter::User::"b"',
        ),
    ],
)
def test_what_the_schema_may_tell_apart_is_another_shape(one: str, other: str) -> None:
    first, second = (
        tree(f"permit (principal, action, resource) when {{ {said} }};") for said in (one, other)
    )
    assert shape(first) != shape(second)
    assert shape(first) == shape(tree(f"permit(principal, action, resource) when {{{one}}};"))


def test_effects_and_clauses_are_told_apart() -> None:
    heads = ("permit (principal, action, resource)", "forbid (principal, action, resource)")
    tails = ("when { true };", "unless { true };", "when { true } when { true };")
    found = {shape(tree(f"{head} {tail}")) for head in heads for tail in tails}
    assert len(found) == 6


def test_every_node_is_walked_however_deep() -> None:
    text = "!" * 4 + "(" * 12 + "true" + ")" * 12
    found = list(walk(tree(f"permit (principal, action, resource) when {{ {text} }};")))
    assert pst.BoolLit(value=True) in found
