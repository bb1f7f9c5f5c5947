"""Door: is this code what is saved in the kernel's notebook?

Who may run what is saved, but no code of their own, sends the same `execute_request`
as everybody; the difference is whether its code stands in a saved cell.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from ... import sentences
from ..acting import acting_as, as_server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..acting import Acting

#: Name in a run's metadata of the cell that is to be run as it is saved, by its id.
SAVED_CELL = "savedCell"

#: Notebooks whose cells are kept.
MOST_NOTEBOOKS = 64
#: What front ends send beside the code; anything else could carry code.
_FIELDS = frozenset(
    {"code", "silent", "store_history", "user_expressions", "allow_stdin", "stop_on_error"}
)


class SavedCells:
    """Answers from the contents manager, which every front end saves through.

    A notebook is read again when its date or size has changed.
    """

    def __init__(self, contents_manager: Any) -> None:
        self._contents = contents_manager
        self._kept: OrderedDict[str, tuple[object, frozenset[str]]] = OrderedDict()

    async def refusal(self, asked: Mapping[str, Any], path: str | None) -> str:
        """Why an `execute_request` with this content is not run; empty if it is saved.

        Args:
            path: of the kernel's notebook, canonical; None where it has none.
        """
        if path is None or not path.endswith(".ipynb"):
            return sentences.NO_NOTEBOOK
        code = asked.get("code")
        if not isinstance(code, str) or _has_more(asked):
            return sentences.MORE_THAN_A_CELL
        try:
            with as_server():
                saved = await self._cells(path.strip("/"))
        except Exception:  # noqa: BLE001  # why: whatever keeps us from comparing refuses
            return sentences.NOTEBOOK_UNREAD
        if _one_form(code) in saved:
            return ""
        return sentences.not_saved(path.strip("/"))

    async def cell(
        self, cell: object, asked: Mapping[str, Any], path: str | None, *, whose: Acting
    ) -> tuple[str, str]:
        """Why the cell of an id is not run, or else its code.

        Args:
            asked: content of the `execute_request`, which has no code of its own.
            path: as for `refusal`.
            whose: who asks. What runs is told to everybody at the kernel, so the notebook
                is read as they read it, and nothing that was read before counts.
        """
        if path is None or not path.endswith(".ipynb"):
            return sentences.NO_CELLS_BY_ID, ""
        if not isinstance(cell, str) or asked.get("code") != "" or _has_more(asked):
            return sentences.no_code_of_its_own(SAVED_CELL), ""
        try:
            with acting_as(whose):
                model = await ensure_async(
                    self._contents.get(path.strip("/"), content=True, type="notebook")
                )
            found = [
                each["source"]
                for each in model["content"]["cells"]
                if each["cell_type"] == "code" and each.get("id") == cell
            ]
            if len(found) == 1:
                return "", _one_form(found[0])
        except Exception:  # noqa: BLE001  # why: whatever keeps us from reading refuses
            return sentences.SAVED_UNREAD, ""
        return sentences.no_such_cell(path.strip("/")), ""

    async def _cells(self, path: str) -> frozenset[str]:
        model = await ensure_async(self._contents.get(path, content=False, type="notebook"))
        stamp = (model["last_modified"], model.get("size"))
        kept = self._kept.get(path)
        if kept is not None and kept[0] == stamp:
            self._kept.move_to_end(path)
            return kept[1]
        model = await ensure_async(self._contents.get(path, content=True, type="notebook"))
        stamp = (model["last_modified"], model.get("size"))
        cells = frozenset(
            _one_form(cell["source"])
            for cell in model["content"]["cells"]
            if cell["cell_type"] == "code"
        )
        self._kept[path] = (stamp, cells)
        if len(self._kept) > MOST_NOTEBOOKS:
            self._kept.popitem(last=False)
        return cells


def _has_more(asked: Mapping[str, Any]) -> bool:
    """Whether something beside the code could carry code."""
    return bool(asked.get("user_expressions") or set(asked) - _FIELDS)


def _one_form(source: str) -> str:
    """`source` with one sort of line ending; nothing else is made equal."""
    return source.replace("\r\n", "\n").replace("\r", "\n")
