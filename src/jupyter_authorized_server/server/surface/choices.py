"""What a person has chosen for their own pages: configuration, and which plugins are on.

It lies above what is the same for everybody, and below what an administrator has locked.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.config_manager import BaseJSONConfigManager
from tornado.web import HTTPError

from ... import mistakes, sentences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Most bytes of one section.
MOST = 64 * 1024
#: The section, and the words in it, that JupyterLab's pages are told.
_SECTION, _DISABLED, _LOCKED = "page_config", "disabledExtensions", "lockedExtensions"
#: Of jupyterlab_server: what reads for pages what is the same for everybody.
_READS = "jupyterlab_server.config"
#: What whoever a page is made for has turned off (True) and on (False) while it is made.
_CHOSEN: ContextVar[dict[str, bool]] = ContextVar("jupyter_authorization_plugins", default={})  # noqa: B039  # why: nobody changes it


class Choices:
    """The sections of configuration that one person has written.

    Args:
        folder: where they are, or will be.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, section: str) -> dict[str, Any]:
        """What was chosen of `section`; empty where nothing was."""
        found: dict[str, Any] = BaseJSONConfigManager(config_dir=self._folder).get(section)
        return found

    def put(self, section: str, said: dict[str, Any]) -> None:
        """Keep `said` as all that was chosen of `section`; whole, or not at all.

        Raises:
            HTTPError: there is too much of it.
        """
        try:
            text = json.dumps(said, indent=2).encode()
        except RecursionError as error:
            raise HTTPError(400, mistakes.settings_unread(str(error))) from None
        if len(text) > MOST:
            raise HTTPError(413, mistakes.settings_long(str(MOST)))
        Path(self._folder).mkdir(parents=True, exist_ok=True)
        number, beside = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(text)
            Path(beside).replace(Path(self._folder) / f"{section}.json")
        except BaseException:  # why: raised again
            Path(beside).unlink(missing_ok=True)
            raise

    def change(self, section: str, said: dict[str, Any]) -> None:
        """Keep `said` above what was chosen of `section` before.

        Raises:
            HTTPError: there is too much of it.
        """
        self.put(section, lay(said, self.get(section)))

    @property
    def plugins(self) -> dict[str, bool]:
        """By name of a plugin or an extension: whether it is off."""
        found = self.get(_SECTION).get(_DISABLED)
        return found if isinstance(found, dict) else {}

    def choose(self, plugin: str, *, off: bool) -> None:
        """Keep whether `plugin` is off."""
        self.change(_SECTION, {_DISABLED: {plugin: off}})


def lay(above: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """`found` with `above` over it, name by name; what is null in `above` is not there.

    Upstream does so too, and fails where the one has an object and the other has none.
    """
    for name, value in above.items():
        if isinstance(value, dict):
            below = found.get(name)
            value = lay(value, below if isinstance(below, dict) else {}) or None  # noqa: PLW2901  # why: an empty object is nothing
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How turning a plugin on or off has gone, in upstream's words."""

    status: str
    message: str | None = None
    needs_restart: list[str] = field(default_factory=list)


class OwnPlugins:
    """In the place of upstream's manager of plugins: for one person.

    Args:
        upstream: has the locks with which the server was started.
        choices: the person's.
    """

    def __init__(self, upstream: Any, choices: Choices) -> None:
        self._upstream = upstream
        self._choices = choices

    async def plugin_locks(self) -> dict[str, Any]:
        """What nobody may change, in upstream's words."""
        options = self._upstream.options
        shared = sys.modules[_READS].get_static_page_config(level="all")
        return {
            "lockRules": sorted({*options.lock_rules, *_named(shared.get(_LOCKED))}),
            "allLocked": options.lock_all,
        }

    async def disable(self, plugin: str) -> Done:
        """Turn `plugin` off."""
        return await self._choose(plugin, off=True)

    async def enable(self, plugin: str) -> Done:
        """Turn `plugin` on."""
        return await self._choose(plugin, off=False)

    async def _choose(self, plugin: str, *, off: bool) -> Done:
        locks = await self.plugin_locks()
        if locks["allLocked"] or _is_locked(plugin, locks["lockRules"]):
            return Done(status="error", message=sentences.plugin_locked(plugin))
        try:
            self._choices.choose(plugin, off=off)
        except HTTPError as error:
            return Done(status="error", message=error.log_message)
        return Done(status="ok", needs_restart=["frontend"])


def _named(said: object) -> set[str]:
    """The names in `said`, which has them as a list, or by name whether they are meant."""
    if isinstance(said, dict):
        return {name for name, is_so in said.items() if is_so}
    return set(said) if isinstance(said, list) else set()


def _is_locked(plugin: str, rules: Collection[str]) -> bool:
    """Whether a lock is on `plugin`, on its extension, or on a part of it."""
    extension, _, part = plugin.partition(":")
    if plugin in rules or extension in rules:
        return True
    return not part and any(each.partition(":")[0] == extension for each in rules)


@contextlib.contextmanager
def shown(plugins: dict[str, bool]) -> Iterator[None]:
    """Make the page inside with these on and off, but for what is locked."""
    token = _CHOSEN.set(plugins)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def install(*pages: str) -> None:
    """Have what `shown` says be part of what JupyterLab's pages are told; once.

    Args:
        pages: modules that read what their pages are told.
    """
    reads: Any = sys.modules.get(_READS)
    if reads is None:
        return
    if not hasattr(reads.get_static_page_config, "upstream"):
        reads.get_static_page_config = _above(reads.get_static_page_config)
    for module in filter(None, map(sys.modules.get, pages)):
        found = getattr(module, "get_page_config", None)
        if found is not None and not hasattr(found, "upstream"):
            module.get_page_config = _unless_locked(found)  # type: ignore[attr-defined]  # why: upstream's


def _above(upstream: Any) -> Any:
    def get_static_page_config(*args: Any, **options: Any) -> dict[str, Any]:
        """What is the same for everybody, and above it what whoever this is for has chosen."""
        found: dict[str, Any] = upstream(*args, **options)
        if chosen := _CHOSEN.get():
            off = found.get(_DISABLED)
            both = off if isinstance(off, dict) else dict.fromkeys(_named(off), True)
            found[_DISABLED] = {**both, **chosen}
        return found

    get_static_page_config.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    return get_static_page_config


def _unless_locked(upstream: Any) -> Any:
    def get_page_config(*args: Any, **options: Any) -> dict[str, Any]:
        """What pages are told from the disk, with what is chosen and not locked."""
        chosen = _CHOSEN.get()
        with shown({}):
            found: dict[str, Any] = upstream(*args, **options)
        rules = _named(found.get(_LOCKED))
        free = {name: off for name, off in chosen.items() if not _is_locked(name, rules)}
        if free:
            with shown(free):
                found = upstream(*args, **options)
        return found

    get_page_config.upstream = upstream  # type: ignore[attr-defined]  # why: a mark of our own
    return get_page_config
