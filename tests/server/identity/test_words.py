"""The pages that work without scripts take every text from one catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_authorized_server.server.identity import page, words

TEMPLATES = sorted((Path(page.__file__).parent / "templates").glob("*.html"))
#: What a template holds that nobody reads: comments, style, code and tags.
UNREAD = re.compile(r"\{#.*?#\}|<style>.*?</style>|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", re.DOTALL)
READ_OUT = re.compile(r'(?:alt|title|placeholder|aria-label)="(?!\{\{)[^"]+"')


@pytest.mark.parametrize("template", TEMPLATES, ids=[each.name for each in TEMPLATES])
def test_a_template_holds_no_text_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")
    assert [] == re.findall(r"[A-Za-z]{2,}", UNREAD.sub(" ", text))
    assert [] == READ_OUT.findall(text)


def test_each_text_of_the_catalogue_is_used() -> None:
    users = [*TEMPLATES, Path(page.__file__)]
    users += (Path(page.__file__).parents[1] / "admin").glob("*_page.py")
    used = set(re.findall(r"words\.(\w+)", "".join(each.read_text("utf-8") for each in users)))
    there = {
        name for name, each in vars(words).items() if isinstance(each, str) and name.isupper()
    }
    assert there == {name for name in used if name.isupper()}
