"""Framing: whole messages out of any slicing, and no belief in lengths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.wire import Message, MessageReader, ProtocolViolation, encode


def read_all(reader: MessageReader, *pieces: bytes) -> list[Message]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        while message := reader.next_message():
            found.append(message)
    return found


TWO = encode(b"R", b"\0\0\0\0") + encode(b"Z", b"I")


@pytest.mark.parametrize("pieces", [[TWO], [TWO[at : at + 1] for at in range(len(TWO))]], ids=["whole", "bytewise"])
def test_messages_come_whole(pieces: list[bytes]) -> None:
    assert read_all(MessageReader(), *pieces) == [Message(b"R", b"\0\0\0\0"), Message(b"Z", b"I")]


def test_what_was_not_read_is_handed_over() -> None:
    reader = MessageReader()
    reader.feed(TWO + b"D\0\0")
    assert reader.next_message() == Message(b"R", b"\0\0\0\0")
    assert reader.take_rest() == encode(b"Z", b"I") + b"D\0\0"
    assert reader.take_rest() == b""


@pytest.mark.parametrize("length", [b"\0\0\0\3", b"\0\0\0\0", b"\0\1\0\1", b"\xff\xff\xff\xff"])
def test_impossible_lengths_are_refused_before_the_body_comes(length: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_all(MessageReader(65536), b"D" + length)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_input_is_a_surprise(data: bytes, step: int) -> None:
    reader = MessageReader(100)
    try:
        found = read_all(reader, *(data[at : at + step] for at in range(0, len(data), step)))
    except ProtocolViolation:
        return
    assert b"".join(each.encode() for each in found) + reader.take_rest() == data
    assert all(len(each.body) <= 96 for each in found)
