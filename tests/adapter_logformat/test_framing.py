"""Messages out of bytes from sockets: octet counting and lines (RFC 6587), datagrams (RFC 5426)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_logformat.inputs.framing import Framing, Piece, datagram


def feed(*reads: bytes, longest: int = 1000) -> list[Piece]:
    framing = Framing(longest)
    pieces = [piece for read in reads for piece in framing.feed(read)]
    return pieces + framing.end()


def test_lines_pass_as_they_come() -> None:
    assert feed(b"<34>a\n<34>", b"b\n") == [Piece(b"<34>a\n<34>"), Piece(b"b\n")]


def test_counted_messages_are_one_piece_each() -> None:
    assert feed(b"5 <34>a7 <34>b\nc") == [Piece(b"<34>a\n"), Piece(b"<34>b\nc", message=True)]


def test_a_line_that_begins_with_a_number_is_no_count() -> None:
    assert feed(b"2026-11-20 08:51:00 x\n") == [Piece(b"2026-11-20 08:51:00 x\n")]
    assert feed(b"17 bytes read\n") == [Piece(b"17 bytes read\n")]


@pytest.mark.parametrize("wrong", [b"x <34>a", b"0 <34>a", b"999999999 <34>a", b"2000 <34>a"])
def test_after_a_count_that_is_none_everything_is_lines(wrong: bytes) -> None:
    framing = Framing(1000)
    assert framing.feed(b"5 <34>a" + wrong) == [Piece(b"<34>a\n"), Piece(wrong)]
    assert framing.broken
    assert framing.feed(b"5 <34>a") == [Piece(b"5 <34>a")]


def test_what_a_broken_connection_left_is_kept() -> None:
    assert feed(b"50 <34>half") == [Piece(b"50 <34>half")]


MESSAGES = st.lists(
    st.binary(max_size=30).map(lambda body: b"<34>" + body.replace(b"\n", b"") + b"x"), min_size=1, max_size=8
)


@given(MESSAGES, st.data())
def test_cut_anywhere_the_same_messages_come_out(messages: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(b"%d %b" % (len(message), message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    reads = [raw[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert feed(*reads) == [Piece(message + b"\n") for message in messages]


@given(st.lists(st.binary(max_size=40)))
def test_no_byte_is_lost_whatever_comes(reads: list[bytes]) -> None:
    raw = b"".join(reads)
    got = b"".join(piece.data for piece in feed(*reads, longest=20))
    if not raw[:1].isdigit():
        assert got == raw


def test_a_datagram_is_one_syslog_message_or_lines() -> None:
    assert datagram(b"<34>a") == Piece(b"<34>a\n")
    assert datagram(b"<34>a\nb\n\x00") == Piece(b"<34>a\nb", message=True)
    assert datagram(b"a\nb\n") == Piece(b"a\nb\n")
