"""The command itself: its global options, its verbs, its errors and exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import AuthorizationError
from .desk import Desk
from .grant import grant, grants, revoke
from .grant_file import give
from .group import groups
from .link import links
from .noun import Noun
from .output import printable
from .person import users
from .policy import policy
from .question import check, explain
from .reach import reach
from .record import audit
from .route import routes
from .store import store
from .survey import what_can, who_can
from .token import tokens
from .wish import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit code of whatever could not be done, and of a question that could not be decided.
FAILED = 2
#: Exit code where the person at the terminal stopped it.
STOPPED = 130


class _Program(Noun):
    """Ends every failure in one line that begins with `error:`, and never in a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002  # why: click's own signature
        **extra: Any,
    ) -> Any:
        """Run the command; ends the process, as click's own does, if `standalone_mode`."""
        name = prog_name if prog_name and "authz" not in prog_name else "jupyter authz"
        for stream in (sys.stdout, sys.stderr):
            # A name that the terminal's encoding lacks must not end in a traceback.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(args, name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            _end("stopped; nothing more was done", STOPPED)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else name
            said = error.format_message().rstrip(".")
            _end(f"{said}; see `{where} --help`", FAILED)
        except click.ClickException as error:
            _end(error.format_message(), FAILED)
        except AuthorizationError as error:
            _end(str(error), FAILED)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _end(message: str, code: int) -> NoReturn:
    # Only the mistakes of a policy come on several lines; each names its file and line.
    lines = [printable(line, 2000) for line in message.splitlines()[:1000]]
    click.echo("\n".join([f"error: {lines[0] if lines else ''}", *lines[1:]]), err=True)
    sys.exit(code)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="Read this file instead of `jupyter_server_config.py` on Jupyter's path.",
)
@click.version_option(package_name="jupyter-authorized-server")
@click.pass_context
def main(context: click.Context, config_file: str | None) -> None:
    """Ask the policy of a Jupyter Server, and change it.

    A running server takes a change over within a second.
    Everything here works on the store that the server's configuration names; whoever may
    write that file may do all of this.

    A noun without a verb lists, and `audit` shows its last records: `jupyter authz users` is
    `jupyter authz users list`.

    Example: `jupyter authz explain user:ada save contents:/team/a.ipynb`
    """
    context.obj = Desk(config_file)


for _command in (
    check,
    explain,
    who_can,
    what_can,
    users,
    groups,
    grant,
    revoke,
    grants,
    links,
    requests,
    tokens,
    policy,
    routes,
    audit,
    reach,
    store,
):
    main.add_command(_command)
grants.add_command(give)
