"""Settings: the traits of `JupyterAuthorization`, read alike by the server and the CLI."""

from __future__ import annotations

import difflib
import ipaddress
import os
import zoneinfo
from pathlib import Path
from typing import Any

from jupyter_core.application import JupyterApp
from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir
from traitlets import Bool, Enum, Float, Integer, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from .errors import ConfigurationError, UnsafePath
from .policy.homes import Homes


def _folder() -> Path:
    return Path(jupyter_data_dir()).absolute() / "authorization"


#: What no setting lets a process have: this host, neighbours of the link, many at once.
_NEVER = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")


def _network(text: str) -> str:
    """`text` as a network that a process may be let into."""
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError as error:
        msg = f"`sandbox_internet` names `{text}`, which is no network of IPv4: {error}"
        raise TraitError(msg) from None
    if any(found.overlaps(ipaddress.IPv4Network(each)) for each in _NEVER):
        msg = (
            f"`sandbox_internet` names `{text}`, in which this machine itself, its provider's own "
            "services or many at once are reached; name smaller networks"
        )
        raise TraitError(msg)
    return str(found)


class JupyterAuthorization(LoggingConfigurable):
    """How this server authorizes.

    Every trait can be set in `jupyter_server_config.py` as
    `c.JupyterAuthorization.NAME = …` or on the command line.
    """

    store_url = Unicode(
        help="""SQLAlchemy URL of the store of people, groups and grants.

        `postgresql+psycopg://USER@HOST/DATABASE` is one that several servers share. The
        default is an SQLite file in Jupyter's data directory.""",
    ).tag(config=True)

    policy_dir = Unicode(
        help="""Absolute folder of policy files (`*.cedar`, `*.yaml`).

        The default is `authorization` in Jupyter's configuration directory, used when
        it exists. A folder that is set here and does not exist keeps the server from
        starting. A running server takes over what changes in it; where the files do not
        load, the last good ones stay in force.""",
    ).tag(config=True)

    audit_file = Unicode(
        help="""File that every denial, log-in and administrative change is appended to,
        one JSON object a line. The default is `audit.jsonl` in the folder of the store.""",
    ).tag(config=True)

    mode = Enum(
        ["enforce", "shadow"],
        default_value="enforce",
        help="""`shadow` refuses nothing that somebody who has signed in asks for, and records
        what would have been refused. For trying a policy out on a server whose people
        trust each other; changes of people, groups and grants are enforced all the same.""",
    ).tag(config=True)

    audit_permitted = Enum(
        ["writes", "all", "none"],
        default_value="writes",
        help="""What of all that is permitted is recorded: every write and execution that is
        asked for over HTTP, reads too, or nothing. What is denied is recorded always.""",
    ).tag(config=True)

    audit_full = Enum(
        ["go on", "refuse"],
        default_value="go on",
        help="""What becomes of a write that is permitted and cannot be recorded, since the
        disk of the audit file is full: it goes on, with a line in the log, or is refused.""",
    ).tag(config=True)

    audit_days = Float(
        0.0,
        help="""Days after which a running server drops a record from the audit file; 0 keeps
        all.""",
    ).tag(config=True)

    owner = Unicode(
        help="""Name of the person whose server this is: they are `admin` on it, whatever
        the store says; a rule that forbids holds for them too. The default is nobody,
        and on a server that a JupyterHub started, whom the hub started it for.""",
    ).tag(config=True)

    denied_status = Enum(
        [403, 401],
        default_value=403,
        help="""HTTP status of a refusal. 401 is what the original experiment answered;
        browsers take it as `log in again`.""",
    ).tag(config=True)

    timezone = Unicode(
        help="""IANA name of the time zone in which rules read the hour and the weekday.
        The default is the machine's local time.""",
    ).tag(config=True)

    home = Unicode(
        help="""Contents path of each person's home, such as `home/{user}`.

        A home is made when its owner first comes. The owner is its manager; nobody
        else sees it, save an `admin`, unless something in it is shared with them:
        what is granted above a home does not reach into it. The default is no homes.""",
    ).tag(config=True)

    session_hours = Float(
        24 * 14,
        help="Hours after which a login session ends, however much it was used.",
    ).tag(config=True)

    poll_seconds = Float(
        0.25,
        help="""Seconds between two looks for changes that another process made to the
        store, such as a revocation by `jupyter authz revoke`, or in the policy files.""",
    ).tag(config=True)

    sandbox = Enum(
        ["auto", "bubblewrap", "landlock", "require", "off"],
        default_value="auto",
        help="""How the processes of kernels are confined to what their owner may touch.

        `auto`: by the best way that works on this machine, which is tried at the start;
        where none works, nobody can run code. `bubblewrap`, `landlock`, `require`: that
        way, or any; where it does not work the server does not start. `off`: not at all;
        whoever may run code then can read and change whatever the server's own account can.""",
    ).tag(config=True)

    sandbox_dir = Unicode(
        help="""Absolute folder of the homes of confined processes, one a person, and of
        what they print. The default is `sandbox` beside the audit file.""",
    ).tag(config=True)

    sandbox_homes = Enum(
        ["shared", "private"],
        default_value="shared",
        help="""Whether another person may run code in a kernel that has its owner's home.

        `shared`: who may touch all the contents that the kernel shows may, and reads and
        changes that home. `private`: only who may `administer` the server; anybody else
        starts a kernel of their own. The kernel of a `runner`, whose home is forgotten, is
        not meant.""",
    ).tag(config=True)

    sandbox_read_only = List(
        Unicode(),
        help="""Absolute paths that every confined process may read besides the system's
        programs and the Python environment, such as a folder of data or a licence.""",
    ).tag(config=True)

    sandbox_mounts = List(
        Unicode(),
        help="""Absolute folders that a process with the right to `mounts` reads besides the
        contents, and changes those whose name is followed by `:rw`. None can hold, or lie in,
        what is the server's own or the contents; and none another one.""",
    ).tag(config=True)

    sandbox_devices = List(
        Unicode(),
        help="""Devices, such as `/dev/dri/*` or `/dev/nvidia*`, that a process with the right to
        `devices` uses. Disks, the machine's memory and terminals are left out.""",
    ).tag(config=True)

    sandbox_internet = List(
        Unicode(),
        help="""Networks, such as `10.20.0.0/16` or the address of a proxy, that a process with
        the right to the `internet` reaches besides it. Without any it reaches no private or
        local network; this machine it never does.""",
    ).tag(config=True)

    sandbox_processes = Integer(
        1024,
        min=16,
        help="""Processes and threads that one kernel or terminal may have, with all that
        it has started. One that has more is stopped, and its owner is told.""",
    ).tag(config=True)

    sandbox_memory = Integer(
        0,
        min=0,
        help="""MiB of memory that one kernel or terminal may hold, with all that it has
        started and with files in memory; 0 is three quarters of what the machine, or the
        server's control group, has. One that is seen to hold more is stopped, and its
        owner is told. It is looked at once a second.""",
    ).tag(config=True)

    max_kernels = Integer(
        0,
        help="""Kernels that one person may have running at the same time; 0 is any
        number. Starting one more is refused with 409.""",
    ).tag(config=True)

    max_terminals = Integer(
        0,
        help="""Terminals that one person may have running at the same time; 0 is any
        number. Starting one more is refused with 409.""",
    ).tag(config=True)

    max_sockets = Integer(
        600,
        help="""Websockets that one person may have open at the same time, of kernels,
        terminals and all else; 0 is any number. One more is refused with 429. A page has
        one for each kernel, each terminal and the events.""",
    ).tag(config=True)

    max_message = Integer(
        128,
        help="""MiB of one message of a kernel, such as an output, up to which it is passed on
        to pages; 0 is any size. In the place of a larger one they are told so.""",
    ).tag(config=True)

    record_code = Bool(
        False,  # noqa: FBT003  # why: traitlets' own signature
        help="""Whether the record of each run in a kernel holds the text of the code as
        well as its SHA-256. Long code is cut.""",
    ).tag(config=True)

    stale_seconds = Float(
        600.0,
        help="""Seconds for which a server goes on with what it knows while the store cannot
        be read; then it refuses everything until the store is back.""",
    ).tag(config=True)

    @classmethod
    def read(cls, **given: Any) -> JupyterAuthorization:
        """The settings of a configuration, of which each has to be one.

        A rule in a folder whose setting is misspelt would be in force for nobody.

        Args:
            given: what a `Configurable` takes, `parent` or `config`.

        Raises:
            ConfigurationError: a setting has no such value, or there is no such setting.
        """
        try:
            found = cls(**given)
        except TraitError as error:
            raise ConfigurationError(str(error)) from None
        known = cls.class_trait_names(config=True)
        for name in sorted(found.config.get(cls.__name__, {})):
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                remedy = f"did you mean `{near[0]}`?" if near else "take it out"
                msg = f"`{cls.__name__}.{name}` is no setting; {remedy}"
                raise ConfigurationError(msg)
        return found

    @default("store_url")
    def _default_store_url(self) -> str:
        # What means something in an address; the rest may stand as it is.
        folder = str(_folder()).replace("%", "%25").replace("?", "%3F")
        return f"sqlite:///{folder}{os.sep}store.sqlite"

    @default("owner")
    def _default_owner(self) -> str:
        # Both are set by the hub's spawner, before anything of the person runs.
        started_by_hub = "JUPYTERHUB_SERVICE_PREFIX" in os.environ
        return os.environ.get("JUPYTERHUB_USER", "") if started_by_hub else ""

    @default("audit_file")
    def _default_audit_file(self) -> str:
        return str(_folder() / "audit.jsonl")

    @validate("timezone")
    def _known_timezone(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if name:
            try:
                zoneinfo.ZoneInfo(name)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError):
                msg = f"`{name}` is no time zone; use an IANA name such as `Europe/Paris`"
                raise TraitError(msg) from None
        return name

    @validate("sandbox_internet")
    def _possible_networks(self, proposal: Any) -> list[str]:
        return [_network(str(each)) for each in proposal["value"]]

    @validate("home")
    def _possible_home(self, proposal: Any) -> str:
        text = str(proposal["value"])
        if text:
            try:
                Homes.parse(text)
            except UnsafePath as error:
                msg = f"`home` is `{text}`; {error}"
                raise TraitError(msg) from None
        return text

    @validate("session_hours", "poll_seconds")
    def _positive(self, proposal: Any) -> float:
        value = float(proposal["value"])
        if not value > 0:
            msg = f"`{proposal['trait'].name}` must be more than 0"
            raise TraitError(msg)
        return value

    @validate("max_kernels", "max_terminals", "max_sockets", "max_message")
    def _not_negative(self, proposal: Any) -> int:
        value = int(proposal["value"])
        if value < 0:
            msg = f"`{proposal['trait'].name}` must be 0 or more"
            raise TraitError(msg)
        return value

    @property
    def zone(self) -> zoneinfo.ZoneInfo | None:
        """The time zone of the site; None is the machine's."""
        return zoneinfo.ZoneInfo(self.timezone) if self.timezone else None

    @property
    def homes(self) -> Homes | None:
        """Where homes are; None where nobody has one."""
        return Homes.parse(self.home) if self.home else None

    def sandbox_folder(self) -> Path:
        """The folder of the homes of confined processes.

        Raises:
            ConfigurationError: one is set that is relative.
        """
        if not self.sandbox_dir:
            return Path(self.audit_file).absolute().parent / "sandbox"
        folder = Path(self.sandbox_dir)
        if not folder.is_absolute():
            msg = f"`sandbox_dir` must be an absolute path, not `{folder}`"
            raise ConfigurationError(msg)
        return folder

    def policy_folder(self) -> Path | None:
        """The folder of the policy files; None where there is none.

        Raises:
            ConfigurationError: a folder is set that is relative or does not exist.
        """
        if not self.policy_dir:
            folder = Path(jupyter_config_dir()).absolute() / "authorization"
            return folder if folder.is_dir() else None
        folder = Path(self.policy_dir)
        if not folder.is_absolute():
            msg = f"`policy_dir` must be an absolute path, not `{folder}`"
            raise ConfigurationError(msg)
        if not folder.is_dir():
            msg = f"`policy_dir` is `{folder}`, which is no folder; create it or unset it"
            raise ConfigurationError(msg)
        return folder


class _Loader(JupyterApp):
    """Reads the configuration files that ServerApp reads, and nothing else."""

    name = "jupyter-server"
    classes = [JupyterAuthorization]  # noqa: RUF012  # why: traitlets' own protocol

    def _load(self, config_file: str | None) -> JupyterAuthorization:
        if config_file is not None:
            self.config_file = config_file
        self.raise_config_file_errors = True
        self.load_config_file()
        return JupyterAuthorization.read(config=self.config)


def load(config_file: str | None = None) -> JupyterAuthorization:
    """The settings of `jupyter_server_config.{py,json}`, as the server reads them.

    Args:
        config_file: one file to read instead of those on Jupyter's config path.

    Raises:
        ConfigurationError: a file cannot be read or sets what cannot be.
    """
    if config_file is not None and not Path(config_file).is_file():
        msg = f"`{config_file}` does not exist"
        raise ConfigurationError(msg)
    return _Loader()._load(config_file)  # noqa: SLF001  # why: same module
