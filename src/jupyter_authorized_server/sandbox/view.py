"""What a process may touch of the contents, compiled from what the policy decides.

A folder is shown whole or not at all: whoever can change a folder can take a thing that
is masked in it out from under the mask. So a folder in which a rule makes an exception
is not shown, and the folders in it that are free of exceptions are, each by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..errors import TooMuch
from ..policy.model import Cover, Resource
from ..policy.paths import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..decision_point import DecisionPoint
    from ..policy.model import Principal

#: What a process does to files that it may read, and to those that it may write.
READING = ("list", "open", "download", "copy")
WRITING = ("save", "create", "rename", "delete")
#: What a rule of the policy files can give a process besides the contents.
BESIDES = ("network", "internet", "devices", "mounts")
_PROGRAMS = ("kernelspecs", "terminals")
#: Folders that one process is shown; each costs time at the start of every kernel.
MAX_FOLDERS = 100


class LeftOut(NamedTuple):
    """A path that the person may read and the process is not shown, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one process may touch of the contents.

    Args:
        principal: written form of whose it is.
        revision: of the policy that it was compiled from.
        read_only: canonical contents paths of folders it may read.
        writable: of those it may change too, each with all that is below it.
        left_out: what it is not shown for a reason that is not the policy's.
        ends: when a grant that it rests on ends, in seconds since the epoch.
        besides: of `BESIDES`, what a rule gives it.
        program: the kernelspec or terminal for which the rule gives it that.
    """

    principal: str
    revision: int
    read_only: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    ends: float = math.inf
    besides: frozenset[str] = frozenset()
    program: Resource = field(default_factory=lambda: Resource(type="kernelspecs"))

    def reads(self, path: str) -> bool:
        """Whether the canonical `path` is in it."""
        return any(folder in ancestors(path) for folder in (*self.read_only, *self.writable))

    def writes(self, path: str) -> bool:
        """Whether the canonical `path` may be changed in it."""
        return any(folder in ancestors(path) for folder in self.writable)


class Rights(Protocol):
    """Who may do what on the contents: the decision point, or no rule at all."""

    @property
    def revision(self) -> int:
        """Of the policy."""

    def cover(self, principal: Principal, action: str, folder: str) -> Cover:
        """How far a right on `folder` reaches."""

    def marked(self, principal: Principal, folder: str) -> frozenset[str]:
        """The names in `folder` about which something is said apart."""


class Open:
    """Rights without a rule on any path, where a method of the configuration decides."""

    revision = 0

    def cover(self, principal: Principal, action: str, folder: str) -> Cover:  # noqa: ARG002  # why: as `Rights`
        """All of it."""
        return Cover(some=True, whole=True, until=math.inf)

    def marked(self, principal: Principal, folder: str) -> frozenset[str]:  # noqa: ARG002  # why: as `Rights`
        """None."""
        return frozenset()


class Tree(Protocol):
    """The folders of the contents, as the disk has them now."""

    def folders(self, path: str) -> list[str]:
        """The names of the folders in `path`; links are none."""

    def kind(self, path: str) -> str:
        """`folder`, `file`, `link`, `other`, or empty where nothing is."""

    def is_kept(self, path: str) -> bool:
        """Whether `path` is, or lies in, something that is the server's own."""

    def holds_kept(self, path: str) -> bool:
        """Whether something that is the server's own lies below `path`."""


