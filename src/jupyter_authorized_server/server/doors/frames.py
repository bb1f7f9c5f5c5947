"""Wire formats of kernel channels: what a frame says it is, read strictly; no I/O.

A client picks one of two formats. In the newer one the server passes the very bytes of
the header on to the kernel, and kernels are written in many languages. So what is
judged must be what any parser makes of these bytes: UTF-8, one JSON object, no key
twice, not in another case either, since kernels in Go or .NET take `MSG_TYPE` for
`msg_type`. A frame that can be read in two ways is not read at all.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

#: Subprotocol of the newer format; without it a client speaks the older one.
V1 = "v1.kernel.websocket.jupyter.org"
#: Parts of a message; each buffer of a widget is one.
MOST_PARTS = 8192
#: Bytes of a header that is read; real ones have some 300.
LONGEST_HEADER = 16_384
#: Bytes of a content that is read, where the answer depends on it.
LONGEST_CONTENT = 2**20

_LEAST_PARTS = 6
_HEADER, _METADATA, _CONTENT = 1, 3, 4
_U64 = struct.Struct("<Q")
_PLAIN = struct.Struct("<6Q")
_PLAIN_TABLE = struct.Struct("<7Q")
_REQUESTS = (b"shell", b"control")
#: Keys of the headers that front ends send.
_USUAL = frozenset({"msg_id", "msg_type", "session", "username", "version", "date", "subshell_id"})
_CHANNELS = {name.encode(): name for name in ("shell", "control", "stdin")}
_I32 = struct.Struct("!i")
#: Parts of a message that the older format names.
_NAMES = ("header", "parent_header", "metadata", "content")


class Malformed(ValueError):  # why: says what the frame is
    """A frame that is not forwarded, to no kernel and for nobody."""


class Message(NamedTuple):
    """What a frame is, as far as it is judged.

    Args:
        channel: as the client names it.
        msg_type: as the header says.
        header: whole; the parent of every answer.
    """

    channel: str
    msg_type: str
    header: dict[str, Any]


def plain_parts(data: object) -> list[bytes] | None:
    """The parts of what is surely a frame of the newer format, for `shell` or `control`.

    Channel, header, parent, metadata, content. A list says what `FrameV1` would find out,
    in a quarter of the time; None says nothing.
    """
    if type(data) is not bytes or len(data) < _PLAIN_TABLE.size:
        return None
    count, first, second, third, fourth, fifth, end = _PLAIN_TABLE.unpack_from(data)
    if (
        count == _LEAST_PARTS
        and _PLAIN_TABLE.size <= first <= second <= third <= fourth <= fifth <= end <= len(data)
        and (channel := data[first:second]) in _REQUESTS
    ):
        return [
            channel,
            data[second:third],
            data[third:fourth],
            data[fourth:fifth],
            data[fifth:end],
        ]
    return None


def may_be(header: bytes | str, msg_type: str) -> bool:
    """Whether a header, not parsed, could be one of `msg_type`; False is certain.

    An escape can spell any letter in another way, and so can another encoding, which some
    kernel might take.
    """
    if isinstance(header, str):
        return msg_type in header or "\\" in header
    return (
        msg_type.encode() in header or b"\\" in header or b"\0" in header or not header.isascii()
    )


def plain_type(header: bytes) -> str | None:
    """The type of what is surely a header of texts alone, each key once; None says nothing.

    What front ends send is such a one, and this takes a third of the time of reading it
    in full. Where no backslash is, quotes come in pairs, one pair for each key and each
    text: more of them than a dict of texts accounts for, and a key stood twice. A key that
    front ends do not send may be another one in another case.
    """
    if b"\\" in header or len(header) > LONGEST_HEADER:
        return None
    try:
        text = header.decode()
        found, end = _plain.raw_decode(text)
        # Fails where a value is no text.
        "".join(found.values())
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if end != len(text) or text.count('"') != 4 * len(found) or not _USUAL.issuperset(found):
        return None
    msg_type: str | None = found.get("msg_type")
    return msg_type


class FrameV1:
    """A frame of the newer format, its lengths checked.

    Offsets must rise and stay inside: a table that lies would have the server build
    more than was sent (the whole frame once for each entry), or loop for minutes.

    Raises:
        Malformed: it lies about its lengths.
    """

    __slots__ = ("_data", "_offsets")

    def __init__(self, data: object) -> None:
        if not isinstance(data, bytes) or len(data) < _U64.size:
            raise Malformed("not a binary frame")
        (count,) = _U64.unpack_from(data)
        size = len(data)
        if not _LEAST_PARTS <= count <= MOST_PARTS or 8 * (count + 1) > size:
            raise Malformed("a frame with an impossible number of parts")
        if count == _LEAST_PARTS:
            offsets = _PLAIN.unpack_from(data, 8)
            first, second, third, fourth, fifth, end = offsets
            rises = first <= second <= third <= fourth <= fifth <= end
        else:
            offsets = struct.unpack_from(f"<{count}Q", data, 8)
            rises = list(offsets) == sorted(offsets)
        if not rises or offsets[0] < 8 * (count + 1) or offsets[-1] > size:
            raise Malformed("a frame whose parts overlap or lie outside")
        self._data = data
        self._offsets = offsets

    def is_for(self, *channels: bytes) -> bool:
        """Whether it is for one of `channels`; costs no parsing."""
        return self._data[self._offsets[0] : self._offsets[1]] in channels

    def message(self) -> Message:
        """Channel and header.

        Raises:
            Malformed: they are not what every parser would read alike.
        """
        first, second, third = self._offsets[:3]
        raw = self._data[first:second]
        channel = _CHANNELS.get(raw) or _text(raw, LONGEST_HEADER)
        return _message(channel, _json_object(self._data[second:third], LONGEST_HEADER))

    def may_be(self, msg_type: str) -> bool:
        """As `may_be`, of this frame's header."""
        start, end = self._offsets[_HEADER : _HEADER + 2]
        return may_be(self._data[start:end], msg_type)

    def metadata(self) -> dict[str, Any]:
        """The metadata.

        Raises:
            Malformed: as for `message`.
        """
        start, end = self._offsets[_METADATA : _METADATA + 2]
        return _json_object(self._data[start:end], LONGEST_CONTENT)

    def raw_content(self) -> bytes:
        """The bytes of the content."""
        start, end = self._offsets[_CONTENT : _CONTENT + 2]
        return self._data[start:end]

    def content(self) -> dict[str, Any]:
        """The content.

        Raises:
            Malformed: as for `message`.
        """
        return _unlike(_json_object(self.raw_content(), LONGEST_CONTENT))

    def parts(self) -> list[bytes]:
        """All of it, the channel first."""
        at = self._offsets
        return [self._data[at[n] : at[n + 1]] for n in range(len(at) - 1)]

    def with_code(self, code: str) -> bytes:
        """The same frame, running `code`.

        Raises:
            Malformed: as for `message`.
        """
        parts = self.parts()
        parts[_CONTENT] = json.dumps({**self.content(), "code": code}).encode()
        at = [8 * (len(parts) + 2)]
        for part in parts:
            at.append(at[-1] + len(part))
        return b"".join((struct.pack(f"<{len(at) + 1}Q", len(at), *at), *parts))


