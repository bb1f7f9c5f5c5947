"""A noun of the command, such as `users`, and what it does alone."""

from __future__ import annotations

from typing import Any

import click

#: Exit code of a command of which too little was said.
TOO_LITTLE = 2


class Noun(click.Group):
    """A group of verbs.

    Args:
        alone: the verb that is meant where none is said; without one, help is shown.
    """

    def __init__(self, *args: Any, alone: str | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        # What is done without a verb is done below, alike in every release of click.
        self.no_args_is_help = False
        self.alone = alone

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Take `args`; where they begin with no verb, put in the one that is meant."""
        if self.alone is not None and self._lacks_a_verb(context, args):
            args = [self.alone, *args]
        if not args:
            click.echo(context.get_help(), err=True)
            context.exit(TOO_LITTLE)
        return super().parse_args(context, args)

    def _lacks_a_verb(self, context: click.Context, args: list[str]) -> bool:
        own = {option for each in self.get_params(context) for option in each.opts}
        meant = self.commands[self.alone or ""]
        shared = {option for each in meant.params for option in each.opts}
        return not args or (args[0].startswith("-") and not (own - shared).intersection(args))
