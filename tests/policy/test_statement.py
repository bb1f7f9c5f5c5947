from __future__ import annotations

import pytest

from jupyter_authorized_server.policy.statement import (
    MAX_BRACKETS,
    MAX_DEPTH,
    MAX_STATEMENT,
    split,
)

HEAD = "permit (principal, action, resource) when { "


def complaints(text: str) -> list[str]:
    return [str(mistake) for mistake in split("a.cedar", text)[1]]


def test_each_statement_has_the_line_it_starts_in() -> None:
    text = (
        "// first\n\npermit (principal,\n  action, resource);\n"
        '@id("b")\nforbid (principal, action, resource); permit (principal, action, resource);\n'
    )
    found, mistakes = split("a.cedar", text)
    assert [each.place for each in found] == ["a.cedar:3", "a.cedar:5", "a.cedar:6"]
    assert mistakes == []
    assert found[1].text == '@id("b")\nforbid (principal, action, resource);'


def test_a_comment_never_reaches_the_parser_and_hides_nothing() -> None:
    text = (
        'permit (principal, // a ; and a " and a (\n'
        ' action, resource) when { "// no ; comment" == "a" };'
    )
    (found,), mistakes = split("a.cedar", text)
    assert "a ;" not in found.text
    assert '"// no ; comment"' in found.text
    assert mistakes == []


def test_a_carriage_return_ends_a_comment_as_it_does_for_cedar() -> None:
    found, mistakes = split("a.cedar", "// hidden?\rforbid (principal, action, resource);")
    assert [each.text for each in found] == ["forbid (principal, action, resource);"]
    assert mistakes == []


def test_a_text_may_hold_escaped_quotes_and_semicolons() -> None:
    found, _ = split("a.cedar", HEAD + r'"a\";(" == "b" };')
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("permit (principal, action, resource", "a.cedar:1: `(` is not closed"),
        (
            "\npermit (principal, action, resource)",
            "a.cedar:2: the statement does not end with `;`",
        ),
        ("permit (principal]", "a.cedar:1: `(` is not closed"),
        ("permit (principal, action, resource);\n}", "a.cedar:2: `}` closes nothing"),
        ('@id("a")\npermit (principal, action,\nresource;', "a.cedar:2: `(` is not closed"),
        (HEAD + '\ntrue && ["a",\n"b" };', "a.cedar:2: `[` is not closed"),
        ("\n\n" + HEAD + '"open };', "a.cedar:3: a text is not closed"),
        (HEAD + '"a\\\nb" == "c" };', "a.cedar:1: a text is not closed"),
        # One that takes the beginning of the next text for its end.
        (HEAD + '"a };\n' + HEAD + '"b" == "b" };', "a.cedar:1: a text is not closed"),
    ],
)
def test_what_is_not_closed_is_named_with_its_line(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


def test_a_mistake_in_one_statement_leaves_the_next_one_readable() -> None:
    found, mistakes = split("a.cedar", "permit (principal;\nforbid (principal, action, resource);")
    assert [each.line for each in found] == [2]
    assert [each.line for each in mistakes] == [1]


def nested(kind: str, number: int) -> str:
    """A condition that is `number` deep in one of the ways Cedar's grammar allows."""
    return {
        "parentheses": "(" * number + "true" + ")" * number,
        "unclosed": "(" * number,
        "not": "!" * number + "true",
        "minus": "1 == " + "-" * number + "1",
        "else": "if true then true else " * number + "true",
        "condition": "if " * number + "true" + " then true else true" * number,
        "record": "{a: " * number + "1" + "}" * number + " == 1",
        "set": "[" * number + "1" + "]" * number + " == 1",
        "attribute": "context" + ".a" * number + " == 1",
        "has": "context has a" + ".a" * number,
        "index": "context" + '["a"]' * number + " == 1",
        "and": "true" + " && true" * number,
        "or": "true" + " || true" * number,
        "plus": "1 == 1" + " + 1" * number,
        "times": "1 == 1" + " * 1" * number,
        "equal": "true" + " == true" * number,
        "in": "principal" + " in principal" * number,
        "call": "[1].contains(" * number + "1" + ")" * number,
        "calls": "context" + ".contains(1)" * number,
        "mixed": "{a: [if (" * number + "true",
        "clauses": "true" + "} when { true " * number,
    }[kind]


KINDS = (
    *("parentheses", "unclosed", "not", "minus", "else", "condition", "record", "set"),
    *("attribute", "has", "index", "and", "or", "plus", "times", "equal", "in", "call"),
    *("calls", "mixed", "clauses"),
)


@pytest.mark.parametrize("number", [MAX_DEPTH + 2, 10_000])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_nests_too_deep_is_refused_before_cedar_sees_it(kind: str, number: int) -> None:
    found, mistakes = split("a.cedar", HEAD + nested(kind, number) + " };")
    assert found == []
    assert len(mistakes) == 1


@pytest.mark.parametrize("kind", ["parentheses", "record", "set", "call"])
def test_brackets_may_nest_up_to_the_limit(kind: str) -> None:
    # Two are the statement's own.
    text = HEAD + nested(kind, MAX_BRACKETS - 1) + " };"
    assert complaints(text) == []
    assert "20 brackets" in complaints(HEAD + nested(kind, MAX_BRACKETS) + " };")[0]


def test_a_long_flat_list_is_no_depth() -> None:
    ids = ", ".join(f'Jupyter::Group::"g{number}"' for number in range(1000))
    assert complaints(HEAD + f"principal in [{ids}] }};") == []


def test_depth_that_hides_in_arguments_and_chains_adds_up() -> None:
    text = "true" + " && true" * 30
    for _ in range(3):
        text = f"({text})" + " && true" * 30
    assert "chain of more than" in complaints(HEAD + text + " };")[0]


def test_a_statement_too_long_is_refused_and_the_file_read_on() -> None:
    text = HEAD + '"' + "x" * MAX_STATEMENT + '" == "" };\npermit (principal, action, resource);'
    found, mistakes = split("a.cedar", text)
    assert [each.line for each in found] == [2]
    assert "characters long" in mistakes[0].message


def test_a_million_quotes_take_no_time_to_refuse() -> None:
    found, mistakes = split("a.cedar", HEAD + '"' + '\\"' * 1_000_000)
    assert (found, len(mistakes)) == ([], 1)
