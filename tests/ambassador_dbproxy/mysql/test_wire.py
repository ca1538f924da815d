"""Framing: whole packets whatever the slices, nothing over the bound, no field beyond the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql.wire import (
    Fields,
    Packet,
    PacketReader,
    ProtocolViolation,
    counted,
    encode,
    length_encoded,
)


def read_all(stream: bytes, step: int, max_bytes: int = 65536) -> list[Packet]:
    reader, packets = PacketReader(max_bytes), []
    for at in range(0, len(stream), step):
        reader.feed(stream[at : at + step])
        while (packet := reader.next_packet()) is not None:
            packets.append(packet)
    return packets


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_packets_come_out_whole(step: int) -> None:
    packets = [Packet(0, b"\x03SELECT 1"), Packet(1, b""), Packet(255, b"x" * 300)]
    assert read_all(b"".join(each.encode() for each in packets), step) == packets


def test_the_wire_form() -> None:
    assert encode(1, b"ab") == b"\2\0\0\1ab"
    assert encode(256, b"") == b"\0\0\0\0"


def test_a_length_is_judged_before_anything_is_kept_for_it() -> None:
    reader = PacketReader(max_bytes=100)
    reader.feed(b"\x65\0\0\0")
    with pytest.raises(ProtocolViolation, match="packet of 101 bytes, allowed are 100"):
        reader.next_packet()


def test_the_rest_is_handed_over() -> None:
    reader = PacketReader()
    reader.feed(encode(0, b"a") + b"\5\0")
    assert reader.next_packet() == Packet(0, b"a")
    assert reader.take_rest() == b"\5\0"
    assert reader.take_rest() == b""


@pytest.mark.parametrize(
    ("value", "wire"),
    [(0, b"\0"), (250, b"\xfa"), (251, b"\xfc\xfb\0"), (65536, b"\xfd\0\0\1"), (1 << 24, b"\xfe\0\0\0\1\0\0\0\0")],
)
def test_length_encoded_integers(value: int, wire: bytes) -> None:
    assert length_encoded(value) == wire
    assert Fields(wire).length_encoded() == value


@given(st.binary(max_size=70000))
def test_counted_bytes_come_back(data: bytes) -> None:
    assert Fields(counted(data)).counted() == data


@pytest.mark.parametrize("body", [b"", b"\xfb", b"\xff", b"\xfc\1", b"\5abc", b"\xfe" + b"\xff" * 8])
def test_a_promise_that_the_body_does_not_keep(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Fields(body).counted()


def test_a_missing_last_nul_is_forgiven() -> None:
    fields = Fields(b"ab\0cd")
    assert [fields.until_nul(), fields.until_nul(), fields.until_nul()] == [b"ab", b"cd", b""]


@given(st.binary(max_size=300), st.integers(1, 7))
def test_any_bytes_are_packets_or_a_violation(stream: bytes, step: int) -> None:
    try:
        packets = read_all(stream, step, max_bytes=64)
    except ProtocolViolation:
        return
    assert all(len(each.body) <= 64 for each in packets)
