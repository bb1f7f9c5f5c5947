"""How a policy that does not load is told, and the exit code that says so."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

import click

from ..errors import PolicyError
from .output import note, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    from ..errors import Mistake

    P = ParamSpec("P")

#: Exit code where a policy does not load.
DOES_NOT_LOAD = 3


def tell(mistakes: tuple[Mistake, ...]) -> None:
    """Every mistake on a line of its own, on standard error."""
    for each in mistakes:
        click.echo(printable(each, 2000), err=True)
    many = f"{len(mistakes)} mistake{'s' * (len(mistakes) > 1)}"
    note(f"error: the policy does not load: {many}, shown above")


def telling(command: Callable[P, int]) -> Callable[P, int]:
    """`command`, which ends with its own exit code where a policy does not load."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except PolicyError as error:
            tell(error.mistakes)
            return DOES_NOT_LOAD

    return told
