"""Every text that a person reads on a page is one of the catalogue's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from examples.serving import ROOT

from jupyter_authorized_server import sentences
from jupyter_authorized_server.server.identity import page, words

if TYPE_CHECKING:
    from types import ModuleType

SERVER = Path(page.__file__).parents[1]
TEMPLATES = sorted(SERVER.glob("*/templates/*.html"))
SCRIPTS = sorted(
    each
    for each in (ROOT / "labextension" / "src").rglob("*.ts")
    if not each.name.endswith(".test.ts") and each.name not in {"catalogue.ts", "vocabulary.ts"}
)
CATALOGUE = ROOT / "labextension" / "src" / "catalogue.ts"
#: What a template holds that nobody reads: comments, style, code and tags.
UNREAD = re.compile(r"\{#.*?#\}|<style>.*?</style>|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", re.DOTALL)
READ_OUT = re.compile(r'(?:alt|title|placeholder|aria-label)="(?!\{\{)[^"]+"')
COMMENTS = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
#: A literal of two words that begins as sentences and titles do.
SENTENCE = re.compile(r"""['"`][A-Z][a-z']+ [a-z][^'"`\n]*['"`]""")


@pytest.mark.parametrize("template", TEMPLATES, ids=[each.name for each in TEMPLATES])
def test_a_template_holds_no_text_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")
    assert [] == re.findall(r"[A-Za-z]{2,}", UNREAD.sub(" ", text))
    assert [] == READ_OUT.findall(text)


def test_each_text_of_the_pages_without_scripts_is_used() -> None:
    users = [*TEMPLATES, Path(page.__file__), *(SERVER / "admin").glob("*page.py")]
    used = set(re.findall(r"words\.(\w+)", "".join(each.read_text("utf-8") for each in users)))
    assert _texts(words) == used


def test_each_sentence_of_a_refusal_is_used() -> None:
    users = [each.read_text("utf-8") for each in SERVER.parent.rglob("*.py")]
    assert _texts(sentences) == set(re.findall(r"sentences\.(\w+)", "".join(users)))


def _texts(catalogue: ModuleType) -> set[str]:
    """What a catalogue holds."""
    return {name for name in vars(catalogue) if not name.startswith("_")} - {"annotations"}


def test_scripts_hold_no_text_of_their_own_and_use_each_of_the_catalogue() -> None:
    texts = {
        each.relative_to(ROOT).as_posix(): COMMENTS.sub("", each.read_text("utf-8"))
        for each in SCRIPTS
    }
    assert len(texts) > 40
    own = {name: found for name, text in texts.items() if (found := SENTENCE.findall(text))}
    assert {} == own
    there = set(re.findall(r"^  (\w+):", CATALOGUE.read_text("utf-8"), re.MULTILINE))
    used = set(re.findall(r"WORDS\.(\w+)", "".join(texts.values())))
    assert there == used
