"""Any spelling of a path: what a person, a program or an attacker writes for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Of each class of spelling some, beside dots, slashes and names that are there.
_ODD = (
    # Encoded once more, or in another way, which is a name like others by then.
    "%2e%2e",
    "%252e",
    "%2f",
    "&#46;&#46;",
    "..;",
    # Look like dots and slashes, or like nothing.
    "\N{FULLWIDTH FULL STOP}" * 2,
    "\N{ONE DOT LEADER}" * 2,
    "\N{DIVISION SLASH}",
    "\N{ZERO WIDTH SPACE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    # Of other systems.
    "C:",
    "c:team",
    "..\\hr",
    "\\\\host\\team",
    "file:",
    "team::$DATA",
    "CON",
    # Absolute, and the shell's own.
    "/etc/passwd",
    "/proc/self/root",
    "~",
    "$HOME",
    # What no file can be called.
    "\0",
    "team\0.txt",
    "\ud800",
    "\udc80",
    "x" * 256,
    "x" * 4096,
    # What one can.
    "x" * 255,
    "...",
    " ",
    "team ",
    "TEAM",
    "\n",
    "\r\n",
    "-",
)
#: As often as folders may lie in one another, and more.
_DEEP = tuple("/".join([part] * 300) for part in (".", "..", "d", "", "sub/..", "d/.."))


def spellings(names: Iterable[str]) -> st.SearchStrategy[str]:
    """Strings that a path may be given as.

    Args:
        names: of what is there.
    """
    known = st.sampled_from([*names, "..", ".", ""])
    part = st.one_of(known, known, known, st.sampled_from(_ODD), st.text(max_size=4))
    deep = st.lists(known, max_size=2).flatmap(
        lambda before: st.tuples(st.sampled_from(_DEEP), st.lists(known, max_size=2)).map(
            lambda after: [*before, after[0], *after[1]]
        )
    )
    plain = st.lists(part, max_size=8)
    return st.one_of(plain, plain, plain, deep).map("/".join)


def addresses(names: Iterable[str]) -> st.SearchStrategy[tuple[str, str]]:
    """Such strings, and each as the path of an address, with more or less of it encoded."""
    every = st.sampled_from([0, 0, 1, 2, 3, 5])
    return st.tuples(spellings(names), every).map(lambda drawn: (drawn[0], _encoded(*drawn)))


def _encoded(text: str, every: int) -> str:
    said = []
    for at, byte in enumerate(text.encode("utf-8", "surrogatepass")):
        plain = byte < 128 and (chr(byte).isalnum() or chr(byte) in "/.-_~")
        said.append(chr(byte) if plain and not (every and at % every == 0) else f"%{byte:02x}")
    return "".join(said)