@dataclass(slots=True, kw_only=True)
class _Search:
    point: Rights
    principal: Principal
    tree: Tree
    may_write: bool
    read_only: list[str] = field(default_factory=list)
    writable: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    ends: float = math.inf

    def cover(self, actions: tuple[str, ...], path: str) -> tuple[bool, bool, float]:
        """Whether all `actions` are allowed on some of `path`, on the whole, and until when."""
        found = [self.point.cover(self.principal, action, path) for action in actions]
        return (
            all(each.some for each in found),
            all(each.whole for each in found),
            min(each.until for each in found),
        )

    def look(self, path: str) -> None:
        """Take in what may be read of the folder `path`."""
        some, whole, until = self.cover(READING, path)
        if self.tree.is_kept(path):
            if some:
                self.left_out.append(LeftOut(path, "it is the server's own"))
            return
        kept_below = self.tree.holds_kept(path)
        if whole and not kept_below:
            self._take(path, until)
            return
        names = set(self.point.marked(self.principal, path))
        if some:
            why = "something in it is the server's own" if kept_below else "a rule excepts"
            self.left_out.append(LeftOut(path, f"{why}; the folders in it are shown, no files"))
            names.update(self.tree.folders(path))
        for name in sorted(names):
            self._enter(f"{path.rstrip('/')}/{name}")

    def _enter(self, path: str) -> None:
        kind = self.tree.kind(path)
        if kind == "folder":
            self.look(path)
        elif kind and self.cover(READING, path)[0]:
            why = "it is a file by itself" if kind == "file" else f"it is no folder but a {kind}"
            self.left_out.append(LeftOut(path, why))

    def _take(self, path: str, until: float) -> None:
        if len(self.read_only) + len(self.writable) >= MAX_FOLDERS:
            msg = (
                f"`{self.principal.name}` would have to be shown more than {MAX_FOLDERS} folders "
                f"one by one, such as `contents:{path}`; grant a folder that holds them instead, "
                "or move what a rule excepts out of it"
            )
            raise TooMuch(msg)
        self.ends = min(self.ends, until)
        if self.may_write:
            _, writes, write_until = self.cover(WRITING, path)
            if writes:
                self.ends = min(self.ends, write_until)
                self.writable.append(path)
                return
        self.read_only.append(path)
        if self.may_write:
            self._widen(path)

    def _widen(self, path: str) -> None:
        """Take in the writable folders that are granted in the read-only `path`."""
        for name in sorted(self.point.marked(self.principal, path)):
            inner = f"{path.rstrip('/')}/{name}"
            if self.tree.kind(inner) != "folder":
                continue
            _, writes, until = self.cover(WRITING, inner)
            if writes:
                self.ends = min(self.ends, until)
                self.writable.append(inner)
            else:
                self._widen(inner)


def compile_view(
    point: Rights, principal: Principal, tree: Tree, *, may_write: bool = True, top: str = "/"
) -> View:
    """What `principal`'s process may touch of the contents now.

    Args:
        may_write: False where others' code runs in it.
        top: the folder beside which nothing is shown.

    Raises:
        TooMuch: too many folders would have to be shown one by one.
    """
    search = _Search(point=point, principal=principal, tree=tree, may_write=may_write)
    search.look(top)
    if len(search.read_only) + len(search.writable) > MAX_FOLDERS:
        msg = f"`{principal.name}` has more than {MAX_FOLDERS} folders; merge their grants"
        raise TooMuch(msg)
    return View(
        principal=principal.name,
        revision=point.revision,
        read_only=tuple(search.read_only),
        writable=tuple(search.writable),
        left_out=tuple(search.left_out),
        ends=search.ends,
    )


def covers(point: DecisionPoint, principal: Principal, view: View) -> tuple[bool, float]:
    """Whether `principal` may touch all that a process with `view` can, and until when.

    What holds under a condition only counts as denied, as in a view.
    """
    has_all, until = _has_besides(point, principal, view)
    if not has_all:
        return False, math.inf
    asked = [(READING, path) for path in (*view.read_only, *view.writable)]
    asked += [(WRITING, path) for path in view.writable]
    for actions, path in asked:
        for action in actions:
            reach = point.cover(principal, action, path)
            if not reach.whole:
                return False, math.inf
            until = min(until, reach.until)
    return True, until


