"""What a model of a file has to be before it is saved, and what an error says of the disk.

Upstream takes a model as it comes: some wrong ones end in its own errors, some in a file
that is empty or half there.
"""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tornado.web import HTTPError

from ... import mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {"file", "notebook", "directory", None}
_FORMATS = {"text", "base64", "json", None}
#: The version of notebooks from which on their cells stand at the top.
_FLAT = 4


def check(model: object) -> None:
    """See that `model` can be saved as it says.

    Raises:
        HTTPError: 400, it cannot.
    """
    if model is None:
        return
    if not isinstance(model, dict):
        raise HTTPError(400, mistakes.MODEL_NO_OBJECT)
    for name, known in (("type", _TYPES), ("format", _FORMATS)):
        said = model.get(name)
        if not (said is None or isinstance(said, str)) or said not in known:
            wanted = ", ".join(f"`{each}`" for each in sorted(filter(None, known)))
            raise HTTPError(400, mistakes.one_of(name, wanted))
    chunk = model.get("chunk")
    if chunk is not None and (not isinstance(chunk, int) or isinstance(chunk, bool)):
        raise HTTPError(400, mistakes.MUST_BE_NUMBER)
    if model.get("content") is None and model.get("type") != "notebook":
        if "content" in model and model.get("type") == "file" and "format" in model:
            raise HTTPError(400, mistakes.MUST_BE_TEXT)
        return
    if model.get("type") == "file":
        _check_text(model["content"], model.get("format"))
    elif model.get("type") == "notebook" and "content" in model:
        _check_notebook(model["content"])


def _check_text(content: object, written: object) -> None:
    if not isinstance(content, str):
        raise HTTPError(400, mistakes.MUST_BE_TEXT)
    try:
        if written == "base64":
            base64.b64decode("".join(content.split()), validate=True)
        else:
            content.encode()
    except (binascii.Error, ValueError):
        raise HTTPError(400, mistakes.NOT_AS_FORMAT) from None


def _check_notebook(content: object) -> None:
    if not isinstance(content, dict):
        raise HTTPError(400, mistakes.NOTEBOOK_NO_OBJECT)
    version = content.get("nbformat")
    if not isinstance(version, int) or isinstance(version, bool):
        raise HTTPError(400, mistakes.NOTEBOOK_NO_FORMAT)
    cells = content.get("cells" if version >= _FLAT else "worksheets", [])
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise HTTPError(400, mistakes.CELLS_NO_LIST)
    if not isinstance(content.get("metadata", {}), dict):
        raise HTTPError(400, mistakes.METADATA_NO_OBJECT)


@contextmanager
def without_root(root: object) -> Iterator[None]:
    """Have an error tell of files as the contents call them, not where the disk has them.

    Args:
        root: of the contents.
    """
    try:
        yield
    except HTTPError as error:
        said = _said(error)
        told = said
        for each in {str(root or ""), os.path.realpath(str(root or ""))} - {"", os.sep}:
            told = told.replace(f"{each.rstrip(os.sep)}{os.sep}", "")
        if told == said:
            raise
        raise HTTPError(error.status_code, told, reason=error.reason) from None


def called(error: HTTPError, os_path: str, path: str) -> HTTPError:
    """`error`, telling of the file `os_path` by its contents path `path`."""
    said = _said(error)
    told = said.replace(os_path, path)
    if told == said:
        return error
    return HTTPError(error.status_code, told, reason=error.reason)


def _said(error: HTTPError) -> str:
    text = error.log_message or ""
    try:
        # Without arguments Tornado has doubled each `%` for its log.
        return text % (error.args or ())
    except (TypeError, ValueError):
        return text
