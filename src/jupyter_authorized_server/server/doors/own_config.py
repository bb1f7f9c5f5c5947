"""Door: the configuration of the pages is one's own, above what is the same for everybody.

Upstream has one file for each section and all users: whether the news were seen, which
extensions of the classic notebook are loaded, how wide a cell is. What somebody writes goes
to a file of theirs; what the server does by itself is as upstream has it.
"""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from ... import mistakes
from ..acting import ACTING
from ..surface import own
from ..surface.choices import Choices, lay

_MARK = "_jupyter_authorization_own"


def install(settings: dict[str, Any]) -> None:
    """Have the configuration that requests read and write be of whoever asks; once.

    Args:
        settings: of the application.
    """
    manager = settings["config_manager"]
    if hasattr(manager, _MARK):
        return
    kind: Any = type(manager)

    def chosen() -> Choices | None:
        acting = ACTING.get()
        if acting is None or own.passes(acting.request):
            return None
        folder = own.folder(manager.write_config_dir, acting.principal.name, settings)
        return Choices(folder)

    class OwnConfigManager(kind):  # type: ignore[misc]  # why: whichever manager is configured
        """A manager whose sections are of one person each, above those of all."""

        def get(self, section_name: str) -> dict[str, Any]:
            """What whoever acts is told of a section."""
            found: dict[str, Any] = super().get(section_name)
            mine = chosen()
            if mine is not None:
                lay(mine.get(section_name), found)
            return found

        def set(self, section_name: str, data: Any) -> None:
            """Keep a section for whoever acts."""
            mine = chosen()
            if mine is None:
                super().set(section_name, data)
            else:
                mine.put(section_name, _read(section_name, data))

        def update(self, section_name: str, new_data: Any) -> dict[str, Any]:
            """Change a section for whoever acts; all of it afterwards."""
            mine = chosen()
            if mine is None:
                found: dict[str, Any] = super().update(section_name, new_data)
                return found
            mine.change(section_name, _read(section_name, new_data))
            return self.get(section_name)

    manager.__class__ = OwnConfigManager
    setattr(manager, _MARK, True)


def _read(section: str, said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise HTTPError(400, mistakes.must_be_object(section))
    return said