def _has_besides(point: DecisionPoint, principal: Principal, view: View) -> tuple[bool, float]:
    """Whether a right gives `principal` all that a process with `view` has besides."""
    until = math.inf
    for right in view.besides:
        # The machine's network holds the internet.
        actions = (right, "network") if right == "internet" else (right,)
        found = [
            point.decide(principal, action, view.program, door="sandbox", record=False, lift=False)
            for action in actions
        ]
        if not any(each.allowed for each in found):
            return False, math.inf
        until = min(until, max(each.good_until for each in found if each.allowed))
    return True, until


def have_the_same(
    point: DecisionPoint, one: Principal, other: Principal, program: Resource
) -> bool:
    """Whether rules give processes of `one` and `other` the same besides the contents.

    Asked of `program`, and of every other kind of process that a rule can tell from the rest.
    """
    programs = {program, Resource(type="kernelspecs"), Resource(type="terminals")}
    for rule in point.snapshot.policy.rules:
        if any(rule.covers(type_, each) for type_ in _PROGRAMS for each in BESIDES):
            type_, _, name = rule.resource.name.partition(":")
            if type_ == "kernelspecs":
                programs.add(Resource(type=type_, id=name.lower()))
            elif type_ == "contents":
                programs.add(Resource(type="terminals", within=ancestors(name)))
    return all(
        by_rule(point, one, each, program) is by_rule(point, other, each, program)
        for each in BESIDES
        for program in programs
    )


def has_besides(view: View) -> frozenset[str]:
    """What a process with `view` has besides; the machine's network holds the internet."""
    return view.besides | ({"internet"} if "network" in view.besides else set())


def narrowed(view: View, to: View) -> View:
    """What of `view` is in `to` as well."""
    shown = {*view.read_only, *view.writable, *to.read_only, *to.writable}
    readable = [path for path in sorted(shown) if view.reads(path) and to.reads(path)]
    writable = [path for path in readable if view.writes(path) and to.writes(path)]
    lost = [path for path in (*view.read_only, *view.writable) if path not in readable]
    lost += [path for path in view.writable if path in readable and path not in writable]
    why = "others have run code in this process before; a new one has it"
    return replace(
        view,
        read_only=_outermost(path for path in readable if path not in writable),
        writable=_outermost(writable),
        left_out=(*view.left_out, *(LeftOut(path, why) for path in lost)),
        besides=has_besides(view) & has_besides(to),
    )


def is_wider(had: View, now: View) -> bool:
    """Whether a process with the view `had` reaches what one with `now` does not."""
    if has_besides(had) - has_besides(now):
        return True
    return any(not now.reads(path) for path in (*had.read_only, *had.writable)) or any(
        not now.writes(path) for path in had.writable
    )


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """`paths` without those that lie in another one."""
    found = set(paths)
    return tuple(sorted(path for path in found if not found & set(ancestors(path)[1:])))


def runs_own_code(point: DecisionPoint, principal: Principal, kernel: Resource) -> bool:
    """Whether `principal` may run any code in `kernel`, not only what others saved."""
    return point.decide(principal, "run", kernel, door="sandbox", record=False).allowed


def may_execute(point: DecisionPoint, principal: Principal, process: Resource) -> bool:
    """Whether `principal` may still run anything in the kernel or terminal `process`."""
    action = "run_saved" if process.type == "kernels" else "start"
    return point.decide(principal, action, process, door="sandbox", record=False).allowed


def by_rule(point: DecisionPoint, principal: Principal, action: str, on: Resource) -> bool:
    """Whether a rule of the policy files lets `principal` do `action`, whatever the hour.

    For what lies outside the sandbox a level is not enough, nor is a rule that names the
    action among others by a word: whoever may do everything, or run everything, may do so
    without anybody having thought of what their code would do there.
    """
    decision = point.decide(principal, action, on, door="sandbox", record=False, lift=False)
    deciding = {each.id for each in decision.determining if each.kind == "rule"}
    return (
        decision.allowed
        and decision.good_until == math.inf
        and any(
            rule.id in deciding and rule.names("Action", action)
            for rule in point.snapshot.policy.rules
        )
    )