class LegacyFrame:
    """A frame of the older format: JSON text, or JSON and buffers behind a table.

    The server parses and writes it anew, so the kernel sees what was judged.

    Raises:
        Malformed: it lies about its lengths.
    """

    __slots__ = ("_buffers", "_parsed", "_text")

    def __init__(self, data: object) -> None:
        self._parsed: dict[str, Any] | None = None
        self._buffers: list[bytes] = []
        self._text: str | bytes
        if isinstance(data, str):
            self._text = data
            return
        if not isinstance(data, bytes) or len(data) < _I32.size:
            raise Malformed("neither text nor binary")
        (count,) = _I32.unpack_from(data)
        size = len(data)
        if not 1 <= count <= MOST_PARTS or 4 * (count + 1) > size:
            raise Malformed("a frame with an impossible number of parts")
        offsets = struct.unpack_from(f"!{count}I", data, 4)
        if offsets[0] < 4 * (count + 1) or offsets[-1] > size or list(offsets) != sorted(offsets):
            raise Malformed("a frame whose parts overlap or lie outside")
        ends = (*offsets[1:], size)
        self._text, *self._buffers = (
            data[start:end] for start, end in zip(offsets, ends, strict=True)
        )

    def is_for(self, *channels: bytes) -> bool:
        """Whether it is surely for `shell` or `control`, told without parsing."""
        text = self._text
        if isinstance(text, bytes):
            return not (b"stdin" in text or b"\\u" in text or b"iopub" in text)
        return bool(channels) and not ("stdin" in text or "\\u" in text or "iopub" in text)

    def message(self) -> Message:
        """Channel and header; no channel means `shell`, as for the server.

        Raises:
            Malformed: they are not what every parser would read alike.
        """
        whole = self._whole()
        channel = whole.get("channel")
        header = whole.get("header")
        if channel is None:
            channel = "shell"
        if not isinstance(channel, str) or not isinstance(header, dict):
            raise Malformed("no channel or header")
        # Every answer carries it back.
        if len(self._text) > LONGEST_HEADER and len(json.dumps(header)) > LONGEST_HEADER:
            raise Malformed("a part that is too long")
        return _message(channel, header)

    def may_be(self, msg_type: str) -> bool:
        """As `may_be`, of all of this frame's text."""
        text = self._text
        return may_be(text, msg_type)

    def metadata(self) -> dict[str, Any]:
        """The metadata; none is an empty one, as for the server.

        Raises:
            Malformed: it is no JSON object.
        """
        metadata = self._whole().get("metadata", {})
        if not isinstance(metadata, dict):
            raise Malformed("no metadata")
        return metadata

    def raw_content(self) -> bytes:
        """The bytes of the content, as the server writes them."""
        return json.dumps(self._whole().get("content")).encode("utf-8", "surrogatepass")

    def content(self) -> dict[str, Any]:
        """The content.

        Raises:
            Malformed: it is no JSON object.
        """
        content = self._whole().get("content")
        if not isinstance(content, dict):
            raise Malformed("no content")
        return _unlike(content)

    def with_code(self, code: str) -> str:
        """The same frame, running `code`; a run has no buffers.

        Raises:
            Malformed: as for `content`.
        """
        return json.dumps({**self._whole(), "content": {**self.content(), "code": code}})

    def anew(self) -> str | bytes:
        """The same message, written of what was read and of nothing else.

        Raises:
            Malformed: as for `message`.
        """
        channel, whole = self.message().channel, self._whole()
        named = {name: whole.get(name, {}) for name in _NAMES}
        text = json.dumps({**named, "channel": channel})
        if not self._buffers:
            return text
        parts = [text.encode(), *self._buffers]
        at = [4 * (len(parts) + 1)]
        for part in parts[:-1]:
            at.append(at[-1] + len(part))
        return b"".join((struct.pack(f"!{len(at) + 1}I", len(parts), *at), *parts))

    def _whole(self) -> dict[str, Any]:
        if self._parsed is None:
            self._parsed = _json_object(self._text, None)
        return self._parsed


