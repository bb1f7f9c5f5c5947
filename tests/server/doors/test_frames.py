from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.session import json_unpacker
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_binary_message,
    serialize_msg_to_ws_v1,
)

from jupyter_authorized_server.server.doors import frames
from jupyter_authorized_server.server.doors.frames import (
    FrameV1,
    LegacyFrame,
    Malformed,
    plain_parts,
    plain_type,
)

HEADER = {"msg_id": "m1", "msg_type": "execute_request", "session": "s", "username": ""}
CONTENT = {"code": "print('é')", "silent": False}


def v1(
    header: bytes | None = None, *, channel: str = "shell", buffers: tuple[bytes, ...] = ()
) -> bytes:
    parts = [header if header is not None else json.dumps(HEADER).encode(), b"{}", b"{}"]
    parts += [json.dumps(CONTENT).encode(), *buffers]
    return bytes(serialize_msg_to_ws_v1(parts, channel))  # type: ignore[no-untyped-call]  # why: upstream's


def legacy(*, buffers: tuple[bytes, ...] = (), **more: Any) -> Any:
    message = {"header": HEADER, "parent_header": {}, "metadata": {}, "content": CONTENT, **more}
    if not buffers:
        return json.dumps(message)
    return serialize_binary_message({**message, "buffers": list(buffers)})  # type: ignore[no-untyped-call]  # why: upstream's


@pytest.mark.parametrize("buffers", [(), (b"a" * 100, b"", b"b")])
def test_both_formats_are_read_as_upstream_reads_them(buffers: tuple[bytes, ...]) -> None:
    for frame in (
        FrameV1(v1(buffers=buffers)),
        LegacyFrame(legacy(buffers=buffers, channel="shell")),
    ):
        message = frame.message()
        assert ("shell", "execute_request", HEADER) == (
            message.channel,
            message.msg_type,
            message.header,
        )
        assert CONTENT == frame.content()


@pytest.mark.parametrize("code", ["print(1)", "x = '\N{SNOWMAN}'", "\ud800", '"\\\n\0'])
def test_a_frame_with_other_code_is_the_same_in_all_else(code: str) -> None:
    newer = FrameV1(FrameV1(v1(buffers=(b"a",))).with_code(code))
    older = LegacyFrame(LegacyFrame(legacy(channel="control")).with_code(code))
    for frame, channel in ((newer, "shell"), (older, "control")):
        assert (channel, "execute_request", HEADER) == frame.message()
        assert {**CONTENT, "code": code} == frame.content()
    before, after = FrameV1(v1(buffers=(b"a",))).parts(), newer.parts()
    assert [*before[:4], *before[5:]] == [*after[:4], *after[5:]]


def test_a_frame_for_the_prompt_is_told_without_parsing() -> None:
    plain = {"content": {"code": "1"}}
    assert FrameV1(v1()).is_for(b"shell", b"control")
    assert not FrameV1(v1(channel="stdin")).is_for(b"shell", b"control")
    for buffers in ((), (b"x",)):
        assert LegacyFrame(legacy(**plain, channel="shell", buffers=buffers)).is_for(b"shell")
        for channel in ("stdin", "\u0073tdin", "iopub"):
            frame = legacy(**plain, channel="CHANNEL", buffers=buffers)
            if isinstance(frame, bytes):
                frame = frame.replace(b'"CHANNEL"', b'"%b"' % channel.encode().ljust(7))
            else:
                frame = frame.replace("CHANNEL", channel)
            assert not LegacyFrame(frame).is_for(b"shell")


