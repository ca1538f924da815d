"""Replies read within bounds, whole and one byte at a time; errors and commands written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.redis.resp import (
    MAX_REPLY_BYTES,
    ErrorReply,
    ProtocolViolation,
    Push,
    Reply,
    ReplyReader,
    encode_command,
    encode_error,
)


def read(data: bytes, size: int = 1 << 20) -> list[Reply]:
    reader = ReplyReader()
    replies = []
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        while (reply := reader.next_reply()) is not None:
            replies.append(reply[0])
    return replies


SAMPLES: list[tuple[bytes, Reply]] = [
    (b"+OK\r\n", b"OK"),
    (b"-WRONGPASS no\r\n", ErrorReply("WRONGPASS no")),
    (b"!9\r\nERR a\r\nbc\r\n", ErrorReply("ERR a\r\nbc")),
    (b":-42\r\n", -42),
    (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"_\r\n", None),
    (b"#t\r\n", b"t"),
    (b",1.5\r\n", b"1.5"),
    (b"(123456789012345678901234567890\r\n", b"123456789012345678901234567890"),
    (b"=7\r\ntxt:abc\r\n", b"txt:abc"),
    (b"*0\r\n", ()),
    (b"*3\r\n$6\r\nmaster\r\n:12\r\n*0\r\n", (b"master", 12, ())),
    (b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", (b"a", 1, b"b", (None,))),
    (b"~2\r\n:1\r\n:2\r\n", (1, 2)),
    (b">2\r\n+pubsub\r\n:1\r\n", Push((b"pubsub", 1))),
    (b"|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n", b"x"),
]


@pytest.mark.parametrize(("data", "reply"), SAMPLES)
def test_every_type(data: bytes, reply: Reply) -> None:
    assert read(data) == [reply]
    assert read(data, 1) == [reply]


def test_many_in_a_row_one_byte_at_a_time() -> None:
    stream = b"".join(data for data, _ in SAMPLES)
    assert read(stream) == read(stream, 1) == [reply for _, reply in SAMPLES]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"?\r\n",
        b":\r\n",
        b":x\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"$3\r\nabcd\r\n",
        b"$536870912\r\n",
        b"*99999999999\r\n",
        b"*536870912\r\n",
        b"*1\r\n" * 10,
        b"+" + b"x" * 5000,
        b"*20000\r\n" + b":1000\r\n" * 20000,
    ],
)
def test_what_is_no_reply_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read(data)


def test_bytes_not_read_are_handed_over() -> None:
    reader = ReplyReader()
    reader.feed(b"+OK\r\n$3\r\nab")
    assert reader.next_reply() == (b"OK",)
    assert reader.next_reply() is None
    assert not reader.between_replies
    assert reader.take_rest() == b"$3\r\nab"
    assert reader.between_replies


def test_a_command_and_an_error() -> None:
    assert encode_command(b"AUTH", b"a\r\nb") == b"*2\r\n$4\r\nAUTH\r\n$4\r\na\r\nb\r\n"
    assert encode_error("ERR", "two\r\nlines") == b"-ERR two  lines\r\n"
    assert len(encode_error("ERR", "x" * 10_000)) < 600


@given(st.binary(max_size=300), st.integers(1, 7))
def test_hostile_bytes_raise_nothing_else_and_sizes_do_not_matter(data: bytes, size: int) -> None:
    assert _outcome(data, size) == _outcome(data, 1)


PIECES = st.sampled_from(
    [b"*2\r\n", b"%1\r\n", b">1\r\n", b"|1\r\n", b"$3\r\n", b"abc\r\n", b"+OK\r\n", b":1\r\n", b"_\r\n", b"*-1\r\n",
     b"\r", b"-E x\r\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map(b"".join), st.integers(1, 7))
def test_nearly_valid_replies_too(data: bytes, size: int) -> None:
    assert _outcome(data, size) == _outcome(data, 1)


def _outcome(data: bytes, size: int) -> list[Reply] | str:
    reader = ReplyReader()
    replies: list[Reply] = []
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            while (reply := reader.next_reply()) is not None:
                replies.append(reply[0])
    except ProtocolViolation:
        return "refused"
    assert len(reader.take_rest()) <= MAX_REPLY_BYTES
    return replies
