"""Door: what jupyterlab-git starts, in the sandbox of whoever asks, on one repository.

Git runs what a repository tells it to, hooks, filters, monitors, and the repository can be
another person's. So every program of the extension goes into a sandbox that holds the
repository and nothing else, read-only unless the request changes something; and what the
extension does with files itself, by path and following links, is done here instead.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from anyio.to_thread import run_sync
from tornado.web import HTTPError

from ... import mistakes
from ...errors import AuthorizationError, Nowhere
from ...policy.paths import components
from ...sandbox.errand import run
from ...sandbox.room import Errand
from ..acting import ACTING
from ..surface.disk import disk_of
from .admission import admission
from .turns import Turns, WaitedTooLongError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..acting import Acting
    from ..wiring import Wiring

_log = logging.getLogger(__name__)

_CORE = "jupyterlab_git_core"
#: Of this release every program that it starts goes through one method, and every file that
#: it opens is named below; of another nobody has looked.
_READ = "0.55."
_STARTS = "_Git__execute"
#: Seconds that one program may take: one that reads, and one that changes or fetches.
_READS_FOR, _WRITES_FOR = 60.0, 900.0
#: Of what a rule gives a person's kernels, what a program that fetches has too.
OUTWARD = frozenset({"network", "internet"})
#: What git says where it has none.
_FAR = re.compile(r"(?i)could not (resolve|connect|read from remote)|unable to access")
_CONFIGURATION = "gitconfig"
#: What the extension tells git by its environment.
_TOLD = ("GIT_TERMINAL_PROMPT", "GIT_EDITOR")
#: Answers git with what was typed, which is in no command line and in no file.
_ANSWERS = (
    """!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' """
    '"$JA_USER" "$JA_PASSWORD"; }; f'
)
_ASKS_WHETHER = ["git", "rev-parse", "--git-path"]
#: Whether the folder that git calls so is there, asked where nothing else is.
_IS_THERE = 'there=$(git rev-parse --git-path "$1") && test -d "$there"'
_LAST = re.compile(r"([^/:\\]+?)(?:\.git)?/*")
#: Characters of a `.gitignore` or of a notebook that are read.
_MOST = 32 << 20


def install(settings: Mapping[str, Any], wired: Wiring) -> None:
    """Put this door under jupyterlab-git, if it is there and there is a sandbox.

    Elsewhere its routes ask for `unconfined`, see `surface.git`.
    """
    found, confinement = settings.get("git"), wired.confinement
    if found is None or confinement is None or confinement.launcher.backend is None:
        return
    version = str(getattr(sys.modules.get(_CORE), "__version__", ""))
    if not version.startswith(_READ) or not hasattr(found, _STARTS):
        _log.warning(
            "git runs in no sandbox, so it is for who may run programs unconfined: "
            "jupyterlab-git %s is not the release that is known, %sx",
            version,
            _READ,
        )
        return
    door = _Door(settings, wired, found)
    for name, method in (
        (_STARTS, door.execute),
        ("clone", door.clone),
        ("read_file", door.read_file),
        ("ensure_gitignore", door.ensure_gitignore),
        ("ignore", door.ignore),
        ("write_gitignore", door.write_gitignore),
        ("check_notebooks_with_outputs", door.check_notebooks),
        ("ensure_credential_helper", _keep_no_credentials),
    ):
        setattr(found, name, method)
    wired.git = found


async def _keep_no_credentials(*_: Any, **__: Any) -> None:
    """Nothing that somebody typed is kept: upstream's daemon would have it for everybody."""


