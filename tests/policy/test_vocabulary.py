from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import cedarpy
import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.policy import vocabulary
from jupyter_authorized_server.policy.model import Resource
from jupyter_authorized_server.policy.vocabulary import ABILITIES, ABILITY, TYPES, Level, Word

BUILTIN = resources.files("jupyter_authorized_server.policy") / "builtin"


def test_the_kept_schema_is_the_generated_one() -> None:
    kept = (BUILTIN / "jupyter.cedarschema").read_text("utf-8")
    assert kept.rstrip("\n") == vocabulary.cedar_schema().rstrip("\n")
    assert kept.endswith("}\n")


def test_the_schema_is_valid_cedar_and_admits_the_built_in_rules_and_levels() -> None:
    schema = cedarpy.Schema.from_str(vocabulary.cedar_schema())
    for name in ("rules.cedar", "levels.cedar"):
        text = (BUILTIN / name).read_text("utf-8")
        assert cedarpy.validate_policies(text, schema).errors == []


def test_there_is_one_level_template_for_each_level() -> None:
    templates = cedarpy.PolicySet.from_str((BUILTIN / "levels.cedar").read_text("utf-8"))
    found = [template["id_annotation"] for template in templates.templates()]
    assert sorted(found) == sorted(level.word for level in Level)
    assert len(templates) == 0


def test_every_word_stands_for_an_action_of_its_type() -> None:
    for type_ in TYPES:
        assert set(type_.stands_for) == set(Word)
        for action in type_.stands_for.values():
            assert (type_.word, action) in ABILITY


def test_an_action_on_several_types_has_one_word_and_level() -> None:
    for action in vocabulary.ACTIONS:
        rows = {(row.word, row.level) for row in ABILITIES if row.action == action}
        assert len(rows) == 1


def test_no_action_is_called_like_a_word_or_level() -> None:
    reserved = {word.value for word in Word} | {level.word for level in Level}
    assert reserved & set(vocabulary.ACTIONS) == set()


@pytest.mark.parametrize("junk", ["boss", "", "Admin", "admin ", None, 3, "x" * 10_000_000])
def test_an_unknown_level_is_refused_with_the_known_ones(junk: object) -> None:
    with pytest.raises(InvalidName, match="is no level; the levels are `viewer`") as caught:
        vocabulary.parse_level(junk)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("contents:a//b/./c/..", Resource(type="contents", id="/a/b")),
        ("contents:", Resource(type="contents", id="/")),
        ("kernels:k:1", Resource(type="kernels", id="k:1")),
        ("kernels:", Resource(type="kernels")),
        ("server:", Resource(type="server")),
    ],
)
def test_a_written_resource_is_read(text: str, resource: Resource) -> None:
    assert vocabulary.parse_resource(text) == resource
    assert vocabulary.parse_resource(resource.name) == resource


@pytest.mark.parametrize(
    "text",
    [
        "rooms:1",
        "contents",
        "",
        "server:x",
        "kernels:\n",
        "contents:/../a",
        "contents:/\udc80",
        None,
        3,
        "kernels:" + "x" * 10_000_000,
        "x" * 10_000_000,
    ],
)
def test_what_is_no_resource_is_refused(text: object) -> None:
    with pytest.raises(InvalidName) as caught:
        vocabulary.parse_resource(text)
    assert len(str(caught.value)) < 300


def test_a_word_becomes_the_action_it_stands_for() -> None:
    assert vocabulary.parse_action("write", type="contents") == "save"
    assert vocabulary.parse_action("rename", type="contents") == "rename"


@pytest.mark.parametrize("junk", ["fly", "", "READ", None, 3, "stop", "x" * 10_000_000])
def test_an_unknown_action_is_refused_with_the_known_ones(junk: object) -> None:
    with pytest.raises(InvalidName, match="is no action on `contents`; its actions are") as caught:
        vocabulary.parse_action(junk, type="contents")
    assert len(str(caught.value)) < 400


def test_upstream_s_words_all_stand_for_a_type() -> None:
    known = {type_.word for type_ in TYPES}
    assert set(vocabulary.UPSTREAM_WORDS.values()) <= known


def test_every_level_has_its_sentence() -> None:
    assert set(vocabulary.LEVEL_SENTENCES) == set(Level)
    assert Path(str(BUILTIN)).name == "builtin"


def test_every_door_that_asks_is_in_the_table_and_in_the_docs() -> None:
    package = Path(vocabulary.__file__).parents[1]
    said = re.compile(r"""\bdoor(?:_name)?(?:: str)?\s*=\s*"([a-z]+)\"""")
    asking = {
        door for path in package.rglob("*.py") for door in said.findall(path.read_text("utf-8"))
    }
    assert asking == set(vocabulary.DOORS) - {"test"}
    page = (Path(__file__).parents[2] / "docs/reference/policy-format.md").read_text("utf-8")
    for door, asks in vocabulary.DOORS.items():
        assert f"| `{door}` | {asks} |\n" in page
