"""Errors: built in both forms, read from any bytes; the status behind an OK."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql.errors import (
    CODES,
    MAX_TEXT_BYTES,
    TOO_MANY_CONNECTIONS,
    ServerError,
    read_error,
    read_status,
    refusal,
)
from ambassador_dbproxy.mysql.wire import ProtocolViolation
from ambassador_dbproxy.refusal import Reason


def test_before_a_greeting_there_is_no_sqlstate() -> None:
    assert refusal(TOO_MANY_CONNECTIONS, "full", 0, greeted=False) == b"\7\0\0\0\xff\x10\x04full"
    assert refusal(TOO_MANY_CONNECTIONS, "full", 2) == b"\x0d\0\0\2\xff\x10\x04#08004full"


def test_every_refusal_has_a_code() -> None:
    assert set(CODES) == set(Reason)


def test_texts_are_made_safe_and_kept_short() -> None:
    packet = refusal(TOO_MANY_CONNECTIONS, "a\0b" + "é" * 1000, 1)
    assert b"a b" in packet
    assert len(packet) == 4 + 3 + 6 + MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"\xff\x15\x04#28000Access denied", ServerError(1045, "28000", "Access denied")),
        (b"\xff\x10\x04Too many connections", ServerError(1040, "", "Too many connections")),
        (b"\xff\x10\x04#2", ServerError(1040, "", "#2")),
        (b"\xff", ServerError(0, "", "")),
    ],
)
def test_errors_of_servers(body: bytes, error: ServerError) -> None:
    assert read_error(body) == error


@given(st.binary(max_size=100))
def test_any_error_is_read(body: bytes) -> None:
    read_error(b"\xff" + body)


def test_status() -> None:
    assert read_status(b"\0\0\0\2\0\0\0") == 2
    assert read_status(b"\xfe\xfc\0\1\0\3\0\0\0") == 3
    for bad in (b"", b"\0\0\0\2", b"\1\0\0\2\0"):
        with pytest.raises(ProtocolViolation):
            read_status(bad)
