"""The import rules of `.importlinter` are kept, and each is seen when it is broken."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "jupyter_authorized_server"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports over the package under `folder`, with this tree's contracts."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        # A copy is not what coverage is asked about.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
            "PYTHONPATH": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with a copy of the package that may be broken."""
    shutil.copytree(
        PACKAGE,
        tmp_path / PACKAGE.name,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # Found where it runs; only some versions are told the file as an argument.
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_package_keeps_every_contract(copied: Path) -> None:
    found = lint(copied)
    assert found.returncode == 0, found.stdout


BREAKS = [
    pytest.param(
        "decision_point.py",
        "def _lazily():\n    import cedarpy\n",
        "Only policy.cedar speaks to Cedar",
        id="cedar in a lazy import of a function",
    ),
    pytest.param(
        "policy/document.py",
        "if TYPE_CHECKING:\n    from cedarpy import PolicySet\n",
        "Only policy.cedar speaks to Cedar",
        id="cedar under TYPE_CHECKING",
    ),
    pytest.param(
        "policy/model.py",
        "import sqlalchemy\n",
        "Only the store speaks SQL",
        id="SQL in the policy",
    ),
    pytest.param(
        "policy/model.py",
        "def _now():\n    import time\n    return time.time()\n",
        "The policy touches no disk, network, clock, chance, process or host",
        id="a clock in the policy",
    ),
    pytest.param(
        "policy/paths.py",
        "from pathlib import Path\n",
        "The policy touches no disk, network, clock, chance, process or host",
        id="the disk in the policy",
    ),
    pytest.param(
        "policy/paths.py",
        "from .model import Resource\n",
        "Layers of the policy",
        id="a lower module of the policy importing a higher one",
    ),
    pytest.param("utils.py", "", "Layers of the package", id="an unplaced module"),
    pytest.param("policy/helpers.py", "", "Layers of the policy", id="one in the policy"),
    pytest.param("server/common.py", "", "Layers of the server", id="one in the server"),
    pytest.param(
        "server/doors/guard.py",
        "def _decide():\n    from ...policy.engine import decide\n    return decide\n",
        "Only the decision point decides",
        id="a door that decides by itself, unrecorded",
    ),
    pytest.param(
        "server/doors/guard.py",
        "from .. import extension\n",
        "Layers of the server",
        id="a door importing what composes the doors",
    ),
    pytest.param(
        "audit.py",
        "from .store import Store\n",
        "Layers of the package",
        id="the audit importing the store",
    ),
    pytest.param(
        "decision_point.py",
        "import tornado.web\n",
        "Only the server knows Jupyter Server and Tornado",
        id="Tornado outside the server",
    ),
    pytest.param(
        "config.py",
        "import click\n",
        "Only the CLI draws on a terminal",
        id="a command outside the CLI",
    ),
    pytest.param(
        "store/__init__.py",
        "import argon2\n",
        "Only credentials hashes passwords",
        id="a password hash in the store",
    ),
]


@pytest.mark.parametrize(("module", "text", "contract"), BREAKS)
def test_a_break_of_a_contract_is_reported(
    copied: Path, module: str, text: str, contract: str
) -> None:
    path = copied / PACKAGE.name / module
    path.write_text(
        (path.read_text(encoding="utf-8") if path.exists() else "") + "\n" + text,
        encoding="utf-8",
    )
    found = lint(copied)
    assert found.returncode == 1, found.stdout + found.stderr
    assert f"{contract} BROKEN" in " ".join(found.stdout.split())


def calls(folder: Path) -> list[tuple[str, ast.Call]]:
    """Every call in the modules of `folder`, with where it stands."""
    return [
        (f"{path.name}:{node.lineno}", node)
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def test_the_policy_calls_no_builtin_that_reaches_outside() -> None:
    outside = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"}
    found = [
        (where, call.func.id)
        for where, call in calls(PACKAGE / "policy")
        if isinstance(call.func, ast.Name) and call.func.id in outside
    ]
    assert found == []


def test_the_policy_reads_no_clock_through_a_date() -> None:
    clocks = {"now", "today", "utcnow", "astimezone"}
    found = [
        (where, call.func.attr)
        for where, call in calls(PACKAGE / "policy")
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in clocks
        # With a zone, `astimezone` computes; without, it asks the machine.
        and not (call.func.attr == "astimezone" and call.args)
    ]
    assert found == []


def test_no_suppression_stands_without_its_reason() -> None:
    marks = ("# noqa", "# type: ignore", "# pragma: no cover", "# ruff: noqa")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in (PACKAGE, ROOT / "tools")
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(mark in line for mark in marks) and "# why: " not in line
    ]
    assert found == []


#: What no page shows: a program's own mistakes in how it asks, upstream's words, and what is said
#: at a terminal alone.
_FOR_PROGRAMS = {
    "policy/cedar.py",
    "server/admin/authzen.py",
    "server/admin/record.py",
    "server/admin/replay.py",
    "store/transfer.py",
}
_UPSTREAMS = ("does not exist: ", "Invalid JSON in body of request")
#: What tells somebody something: what is refused, wrong with a request or with a policy file,
#: and the reasons of a decision.
_TOLD = {
    "HTTPError", "InvalidName", "UnsafePath", "UnknownName", "DuplicateName", "Outdated",
    "Refused", "Unanswerable", "Mistake", "Reasons", "_Wrong",
}  # fmt: skip
_READ_BY_PEOPLE = (
    "policy", "server/doors", "server/admin", "server/identity", "server/surface", "store",
)  # fmt: skip


def test_what_a_person_reads_stands_in_the_one_catalogue() -> None:
    found = []
    for part in _READ_BY_PEOPLE:
        for file in sorted((PACKAGE / part).rglob("*.py")):
            name = file.relative_to(PACKAGE).as_posix()
            if name in _FOR_PROGRAMS:
                continue
            for function in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    found += [f"{name}:{said}" for said in _worded(function)]
    assert [] == found


def _worded(function: ast.AST) -> list[str]:
    """The texts that stand where `function` tells somebody something, or a line before."""
    nodes = list(ast.walk(function))
    texts = {
        ast.unparse(target): each.value
        for each in nodes
        if isinstance(each, ast.Assign)
        for target in each.targets
    }
    told = [
        texts.get(ast.unparse(said), said)
        for each in nodes
        if isinstance(each, ast.Call) and ast.unparse(each.func).split(".")[-1] in _TOLD
        for said in (*each.args, *(named.value for named in each.keywords))
    ]
    return [
        f"{part.lineno}: {ast.unparse(part)}"
        for each in told
        for part in (each.elts if isinstance(each, ast.Tuple) else [each])
        if (isinstance(part, ast.Constant) and " " in str(part.value))
        or isinstance(part, ast.JoinedStr)
        if not any(words in ast.unparse(part) for words in _UPSTREAMS)
    ]


#: The texts in a line of a script, and two words beside each other, which no class has.
_TEXT = re.compile(r"""'([^'\n]*)'|"([^"\n]*)"|`([^`\n]*)`""")
_WORDS = re.compile(r"(?<![-.\w])[A-Za-z]{2,} [a-z]{2,}(?![-.\w])")


def test_no_script_of_a_page_has_a_sentence_of_its_own() -> None:
    folder = ROOT / "labextension" / "src"
    made = {"catalogue.ts", "vocabulary.ts"}
    found = [
        f"{file.relative_to(folder).as_posix()}:{number}: {text}"
        for file in sorted(folder.rglob("*.ts"))
        if file.name not in made and not file.name.endswith(".test.ts")
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if not line.lstrip().startswith(("//", "/*", "*"))
        for text in map("".join, _TEXT.findall(line))
        if _WORDS.search(re.sub(r"\$\{.*?\}", "", text))
    ]
    assert [] == found