def test_no_channel_means_shell_in_the_older_format() -> None:
    assert "shell" == LegacyFrame(legacy()).message().channel


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(json.dumps(HEADER).encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(HEADER).encode(), id="byte order mark"),
        pytest.param(b'{"msg_type": "kernel_info_request\xff"}', id="not UTF-8"),
        pytest.param(
            b'{"msg_type": "kernel_info_request", "msg_type": "execute_request"}', id="twice"
        ),
        pytest.param(
            b'{"msg_type": "kernel_info_request", "\\u006dsg_type": "execute_request"}',
            id="twice, one escaped",
        ),
        # As a kernel in Go or .NET reads it.
        pytest.param(
            b'{"msg_type": "kernel_info_request", "MSG_TYPE": "execute_request"}',
            id="twice, in another case",
        ),
        pytest.param(
            b'{"Msg_Type": "execute_request", "msg_type": "kernel_info_request"}',
            id="twice, in another case before",
        ),
        pytest.param(
            '{"msg_type": "kernel_info_request", "m\u017fg_type": "execute_request"}'.encode(),
            id="twice, with a long s",
        ),
        pytest.param(b'[["msg_type", "kernel_info_request"]]', id="a list"),
        pytest.param(b'{"msg_type": ["kernel_info_request"]}', id="a type that is no text"),
        pytest.param(b"{}", id="no type"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"msg_type": "x", "pad": "' + b"p" * frames.LONGEST_HEADER + b'"}', id="long"
        ),
        pytest.param(b'{"msg_type": "x"} {"msg_type": "y"}', id="two objects"),
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_not_read(header: bytes) -> None:
    with pytest.raises(Malformed):
        FrameV1(v1(header)).message()
    assert plain_type(header) is None
    if header.isascii():
        text = '{"channel": "shell", "header": ' + header.decode() + "}"
        with pytest.raises(Malformed):
            LegacyFrame(text).message()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"", FrameV1, id="empty"),
        pytest.param("text", FrameV1, id="text"),
        pytest.param(struct.pack("<Q", 10**7) + bytes(61), FrameV1, id="ten million parts"),
        pytest.param(struct.pack("<Q", 2**64 - 1) + bytes(61), FrameV1, id="too many to count"),
        pytest.param(struct.pack("<Q", 5) + bytes(61), FrameV1, id="too few parts"),
        pytest.param(
            struct.pack("<Q", 1000) + struct.pack("<QQ", 0, 9000) * 500 + bytes(1000),
            FrameV1,
            id="the same part over and over",
        ),
        pytest.param(struct.pack("!i", -1) + bytes(8), LegacyFrame, id="fewer than none"),
        pytest.param(struct.pack("!i", 2**31 - 1) + bytes(8), LegacyFrame, id="two thousand mio"),
        pytest.param(
            struct.pack("!i", 1000) + struct.pack("!II", 0, 5000) * 500 + bytes(1000),
            LegacyFrame,
            id="the same buffer over and over",
        ),
        pytest.param(None, LegacyFrame, id="neither text nor binary"),
    ],
)
def test_a_frame_that_lies_about_its_lengths_is_refused_at_once(
    data: object, kind: type[FrameV1 | LegacyFrame]
) -> None:
    began = time.perf_counter()
    with pytest.raises(Malformed):
        kind(data)
    assert time.perf_counter() - began < 0.05


def test_a_part_that_ends_before_it_begins_is_refused() -> None:
    data = bytearray(v1())
    struct.pack_into("<Q", data, 8 * 3, 0)
    with pytest.raises(Malformed):
        FrameV1(bytes(data))


def test_a_content_is_not_read_that_says_two_things_in_two_cases() -> None:
    def both(content: dict[str, Any]) -> list[FrameV1 | LegacyFrame]:
        parts = [json.dumps(part).encode() for part in (HEADER, {}, {}, content)]
        newer = serialize_msg_to_ws_v1(parts, "shell")  # type: ignore[no-untyped-call]  # why: upstream's
        return [FrameV1(bytes(newer)), LegacyFrame(legacy(content=content))]

    for frame in both({"restart": True, "Restart": False}):
        with pytest.raises(Malformed):
            frame.content()
    # What a widget holds is its own business.
    content = {"data": {"x": 1, "X": 2}}
    assert [content, content] == [frame.content() for frame in both(content)]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (json.dumps(HEADER), "execute_request"),
        ('{"msg_type":"comm_msg"}', "comm_msg"),
        ('{"msg_type": "x", "a": 1}', None),
        ('{"msg_type": "x", "a": 1, "a": ""}', None),
        ('{"a": 1, "b": 1, "msg_type": "x", "msg_type": "y"}', None),
        ('{"msg_type": "x", "msg_type": "y", "a": {"b": ""}}', None),
        ('{"msg_type": "\\u0078"}', None),
        (' {"msg_type": "x"}', None),
        ('{"msg_type": "x"} ', None),
        ('{"other": "x"}', None),
        ('{"msg_type": "x", "unusual": "y"}', None),
        ("[]", None),
        ('""', None),
    ],
)
def test_the_quick_way_reads_headers_of_texts_alone(header: str, found: str | None) -> None:
    assert found == plain_type(header.encode())


def full_v1(data: bytes) -> tuple[str, Any]:
    channel, parts = deserialize_msg_from_ws_v1(data)  # type: ignore[no-untyped-call]  # why: upstream's
    return channel, json_unpacker(parts[0])


