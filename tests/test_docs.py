"""The documentation is complete, its examples run and its links lead somewhere."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.myst import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from traitlets.config import Config

import jupyter_authorized_server
from jupyter_authorized_server.cli import main
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.errors import AuthorizationError
from jupyter_authorized_server.policy import vocabulary
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.snapshot import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PACKAGE = Path(jupyter_authorized_server.__file__).parent

PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md"))
    if "_build" not in path.parts
)
WITH_PYTHON = [path for path in PAGES if "```python" in path.read_text(encoding="utf-8")]
WITH_DOCTESTS = [
    path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")
]


def named(path: Path) -> str:
    """`path` as it is told in a test's id."""
    return path.relative_to(ROOT).as_posix()


def page(name: str) -> str:
    """The text of a reference page."""
    return (REFERENCE / name).read_text(encoding="utf-8")


def test_generated_files_are_up_to_date() -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_resource_type_is_documented() -> None:
    text = page("vocabulary.md")
    assert [t.word for t in vocabulary.TYPES if f"## Actions on `{t.word}`" not in text] == []


@pytest.mark.parametrize("name", ["vocabulary.md", "levels.md"])
def test_every_action_is_documented(name: str) -> None:
    text = page(name)
    assert [action for action in vocabulary.ACTIONS if f"| `{action}` |" not in text] == []


def test_every_level_is_documented_with_its_sentence() -> None:
    text = page("levels.md")
    missing = [
        level.word
        for level in vocabulary.Level
        if f"| `{level.word}` | {vocabulary.LEVEL_SENTENCES[level]} |" not in text
    ]
    assert missing == []


def exceptions() -> Iterator[type[AuthorizationError]]:
    """Every exception of the package, wherever it is defined."""
    for module in pkgutil.walk_packages([str(PACKAGE)], f"{PACKAGE.name}."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting: list[type[AuthorizationError]] = [AuthorizationError]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        yield found


def test_every_exception_is_documented_and_in_the_tree() -> None:
    text = page("errors.md")
    tree = text.split("```")[1]
    names = {found.__name__ for found in exceptions()}
    assert {name for name in names if f"## `{name}`" not in text} == set()
    assert {name for name in names if not re.search(rf"\b{name}\b", tree)} == set()


def test_every_setting_is_documented_with_its_help() -> None:
    traits = JupyterAuthorization.class_own_traits(config=True)
    text = page("settings.md")
    assert [name for name in traits if f"## `{name}`\n\n" not in text] == []
    assert [name for name, trait in traits.items() if not trait.help] == []


def commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """`command` and all below it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(f"{path} {name}", below)


def test_every_command_is_documented_with_its_help() -> None:
    text = page("cli.md")
    found = dict(commands("jupyter authz", main))
    assert [path for path in found if f"## `{path}`\n" not in text] == []
    assert [path for path, command in found.items() if not command.help] == []


def test_every_command_in_the_docs_exists() -> None:
    known = dict(commands("jupyter authz", main))
    unknown = []
    for path in PAGES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("$ jupyter authz "):
                continue
            words = re.sub(r" --config \S+", "", line.removeprefix("$ ")).split()
            spoken = "jupyter authz"
            for word in words[2:]:
                if f"{spoken} {word}" not in known:
                    break
                spoken += f" {word}"
            if isinstance(known[spoken], click.Group):
                unknown.append(f"{named(path)}: {line}")
    assert unknown == []


def test_every_target_of_make_in_the_docs_exists() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named_there = {
        target
        for path in PAGES
        for target in re.findall(
            r"(?:^\$ |`)make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE
        )
    }
    assert set() == named_there - known


@pytest.mark.parametrize("path", WITH_PYTHON, ids=named)
def test_python_in_the_docs_runs(path: Path) -> None:
    document = Sybil(parsers=[PythonCodeBlockParser()], path=str(path.parent)).parse(path)
    # What traitlets gives to a configuration file.
    document.namespace.update(c=Config(), get_config=Config)
    for example in document.examples():
        example.evaluate()


def policies(path: Path) -> list[PolicyFile]:
    """The policy files that a page shows."""
    found = re.findall(
        r"^```(cedar|yaml)\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [
        PolicyFile(source=f"{path.stem}-{number}.{kind}", text=text)
        for number, (kind, text) in enumerate(found)
    ]


@pytest.mark.parametrize("path", [p for p in PAGES if policies(p)], ids=named)
def test_policies_in_the_docs_load(path: Path) -> None:
    assert load_policy(policies(path))


@pytest.mark.parametrize("path", WITH_DOCTESTS, ids=named)
def test_examples_in_docstrings_run(path: Path) -> None:
    sybil = Sybil(
        parsers=[DocTestParser()],
        path=str(path.parent),
        document_types={".py": PythonDocStringDocument},
    )
    for example in sybil.parse(path).examples():
        example.evaluate()


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def prose(text: str) -> str:
    """`text` without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {
        "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(prose(path.read_text(encoding="utf-8"))):
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target + anchor)
    assert broken == []


@pytest.mark.parametrize("path", [p for p in PAGES if DOCS in p.parents], ids=named)
def test_a_sentence_has_a_line_of_its_own(path: Path) -> None:
    text = prose(path.read_text(encoding="utf-8"))
    lines = re.sub(r"^ *\d+\. +", "", text, flags=re.MULTILINE).splitlines()
    ends = re.compile(r"(?<!\be\.g)(?<!\bi\.e)[\w)`*][.?!] [A-Z]")
    shared = [
        line
        for line in lines
        # The definition of a term is one line in MyST.
        if ends.search(line) and not line.startswith((": ", "|"))
    ]
    assert shared == []


def test_every_picture_is_on_a_page() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [] == [each.name for each in (DOCS / "images").iterdir() if each.name not in shown]
