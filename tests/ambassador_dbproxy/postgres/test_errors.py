"""ErrorResponse, ours and the server's."""

from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.errors import MAX_TEXT_CHARS, ServerError, fatal, read_error


def test_a_fatal_error_on_the_wire() -> None:
    assert fatal("57P03", "wait", hint="not long") == (
        b"E\x00\x00\x00\x2eSFATAL\0VFATAL\0C57P03\0Mwait\0Hnot long\0\0"
    ).replace(b"\x2e", bytes([4 + 7 + 7 + 7 + 6 + 10 + 1]))


@given(st.text(), st.text())
def test_any_text_is_framed_and_read_back(message: str, hint: str) -> None:
    raw = fatal("08P01", message, hint=hint)
    assert int.from_bytes(raw[1:5], "big") == len(raw) - 1
    read = read_error(raw[5:])
    assert (read.severity, read.sqlstate) == ("FATAL", "08P01")
    assert len(read.message) <= MAX_TEXT_CHARS


@given(st.binary(max_size=300))
def test_any_error_of_the_server_can_be_read(body: bytes) -> None:
    assert isinstance(read_error(body), ServerError)