def full_legacy(data: Any) -> tuple[str, Any]:
    whole = (
        deserialize_binary_message(data)  # type: ignore[no-untyped-call]  # why: upstream's
        if isinstance(data, bytes)
        else json.loads(data)
    )
    channel = whole.get("channel")
    return "shell" if channel is None else channel, whole["header"]


def hold_to_full(kind: type[FrameV1 | LegacyFrame], data: Any) -> bool:
    """Whether the strict reader took `data`; if so, the full one must read the same."""
    found = None
    with contextlib.suppress(Malformed):
        found = kind(data).message()
    if found is None:
        return False
    channel, header = full_v1(data) if kind is FrameV1 else full_legacy(data)
    assert (channel, header["msg_type"]) == (found.channel, found.msg_type)
    # Some parsers care for no case, and take the last.
    folded = {key.casefold(): value for key, value in header.items()}
    assert found.msg_type == folded["msg_type"]
    return True


def hold_quick_to_strict(header: bytes) -> bool:
    """Whether the quick reader took `header`; if so, the strict one must read the same."""
    found = plain_type(header)
    if found is None:
        return False
    assert found == FrameV1(v1(header)).message().msg_type
    return True


def upstreams(data: bytes) -> list[bytes]:
    """The parts as the server itself finds them."""
    channel, parts = deserialize_msg_from_ws_v1(data)  # type: ignore[no-untyped-call]  # why: upstream's
    return [channel.encode(), *parts]


#: Mutated frames; `make fuzz` tries ten times as many, and others.
FRAMES = int(os.environ.get("FRAMES", "20000"))


def test_thousands_of_mutated_frames_are_never_read_otherwise_than_in_full() -> None:
    chance = random.Random(FRAMES)  # noqa: S311  # why: the same mutations every time
    pieces = [b'"', b"\\u006d", b"{", b"}", b",", b"\x00", b"\xff", b'"msg_type":"x",', b"\xc3"]
    taken = plain = quick = 0
    for number in range(FRAMES):
        buffers = (b"\x01\x02", b"x") if number % 3 == 0 else ()
        data = bytearray(v1(buffers=buffers))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            sort = chance.choice((0, 0, 0, 0, 0, 0, 1, 2, 3))
            if sort == 0:
                data[at] = chance.randrange(256)
            elif sort == 1:
                data[at:at] = chance.choice(pieces)
            elif sort == 2:
                del data[at : at + chance.randrange(1, 9)]
            elif len(data) > 64:
                struct.pack_into(
                    "<Q", data, 8 * chance.randrange(7), chance.choice([0, 6, 7, 8, 64, 300])
                )
        taken += hold_to_full(FrameV1, bytes(data))
        parts = plain_parts(bytes(data))
        if parts is not None:
            plain += 1
            frame = FrameV1(bytes(data))
            assert frame.is_for(b"shell", b"control")
            assert frame.parts() == parts == upstreams(bytes(data))
            quick += hold_quick_to_strict(parts[1])
    # Enough of them are read for the law to say something.
    assert FRAMES // 10 < taken < FRAMES * 19 // 20
    assert FRAMES // 10 < plain < FRAMES * 19 // 20
    assert FRAMES // 20 < quick < plain


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.dictionaries(
        st.sampled_from(["msg_type", "Msg_Type", "m\u017fg_type", "msg_id", "channel"]),
        JSON | st.just("x"),
    ),
    st.text(max_size=8),
)
def test_any_header_is_read_alike_or_not_at_all(header: dict[str, Any], channel: str) -> None:
    raw = json.dumps(header, ensure_ascii=False).encode()
    hold_to_full(FrameV1, v1(raw, channel=channel))
    hold_quick_to_strict(raw)
    hold_to_full(LegacyFrame, json.dumps({"channel": channel, "header": header}))
    hold_to_full(LegacyFrame, legacy(buffers=(b"x",), channel=channel))


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(['"msg_type"', '"a"', '"b"']),
            st.sampled_from(['"x"', '""', "1", "null", '{"c":""}', '["d"]', "{}", '"\\u0061"']),
        ),
        max_size=5,
    )
)
def test_a_key_that_stands_twice_is_never_read_quickly(pairs: list[tuple[str, str]]) -> None:
    header = "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
    if len({key for key, _ in pairs}) < len(pairs):
        assert plain_type(header.encode()) is None
    hold_quick_to_strict(header.encode())


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200) | st.text(max_size=100))
def test_noise_is_refused_in_words(data: bytes | str) -> None:
    for kind in (FrameV1, LegacyFrame):
        with contextlib.suppress(Malformed):
            kind(data).message()
