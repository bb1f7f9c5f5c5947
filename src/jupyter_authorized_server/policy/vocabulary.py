"""The one table of resource types, actions and levels.

The Cedar schema, the docs tables, the words of the CLI and of refusals are made
from it; nothing else lists actions. `tests/policy/test_vocabulary.py` holds the
generated files to it.

The three words are Jupyter's own (`read`, `write`, `execute`); each finer action
refines exactly one of them. A word may be asked like an action and then stands for
the representative action of the resource's type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from .. import mistakes
from ..errors import InvalidName
from . import paths
from .model import MAX_ID, Resource


class Word(str, Enum):
    """What Jupyter Server itself asks about."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"


class Level(IntEnum):
    """The six levels; each contains the ones before it."""

    VIEWER = 1
    RUNNER = 2
    EDITOR = 3
    CONTRIBUTOR = 4
    MANAGER = 5
    ADMIN = 6

    @property
    def word(self) -> str:
        """The level's name everywhere: `viewer` …"""
        return self.name.lower()


LEVEL_SENTENCES = {
    Level.VIEWER: "can look, download and copy elsewhere, but change and run nothing",
    Level.RUNNER: "can also start kernels and run the cells that are saved in a notebook",
    Level.EDITOR: "can also change and save files and run any code",
    Level.CONTRIBUTOR: "can also create, upload, rename and move",
    Level.MANAGER: "can also delete, share, and stop other people's kernels",
    Level.ADMIN: "can do everything, also install, configure and stop the server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A kind of resource.

    Args:
        word: how it is written before the colon.
        cedar: its entity type in the policy language.
        sentence: what it is.
        stands_for: for each word, the action it stands for here.
    """

    word: str
    cedar: str
    sentence: str
    stands_for: dict[Word, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """An action on one resource type: one row of the table.

    Args:
        type: a resource type's word.
        action: its name; an action on several types has one word and level.
        word: which of Jupyter's three it refines.
        level: the lowest level that has it.
        verb: completes "You can … it"; for refusals.
    """

    type: str
    action: str
    word: Word
    level: Level
    verb: str


_R, _W, _X = Word.READ, Word.WRITE, Word.EXECUTE
_V, _RUN, _E, _C, _M, _A = Level


def _stands(read: str, write: str, execute: str) -> dict[Word, str]:
    return {_R: read, _W: write, _X: execute}


TYPES: tuple[ResourceType, ...] = (
    ResourceType(
        word="server",
        cedar="Server",
        sentence="the server itself; everything else is below it",
        stands_for=_stands("use", "administer", "administer"),
    ),
    ResourceType(
        word="contents",
        cedar="File",
        sentence="a file or folder under the contents root, and all below it",
        stands_for=_stands("open", "save", "launch"),
    ),
    ResourceType(
        word="kernelspecs",
        cedar="KernelSpec",
        sentence="a kind of kernel that can be started",
        stands_for=_stands("list", "launch", "launch"),
    ),
    ResourceType(
        word="kernels",
        cedar="Kernel",
        sentence="a running kernel and its session",
        stands_for=_stands("watch", "restart", "run"),
    ),
    ResourceType(
        word="terminals",
        cedar="Terminal",
        sentence="a shell",
        stands_for=_stands("view", "type", "type"),
    ),
    ResourceType(
        word="events",
        cedar="Events",
        sentence="the server's event stream",
        stands_for=_stands("subscribe", "emit", "emit"),
    ),
    ResourceType(
        word="settings",
        cedar="Settings",
        sentence="the settings and workspaces of an application",
        stands_for=_stands("recall", "keep", "keep"),
    ),
    ResourceType(
        word="routes",
        cedar="Route",
        sentence="a route that no surface table names",
        stands_for=_stands("call", "call", "call"),
    ),
)

#: Type and action of the question about a route that no surface table names; the only one
#: that is asked of whoever has not signed in, so that a rule can let it be called by anybody.
UNNAMED = ("routes", "call")

ABILITIES: tuple[Ability, ...] = tuple(
    Ability(type=type_, action=action, word=word, level=level, verb=verb)
    for type_, action, word, level, verb in (
        ("server", "identify", _R, _V, "ask who you are on"),
        ("server", "use", _R, _V, "open the pages of"),
        ("server", "inspect", _R, _V, "see the state of"),
        ("server", "monitor", _R, _A, "see the measurements of"),
        ("server", "review", _R, _E, "see who may use"),
        ("server", "share", _W, _M, "share"),
        ("server", "explain", _R, _A, "ask about other people's rights on"),
        ("server", "view_as", _X, _A, "look around as somebody else on"),
        ("server", "unconfined", _X, _A, "run programs unconfined on"),
        ("server", "administer", _W, _A, "administer"),
        ("contents", "list", _R, _V, "list"),
        ("contents", "open", _R, _V, "view"),
        ("contents", "download", _R, _V, "download"),
        ("contents", "export", _R, _V, "export"),
        ("contents", "copy", _R, _V, "copy"),
        ("contents", "launch", _X, _RUN, "start a kernel for"),
        ("contents", "review", _R, _E, "see who may use"),
        ("contents", "save", _W, _E, "change"),
        ("contents", "checkpoint", _W, _E, "keep a checkpoint of"),
        ("contents", "restore", _W, _E, "restore"),
        ("contents", "trust", _W, _E, "trust"),
        ("contents", "create", _W, _C, "create or add to"),
        ("contents", "upload", _W, _C, "upload to"),
        ("contents", "rename", _W, _C, "rename or move"),
        ("contents", "delete", _W, _M, "delete"),
        ("contents", "share", _W, _M, "share"),
        ("kernelspecs", "list", _R, _V, "list"),
        ("kernelspecs", "launch", _X, _RUN, "start"),
        ("kernelspecs", "network", _X, _A, "use the network from"),
        ("kernelspecs", "internet", _X, _A, "use the internet from"),
        ("kernelspecs", "devices", _X, _A, "use the devices of the machine from"),
        ("kernelspecs", "mounts", _X, _A, "use the shared folders of the machine from"),
        ("kernelspecs", "review", _R, _E, "see who may use"),
        ("kernelspecs", "share", _W, _M, "share"),
        ("kernels", "watch", _R, _V, "watch"),
        ("kernels", "run_saved", _X, _RUN, "run saved cells in"),
        ("kernels", "input", _X, _RUN, "answer prompts of"),
        ("kernels", "interact", _X, _RUN, "move the widgets of"),
        ("kernels", "help", _X, _E, "ask for completion in"),
        ("kernels", "run", _X, _E, "run code in"),
        ("kernels", "debug", _X, _E, "debug"),
        ("kernels", "interrupt", _X, _E, "interrupt"),
        ("kernels", "restart", _X, _E, "restart"),
        ("kernels", "review", _R, _E, "see who may use"),
        ("kernels", "stop", _X, _M, "stop"),
        ("kernels", "share", _W, _M, "share"),
        ("terminals", "view", _R, _A, "watch"),
        ("terminals", "start", _X, _A, "start"),
        ("terminals", "type", _X, _A, "type in"),
        ("terminals", "network", _X, _A, "use the network from"),
        ("terminals", "internet", _X, _A, "use the internet from"),
        ("terminals", "devices", _X, _A, "use the devices of the machine from"),
        ("terminals", "mounts", _X, _A, "use the shared folders of the machine from"),
        ("terminals", "end", _X, _A, "end"),
        ("events", "subscribe", _R, _V, "listen to"),
        ("events", "observe", _R, _A, "hear everything on"),
        ("events", "emit", _W, _A, "post to"),
        ("settings", "recall", _R, _V, "read"),
        ("settings", "keep", _W, _V, "change"),
        ("routes", "call", _X, _A, "call"),
    )
)

TYPE = {type_.word: type_ for type_ in TYPES}
ABILITY = {(ability.type, ability.action): ability for ability in ABILITIES}
LEVEL = {level.word: level for level in Level}
ACTIONS: tuple[str, ...] = tuple(dict.fromkeys(ability.action for ability in ABILITIES))

#: The resource words that upstream's `@authorized` uses, and the type each belongs to.
UPSTREAM_WORDS = {
    "api": "server",
    "config": "server",
    "csp": "server",
    "server": "server",
    "contents": "contents",
    "checkpoints": "contents",
    "files": "contents",
    "nbconvert": "contents",
    "view": "contents",
    "kernels": "kernels",
    "sessions": "kernels",
    "kernelspecs": "kernelspecs",
    "lsp": "kernelspecs",
    "terminals": "terminals",
    "events": "events",
    "settings": "settings",
    "workspaces": "settings",
}


def _known(words: object) -> str:
    return ", ".join(f"`{word}`" for word in sorted(str(word) for word in words))  # type: ignore[attr-defined]  # why: any iterable


def parse_level(text: object) -> Level:
    """The level called `text`.

    Raises:
        InvalidName: there is none; the message lists them.
    """
    if not isinstance(text, str) or text not in LEVEL:
        known = ", ".join(f"`{level.word}`" for level in Level)
        raise InvalidName(mistakes.no_level(_shown(text), known))
    return LEVEL[text]


def parse_resource(text: object) -> Resource:
    """The resource written `text`: `contents:/team/a.ipynb`, `kernels:ID`, `server:`.

    Raises:
        InvalidName: unknown type, or an id that the type cannot have.
    """
    type_, colon, id_ = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon or type_ not in TYPE:
        raise InvalidName(mistakes.no_resource(_shown(text), _known(TYPE)))
    if type_ == "contents":
        return Resource(type="contents", id=paths.canonical(id_))
    if type_ == "server" and id_:
        raise InvalidName(mistakes.one_server(_shown(text)))
    if len(id_) > MAX_ID or not id_.isprintable():
        raise InvalidName(mistakes.id_of(type_, str(MAX_ID)))
    return Resource(type=type_, id=id_)


def parse_action(text: object, *, type: str) -> str:  # noqa: A002  # why: the field's word
    """The action `text` on resources of `type`; a word becomes its representative.

    >>> parse_action("write", type="contents")
    'save'

    Raises:
        InvalidName: the type has no such action; the message lists its actions.
    """
    if isinstance(text, str):
        if (type, text) in ABILITY:
            return text
        for word, action in TYPE[type].stands_for.items():
            if text == word.value:
                return action
    known = _known({word.value for word in Word} | {a.action for a in ABILITIES if a.type == type})
    raise InvalidName(mistakes.no_action(_shown(text), type, known))


def parse_action_of_any(text: object) -> str:
    """The action `text`, on whatever type of resource there is.

    Raises:
        InvalidName: no type has such an action; the message lists all.
    """
    if isinstance(text, str) and text in ACTIONS:
        return text
    raise InvalidName(mistakes.no_action_anywhere(_shown(text), _known(ACTIONS)))


def _shown(text: object) -> str:
    return f"`{text[:60]}`" if isinstance(text, str) else f"a {type(text).__name__}"


#: Numbers that a circumstance can be.
NUMBERS: dict[str, range] = {"hour": range(24), "weekday": range(1, 8)}
#: Who asks for an answer, as `context.door` has it; the sentence is for the documentation.
DOORS: dict[str, str] = {
    "http": "a request",
    "contents": "what a request lists or reads besides what it names",
    "channel": "a message to a kernel",
    "room": "a message to a document that several edit",
    "terminal": "what is typed in a terminal",
    "events": "an event, on its way to a page or from one",
    "sandbox": "what a kernel, a terminal or git is shown",
    "cli": "a command, such as `jupyter authz check`",
    "test": "a case of `jupyter authz policy test`, unless it says another",
}


def cedar_schema() -> str:
    """The Cedar schema of the whole vocabulary, as kept in `builtin/jupyter.cedarschema`.

    A request about a contents path is about `File::"/a/b"`, whose ancestors are
    `Folder::"/a/b"`, `Folder::"/a"`, `Folder::"/"` and the server: whether the path
    is a file or a folder on the disk never changes the answer.
    """
    lines = [
        "// Generated from policy/vocabulary.py; change that, then run `make generate`.",
        "namespace Jupyter {",
        "  entity Group in [Group];",
        "  entity User in [Group];",
        "  entity Token in [Group];",
        "  entity Guest;",
        "  entity Server;",
        "  entity Folder in [Folder, Server];",
        "  entity File in [Folder, Server] { path: String, name: String };",
    ]
    lines += [
        f"  entity {type_.cedar} in [{type_.cedar}, Folder, Server] {{ owner?: User }};"
        for type_ in TYPES
        if type_.word not in {"server", "contents"}
    ]
    lines += [
        "  type Circumstances = {",
        "    time: Long, hour: Long, weekday: Long, door: String, address?: ipaddr",
        "  };",
        "  action read;",
        "  action write;",
        "  action execute;",
        "  action admin;",
    ]
    lines += [
        f"  action {level.word} in [{Level(level + 1).word}];"
        for level in reversed(Level)
        if level is not Level.ADMIN
    ]
    for action in ACTIONS:
        rows = [ability for ability in ABILITIES if ability.action == action]
        groups = f"{rows[0].word.value}, {rows[0].level.word}"
        types = ", ".join(TYPE[row.type].cedar for row in rows)
        lines += [
            f"  action {action} in [{groups}] appliesTo {{",
            f"    principal: [User, Token, Guest], resource: [{types}], context: Circumstances",
            "  };",
        ]
    return "\n".join([*lines, "}", ""])