Frame = FrameV1 | LegacyFrame


def _message(channel: str, header: dict[str, Any]) -> Message:
    msg_type = header.get("msg_type")
    if not isinstance(msg_type, str):
        raise Malformed("a header without a type")
    return Message(channel, msg_type, _unlike(header))


def _unlike(found: dict[str, Any]) -> dict[str, Any]:
    """`found`, whose own keys differ in more than their case; deeper ones mean nothing here."""
    if len({key.casefold() for key in found}) != len(found):
        raise Malformed("a key stands twice, in another case")
    return found


def _text(data: bytes, most: int | None) -> str:
    if most is not None and len(data) > most:
        raise Malformed("a part that is too long")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def _json_object(data: bytes | str, most: int | None) -> dict[str, Any]:
    # `json.loads` would also take bytes in UTF-16 and UTF-32.
    text = data if isinstance(data, str) else _text(data, most)
    try:
        found = _decoder.decode(text)
    except (ValueError, RecursionError):
        raise Malformed("not JSON, or a key stands twice") from None
    if not isinstance(found, dict):
        raise Malformed("not a JSON object")
    return found


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key stands twice")
    return found


#: Made once: `json.loads` with a hook would make one for each header.
_decoder = json.JSONDecoder(object_pairs_hook=_each_key_once)
_plain = json.JSONDecoder()
