"""See that the fragments in `changelog.d/` can become the next part of the changelog."""
# ruff: noqa: INP001  # why: a script of the repository, which runs towncrier

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "changelog.d"
NAME = re.compile(r"(\d+|\+[\w-]+)\.(feature|bugfix|doc|removal|misc)(\.\d+)?\.md")
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)


def main() -> int:
    """Print each mistake; 1 where there is one."""
    mistakes = []
    fragments = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")
    for path in fragments:
        text = path.read_text(encoding="utf-8").strip()
        if not NAME.fullmatch(path.name):
            mistakes.append(f"`{path.name}` is no fragment's name; see changelog.d/README.md")
        if not text.endswith((".", ":", "```")) or text.startswith("#"):
            mistakes.append(f"`{path.name}` is not whole sentences without a heading")
    if not fragments and not _released():
        mistakes.append("there is no fragment, and this version is not in CHANGELOG.md")
    drawn = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if drawn.returncode:
        mistakes.append(f"towncrier cannot read the fragments: {drawn.stderr.strip()}")
    sys.stdout.writelines(f"changelog: {mistake}\n" for mistake in mistakes)
    return 1 if mistakes else 0


def _released() -> bool:
    found = VERSION.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    heading = f"\n## {found[1]} " if found else "\n## "
    return heading in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
