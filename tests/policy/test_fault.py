from __future__ import annotations

import pytest

from jupyter_authorized_server.errors import PolicyError
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.snapshot import load_policy

HEAD = "permit (principal, action, resource)\n"


def told(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as caught:
        load_policy([PolicyFile(source="a.cedar", text=text)])
    return [(each.line, each.message) for each in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "line", "about"),
    [
        (HEAD + "when {\n  context.hour > > 3\n};", 3, "unexpected token `>`"),
        (HEAD + "when {\n  context.hour = 3\n};", 3, "'=' is not"),
        (HEAD + "when {\n  1 ==\n};", 4, "unexpected token `}`"),
        (HEAD + "\n" + HEAD + ";", 3, "unexpected token `(`"),
        (HEAD + "when\n;", 3, "unexpected token `;`"),
        (HEAD + "when { context.door == \u201chttp\u201d };", 2, "invalid token"),
        (HEAD + "unles { true };", 2, "unles"),
        (HEAD + "when { true }\nwhen { };", 2, "cannot be empty"),
        (HEAD + "when { foo(1) };", 2, "`foo` is not"),
        (HEAD + 'when { context.door == "a\\q" };', 2, "`\\q` is not"),
        (HEAD + "when { context.hour > 7 &&\ncontext.hour < 99999999999999999999 };", 3, "large"),
        (HEAD + 'when { context.hour > 7 }\nwhen { context.hour < "x" };', 3, "expected Long"),
        (HEAD + "when { context.hourr > 3 };", 2, "`hourr`"),
        ("permit (\n principal\n action,\n resource\n);", 3, "unexpected token `action`"),
        ("permit (\n principal,\n resource,\n action\n);", 3, "`resource`"),
        ("// a\n\tpermitt (principal, action, resource);", 2, "permitt"),
        ('@id("\U0001f600")\npermit (principal, action resource);', 2, "`resource`"),
        ('@id("a")\n@id("b")\npermit (principal, action, resource);', 2, "duplicate"),
        ("@id(a)\npermit (principal, action, resource);", 1, "unexpected token `a`"),
        ('permit (\n principal,\n action == Jupyter::Action::"sav",\n resource);', 3, "sav"),
        ('permit (\n principal == Jupyter::Usr::"ada",\n action, resource);', 2, "`Jupyter::Usr`"),
        ("permit (\n principal == ?principal,\n action, resource);", 2, "`?principal`"),
        ("// a\r\n" + HEAD + "when {\r\n 1 = 1\r\n};", 4, "'='"),
        ("\ufeff// a\npermit (principal, action\n resource);", 3, "`resource`"),
        ("// a\n// b\0\npermit (principal, action, resource);", 2, "NUL"),
    ],
)
def test_a_mistake_has_the_line_of_what_it_is_about(text: str, line: int, about: str) -> None:
    for written in (text, text.encode()):
        ((where, message),) = told(written)
        assert (line, True) == (where, about in message), message