class _Door:
    """Stands in for what jupyterlab-git's own object does with programs and files."""

    def __init__(self, settings: Mapping[str, Any], wired: Wiring, git: Any) -> None:
        self._settings = settings
        self._wired = wired
        self._clone = git.clone
        self._turns, self._looks = Turns(), Turns()

    async def execute(  # noqa: PLR0917  # why: upstream's signature
        self,
        cmdline: Sequence[str],
        cwd: str,
        env: Mapping[str, str] | None = None,
        username: str | None = None,
        password: str | None = None,
        is_binary: bool = False,  # noqa: FBT002  # why: upstream's signature
    ) -> tuple[int, str, str]:
        """Run a program as upstream does: its status, what it printed, and its errors."""
        told = {name: env[name] for name in _TOLD if env and name in env}
        if username is not None and password is not None:
            if not (_is_one_line(username) and _is_one_line(password)):
                return 1, "", "a user name and a password are one line each"
            told |= _answering(username, password)
        asks = list(cmdline[:3]) == _ASKS_WHETHER
        command = ["sh", "-c", _IS_THERE, "sh", *cmdline[3:]] if asks else list(cmdline)
        acting = ACTING.get()
        if acting is None:
            return 1, "", "git is run for somebody who asks"
        try:
            async with self._turns.of(acting.principal.name):
                status, output, errors = await self._run(acting, command, cwd, told)
        except WaitedTooLongError:
            return 1, "", "what you asked git for before has not ended yet"
        except AuthorizationError as error:
            return 1, "", f"git was not run to its end: {error}"
        if asks:
            # Upstream looks whether it is there, by following links: this folder is.
            return status, ".", ""
        text = (
            base64.encodebytes(output).decode() if is_binary else output.decode(errors="replace")
        )
        return status, text, errors

    async def _run(
        self, acting: Acting, command: Sequence[str], cwd: str, told: Mapping[str, str]
    ) -> tuple[int, bytes, str]:
        errand = _errand(acting)
        room = self._wired.confinement.room_for(errand)
        disk = disk_of(self._settings["contents_manager"])
        top = disk.path(errand.folder) if disk is not None and errand.folder else ""
        variables = {**surroundings(room.folder, top, writes=errand.writes), **told}
        ended = await run(
            self._wired.confinement.launcher,
            room,
            command,
            cwd=cwd if top else "",
            variables=variables,
            files=configuration(acting.principal.name),
            seconds=_WRITES_FOR if errand.writes else _READS_FOR,
        )
        errors = ended.errors.decode(errors="replace")
        has_network = room.view is not None and room.view.besides
        if errand.besides and not has_network and _FAR.search(errors):
            errors = f"{errors.rstrip()}\n{mistakes.GIT_ALONE}"
        return ended.status, ended.output, errors

    async def clone(
        self,
        path: str,
        repo_url: str,
        auth: Any = None,
        versioning: bool = True,  # noqa: FBT002  # why: upstream's signature
        submodules: bool = False,  # noqa: FBT002  # why: as above
    ) -> dict[str, Any]:
        """As upstream; but what says that it is a repository is removed in the sandbox."""
        if versioning:
            return dict(await self._clone(path, repo_url, auth, True, submodules))  # noqa: FBT003  # why: as above
        url = unquote(repo_url)
        name = _LAST.fullmatch(url.rstrip("/").rpartition("/")[2].rpartition(":")[2])
        if name is None or name[1].startswith((".", "-")):
            return {"code": 1, "message": "the address ends in no name for a folder"}
        line = ["git", "clone", "-q", "--depth=1", *(["--recurse-submodules"] * submodules)]
        script = '"$@" && rm -rf -- "./$0/.git"'
        known = auth if isinstance(auth, dict) else {}
        code, output, errors = await self.execute(
            ["sh", "-c", script, name[1], *line, "--", url, name[1]],
            path,
            username=known.get("username"),
            password=known.get("password"),
        )
        return {"code": code, "message": (errors if code else output).strip()}

    def read_file(self, path: str) -> dict[str, Any]:
        """What is in a file; upstream would follow a link to any file of the server."""
        try:
            return {"code": 0, "content": self._read(path)}
        except (OSError, ValueError, HTTPError, AuthorizationError):
            return {"code": -1, "content": ""}

    def _read(self, path: str) -> str:
        with self._settings["contents_manager"].open(path, "r", encoding="utf-8") as file:
            return str(file.read(_MOST))

    async def ensure_gitignore(self, path: str) -> dict[str, Any]:
        """Have the file, with its last line complete."""
        return self._add(path, "")

    async def ignore(self, path: str, file_path: str) -> dict[str, Any]:
        """Add a line to the file."""
        return self._add(path, f"{file_path}\n")

    async def write_gitignore(self, path: str, content: str) -> dict[str, Any]:
        """Have nothing else in the file."""
        try:
            with self._settings["contents_manager"].atomic_writing(f"{path}/.gitignore") as file:
                file.write(content if content.endswith("\n") else f"{content}\n")
        except (OSError, ValueError, HTTPError, AuthorizationError) as error:
            return {"code": -1, "message": str(error)}
        return {"code": 0}

    def _add(self, path: str, line: str) -> dict[str, Any]:
        ignoring = f"{path}/.gitignore"
        try:
            with self._settings["contents_manager"].open(ignoring, "a+", encoding="utf-8") as file:
                file.seek(0)
                before = file.read(_MOST)
                file.write(f"\n{line}" if before and not before.endswith("\n") else line)
        except (OSError, ValueError, HTTPError, AuthorizationError) as error:
            return {"code": -1, "message": str(error)}
        return {"code": 0}

    async def check_notebooks(self, path: str) -> dict[str, Any]:
        """The staged notebooks that hold outputs.

        Each is read in one of the threads that everybody waits for, so one person has one.
        """
        acting = ACTING.get()
        try:
            async with self._looks.of("" if acting is None else acting.principal.name):
                return await self._check_notebooks(path)
        except WaitedTooLongError:
            return {"notebooks_with_outputs": [], "has_outputs": False}

    async def _check_notebooks(self, path: str) -> dict[str, Any]:
        line = ["git", "diff", "--cached", "--name-only", "--relative", "-z", "--diff-filter=ACM"]
        _, names, _ = await self.execute(line, path)
        notebooks = [name for name in names.split("\0") if name.endswith(".ipynb")]
        found = [name for name in notebooks if await run_sync(self._has_outputs, path, name)]
        return {"notebooks_with_outputs": found, "has_outputs": bool(found)}

    def _has_outputs(self, path: str, name: str) -> bool:
        try:
            text = self._read(f"{path}/{'/'.join(components(name))}")
            # What is no valid notebook may hold outputs all the same, and is no error.
            cells = json.loads(text).get("cells", [])
            return any(each.get("cell_type") == "code" and each.get("outputs") for each in cells)
        except (
            OSError,
            ValueError,
            HTTPError,
            AuthorizationError,
            AttributeError,
            TypeError,
            RecursionError,
        ):
            return False


