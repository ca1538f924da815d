"""ErrorResponse, ours and the server's."""

import struct
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.errors import (
    MAX_PASSED_BYTES,
    MAX_TEXT_CHARS,
    ServerError,
    fatal,
    read_error,
    with_hint,
)


def test_a_fatal_error_on_the_wire() -> None:
    length = 4 + 7 + 7 + 7 + 6 + 1
    assert fatal("57P03", "wait") == b"E\0\0\0%cSFATAL\0VFATAL\0C57P03\0Mwait\0\0" % length


@pytest.mark.parametrize(("own", "shown"), [(b"", b"Hask\0"), (b"Hthe server's\0", b"")])
def test_the_servers_error_keeps_all_of_its_fields(own: bytes, shown: bytes) -> None:
    body = b"SFATAL\0VFATAL\0C42501\0Mno\0Dwhy\0" + own
    assert with_hint(body + b"\0", "ask") == b"E" + struct.pack(">I", len(body + shown) + 5) + body + shown + b"\0"


def test_nothing_behind_the_end_of_the_servers_error_is_passed_on() -> None:
    shown = with_hint(b"SFATAL\0VFATAL\0C28P01\0Mno\0\0Dnot a field\0", "ask")[5:]
    assert shown == b"SFATAL\0VFATAL\0C28P01\0Mno\0Hask\0\0"


@pytest.mark.parametrize("body", [b"", b"\0", b"Mno", b"Mno\0", b"Mno\0\0", b"M" + b"x" * 60_000 + b"\0\0"])
def test_what_every_error_has_is_filled_in(body: bytes) -> None:
    shown = with_hint(body, "ask")
    assert int.from_bytes(shown[1:5], "big") == len(shown) - 1 <= MAX_PASSED_BYTES + 100
    read = read_error(shown[5:])
    assert (read.severity, read.sqlstate) == ("FATAL", "28000")
    assert read.message.startswith(("no", "xxx", "the server refused the login"))


@given(st.binary(max_size=300))
def test_any_error_of_the_server_is_passed_on_whole(body: bytes) -> None:
    fields = list(takewhile(bool, with_hint(body, "ask")[5:].split(b"\0")))
    assert {b"S", b"V", b"C", b"M", b"H"} <= {field[:1] for field in fields}
    assert b"\0".join(fields) + b"\0\0" == with_hint(body, "ask")[5:]


@given(st.text())
def test_any_text_is_framed_and_read_back(message: str) -> None:
    raw = fatal("08P01", message)
    assert int.from_bytes(raw[1:5], "big") == len(raw) - 1
    read = read_error(raw[5:])
    assert (read.severity, read.sqlstate) == ("FATAL", "08P01")
    assert len(read.message) <= MAX_TEXT_CHARS


@given(st.binary(max_size=300))
def test_any_error_of_the_server_can_be_read(body: bytes) -> None:
    assert isinstance(read_error(body), ServerError)
