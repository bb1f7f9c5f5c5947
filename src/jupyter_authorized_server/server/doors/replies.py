"""What a kernel would say: the whole answer to a message that no kernel is given.

A front end waits for a reply *and* for `idle`, and shows only an `error` on iopub. An
answer that leaves one out is a cell that runs for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .frames import Message

#: What the front ends show as the name of the error.
NOT_ALLOWED = "NotAllowed"
#: What a kernel says it can do, and only who may debug is told of.
_DEBUGGING = frozenset({"debugger", "kernel subshells"})
_REQUEST = "_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One message to the client; its parent is the client's own header."""

    channel: str
    msg_type: str
    content: Mapping[str, Any]


def _status(state: str) -> Reply:
    return Reply(channel="iopub", msg_type="status", content={"execution_state": state})


def answered(message: Message, content: Mapping[str, Any], *, busy: bool) -> list[Reply]:
    """`content` as the reply to `message`.

    Args:
        busy: whether the kernel runs something; said last, since `idle` would have the
            page show a running kernel as idle.
    """
    reply = Reply(channel=message.channel, msg_type=_reply_type(message), content=content)
    return _framed([reply], busy=busy)


def refused(
    message: Message, sentence: str, asked: Mapping[str, Any], *, busy: bool
) -> list[Reply]:
    """`sentence` as the answer to `message`, in the shape of its type.

    Args:
        asked: the content of `message`, where it was read; else empty.
        busy: as for `answered`.
    """
    middle = []
    if message.msg_type == "execute_request":
        middle.append(Reply(channel="iopub", msg_type="error", content=_error(sentence)))
    if message.msg_type == "input_reply":
        return []
    if message.msg_type.endswith(_REQUEST):
        content = _refusal(message.msg_type, sentence, asked)
        middle.append(
            Reply(channel=message.channel, msg_type=_reply_type(message), content=content)
        )
    return _framed(middle, busy=busy)


def done(*, busy: bool) -> list[Reply]:
    """The end of an answer, whose reply the kernel has given itself.

    Args:
        busy: as for `answered`.
    """
    return _framed([], busy=busy)[1:]


def kernel_info(info: Mapping[str, Any], *, may_debug: bool) -> dict[str, Any]:
    """What the kernel said of itself, without what this principal may not use."""
    told = {"status": "ok", **info}
    if not may_debug:
        told.pop("debugger", None)
        features = told.get("supported_features")
        if isinstance(features, list):
            told["supported_features"] = [each for each in features if each not in _DEBUGGING]
    return told


def _framed(middle: list[Reply], *, busy: bool) -> list[Reply]:
    return [_status("busy"), *middle, _status("idle"), *([_status("busy")] if busy else [])]


def _reply_type(message: Message) -> str:
    return message.msg_type.removesuffix(_REQUEST) + "_reply"


def _error(sentence: str) -> dict[str, Any]:
    return {"ename": NOT_ALLOWED, "evalue": sentence, "traceback": [sentence]}


_OWN: dict[str, dict[str, Any]] = {
    "execute_request": {"execution_count": None, "user_expressions": {}, "payload": []},
    "complete_request": {"matches": [], "cursor_start": 0, "cursor_end": 0, "metadata": {}},
    "inspect_request": {"found": False, "data": {}, "metadata": {}},
    "history_request": {"history": []},
    # Here `status` is the answer itself.
    "is_complete_request": {"status": "unknown", "indent": ""},
    "comm_info_request": {"comms": {}},
    "list_subshell_request": {"subshell_id": []},
    "shutdown_request": {"restart": False},
}
#: JupyterLab reads every field of it, also of one that failed.
_DEBUG_INFO = {
    "isStarted": False,
    "hashMethod": "",
    "hashSeed": 0,
    "tmpFilePrefix": "",
    "tmpFileSuffix": "",
    "breakpoints": [],
    "stoppedThreads": [],
    "richRendering": False,
    "exceptionPaths": [],
    "copyToGlobals": False,
}


def _refusal(msg_type: str, sentence: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    if msg_type == "debug_request":
        return {
            "type": "response",
            "seq": 0,
            "request_seq": asked.get("seq", 0),
            "command": asked.get("command", ""),
            "success": False,
            "message": sentence,
            "body": dict(_DEBUG_INFO),
        }
    content = {"status": "error", **_error(sentence), **_OWN.get(msg_type, {})}
    if msg_type == "shutdown_request":
        content["restart"] = asked.get("restart") is True
    return content