def _errand(acting: Acting) -> Errand:
    """What the request may do, as it was asked about before its handler was there."""
    contents = [(action, on.id) for action, on in acting.questions if on.type == "contents"]
    found = admission(acting.request)
    entry = None if found is None else found.entry
    if not contents and entry is not None and entry.resource != "contents":
        return Errand(folder="")
    if not contents or entry is None:
        msg = "nobody was asked about a repository"
        raise Nowhere(msg)
    return Errand(
        folder=contents[0][1],
        writes=any(action == "save" for action, _ in contents),
        besides=OUTWARD if entry.outward else frozenset(),
    )


def _is_one_line(text: object) -> bool:
    return isinstance(text, str) and not set(text) & {"\n", "\r", "\0"}


def _answering(username: str, password: str) -> dict[str, str]:
    """Variables by which git is answered when it asks who somebody is."""
    return {
        "JA_USER": username,
        "JA_PASSWORD": password,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": _ANSWERS,
    }


def surroundings(folder: Path | None, top: str, *, writes: bool) -> dict[str, str]:
    """Variables by which git keeps to the repository at `top`.

    Args:
        folder: where it finds its `configuration`.
        top: absolute.
        writes: whether it may change anything.
    """
    return {
        "GIT_CONFIG_GLOBAL": f"{folder}/{_CONFIGURATION}",
        "GIT_CEILING_DIRECTORIES": os.path.dirname(top),  # noqa: PTH120  # why: a text
        "GIT_TERMINAL_PROMPT": "0",
        **({} if writes else {"GIT_OPTIONAL_LOCKS": "0"}),
    }


def configuration(principal: str) -> dict[str, str]:
    """Tells git who commits, where a repository does not say; and that the sandbox is enough.

    Git goes to no folder of another account unless it is told; here it can do no harm there.
    """
    name = principal.partition(":")[2]
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    who = f'[user]\n\tname = "{quoted}"\n\temail = "{quoted}@localhost"\n'
    return {_CONFIGURATION: f'{who}[safe]\n\tdirectory = "*"\n'}
