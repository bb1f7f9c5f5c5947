"""Bugs planted in the engine, one at a time, and whether a test sees each.

Run by hand with `python tests/mutants.py`; it prints the table kept in
`docs/decisions/0002-mutants-of-the-engine.md` and ends with 1 if a bug survives.
Each bug is a replacement in a copy of the package; the tests run against the copy,
first without a bug.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
    *("--noconftest", "--no-header", "--tb=no"),
)
TESTS = ("tests/test_cases.py", "tests/test_laws.py")


@dataclass(frozen=True)
class Mutant:
    """`old` in the policy module `module` becomes `new`."""

    bug: str
    module: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "a forbid that applies is ignored beside a permit",
        "engine",
        "bool(weighed.permits) and not weighed.forbids and not weighed.failed",
        "bool(weighed.permits) and not weighed.failed",
    ),
    Mutant(
        "a rule that fails is skipped, as Cedar does",
        "engine",
        "bool(weighed.permits) and not weighed.forbids and not weighed.failed",
        "bool(weighed.permits) and not weighed.forbids",
    ),
    Mutant(
        "nothing permitted means allow",
        "engine",
        "return bool(weighed.permits) and not weighed.forbids",
        "return not weighed.forbids",
    ),
    Mutant(
        "a level is taken for the next lower one's need",
        "engine",
        "if row.level < level:",
        "if row.level < level - 1:",
    ),
    Mutant(
        "a grant of exactly the level is not enough",
        "engine",
        "if row.level < level:",
        "if row.level <= level:",
    ),
    Mutant(
        "a grant holds at the moment it ends",
        "engine",
        "if row.starts <= now < row.ends:",
        "if row.starts <= now <= row.ends:",
    ),
    Mutant(
        "a grant holds before it starts",
        "engine",
        "if row.starts <= now < row.ends:",
        "if now < row.ends:",
    ),
    Mutant(
        "the answer is kept past the end of a grant",
        "engine",
        "good_until = min(good_until, change)",
        "good_until = max(good_until, change)",
    ),
    Mutant(
        "the answer of a rule that reads the clock is kept",
        "engine",
        'if reads & {"time", "door", "address"}:',
        'if reads & {"door", "address"}:',
    ),
    Mutant(
        "only the resource itself is looked up, not what it is in",
        "engine",
        "    for name in chain:\n        found = rows.get(name)",
        "    for name in chain[:1]:\n        found = rows.get(name)",
    ),
    Mutant(
        "the server above everything is forgotten",
        "engine",
        "    for name in chain:\n        found = rows.get(name)",
        "    for name in chain[:-1]:\n        found = rows.get(name)",
    ),
    Mutant(
        "unconditional rules are forgotten where conditional ones apply",
        "engine",
        "applying += [conditional",
        "applying = [conditional",
    ),
    Mutant(
        "a conditional rule applies without its condition",
        "engine",
        "applying = [rule for rule in rules if not rule.conditional]",
        "applying = list(rules)",
    ),
    Mutant(
        "of the groups' grants only one group's are kept",
        "snapshot",
        "rows if before is None else before + rows",
        "rows if before is None else before",
    ),
    Mutant(
        "`everyone` is forgotten",
        "snapshot",
        "for key in principal.keys if key in self._index",
        "for key in principal.keys[:-1] if key in self._index",
    ),
    Mutant(
        "rules on a named resource are looked up on that one alone",
        "snapshot",
        "            for name in chain:\n                found += self.named",
        "            for name in chain[:1]:\n                found += self.named",
    ),
    Mutant(
        "a rule on one resource also means what is below it",
        "snapshot",
        "place = exact if scope.exact else named",
        "place = named",
    ),
    Mutant(
        "the second rule on a resource replaces the first",
        "snapshot",
        "(*place.get(scope.name, ()), rule)",
        "(rule,)",
    ),
    Mutant(
        "the type a rule is limited to is not looked at",
        "snapshot",
        'and scope.kind in {"", type_}',
        "",
    ),
    Mutant(
        "the principal a rule names is not looked at",
        "snapshot",
        "and rule.principal.holds(view.kind, view.keys)",
        "",
    ),
    Mutant(
        "the actions a rule names are not looked at",
        "snapshot",
        "(rule.actions is None or action in rule.actions)\n",
        "True\n",
    ),
    Mutant(
        "`== User` is read as `in`, and a group's name matches anyone in it",
        "rule",
        "return self.name == chain[0] if self.exact else self.name in chain",
        "return True if self.exact else self.name in chain",
    ),
    Mutant(
        "the kind of a principal scope is not looked at",
        "rule",
        "if self.kind and self.kind != kind:",
        "if False:",
    ),
    Mutant(
        "an action list covers words and levels only by their own name",
        "rule",
        "if named & {action, *cedar.action_groups(action)}",
        "if named & {action}",
    ),
    Mutant(
        "the action reaches Cedar without its groups",
        "cedar",
        "for group in action_groups(action)]",
        "for group in ()]",
    ),
    Mutant(
        "the principal reaches Cedar without its groups",
        "cedar",
        "[_principal_uid(key) for key in keys[1:]]",
        "[]",
    ),
    Mutant(
        "the resource reaches Cedar without what it is in",
        "cedar",
        "[_resource_uid(name, outer=True) for name in above]",
        "[]",
    ),
    Mutant(
        "the owner does not reach Cedar",
        "cedar",
        '{"owner": {"__entity": _principal_uid(owner)}}',
        "{}",
    ),
    Mutant(
        "the client's address does not reach Cedar",
        "cedar",
        "elif value is not None:",
        "elif value is None:",
    ),
    Mutant(
        "Cedar's errors are not looked at",
        "cedar",
        'if answer["decision"] not in {"Allow", "Deny"} or errors:',
        'if answer["decision"] not in {"Allow", "Deny"}:',
    ),
    Mutant(
        "each level's groups stop at itself",
        "cedar",
        "if level >= ability.level),",
        "if level == ability.level),",
    ),
)


def copied(into: Path) -> Path:
    """A copy of what the tests need; nobody else changes it meanwhile."""
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, into / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", into)
    return into


@contextmanager
def planted(mutant: Mutant, folder: Path) -> Iterator[None]:
    """The bug is in the copy for as long as this lasts; fails if the code has moved on."""
    path = folder / "src/jupyter_authorized_server/policy" / f"{mutant.module}.py"
    text = path.read_text("utf-8")
    if text.count(mutant.old) != 1:
        message = f"{mutant.module}.py does not hold once: {mutant.old}"
        raise SystemExit(message)
    path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
    try:
        yield
    finally:
        path.write_text(text, "utf-8")


def caught_by(folder: Path) -> str:
    """Name of the first test that fails on the copy; empty if none does."""
    for tests in TESTS:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", tests, *OPTIONS],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            found = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.MULTILINE)
            return found.group(1) if found else "does not even start"
    return ""


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table; 1 if a bug was not seen."""
    wanted = sys.argv[1:]
    survivors = 0
    _tell("| planted bug | in | seen by |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = copied(Path(place))
        if test := caught_by(folder):
            message = f"without a planted bug {test} fails"
            raise SystemExit(message)
        for mutant in MUTANTS:
            if wanted and not any(word in mutant.bug for word in wanted):
                continue
            with planted(mutant, folder):
                test = caught_by(folder)
            survivors += not test
            seen = f"`{test}`" if test else "NOTHING"
            _tell(f"| {mutant.bug} | `{mutant.module}` | {seen} |")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
