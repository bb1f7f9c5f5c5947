"""The commands of the tutorial and of the README, in their order, against the demo."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from examples.pages import steps
from examples.serving import PASSWORD, ROOT, run
from examples.starting import Demo, started, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Ids and revisions, which are others at each run.
CHANGING = (
    (r"\bg-[0-9a-f]{12}\b", "g-…"),
    (r'"decision_id": "[0-9a-f]{16}"', '"decision_id": "…"'),
    (r"\brevision:? \d+", "revision …"),
)


def settled(text: str) -> str:
    """`text` without what is another at each run."""
    for pattern, instead in CHANGING:
        text = re.sub(pattern, instead, text)
    return text.strip()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with started(tmp_path) as running:
        yield running
        stop(running)


def perform(demo: Demo, commands: list[str], folder: Path) -> list[str]:
    """What each of `commands` prints, typed one after the other into one shell."""
    export = re.search(r"^ *(export .*)$", demo.said, re.MULTILINE)
    assert export is not None
    usual = re.compile(r"http://127\.0\.0\.1:8888")
    lines = [export[1]]
    for command in commands:
        lines += ["printf '\\0'", usual.sub(demo.url, command)]
    answer = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
    )
    return answer.stdout.split("\0")[1:]


def test_the_tutorial_does_what_it_says(demo: Demo, tmp_path: Path) -> None:
    first, *others = steps(ROOT / "docs" / "tutorial.md")
    assert first.command == "make demo"
    add, explain, grant, revoke, check = others
    # The page has the password typed; here it comes from a pipe.
    typed = f"printf '%s' '{PASSWORD}' | {add.command} --password-stdin"

    said = perform(demo, [typed, explain.command], tmp_path)
    assert list(map(settled, said)) == [settled(add.prints), settled(explain.prints)]
    bob = demo.visitor("bob", PASSWORD)
    assert bob.status("GET", "/api/contents/statistics.ipynb") == 200
    assert run(bob, "statistics.ipynb", "print(6 * 7)") == (
        "no session: 403 You can view statistics.ipynb but not start a kernel for it."
    )

    said = perform(demo, [grant.command], tmp_path)
    assert settled(said[0]) == settled(grant.prints)
    demo.wait_until(lambda: bob.status("POST", "/api/contents/notes.txt/checkpoints") == 201)
    assert run(bob, "statistics.ipynb", "print(6 * 7)") == "42\n"

    said = perform(demo, [revoke.command, f"{check.command}; echo $?"], tmp_path)
    assert "viewer" in said[0]
    assert said[1].startswith("deny")
    assert said[1].endswith("\n1\n")
    demo.wait_until(lambda: bob.status("POST", "/api/contents/notes.txt/checkpoints") == 403)
    assert run(bob, "statistics.ipynb", "print(6 * 7)").startswith("no session: 403")


@pytest.mark.skipif(  # why: a reader has it
    shutil.which("curl") is None, reason="the README uses curl"
)
def test_the_first_refusal_of_the_readme_reads_as_it_says(demo: Demo, tmp_path: Path) -> None:
    first, *others = steps(ROOT / "README.md")
    assert first.command == "make demo"
    said = perform(demo, [step.command for step in others], tmp_path)
    assert list(map(settled, said)) == [settled(step.prints) for step in others]


def test_the_readme_has_at_most_sixty_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 60
